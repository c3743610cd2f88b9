"""What was asked of the build and cannot be had: targets, flags, secrets, keys, entitlements, drivers, definitions."""

from __future__ import annotations

import re
from collections.abc import Callable

from hitmiss.build.trouble_case import Advice, Case, familiar, host_of, meant, registry
from hitmiss.build.trouble_steps import not_given

Answer = Callable[[re.Match[str], Case], Advice]


def asked(case: Case) -> Advice | None:
    """The first of `_ANSWERS` whose words the client's last sentence has."""
    for words, answer in _ANSWERS:
        if found := re.search(words, case.error):
            return answer(found, case)
    return None


def _mount(_: re.Match[str], case: Case) -> Advice:
    line = f" ({case.line})" if case.line else ""
    return Advice(
        f"The Dockerfile frontend that was taken does not know `RUN --mount`{line}.",
        "Make `# syntax=docker/dockerfile:1` the first line, or update Docker.",
    )


def _legacy(_: re.Match[str], case: Case) -> Advice:
    return Advice(
        "A `docker build` without BuildKit was started, and that knows no `RUN --mount`.",
        "Unset DOCKER_BUILDKIT=0, or say `docker buildx build`; hitmiss itself always builds with BuildKit.",
    )


def _target(found: re.Match[str], case: Case) -> Advice:
    names = f"Its stages: {', '.join(case.known.stages)}." if case.known.stages else "None of its stages has a name."
    close = f"Did you mean {found[2]}? " if found[2] else f"{meant(found[1], case.known.stages)} ".lstrip()
    return Advice(f"There is no stage {found[1]} in the Dockerfile.", f"{close}{names}")


def _flag(found: re.Match[str], case: Case) -> Advice:
    return Advice(
        f"{case.line.split(' ')[0] or 'The instruction'} has no flag {found[1]}.", f"Did you mean --{found[2]}?"
    )


def _blank(found: re.Match[str], case: Case) -> Advice:
    names = re.findall(r"\$\{?(\w+)", found[1])
    if not names:
        return Advice(f"FROM {found[1]} names no image.", "Name the image to start from.")
    name = names[0]
    return Advice(
        f"FROM {found[1]} names no image: the argument {name} has no value.",
        f"Give it one: `--build-arg {name}=IMAGE`, or `ARG {name}=IMAGE` above the first FROM.",
    )


def _upper(found: re.Match[str], case: Case) -> Advice:
    return Advice(
        f'"{found[1]}" is no name of an image or stage: it has capital letters.', "Write it in small letters."
    )


def _secret(found: re.Match[str], case: Case) -> Advice:
    return not_given(found[1])


def _file(found: re.Match[str], case: Case) -> Advice:
    return Advice(
        f"The file {found[1]}, which a secret or a key is to be read from, is not there.",
        "Look at `src=` of --secret; paths are taken from the folder where hitmiss was started.",
    )


def _ssh(found: re.Match[str], case: Case) -> Advice:
    name = found[1]
    given = f"--ssh {name}" if name == "default" else f"--ssh {name}=KEYFILE"
    return Advice(f"A step wants the SSH key or agent `{name}`, and none is given.", f"Give it: `{given}`.")


def _agent(_: re.Match[str], case: Case) -> Advice:
    return Advice(
        "There is no SSH agent: SSH_AUTH_SOCK is not set.",
        "Start one (`eval $(ssh-agent)` and `ssh-add`), or name a key: `--ssh default=KEYFILE`.",
    )


def _key(found: re.Match[str], case: Case) -> Advice:
    return Advice(f"The SSH key {found[1]} is not there.", "Look at the path after `--ssh`.")


def _allow(found: re.Match[str], case: Case) -> Advice:
    return Advice(
        f"The build wants {found[1]}, which is not allowed.",
        f"Allow it with `--allow {found[1]}`, if you trust the Dockerfile; the builder must allow it too.",
    )


def _driver(found: re.Match[str], case: Case) -> Advice:
    return Advice(
        f"{found[1]} by the {found[2]} driver of this builder.",
        "Take another builder (`docker buildx create --use --driver docker-container`), or turn on the engine's "
        "containerd image store.",
    )


def _variable(found: re.Match[str], case: Case) -> Advice:
    place = re.search(r"(\S+:\d+),", case.error)
    where = f" of {place[1]}" if place else ""
    return Advice(
        f"The variable {found[1]}{where} is not defined.",
        f'Define it in the bake file (`variable "{found[1]}" {{ default = "" }}`), or mend its name.',
    )


def _required(found: re.Match[str], case: Case) -> Advice:
    why = f" ({found[2]})" if found[2] else ""
    return Advice(
        f"The compose file needs the variable {found[1]}, which has no value{why}.",
        f"Set it in .env or in the environment: `{found[1]}=…`.",
    )


def _bake_target(found: re.Match[str], case: Case) -> Advice:
    close = meant(found[1], case.known.stages)
    return Advice(
        f"There is no target {found[1]} in the bake or compose file.",
        close
        or "Look at its name, and at `inherits` and `contexts`: `docker buildx bake --list targets` names them all.",
    )


def _circle(found: re.Match[str], case: Case) -> Advice:
    return Advice(
        f"The targets {found[1]} and {found[2]} need each other, so neither can be built first.",
        "Take one of the two `target:` contexts away.",
    )


def _named_context(found: re.Match[str], case: Case) -> Advice:
    return Advice(f"The context {found[1]} is to be {found[2]}, which is not there.", "Look at its path.")


