"""Writes random projects. What a RUN puts out follows from what it reads, and from nothing else."""

from __future__ import annotations

import random

from tests.generated.state import BASE, SIDE, File, Stage, State

NAMES = (
    "a.txt", "b.txt", "src/main.py", "src/util.py", "src/deep/x.py", "src/deep/y.txt", "doc/readme.md",
    "doc/old.log", "my file.txt", f"{SIDE}one.txt", f"{SIDE}sub/two.txt",
)  # fmt: skip
NEW_NAMES = (
    "c.txt", "src/new.py", "src/deep/z.py", "src/more/m.txt", "doc/new.log", "top.md", f"{SIDE}three.txt",
    "src/deep/er/e.py",
)  # fmt: skip
RULES = ("*.log", "**/*.log", "src/deep", "!src/deep/x.py", "doc", "Dockerfile", ".dockerignore", "*.md", "**/y.*")
SOURCES = (
    ".", "a.txt", "b.txt", "src", "src/", "src/deep", "*.txt", "src/*.py", "src/*/x.py", "doc", "./src/main.py",
)  # fmt: skip
VALUES = ("1", "2", "x y", "v.3", "long-value")
STEPS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
"""Instructions that BuildKit runs."""

_FIND = "find /d/NONCE /w/NONCE -type f 2>/dev/null | sort"
_INTO = "mkdir -p /o/NONCE && "


