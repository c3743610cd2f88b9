"""What a generated project is at one moment, as values; a state can be written to disk over any other.

In every text `NONCE` stands for a word of the series alone and `SIDE` for a folder beside the project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BASE = "base-NONCE:latest"
"""The base image of a series; a move may let the tag point at another image."""
IMAGES = ("busybox:latest", "other-base:latest")
SIDE = "SIDE/extra/"
"""Where the named context `extra` lies."""

_FROM = re.compile(r"\bfrom=(\w+)")


@dataclass(frozen=True)
class File:
    """A file of a context, or a symbolic link where `link` is its target."""

    text: str
    mode: int = 0o644
    link: str = ""


@dataclass(frozen=True)
class Stage:
    """One stage; a line may hold a heredoc."""

    name: str
    base: str
    lines: tuple[str, ...]

    def reads(self) -> set[str]:
        """The stages, images and contexts that its lines name."""
        return reads(self.lines)


@dataclass(frozen=True)
class State:
    """A project with the options that it is built with."""

    files: Mapping[str, File]
    stages: tuple[Stage, ...]
    head: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    image: str = IMAGES[0]

    def dockerfile(self) -> str:
        """Its text."""
        lines = list(self.head)
        for stage in self.stages:
            lines += [f"FROM {stage.base} AS {stage.name}", *stage.lines]
        return "\n".join(lines) + "\n"

    def options(self) -> tuple[str, ...]:
        """The options of every build of it."""
        words = ["--build-context", f"extra={SIDE.rstrip('/')}"]
        words += [word for name, value in self.args.items() for word in ("--build-arg", f"{name}={value}")]
        return (*words, "--target", self.target) if self.target else tuple(words)

    def named(self, name: str) -> Stage | None:
        """A stage by its name."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def has_shell(self, name: str) -> bool:
        """Whether a stage can run commands."""
        stage = self.named(name)
        return stage is not None and (stage.base == BASE or self.has_shell(stage.base))

    def built_on(self, name: str) -> set[str]:
        """A stage and those that it is put on."""
        stage = self.named(name)
        return {name} | self.built_on(stage.base) if stage else set()

    def needed(self, name: str) -> set[str]:
        """A stage and all that it stands on or reads."""
        stage = self.named(name)
        if stage is None:
            return set()
        return {name}.union(*(self.needed(each) for each in (stage.base, *stage.reads())))

    def read_above(self, name: str, line: int) -> set[str]:
        """The stages whose bytes can decide about the step of a stage that begins at that line of the Dockerfile."""
        stage = self.named(name)
        if stage is None:
            return set()
        lines = self.dockerfile().splitlines()
        start = lines.index(f"FROM {stage.base} AS {name}") + 1
        found = self.read_above(stage.base, len(lines))
        for each in reads(lines[start:line]):
            found |= self.needed(each)
        return found


def reads(lines: Iterable[str]) -> set[str]:
    """What these lines name after `from=`."""
    return {name for line in lines for name in _FROM.findall(line)}
