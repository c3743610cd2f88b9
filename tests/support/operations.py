"""Builds whose operations are compared: what the engine did, what hitmiss says, random Dockerfiles."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hitmiss.cache.operations import Operation, Operations, StepRef
from hitmiss.docker import client
from hitmiss.project.dockerfile import Dockerfile

Shape = tuple[Any, ...]
"""An operation with all that it stands on; equal where BuildKit's key is."""

_STEP = re.compile(r"\[(?:(\S+/\S+) )?(?:(\S+) +)?(\d+)/\d+\] (?!LINK )")


@dataclass(frozen=True)
class Case:
    """A Dockerfile and the options to build it with."""

    name: str
    text: str
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    contexts: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The options for buildx."""
        words = [*self.options, "--target", self.target] if self.target else [*self.options]
        words += ["--platform", ",".join(self.platforms)] if self.platforms else []
        words += [word for name, value in self.args.items() for word in ("--build-arg", f"{name}={value}")]
        words += [word for name, value in self.contexts.items() for word in ("--build-context", f"{name}={value}")]
        return words


def build(case: Case, folder: Path, dockerfile: Dockerfile, env: Mapping[str, str]) -> tuple[str, dict[str, StepRef]]:
    """Build `case` without an output: the record's name, and the steps by the digest of their vertex."""
    metadata = folder.parent / f"{case.name}.json"
    file = folder.parent / f"{case.name}.Dockerfile"
    file.write_bytes(case.text.encode())
    done = subprocess.run(
        [
            *client.find_client().buildx, "build", "--progress=rawjson", "--output", "type=cacheonly",
            "--metadata-file", str(metadata), "--file", str(file), *case.words(), ".",
        ],
        cwd=folder, env={**env, "BUILDX_METADATA_PROVENANCE": "disabled"}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 0, "\n".join([case.text, *said])
    steps: dict[str, StepRef] = {}
    for line in done.stderr.splitlines():
        for vertex in json.loads(line).get("vertexes") or () if line.startswith("{") else ():
            if found := _STEP.match(vertex["name"]):
                platform, stage, index = found.groups()
                steps[vertex["digest"]] = (platform or "", stage or dockerfile.stages[-1].shown, int(index))
    return json.loads(metadata.read_text())["buildx.build.ref"], steps


def shapes(operations: Operations) -> list[Shape]:
    """Every operation with what it stands on in place of the numbers of its inputs."""
    found: list[Shape] = []
    for each in operations.all:
        inputs = tuple((hash(found[one.operation]), one.selected) for one in each.inputs)
        found.append((each.kind, each.own, each.platform, inputs))
    return found


def difference(derived: Operations, engine: Operations) -> str:
    """The first operation that differs, in the words of both; "" where all are the same."""
    ours, theirs = shapes(derived), shapes(engine)
    extra = [each for shape, each in zip(ours, derived.all, strict=True) if shape not in theirs]
    lacking = [each for shape, each in zip(theirs, engine.all, strict=True) if shape not in ours]
    if extra or lacking:
        said = [f"derived: {_told(each, derived)}" for each in extra[:1]]
        said += [f"engine:  {_told(each, engine)}" for each in lacking[:1]]
        return "\n".join(said)
    for step, place in engine.steps.items():
        if step not in derived.steps:
            return f"{step} is not derived: {sorted(derived.steps)}"
        if ours[derived.steps[step]] != theirs[place]:
            return f"{step}\nderived: {derived.all[derived.steps[step]]}\nengine:  {engine.all[place]}"
    return ""


def _told(each: Operation, operations: Operations) -> str:
    inputs = [(operations.all[one.operation].kind.value, one.selected) for one in each.inputs]
    return f"{each.kind.value} {each.platform} {dict(each.own)} {inputs}"


FILES = {
    "a.txt": "a", "b.txt": "b", "src/main.py": "m", "src/deep/x.py": "x", "src/deep/y.txt": "y", "other/b.txt": "b",
    "with space/c.txt": "c",
}  # fmt: skip


def random_dockerfiles(seed: int, number: int) -> Iterator[Case]:
    """Dockerfiles that build with `FILES` on busybox."""
    for each in range(number):
        yield _Writer(random.Random(seed * 10_000 + each)).case(f"random {each}")


class _Writer:
    """Writes one random Dockerfile."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.stages: list[str] = []

    def case(self, name: str) -> Case:
        """A Dockerfile of up to four stages."""
        chance = self.chance
        lines = [f"ARG {arg}={chance.choice(('1', 'x y', '$G0'))!r}" for arg in ("G0", "G1") if chance.random() < 0.6]
        for number in range(chance.randint(1, 4)):
            base = chance.choice(("busybox", "busybox", "scratch", *self.stages))
            stage = f"s{number}"
            lines.append(f"FROM {base} AS {stage}")
            has_shell = base == "busybox" or base in self._with_shell
            if has_shell:
                self._with_shell.add(stage)
            lines += [self._line(runs=has_shell) for _ in range(chance.randint(1, 7))]
            lines.append("COPY a.txt b.txt /always/")
            self.stages.append(stage)
        args = {arg: chance.choice(("given", "", "a b")) for arg in ("G0", "V1", "V2") if chance.random() < 0.3}
        return Case(name, "\n".join(lines) + "\n", args=args)

    _shells: set[str] | None = None

    @property
    def _with_shell(self) -> set[str]:
        if self._shells is None:
            self._shells = set()
        return self._shells

    def _line(self, *, runs: bool) -> str:
        chance = self.chance
        kinds = [self._copy, self._copy, self._add, self._setting, self._setting, self._workdir, self._heredoc]
        # A RUN costs more time than all the others together.
        return chance.choice([*kinds, *kinds, self._run] if runs else kinds)()

    def _value(self) -> str:
        pieces = ("a", "b/c", "$V1", "${V2:-d}", "${V1:+e}", "${E1%.*}", "${E1##*.}", "$G1", "${E2}", "\\$V1", "${U-u}")
        return "".join(self.chance.choice(pieces) for _ in range(self.chance.randint(1, 3)))

    def _setting(self) -> str:
        chance = self.chance
        return chance.choice((
            f"ENV E1={self._value()}", f'ENV E1="{self._value()} x" E2={self._value()}', f"ENV E2 {self._value()} z",
            f"ARG V1={self._value()}", "ARG V1", "ARG V2", "ARG G0", f"ARG G1={self._value()}", "USER 7:8",
            f"LABEL l={chance.random()}", 'CMD ["x"]', "EXPOSE 80", "# a comment", "ARG V1 V2=2 G0",
        ))  # fmt: skip

    def _workdir(self) -> str:
        return "WORKDIR " + self.chance.choice(("/w", "/w/", "sub", "..", ".", f"/v/{self._value()}", "d/./e/"))

    def _dest(self) -> str:
        return self.chance.choice(("/d/", "e/", "./", ".", "/f/.", "../g/", f"/h/{self._value()}/", "/i/../j/"))

    def _flags(self) -> str:
        chance = self.chance
        flags = (chance.choice(("--chown=1:2", "--chown=3")), "--chmod=0755", "--link", "--exclude=*.py")
        return "".join(flag + " " for flag in chance.sample(flags, chance.choice((0, 0, 1, 2))))

    def _copy(self) -> str:
        chance = self.chance
        if self.stages and chance.random() < 0.4:
            source = chance.choice((*self.stages, str(chance.randrange(len(self.stages)))))
            return f"COPY --from={source} {self._flags()}/always/a.txt {self._dest()}"
        return f"COPY {self._flags()}{self._sources()} {self._dest()}"

    def _sources(self) -> str:
        sources = ("a.txt", "./b.txt", "/src", "src/deep/", "*.txt", "src/*/x.py", "other/../a.txt", ".", "s?c")
        return " ".join(self.chance.sample(sources, self.chance.choice((1, 1, 2, 3))))

    def _add(self) -> str:
        return f"ADD {self._flags()}{self._sources()} {self._dest()}"

    def _heredoc(self) -> str:
        chance = self.chance
        mark = chance.choice(("EOF", "'EOF'", "-EOF"))
        body = f"\tone {self._value()}\n\t$E1 \"$V1\" '$V2'"
        first = chance.choice(("", "a.txt "))
        return f"COPY {first}<<{mark} {self._dest()}\n{body}\n{chance.choice(('', '#!/bin/sh'))}\nEOF"

    def _run(self) -> str:
        chance = self.chance
        mount = chance.choice((
            "", "", "--mount=type=cache,target=/c ", "--mount=target=/m,source=src ", "--mount=type=tmpfs,target=/t ",
            "--mount=type=cache,target=c,id=k,sharing=locked --mount=type=bind,target=/b,rw ", "--network=none ",
            *(f"--mount=from={stage},source=/always,target=/always2 " for stage in self.stages),
        ))  # fmt: skip
        command = chance.choice(("true", f": {self._value()}", '["true", "$V1"]', "<<X\n: a\n: b\nX", ": <<X\n$V1\nX"))
        return f"RUN {mount}{command}"
