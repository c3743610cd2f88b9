"""Images that cannot be fetched, pushed or used as a cache: the registry's answer told by what can be done about it.

The words are BuildKit's (`util/imageutil`, `source/containerimage`), and inside them those of containerd's resolver and
pusher (`core/remotes/docker`, `core/remotes/errors`) and of Go's `net`, `crypto/tls` and `net/http`.
"""

from __future__ import annotations

import re

import msgspec

from hitmiss.build.model import Build
from hitmiss.build.trouble_case import Advice, Case, familiar, host_of, login, meant, registry

WELL_KNOWN = (  # noqa: SIM905 - a list of a line each says no more
    "alpine amazoncorretto amazonlinux archlinux bash buildpack-deps bun busybox caddy centos clojure composer debian "
    "docker eclipse-temurin elasticsearch elixir erlang fedora gcc golang gradle haproxy haskell hello-world httpd "
    "influxdb jenkins julia kong mariadb maven memcached mongo mysql nextcloud nginx node openjdk perl php postgres "
    "pypy python rabbitmq redis registry rockylinux ruby rust solr swift telegraf tomcat traefik ubuntu wordpress"
).split()
"""Names of official images, for what may be a typo."""

_RATE, _DENIED, _NO_PLATFORM, _NOT_FOUND, _PLAIN, _TLS, _NAME, _REFUSED, _AWAY, _DOWN = range(10)
_REASONS = (
    (_RATE, r"429 Too Many Requests|toomanyrequests"),
    (_NO_PLATFORM, r"no match for platform in manifest"),
    (
        _DENIED,
        r"(?:pull|push) access denied|insufficient_scope|40[13] (?:Unauthorized|Forbidden)|failed to fetch oauth token"
        r"|no basic auth credentials|authentication required|requested access to the resource is denied",
    ),
    (_PLAIN, r"server gave HTTP response to HTTPS client|first record does not look like a TLS handshake"),
    (_TLS, r"\b(?:tls|x509): "),
    (_NAME, r"no such host|server misbehaving|Temporary failure in name resolution"),
    (_REFUSED, r"connection refused"),
    (
        _AWAY,
        r"no route to host|network is unreachable|i/o timeout|[Tt]imeout|deadline exceeded|connection reset|\bEOF\b",
    ),
    (_DOWN, r"\b5\d\d (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout)"),
    (_NOT_FOUND, r": not found$|404 Not Found"),
)
_BLOCKED = {
    _PLAIN: "it speaks plain HTTP, and HTTPS was expected",
    _NAME: "its name was not found (DNS)",
    _REFUSED: "it refused the connection",
    _AWAY: "it did not answer",
    _DOWN: "it has trouble of its own",
}


def image(case: Case) -> Advice | None:
    """An image that the build starts or copies from, or the frontend of a `# syntax=` line."""
    name, frontend = _wanted(case.build)
    reason = _reason(case.error)
    if not name or reason is None:
        return None
    if frontend:
        return _frontend(familiar(name), host_of(name), reason, case)
    shown = familiar(name)
    return _stage_below(shown, case) or _own(shown, case) or _image(shown, host_of(name), reason, case)


def push(case: Case) -> Advice | None:
    """A finished image that a registry does not take, or a cache that cannot be written there."""
    found = re.search(r"failed to push (\S+): ", case.error)
    if found is None:
        found = next((match for work in case.build.internals if (match := _pushed(work.error, case.error))), None)
    reason = _reason(case.error)
    exporting = any(
        work.error and work.error in case.error and work.instruction.startswith("exporting cache")
        for work in case.build.internals
    )
    if reason is None or not (found or exporting):
        return None
    host = host_of(found[1]) if found else _address(case.error)
    what = f"The image {familiar(found[1])} could not be pushed" if found else "The cache could not be exported"
    if reason in (_DENIED, _NOT_FOUND):
        return Advice(
            f"{what}: {registry(host)} did not allow it.",
            f"Log in (`{login(host)}`) as somebody who may write there, and check the name.",
        )
    return _registry(what, host, reason, case)


class MissingCache(msgspec.Struct, frozen=True):
    """A cache that was to be imported and could not be: what it is called, and why.

    `work` is the piece of BuildKit's own work that tried ("": the client did not come so far).
    """

    ref: str
    why: str
    work: str = ""


def notices(build: Build) -> tuple[str, ...]:
    """What a build goes on without: caches that could not be imported."""
    return tuple(
        dict.fromkeys(
            f"The cache {'of' if each.work else 'in'} {each.ref} was not found ({each.why})."
            for each in missing_caches(build)
        )
    )


def missing_caches(build: Build) -> tuple[MissingCache, ...]:
    """The caches that could not be imported; the build goes on without them.

    BuildKit, `solver/llbsolver` (the vertex of the import) and buildx, `build/opt.go` (the client's warning).
    """
    found = []
    for work in build.internals:
        ref = re.match(r"importing cache manifest from (\S+)", work.instruction)
        if not ref or not work.error or "context canceled" in work.error:
            continue
        if unknown := re.search(r'unknown cache importer: "?([^\s"]+)"?$', work.error):
            found.append(MissingCache(f"type={unknown[1]}", _no_type(unknown[1]), work.id))
        else:
            found.append(MissingCache(ref[1], _why(work.error, host_of(ref[1])), work.id))
    for line in build.text:
        local = re.match(r"WARNING: local cache import at (.*) not found due to err: (.*)", line)
        if local:
            found.append(MissingCache(local[1], local[2].rpartition(": ")[2]))
    return tuple(dict.fromkeys(found))


_CACHES = ("registry", "local", "gha", "s3", "azblob")
"""The types of caches that BuildKit can import."""


