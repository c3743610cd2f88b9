"""Random moves: what is done to a project before its next build, and which causes can come of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.generated.state import IMAGES, File, Stage, State
from tests.generated.writer import NEW_NAMES, RULES, STEPS, VALUES, Writer
from tests.matrix.case import (
    ALL_KINDS,
    ARGUMENT,
    BASE,
    ENVIRONMENT,
    EVICTED,
    FILES,
    INSERTED,
    INSTRUCTION,
    NO_CACHE,
    REMOVED,
)

NOTHING: frozenset[str] = frozenset()
TEXT = frozenset({FILES, INSTRUCTION, INSERTED, REMOVED})
"""What may come of an edited step; the Dockerfile may be one of the files."""
SETTING = frozenset({FILES, ARGUMENT, ENVIRONMENT, INSTRUCTION})


@dataclass(frozen=True)
class Move:
    """One move: the state that it leads to, and what else is done.

    `kinds` are the causes that a chain may begin with because of it. `prune` are the words whose records are pruned
    ("" is all of them, None: nothing is). `touched` are files that get another time.
    """

    name: str
    state: State
    kinds: frozenset[str] = NOTHING
    once: tuple[str, ...] = ()
    prune: str | None = None
    touched: tuple[str, ...] = ()


class Mover:
    """Makes moves; `earlier` are all states that were built, the last one last."""

    def __init__(self, chance: random.Random, writer: Writer) -> None:
        self.chance = chance
        self.writer = writer
        self.earlier: list[State] = []

    def move(self) -> Move:
        """One that can be made."""
        makers: Mapping[Callable[[State], Move | None], float] = {
            self._edit_file: 3, self._add_file: 1, self._remove_file: 1, self._chmod: 1, self._touch: 0.7,
            self._rename: 1, self._link: 0.4, self._edit_line: 3.5, self._insert: 2, self._remove: 1.5, self._swap: 1,
            self._option: 2, self._ignore: 1, self._target: 1, self._back: 2, self._no_cache: 0.6,
            self._filter: 0.8, self._prune_all: 0.5, self._prune_some: 1, self._again: 0.5, self._retag: 0.8,
        }  # fmt: skip
        while True:
            maker = self.chance.choices(list(makers), list(makers.values()))[0]
            if found := maker(self.earlier[-1]):
                return found

    # Files

    def _edit_file(self, state: State) -> Move:
        name = self._file(state)
        return self._files(state, f"edit {name}", {name: replace(state.files[name], text=self.writer.text(), link="")})

    def _add_file(self, state: State) -> Move | None:
        name = self.chance.choice(NEW_NAMES)
        return None if name in state.files else self._files(state, f"add {name}", {name: self.writer.file()})

    def _remove_file(self, state: State) -> Move | None:
        name = self._file(state)
        return None if name == "a.txt" else self._files(state, f"remove {name}", {name: None})

    def _chmod(self, state: State) -> Move | None:
        name = self._file(state)
        file = state.files[name]
        if file.link:
            return None
        return self._files(state, f"chmod {name}", {name: replace(file, mode=file.mode ^ 0o111)})

    def _touch(self, state: State) -> Move:
        name = self._file(state)
        return Move(f"touch {name}", state, touched=(name,))

    def _rename(self, state: State) -> Move | None:
        name, other = self._file(state), self.chance.choice(NEW_NAMES)
        if name == "a.txt" or other in state.files:
            return None
        return self._files(state, f"rename {name} to {other}", {name: None, other: state.files[name]})

    def _link(self, state: State) -> Move | None:
        name = self._file(state)
        if "/" in name or name == "a.txt":
            return None
        return self._files(state, f"link {name} to a.txt", {name: File("", link="a.txt")})

    def _ignore(self, state: State) -> Move:
        rules = list(state.ignore)
        if rules and self.chance.random() < 0.4:
            rules.pop(self.chance.randrange(len(rules)))
        else:
            rules.append(self.chance.choice(RULES))
        return Move(f"ignore {' '.join(rules)}", replace(state, ignore=tuple(rules)), frozenset({FILES}))

    def _file(self, state: State) -> str:
        return self.chance.choice(sorted(state.files))

    def _files(self, state: State, name: str, changes: Mapping[str, File | None]) -> Move:
        files = {**state.files, **changes}
        kept = {path: file for path, file in files.items() if file is not None}
        return Move(name, replace(state, files=kept), frozenset({FILES}))

    # The Dockerfile

    def _edit_line(self, state: State) -> Move | None:
        stage, at = self._line(state)
        if at < 0:
            return None
        old = stage.lines[at]
        word = old.split()[0]
        new = self.writer.line(state, stage.name, word)
        if word == "RUN" and "\n" not in old and not old.endswith("]") and self.chance.random() < 0.5:
            new = f"{old} && true"
        if new == old:
            return None
        lines = (*stage.lines[:at], new, *stage.lines[at + 1 :])
        return self._lines(state, stage, lines, f"edit {stage.name} {old!r} to {new!r}", _kinds(word, TEXT))

    def _insert(self, state: State) -> Move:
        stage, _ = self._line(state)
        at = self.chance.randint(0, len(stage.lines))
        new = self.writer.line(state, stage.name)
        lines = (*stage.lines[:at], new, *stage.lines[at:])
        return self._lines(state, stage, lines, f"insert {stage.name} {at} {new!r}", _kinds(new.split()[0], TEXT))

    def _remove(self, state: State) -> Move | None:
        stage, at = self._line(state)
        if at < 0 or "/keep" in stage.lines[at]:
            return None
        old = stage.lines[at]
        lines = (*stage.lines[:at], *stage.lines[at + 1 :])
        return self._lines(state, stage, lines, f"remove {stage.name} {old!r}", _kinds(old.split()[0], TEXT))

    def _swap(self, state: State) -> Move | None:
        stage, at = self._line(state)
        if at < 1 or stage.lines[at] == stage.lines[at - 1]:
            return None
        above, line = stage.lines[at - 1], stage.lines[at]
        lines = (*stage.lines[: at - 1], line, above, *stage.lines[at + 1 :])
        kinds = _kinds(above.split()[0], TEXT) | _kinds(line.split()[0], TEXT)
        return self._lines(state, stage, lines, f"swap {stage.name} {above!r} and {line!r}", kinds)

    def _line(self, state: State) -> tuple[Stage, int]:
        needed = state.needed(state.target or state.stages[-1].name)
        stage = self.chance.choice([each for each in state.stages if each.name in needed])
        return stage, self.chance.randrange(len(stage.lines)) if stage.lines else -1

    def _lines(self, state: State, stage: Stage, lines: Sequence[str], name: str, kinds: frozenset[str]) -> Move:
        stages = tuple(replace(each, lines=tuple(lines)) if each is stage else each for each in state.stages)
        return Move(name, replace(state, stages=stages), kinds)

    # Options and the engine

    def _option(self, state: State) -> Move:
        kinds = frozenset({ARGUMENT})
        name = self.chance.choice(("V1", "V1", "V2", "G0"))
        if name == "G0" and state.head and self.chance.random() < 0.5:
            head = (f"ARG G0={self.writer.value()}", *state.head[1:])
            return Move(f"head {head}", replace(state, head=head), kinds | {FILES})
        args = dict(state.args)
        if name in args and self.chance.random() < 0.4:
            del args[name]
        else:
            args[name] = self.chance.choice(VALUES)
        return Move(f"args {args}", replace(state, args=args), kinds)

    def _target(self, state: State) -> Move | None:
        target = self.chance.choice(["", *(stage.name for stage in state.stages)])
        stage = state.named(target)
        if target == state.target or (stage and not stage.lines):
            return None
        return Move(f"target {target or 'last'}", replace(state, target=target))

    def _back(self, state: State) -> Move | None:
        number = self.chance.randrange(len(self.earlier))
        if self.earlier[number] == state:
            return None
        return Move(f"back to build {number}", self.earlier[number], ALL_KINDS - {NO_CACHE, EVICTED})

    def _no_cache(self, state: State) -> Move:
        return Move("--no-cache", state, frozenset({NO_CACHE}), once=("--no-cache",))

    def _filter(self, state: State) -> Move:
        stage = self.chance.choice(state.stages).name
        return Move(f"--no-cache-filter {stage}", state, frozenset({NO_CACHE}), once=("--no-cache-filter", stage))

    def _prune_all(self, state: State) -> Move:
        return Move("prune", state, frozenset({EVICTED}), prune="")

    def _prune_some(self, state: State) -> Move | None:
        stage, at = self._line(state)
        if at < 0 or stage.lines[at].split()[0] not in STEPS:
            return None
        words = stage.lines[at].partition("\n")[0]
        return Move(f"prune {words!r}", state, frozenset({EVICTED}), prune=words)

    def _again(self, state: State) -> Move:
        return Move("nothing", state)

    def _retag(self, state: State) -> Move:
        image = next(image for image in IMAGES if image != state.image)
        return Move(f"retag to {image}", replace(state, image=image), frozenset({BASE}))


def _kinds(word: str, step: frozenset[str]) -> frozenset[str]:
    if word == "WORKDIR":
        return step | SETTING
    return step if word in STEPS else SETTING
