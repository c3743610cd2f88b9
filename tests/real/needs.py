"""What a Dockerfile asks of its base images: their names, the paths that are copied out of stages, users, programs.

Also the few lines of a Dockerfile that cannot be built without a network, taken out of it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hitmiss.project.dockerfile import Dockerfile, parse
from hitmiss.project.operations import Operation, Pass, Question
from hitmiss.project.scope import Base, Scope
from hitmiss.project.stages import SCRATCH, State
from hitmiss.project.words import WordError

PLATFORM = "linux/amd64"
_SYNTAX = re.compile(r"^\s*#\s*syntax\s*=", re.IGNORECASE)
_PIN = re.compile(r"([^\s\"'=]*)@sha256:([0-9a-f]{12})[0-9a-f]{52}")
_REMOTE = re.compile(r"^(https?|git|ssh)://|^git@")
_SHEBANG = re.compile(r"#!\s*(\S+)")
_BIN = ("bin", "sbin")
_OWN = ("/bin/sh", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


@dataclass
class Needs:
    """The union over any number of Dockerfiles."""

    images: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    """Where later stages copy from, from the root; those that end in `/` are folders."""
    present: set[str] = field(default_factory=set)
    """Those of them that no RUN comes before, so that the image has to have them."""
    own: set[str] = field(default_factory=set)
    """Those of them that the repository has itself, so that a command leaves them as they were copied."""
    users: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)
    """What is run without a shell, and the shells themselves: names, or paths from the root."""

    def add(self, other: Needs) -> None:
        """Take the other's in."""
        for name, values in vars(other).items():
            getattr(self, name).update(values)