class Writer:
    """Writes one project, and further lines for it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._number = 0

    def state(self) -> State:
        """A project of up to five stages."""
        chance = self.chance
        files = {name: self.file() for name in NAMES if chance.random() < 0.85 or name in ("a.txt", "src/main.py")}
        files[f"{SIDE}one.txt"] = self.file()
        head = tuple(f"ARG {name}={self.value()}" for name in ("G0", "G1") if chance.random() < 0.5)
        stages: list[Stage] = []
        state = State(files, (), head)
        for number in range(chance.choice((1, 2, 2, 3, 3, 4, 5))):
            others = [stage.name for stage in stages]
            base = chance.choice((BASE, BASE, BASE, "scratch", *others)) if stages else BASE
            name = f"s{number}"
            state = State(files, (*stages, Stage(name, base, ())), head)
            keep = [] if base in others else ["COPY <<EOF /o/NONCE/keep\nkept\nEOF"]
            lines = [self.line(state, name) for _ in range(chance.randint(2, 5))]
            stages.append(Stage(name, base, (*keep, *lines)))
        stages[-1] = self._joined(stages)
        ignore = tuple(chance.sample(RULES, chance.choice((0, 0, 1, 2))))
        return State(files, tuple(stages), head, ignore)

    def _joined(self, stages: list[Stage]) -> Stage:
        """The last stage reads the one before, so that most of the project is built."""
        last = stages[-1]
        if len(stages) < 2 or last.base == stages[-2].name or stages[-2].name in last.reads():
            return last
        return Stage(last.name, last.base, (*last.lines, self._copy_from(stages[-2].name)))

    def file(self) -> File:
        """A file with some text."""
        return File(self.text(), self.chance.choice((0o644, 0o644, 0o755)))

    def text(self) -> str:
        return f"text {self.chance.randrange(1000)}"

    def value(self) -> str:
        value = self.chance.choice(VALUES)
        return f'"{value}"' if " " in value else value

    def line(self, state: State, stage: str, keyword: str = "") -> str:
        """A further line for a stage; with `keyword` one of that instruction."""
        chance = self.chance
        weights = {"COPY": 5, "ADD": 1, "WORKDIR": 1, "ENV": 1.2, "ARG": 1.2, "LABEL": 0.5, "CMD": 0.3}
        if state.has_shell(stage):
            weights |= {"RUN": 5, "USER": 0.4, "SHELL": 0.4}
        word = keyword or chance.choices(list(weights), list(weights.values()))[0]
        others = [each.name for each in state.stages[: [each.name for each in state.stages].index(stage)]]
        match word:
            case "RUN":
                return self._run(others)
            case "COPY":
                return self._copy(others)
            case "ADD":
                return f"ADD {self._flags()}{self._source()} {self._dest()}"
            case "WORKDIR":
                return f"WORKDIR {chance.choice(('/w/NONCE', '/w/NONCE/sub', '/w/NONCE/$V1', 'NONCE'))}"
            case "ENV":
                return chance.choice((
                    f"ENV E1={self.value()}", f"ENV E2={self.value()}", "ENV E1=$V1",
                    f"ENV E1={self.value()} E2=${{V2:-d}}",
                ))  # fmt: skip
            case "ARG":
                names = ("V1", "V2") if others or chance.random() < 0.7 else ("V1",)
                return chance.choice((f"ARG {chance.choice(names)}={self.value()}", "ARG V1", "ARG G0", "ARG G1=local"))
            case "SHELL":
                return f'SHELL ["/bin/sh", "{chance.choice(("-ec", "-c", "-uc"))}"]'
            case "USER":
                return chance.choice(("USER root", "USER 0", "USER 0:0"))
            case "LABEL":
                return f"LABEL l{chance.randrange(3)}={chance.randrange(100)}"
            case _:
                return f'CMD ["run", "{chance.randrange(100)}"]'

    def _run(self, others: list[str]) -> str:
        chance = self.chance
        self._number += 1
        out = f"/o/NONCE/r{self._number}"
        mount, more = chance.choice((
            ("", ""), ("", ""), ("", ""),
            ("--mount=type=bind,source=src,target=/m ", "cat /m/*.py; "),
            ("--mount=type=bind,target=/m ", "cat /m/a.txt; "),
            ("--mount=type=bind,from=extra,target=/m ", "cat /m/*.txt; "),
            ("--mount=type=cache,id=NONCE,target=/c ", "date >> /c/log; "),
            *((f"--mount=type=bind,from={name},source=/o/NONCE,target=/m ", "cat /m/*; ") for name in others),
        ))  # fmt: skip
        if mount and "cache" not in mount:
            return f"RUN {mount}{_INTO}{{ {more}true; }} 2>/dev/null | md5sum > {out}"
        work = chance.choice((
            f"{_FIND} | xargs -r -d '\\n' cat | md5sum > {out}",
            f"{_FIND} | wc -l > {out}",
            f"echo constant {chance.randrange(50)} > {out}",
            f'echo "${{V1:-}} ${{E1:-}}" > {out}',
            f"cat /o/NONCE/* | md5sum > /tmp/sum && mv /tmp/sum {out}",
        ))  # fmt: skip
        form = chance.random()
        if form < 0.12:
            return f"RUN {mount}<<EOF\n{more}mkdir -p /o/NONCE\n{work}\nEOF"
        if form < 0.2 and "'" not in work and '"' not in work:
            return f'RUN {mount}["/bin/sh", "-c", "{more}{_INTO}{work}"]'
        return f"RUN {mount}{more}{_INTO}{work}"

    def _copy(self, others: list[str]) -> str:
        chance = self.chance
        roll = chance.random()
        if others and roll < 0.35:
            return self._copy_from(chance.choice(others))
        if roll < 0.42:
            return f"COPY <<EOF {self._dest()}h.txt\n{self.text()} {chance.choice(('', '$V1', '$E1'))}\nEOF"
        if roll < 0.5:
            return f"COPY --from=extra {self._flags()}{chance.choice(('.', 'one.txt', '*.txt'))} {self._dest()}"
        if roll < 0.53:
            return f"COPY --from=busybox:latest /etc/os-release {self._dest()}"
        if roll < 0.57:
            return f'COPY ["my file.txt", "{self._dest()}"]'
        if roll < 0.62:
            return f"COPY a.txt src/main.py {self._dest()}"
        return f"COPY {self._flags()}{self._source()} {self._dest()}"

    def _copy_from(self, stage: str) -> str:
        source = self.chance.choice(("/o/NONCE/", "/o/NONCE/", "/o/NONCE/keep", "/o/NONCE/r*", "/o"))
        return f"COPY --from={stage} {self._flags(simple=True)}{source} {self._dest()}"

    def _source(self) -> str:
        return self.chance.choice(SOURCES)

    def _dest(self) -> str:
        return self.chance.choice(("/d/NONCE/", "/d/NONCE/one/", "/d/NONCE/two/", "/w/NONCE/", "/d/NONCE/$V1/"))

    def _flags(self, *, simple: bool = False) -> str:
        flags = ["--link", "--chmod=0755", "--chown=1:2"]
        if not simple:
            flags += ["--exclude=*.py", "--exclude=**/*.txt"]
        chosen = self.chance.sample(flags, self.chance.choice((0, 0, 0, 1, 1, 2)))
        return "".join(f"{flag} " for flag in chosen)
