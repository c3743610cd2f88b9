"""Bake and compose files, as docker's own tools read them: nothing here knows their syntax.

A bake file is resolved by `buildx bake --print`. A compose file becomes a bake file first, by `docker compose build
--print`, which knows profiles, overrides, `.env` and the names that `docker compose up` wants; where that plugin is
missing, `buildx bake` reads it alone.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hitmiss.docker import client
from hitmiss.errors import UsageError
from hitmiss.project.find import Kind, Source, kind_of
from hitmiss.project.units import Unit
from hitmiss.settings import BuildOptions

_DEFAULT = "default"
_MORE = re.compile(r",? and \d+ other diagnostic\(s\)$")
_WARNING = re.compile(r"^time=\S+ level=warning msg=(\"(?:[^\"\\]|\\.)*\")", re.MULTILINE)
_LINK = "target:"


class Baked(msgspec.Struct, frozen=True):
    """What the files say. `file` is all of it as one bake file, with nothing left to be resolved.

    `default` are the targets that are built when none is asked for, `groups` the names that stand for several,
    `notices` sentences on what is not as it should be.
    """

    units: tuple[Unit, ...]
    default: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    file: bytes
    notices: tuple[str, ...] = ()


class _Listed(msgspec.Struct, frozen=True):
    name: str
    group: bool = False


class _Group(msgspec.Struct, frozen=True):
    targets: list[str] | None = None


class _Printed(msgspec.Struct, frozen=True):
    """What `buildx bake --print` prints."""

    target: dict[str, dict[str, Any]] = {}
    group: dict[str, _Group] = {}


async def resolve(source: Source, flags: BuildOptions, *, cwd: Path) -> Baked:
    """All targets of the files, with the command line's `flags` laid over each. `cwd` is where paths start from.

    What is built when none is asked for are the services of a compose file whose profiles are active.

    Raises `UsageError` with the tool's own sentence for files that it refuses, `EngineError` where there is no tool.
    """
    files = ["-f", str(source.given)] if source.given else []
    active: tuple[str, ...] | None = None
    text: bytes | None = None
    notices: tuple[str, ...] = ()
    if source.kind is Kind.COMPOSE and (composed := await _composed(files, cwd)):
        text, active, notices = composed
        files = ["-f", "-"]
    elif source.kind is Kind.COMPOSE:
        files = [word for path in source.files if kind_of(path.name) is Kind.COMPOSE for word in ("-f", str(path))]
    names = await _names(files, text, cwd)
    wanted = sorted(each.name for each in names if each != _Listed(_DEFAULT, True))
    if not wanted:
        raise UsageError(f"{_named(source)} has nothing to build.", "Give a service or a target something to build.")
    whole = _print(files, text, cwd, *wanted)
    meant = any(each.name == _DEFAULT for each in names) if active is None else bool(active)
    first = _print(files, text, cwd, *(active or ())) if meant else _nothing()
    printed, default = await asyncio.gather(whole, first, return_exceptions=True)
    if isinstance(default, BaseException):
        raise default
    if isinstance(printed, UsageError) and default.target:
        notices += (f"Some targets cannot be built: {printed.message}",)
        printed = default
    if isinstance(printed, BaseException):
        raise printed
    targets = {name: _over(target, flags) for name, target in printed.target.items()}
    # A default group is also made of what was asked for.
    named = {name: group for name, group in printed.group.items() if name != _DEFAULT}
    groups = {name: tuple(group.targets or ()) for name, group in (named | default.group).items()}
    return Baked(
        units=tuple(_unit(name, target, flags) for name, target in targets.items()),
        default=_expanded(groups.pop(_DEFAULT, ()), groups),
        groups={name: _expanded(members, groups) for name, members in groups.items()},
        file=msgspec.json.encode({"target": targets}),
        notices=notices,
    )


def words(flags: BuildOptions, names: Iterable[str], *, kind: Kind) -> list[str]:
    """The words after `buildx` that build these targets of a bake file, which is named beside them."""
    found = ["bake", *(["--builder", flags.builder] if flags.builder else [])]
    found += [word for word, given in (("--push", flags.push), ("--load", flags.load)) if given]
    # A compose file may name any folder, as with `docker compose build`; a bake file asks, as with `buildx bake`.
    allowed = ("fs.read=*", *flags.allows) if kind is Kind.COMPOSE else flags.allows
    return [*found, *(f"--allow={each}" for each in allowed), *names]


def argued(file: bytes, arguments: Mapping[str, Mapping[str, str]]) -> bytes:
    """`Baked.file` with other build arguments: target → name → value."""
    if not any(arguments.values()):
        return file
    whole = msgspec.json.decode(file)
    for name, values in arguments.items():
        if (target := whole["target"].get(name)) is not None:
            target["args"] = {**(target.get("args") or {}), **_escaped(values)}
    return msgspec.json.encode(whole)


def without_cache(file: bytes, options: Mapping[str, BuildOptions]) -> bytes:
    """`Baked.file` with what the options of each target say of its cache: `--set` knows no `no-cache-filter`."""
    whole = msgspec.json.decode(file)
    for name, own in options.items():
        said = {"no-cache": own.no_cache, "no-cache-filter": own.no_cache_filter}
        whole["target"][name].update({key: value for key, value in said.items() if value})
    return msgspec.json.encode(whole)


async def _composed(files: Sequence[str], cwd: Path) -> tuple[bytes, tuple[str, ...], tuple[str, ...]] | None:
    """A compose file as a bake file of all services, those whose profiles are active, and what there is to say of it;
    None where docker has no compose plugin.
    """
    command = client.find_plugin("docker-compose")
    if command is None:
        return None
    active, whole = await asyncio.gather(
        client.run([*command, *files, "build", "--print"], cwd=cwd),
        client.run([*command, *files, "--profile", "*", "build", "--print"], cwd=cwd),
    )
    if active.code:
        raise UsageError(_sentence(active.err), "Mend the compose file; `docker compose config` shows how it reads.")
    names = msgspec.json.decode(active.out or b"{}", type=_Printed).group.get(_DEFAULT, _Group()).targets or []
    # A service that no active profile wants may be one that cannot be read now.
    return whole.out if not whole.code else active.out, tuple(names), _warnings(active.err)


async def _names(files: Sequence[str], text: bytes | None, cwd: Path) -> list[_Listed]:
    if text is not None:
        made = msgspec.json.decode(text or b"{}", type=_Printed)
        return [*(_Listed(name) for name in made.target), *(_Listed(name, True) for name in made.group)]
    answer = await client.ask("bake", *files, "--list=type=targets,format=json", cwd=cwd)
    if answer.code:
        raise client.error_of(answer.err) or _refused(answer.err)
    return msgspec.json.decode(answer.out, type=list[_Listed])


async def _print(files: Sequence[str], text: bytes | None, cwd: Path, *names: str) -> _Printed:
    answer = await client.ask("bake", *files, "--print", *names, cwd=cwd, sends=text)
    if answer.code:
        raise client.error_of(answer.err) or _refused(answer.err)
    return msgspec.json.decode(answer.out, type=_Printed)


async def _nothing() -> _Printed:
    return _Printed()


def _refused(words: str) -> UsageError:
    if found := re.search(r"infinite loop from (\S+) to (\S+)", words):
        return UsageError(
            f"The contexts of {found[2]} and {found[1]} go round in a circle: none of them can be built first.",
            "Take one of these contexts away.",
        )
    return UsageError(_sentence(words), "Mend the bake file; `docker buildx bake --print` shows how it reads.")


def _sentence(words: str) -> str:
    sentence = _MORE.sub("", client.last_sentence(words).strip()).rstrip(".")
    return f"{sentence}."


def _warnings(words: str) -> tuple[str, ...]:
    """What compose warns of: `time="…" level=warning msg="…"`."""
    said = (msgspec.json.decode(found[1], type=str) for found in _WARNING.finditer(words))
    return tuple(dict.fromkeys(said))


def _named(source: Source) -> str:
    return source.files[0].name if source.files else source.kind.value


def _expanded(names: Sequence[str], groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Targets alone: groups may hold groups."""
    found: dict[str, None] = {}
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in groups and name not in seen:
            seen.add(name)
            waiting = [*groups[name], *waiting]
        elif name not in groups:
            found[name] = None
    return tuple(found)