def _no_type(kind: str) -> str:
    return "this builder has no such type" if kind in _CACHES else f"no such type; there are {', '.join(_CACHES)}"


def _why(error: str, host: str) -> str:
    reason = _reason(error)
    if reason == _NOT_FOUND:
        return "there is none yet"
    if reason == _DENIED:
        return f"{registry(host)} did not allow it: `{login(host)}`"
    if reason == _RATE:
        return f"{registry(host)} takes no more requests for now"
    return f"{registry(host)}: {_BLOCKED[reason]}" if reason in _BLOCKED else error.rpartition(": ")[2]


def _pushed(error: str, whole: str) -> re.Match[str] | None:
    """The push that an error belongs to which names a token server only."""
    cause = error.rpartition("failed to authorize: ")[2]
    return re.match(r"failed to push (\S+): ", error) if cause and cause in whole else None


def _wanted(build: Build) -> tuple[str, bool]:
    """The image whose metadata could not be had, and whether it is a frontend."""
    for work in build.internals:
        if not work.error or re.search(r"context canceled", work.error):
            continue
        if found := re.search(r"\[internal\] load metadata for (\S+)", work.instruction):
            return found[1], False
        if found := re.match(r"resolve image config for docker-image://(\S+)", work.instruction):
            return found[1], True
    return "", False


def _reason(error: str) -> int | None:
    return next((kind for kind, words in _REASONS if re.search(words, error)), None)


def _address(error: str) -> str:
    found = re.search(r"https?://([^/\s\"]+)", error)
    return found[1] if found else "docker.io"


def _stage_below(name: str, case: Case) -> Advice | None:
    bare = name.removesuffix(":latest").lower()
    if bare not in case.known.stages:
        return None
    return Advice(
        f"`{bare}` is a stage of this Dockerfile, but it stands below the line that wants it, so an image of that name "
        "was looked for.",
        f"Move the stage `{bare}` above that line.",
    )


def _own(name: str, case: Case) -> Advice | None:
    maker = case.known.makes.get(name) or case.known.makes.get(name.removesuffix(":latest"))
    if not maker:
        return None
    return Advice(
        f"The image {name}, which this build needs, is not there: the target {maker} makes it.",
        f"Build it first: `hitmiss build --target {maker}`, or let this target need it (`needs` in hitmiss.toml).",
    )


def _image(name: str, host: str, reason: int, case: Case) -> Advice | None:
    where = registry(host)
    if reason == _NO_PLATFORM:
        platform = _platform(case)
        return Advice(
            f"The image {name} does not exist for {platform}.",
            f"`docker buildx imagetools inspect {name}` lists its platforms; build for one of them with `--platform`.",
        )
    repository, colon, tag = name.partition(":") if "/" not in name else (name, "", "")
    typo = meant(name, case.known.images) if reason != _RATE else ""
    if reason != _RATE and (stage := meant(name.removesuffix(":latest"), case.known.stages)):
        typo = stage.replace("mean ", "mean the stage ", 1)
    if not typo and repository not in WELL_KNOWN and (close := meant(repository, WELL_KNOWN)):
        typo = f"{close.removesuffix('?')}{colon}{tag}?"
    if reason in (_DENIED, _NOT_FOUND):
        sentence = (
            f"{where} has no image {name}."
            if reason == _NOT_FOUND
            else f"{where} does not give out {name}: it does not exist there, or it is private."
        )
        private = f"if it is private, `{login(host)}`; " if reason == _DENIED else ""
        return Advice(
            sentence,
            typo or f"Check its name and tag; {private}if it is one of your own, build it first.",
        )
    return _registry(f"The image {name} could not be fetched", host, reason, case, typo=typo)


def _registry(what: str, host: str, reason: int, case: Case, typo: str = "") -> Advice | None:
    where = registry(host)
    if reason == _RATE:
        return Advice(f"{what}: {where} takes no more requests for now.", f"Log in (`{login(host)}`), or wait.")
    if reason == _TLS:
        why = re.search(r"\b(?:tls|x509): .*", case.error)
        return Advice(
            f"{what}: the certificate of {where} is not trusted ({why[0] if why else 'TLS'}).",
            "Give its authority to the engine (`/etc/docker/certs.d/HOST/ca.crt`); look at the clock and the proxy.",
        )
    if reason not in _BLOCKED:
        return None
    sentence = f"{what}: {where} could not be reached: {_BLOCKED[reason]}."
    if reason == _PLAIN:
        return Advice(sentence, f'Let the engine use HTTP there: `"insecure-registries": ["{host}"]` in daemon.json.')
    if reason == _DOWN:
        return Advice(sentence, "Try again later.")
    own = " An image of your own is built first." if what.startswith("The image") and "push" not in what else ""
    return Advice(
        sentence, f"{typo or f'Look at the network, the proxy and the name {host}.'}{own if not typo else ''}"
    )


def _frontend(name: str, host: str, reason: int, case: Case) -> Advice | None:
    what = f"The frontend {name} of the `# syntax=` line could not be fetched"
    where = registry(host)
    if reason in (_DENIED, _NOT_FOUND, _NO_PLATFORM):
        return Advice(
            f"{what}: {where} does not have it.", "Write `# syntax=docker/dockerfile:1`, or leave the line out."
        )
    found = _registry(what, host, reason, case)
    if found and reason not in (_RATE, _TLS, _PLAIN):
        return Advice(found.sentence, "Mend the network, or leave the line out: BuildKit has a frontend of its own.")
    return found


def _platform(case: Case) -> str:
    found = re.search(r"--platform=(\S+)", case.line)
    if found and "$" not in found[1]:
        return found[1]
    return case.build.platforms[0] if len(case.build.platforms) == 1 else "a platform that was asked for"