def _builder_image(found: re.Match[str], case: Case) -> Advice:
    """buildx takes its container driver for an engine without BuildKit too (`builder/builder.go`)."""
    name = case.build.builder
    if name == "default":
        return Advice(
            f"The engine has no BuildKit of its own, and the image {familiar(found[1])} that brings it could not be "
            "fetched.",
            f"Update Docker Engine to 23 or newer, or mend the network to {registry(host_of(found[1]))}.",
        )
    return Advice(
        f"The builder {name} could not be started: its own image {familiar(found[1])} could not be fetched.",
        f"Mend the network to {registry(host_of(found[1]))}, or build on another one: `--builder default`.",
    )


def _cache(found: re.Match[str], case: Case) -> Advice:
    """A sort of cache that the builder does not know, or that is not set up."""
    kind = found[1]
    if len(found.groups()) > 1:
        return Advice(
            f"The cache in {kind} cannot be used: {found[2].rstrip('.')}.",
            f"Mend what is said of type={kind} in --cache-from and --cache-to, or use a registry: type=registry,ref=….",
        )
    name = case.build.builder or "this one"
    return Advice(
        f"The builder {name} knows no cache of type {kind}.",
        "Use a registry (type=registry,ref=…), or a docker-container builder: "
        "`docker buildx create --driver docker-container --use`.",
    )


def _odd_name(_: re.Match[str], case: Case) -> Advice:
    name = case.known.odd()
    return Advice(
        f"The name of {name or 'a file in a context'} is not UTF-8, and BuildKit takes no other.",
        f"Rename it, or leave it out by a line in {case.known.ignore_file}.",
    )


def _nothing_came(_: re.Match[str], case: Case) -> Advice:
    return Advice(
        "Nothing came by standard input, from where `-` reads a Dockerfile or a tar archive.",
        "Give it one (`hitmiss build - < Dockerfile`), or name the folder that holds the sources.",
    )


def _silent(_: re.Match[str], case: Case) -> Advice:
    name = case.build.builder
    return Advice(
        f"The builder {name} did not answer.",
        f"`docker buildx inspect --bootstrap {name}` shows why; `docker buildx ls` lists the others.",
    )


def _let_go(_: re.Match[str], case: Case) -> Advice:
    return Advice(
        "The engine let go of what a build that was canceled had written, while this one read it.", "Build again."
    )


def _collected(_: re.Match[str], case: Case) -> Advice:
    return Advice(
        "The engine deleted a layer of the image before, while it wrote the new one on it.",
        "Build again: all that ran is in the cache.",
    )


_ANSWERS: tuple[tuple[str, Answer], ...] = (
    # moby with containerd's image store: seen in one of some hundred builds that give a name to a new image
    (r"failed to prepare extraction snapshot .*: parent snapshot \S+ does not exist", _collected),
    # moby/buildkit#6808: seen once, right after a build that was canceled
    (r"during finalize: failed to stat active key during commit: snapshot \S+ does not exist", _let_go),
    # BuildKit and moby, `frontend/dockerfile/instructions/bflag.go`; the legacy builder, `builder/dockerfile`
    (r"(?i)parse error (?:on )?line \d+: unknown flag: (?:--)?mount$", _mount),
    (r"the --mount option requires BuildKit", _legacy),
    (r"unknown flag: (--[\w-]+) \(did you mean ([\w-]+)\?\)", _flag),
    # BuildKit, `frontend/dockerfile/dockerfile2llb`
    (r'target stage "([^"]+)" could not be found(?: \(did you mean (\S+)\?\))?', _target),
    (r"base name \((.*)\) should not be blank", _blank),
    (r'failed to parse stage name "([^"]+)": .*must be lowercase', _upper),
    # Go's protobuf, of a path that is sent
    (r"unmarshal the received message: string field contains invalid UTF-8", _odd_name),
    # BuildKit, `source/local`, where buildx found nothing to send
    (r"no local sources enabled", _nothing_came),
    # BuildKit, `session/secrets` and `session/sshforward`; buildx, `util/buildflags`
    (r"secret (\S+): not found$", _secret),
    (r"failed to stat (\S+): stat .*: no such file or directory", _file),
    (r"(?:unset ssh forward key|no SSH key) (\S+)", _ssh),
    (r"invalid empty ssh agent socket", _agent),
    (r"failed to convert agent config.*: stat (\S+): no such file or directory", _key),
    # BuildKit, `util/entitlements`; buildx, `build/utils.go`
    (r"\b(network\.host|security\.insecure) is not allowed", _allow),
    (
        r"((?:Multi-platform build|Cache export|Attestation|\w+ exporter) is not supported) for the (\S+) driver",
        _driver,
    ),
    # BuildKit, `control/control.go` and `cache/remotecache/*`
    (r'unknown cache (?:ex|im)porter: "(\w+)"', _cache),
    (r"failed to configure ((?!registry|local)\w+) cache (?:ex|im)porter: (.+)$", _cache),
    # buildx, `bake` (HCL's own words among them), and compose's interpolation
    (r'There is no variable named "(\w+)"', _variable),
    (r"required variable (\w+) is missing a value(?:: (.+))?$", _required),
    (r"failed to find target (\S+)$", _bake_target),
    (r"infinite loop from (\S+) to (\S+)", _circle),
    (r"failed to get build context (\S+): stat (\S+): no such file", _named_context),
    # buildx, `driver`
    (r'failed to resolve reference "(\S*moby/buildkit:\S+)"', _builder_image),
    (r"^context deadline exceeded$", _silent),
)
"""The client's words, and what is said of them; the first that is found counts."""