# A target of a bake file, and the options of `docker build` that mean the same


def _over(target: dict[str, Any], flags: BuildOptions) -> dict[str, Any]:
    """A target with the flags of the command line laid over it."""
    over: dict[str, Any] = dict(target)
    for key, value in (
        ("platforms", flags.platform_list()),
        ("cache-from", flags.cache_from),
        ("cache-to", flags.cache_to),
        ("output", flags.outputs),
        ("tags", flags.tags),
        ("no-cache-filter", flags.no_cache_filter),
        ("network", flags.network),
        ("shm-size", flags.shm_size),
        ("no-cache", flags.no_cache),
        ("pull", flags.pull),
    ):
        if value:
            over[key] = list(value) if isinstance(value, tuple) else value
    if flags.secrets:
        over["secret"] = [*over.get("secret", []), *flags.secrets]
    if flags.ssh:
        over["ssh"] = [*over.get("ssh", []), *flags.ssh]
    if values := flags.argument_values(os.environ):
        over["args"] = {**over.get("args", {}), **_escaped(values)}
    if labels := dict(each.partition("=")[::2] for each in flags.labels):
        over["labels"] = {**over.get("labels", {}), **_escaped(labels)}
    return over


def _unit(name: str, target: Mapping[str, Any], flags: BuildOptions) -> Unit:
    contexts: dict[str, str] = target.get("contexts") or {}
    linked = {each: value.removeprefix(_LINK) for each, value in contexts.items() if value.startswith(_LINK)}
    context = str(target.get("context", "."))
    inline = _plain(str(target.get("dockerfile-inline", "")))
    options = BuildOptions(
        context=context,
        file="" if inline else _dockerfile(str(target.get("dockerfile", "")), context),
        target=str(target.get("target", "")),
        tags=tuple(target.get("tags") or ()),
        build_args=tuple(f"{key}={_plain(value)}" for key, value in (target.get("args") or {}).items()),
        secrets=_rows(target, "secret"),
        ssh=_rows(target, "ssh"),
        build_contexts=tuple(f"{key}={value}" for key, value in contexts.items()),
        cache_from=_rows(target, "cache-from"),
        cache_to=_rows(target, "cache-to"),
        platforms=tuple(target.get("platforms") or ()),
        builder=flags.builder,
        network=str(target.get("network", "")),
        pull=bool(target.get("pull")),
        no_cache=bool(target.get("no-cache")),
        no_cache_filter=tuple(target.get("no-cache-filter") or ()),
        labels=tuple(f"{key}={_plain(value)}" for key, value in (target.get("labels") or {}).items()),
        add_hosts=tuple(f"{key}:{value}" for key, value in (target.get("extra-hosts") or {}).items()),
        push=flags.push,
        load=flags.load,
        outputs=_rows(target, "output"),
        shm_size=str(target.get("shm-size", "")),
        ulimits=tuple(target.get("ulimits") or ()),
    )
    return Unit(name=name, options=options, linked=linked, inline=inline)


def _plain(text: str) -> str:
    """A value as it is meant: `bake --print` writes it so that a bake file may hold it."""
    return text.replace("$${", "${").replace("%%{", "%{")


def _escaped(values: Mapping[str, str]) -> dict[str, str]:
    """Values as a bake file holds them: it fills in variables in what it reads."""
    return {key: value.replace("${", "$${").replace("%{", "%%{") for key, value in values.items()}


def _dockerfile(given: str, context: str) -> str:
    """Its path from the working folder: a bake file's is relative to the context."""
    if not given or "://" in context or given.startswith(("/", "http://", "https://")):
        return given
    return str(Path(context) / given)


def _rows(target: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Entries as the command line has them: `type=registry,ref=…`."""
    return tuple(each if isinstance(each, str) else _row(each) for each in target.get(key) or ())


def _row(entry: Mapping[str, Any]) -> str:
    if "paths" in entry:  # ssh: an agent's name, and its sockets or keys
        return "=".join(filter(None, (str(entry.get("id", "default")), ",".join(entry["paths"]))))
    words = sorted(entry.items(), key=lambda pair: (pair[0] not in ("type", "id"), pair[0]))
    return ",".join(f"{key}={value}" for key, value in words)