def environment(image: str) -> Base:
    """The configuration of the stand-in for `image`: like real ones, each has a variable of its own."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    workdir = "/go" if "golang" in image else "/"
    return Base((("PATH", path), ("STAND_IN", image)), workdir)


def offline(text: str) -> tuple[str, list[str]]:
    """A Dockerfile that needs no network, and what was taken out of it.

    A digest becomes part of the tag, so that a base that is pinned anew is another image here too.
    """
    lines = [line for line in text.splitlines(keepends=True) if not _SYNTAX.match(line)]
    text = _PIN.sub(_tagged, "".join(lines))
    notes: list[str] = []
    lines = text.splitlines(keepends=True)
    for stage in reversed(parse(text).stages):
        for instruction in reversed(stage.instructions):
            sources = [word.strip("\"'") for word in instruction.args[:-1]]
            if instruction.keyword == "ADD" and any(map(_REMOTE.match, sources)):
                del lines[instruction.start - 1 : instruction.end]
                notes.append(f"left out: {instruction.original[:90]}")
    return "".join(lines), notes[::-1]


def _tagged(found: re.Match[str]) -> str:
    name, digest = found[1], found[2]
    return f"{name}{'-' if ':' in name.rpartition('/')[2] else ':'}{digest}"


def needs_of(text: str, target: str, build_args: Mapping[str, str], paths: Mapping[str, bool]) -> Needs:
    """What the stages of `target` need; `paths` are those of the commit, by which files are told from folders.

    Raises `UsageError` for what BuildKit refuses.
    """
    dockerfile = parse(text)
    question = _question(dockerfile, target, build_args, {})
    found = Needs()
    for state in Pass(question, PLATFORM, {}).graph.needed:
        if state.base is None and state.base_name != SCRATCH:
            found.images.add(state.base_name)
    bases = {image: environment(image) for image in found.images}
    run = Pass(_question(dockerfile, target, build_args, bases), PLATFORM, {})
    for state in run.graph.needed:
        for operation in run.operations[state]:
            if operation.command and operation.scope:
                _take(operation, operation.scope, found, paths)
    return found


def context_sources(text: str, target: str, build_args: Mapping[str, str]) -> list[str]:
    """What the stages of `target` read of the context, as paths and patterns from its root."""
    dockerfile = parse(text)
    run = Pass(_question(dockerfile, target, build_args, {}), PLATFORM, {})
    found: dict[str, None] = {}
    for state in run.graph.needed:
        for operation in run.operations[state]:
            command, scope = operation.command, operation.scope
            if not command or not scope:
                continue
            if command.instruction.keyword in ("ADD", "COPY") and not command.source:
                words = [_filled(scope, word) for word in command.instruction.args[:-1] if not word.startswith("<<")]
                found |= dict.fromkeys(words)
            mounts = [mount for mount, _ in command.mounts if mount.kind == "bind" and not mount.source_stage]
            found |= dict.fromkeys(_filled(scope, mount.source) for mount in mounts)
    return [posixpath.normpath(f"/{each}").lstrip("/") or "." for each in found]


def _question(
    dockerfile: Dockerfile, target: str, build_args: Mapping[str, str], bases: Mapping[str, Base]
) -> Question:
    return Question(dockerfile, target, build_args, build_platform=PLATFORM, bases=bases)


def _take(operation: Operation, scope: Scope, found: Needs, paths: Mapping[str, bool]) -> None:
    command = operation.command
    assert command is not None
    instruction = command.instruction
    for state, path in _read(operation, scope):
        where = _place(path, paths)
        if where:
            found.outputs.add(where)
            if not _runs(state):
                found.present.add(where)
            if _known(where.strip("/").split("/"), paths) is not None:
                found.own.add(where)
    owner = [_filled(scope, word) for word in instruction.flag_values("chown")]
    for word in [*owner, scope.user or ""]:
        user, _, group = word.partition(":")
        found.users |= {user} if user and not user.isdigit() else set()
        found.groups |= {group} if group and not group.isdigit() else set()
    if instruction.keyword == "RUN":
        if instruction.json:
            found.programs.update(instruction.args[:1])
        elif scope.shell:
            found.programs.add(scope.shell[0])
        found.programs.update(match[1] for doc in instruction.heredocs if (match := _SHEBANG.match(doc.text)))


def _read(operation: Operation, scope: Scope) -> Iterator[tuple[State, str]]:
    """What an operation reads of other stages and images."""
    command = operation.command
    assert command is not None
    if command.source:
        *sources, target = (_filled(scope, word) for word in command.instruction.args)
        for source in sources:
            # `COPY --from=… /x/data.v1 data.v1/`: the target says that it is a folder.
            alike = posixpath.basename(target.rstrip("/")) == posixpath.basename(source)
            yield command.source, source + "/" * (alike and target.endswith("/"))
    for mount, state in command.mounts:
        if state and mount.source_stage and mount.source:
            yield state, _filled(scope, mount.source)


def _runs(state: State | None) -> bool:
    while state:
        if any(command.instruction.keyword == "RUN" for command in state.commands):
            return True
        state = state.base
    return False


def _place(path: str, paths: Mapping[str, bool]) -> str:
    """Where a stand-in puts something for a COPY of `path`; "" where it is there anyhow."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    parts = clean.strip("/").split("/")
    for number, part in enumerate(parts):
        if any(letter in part for letter in "*?["):
            fixed = re.sub(r"\[.[^]]*\]|[*?]", "x", part)
            return "/" + "/".join([*parts[:number], fixed]) + ("/" if "." not in fixed else "")
    if clean == "/" or clean in _OWN:
        return ""
    if path.endswith("/") or _is_folder(parts, paths):
        return clean + "/"
    return clean


def _is_folder(parts: list[str], paths: Mapping[str, bool]) -> bool:
    # The repository's own file or folder of that name is what it is in the image, as a rule.
    known = _known(parts, paths)
    if known is not None:
        return known
    if len(parts) > 1 and parts[-2] in _BIN:
        return False
    return "." not in parts[-1].lstrip(".")


def _known(parts: list[str], paths: Mapping[str, bool]) -> bool | None:
    """Whether the repository has a folder of that name; None where it has nothing of the kind."""
    return next((paths[end] for start in range(len(parts)) if (end := "/".join(parts[start:])) in paths), None)


def _filled(scope: Scope, word: str) -> str:
    try:
        return scope.fill(word).text
    except WordError:
        return word
