"""A Dockerfile as stages and instructions with their lines.

Pure: text in, values out. It starts no process, touches no file, and knows no screen and no database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hitmiss.project.syntax import DockerfileError, Heredoc, Instruction, read

__all__ = ["Dockerfile", "DockerfileError", "Heredoc", "Instruction", "Stage", "frontend", "parse"]

_DIRECTIVE: Final = re.compile(r"#\s*(syntax|escape|check)\s*=\s*(\S+)", re.IGNORECASE)
_STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9-_.]*")
_LEAST_ARGS: Final = {
    "ADD": 2, "ARG": 1, "COPY": 2, "ENV": 1, "EXPOSE": 1, "HEALTHCHECK": 1, "LABEL": 1,
    "MAINTAINER": 1, "SHELL": 1, "STOPSIGNAL": 1, "USER": 1, "VOLUME": 1, "WORKDIR": 1,
}  # fmt: skip
_KEYWORDS: Final = frozenset(_LEAST_ARGS) | {"CMD", "ENTRYPOINT", "FROM", "ONBUILD", "RUN"}
_FAR: Final = 3
_COUNTS: Final = {1: "at least one argument", 2: "at least two arguments"}
_NO_TRIGGER: Final = frozenset({"FROM", "MAINTAINER", "ONBUILD"})


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM (the first of `instructions`) and what follows it.

    `index` counts from 0; `name` is lower-case and "" when there is none; `base` and `platform` are as written; lines
    count from 1.
    """

    index: int
    name: str
    base: str
    platform: str
    start: int
    end: int
    instructions: tuple[Instruction, ...]

    @property
    def shown(self) -> str:
        """The stage's name as `product.md` has it: its own, or `stage-<index>`."""
        return self.name or f"stage-{self.index}"


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile.

    `escape` is a backslash or a backtick, `directives` the parser directives (name, value), `arguments` the ARG
    instructions before the first FROM.
    """

    text: str
    escape: str
    directives: tuple[tuple[str, str], ...]
    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]

    def stage(self, target: str = "") -> Stage | None:
        """The stage that `--target` means: the last one of that name (in any case); "" is the last stage."""
        if not target:
            return self.stages[-1]
        return next((stage for stage in reversed(self.stages) if stage.name == target.lower()), None)


def frontend(text: str) -> str:
    """The frontend image that a `# syntax=` line asks for, "" for none; works on a text that does not parse too.

    One that is not `docker/dockerfile` may read another language: what `parse` says of it need not hold.
    """
    for line in text.removeprefix("\ufeff").splitlines():
        found = _DIRECTIVE.match(line.strip())
        if not found:
            break
        if found[1].lower() == "syntax":
            return found[2]
    return ""


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; raises `DockerfileError` where BuildKit would refuse it before building anything.

    Flags are not checked: which exist depends on the frontend.
    """
    escape, directives, instructions = read(text)
    arguments: list[Instruction] = []
    stages: list[list[Instruction]] = []
    for instruction in instructions:
        _check(instruction)
        if instruction.keyword == "FROM":
            stages.append([instruction])
        elif stages:
            stages[-1].append(instruction)
        elif instruction.keyword == "ARG":
            arguments.append(instruction)
        else:
            raise DockerfileError("no build stage in current context", instruction.start)
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build")
    built = tuple(_stage(index, tuple(found)) for index, found in enumerate(stages))
    return Dockerfile(text, escape, directives, tuple(arguments), built)


def _stage(index: int, found: tuple[Instruction, ...]) -> Stage:
    head = found[0]
    name = head.args[2].lower() if len(head.args) == 3 else ""
    return Stage(index, name, head.args[0], head.flag("platform"), head.start, found[-1].end, found)


def _check(instruction: Instruction) -> None:
    """Refuse what BuildKit refuses when it turns instructions into commands."""
    keyword, args, line = instruction.keyword, instruction.args, instruction.start
    if keyword not in _KEYWORDS:
        written = _as_written(instruction)
        raise DockerfileError(f"unknown instruction: {written}{_meant(written)}", line)
    least = _LEAST_ARGS.get(keyword, 0)
    if len(args) < least:
        raise DockerfileError(f"{keyword} requires {_COUNTS[least]}", line)
    if keyword == "FROM":
        if len(args) not in (1, 3) or (len(args) == 3 and args[1].lower() != "as"):
            raise DockerfileError("FROM requires either one or three arguments", line)
        if len(args) == 3 and not _STAGE_NAME.fullmatch(args[2].lower()):
            raise DockerfileError(
                f'invalid name for build stage: "{args[2]}", name can\'t start with a number or contain symbols', line
            )
    if keyword == "ONBUILD":
        if instruction.trigger is None:
            raise DockerfileError("ONBUILD requires at least one argument", line)
        if instruction.trigger.keyword in _NO_TRIGGER:
            raise DockerfileError(f"{instruction.trigger.keyword} isn't allowed as an ONBUILD trigger", line)


def _meant(word: str) -> str:
    """The instruction that is less than three edits away, in BuildKit's words (`util/suggest`); "" where none is."""
    near = [each for each in _KEYWORDS if abs(len(each) - len(word)) < _FAR]
    edits, found = min(((_edits(word.upper(), each), each) for each in near), default=(_FAR, ""))
    return f" (did you mean {found if word.isupper() else found.lower()}?)" if edits < _FAR else ""


def _edits(one: str, other: str) -> int:
    """How many letters must be put in, taken out or replaced to make `other` of `one`."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row = row, [number]
        for place, wanted in enumerate(other):
            row.append(min(before[place + 1] + 1, row[place] + 1, before[place] + (letter != wanted)))
    return row[-1]


def _as_written(instruction: Instruction) -> str:
    words = instruction.original.split(maxsplit=1)
    return words[0] if words else ""
