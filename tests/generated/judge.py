"""Holds what hitmiss said of a build of a series against the engine's record, and against what the moves allow."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.generated.series import Built, Series
from tests.generated.state import SIDE, State
from tests.matrix.case import ALL_KINDS, EVICTED, FILES, FIRST, NO_CACHE, PARENT, STAGE, UNKNOWN
from tests.matrix.figures import share
from tests.matrix.judge import RAN, name_of
from tests.matrix.runner import place_of

Step = dict[str, Any]

_AGAINST = re.compile(r"since build (\d+)")


@dataclass
class Figures:
    """Counts over any number of series."""

    series: int = 0
    builds: int = 0
    failed: int = 0
    steps: int = 0
    hits: int = 0
    misses: int = 0
    verdicts_wrong: int = 0
    planned: int = 0
    """Steps that hit or ran, so that a plan can be held against them."""
    plans_wrong: int = 0
    depends: int = 0
    decided: int = 0
    """`depends` where a step of a stage that is read really ran."""
    given_up: int = 0
    """Plans that are wrong since a record went by itself: see the package."""
    unknown: int = 0
    causes_wrong: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The figures, a line each."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        return [
            f"series    {self.series}, builds {self.builds} ({self.failed} failed), steps {self.steps}",
            f"verdicts  {share(self.steps - self.verdicts_wrong, self.steps)} right",
            f"plan      {share(self.planned - self.plans_wrong, self.planned)} right;"
            f" depends {self.depends}, decided by another step's bytes {self.decided};"
            f" wrong because a record went by itself {self.given_up}",
            f"causes    {share(self.misses - self.causes_wrong, self.misses)} stand; unknown {self.unknown}",
            f"kinds     {kinds}",
        ]


class Judge:
    """Judges the builds of one series, in their order."""

    def __init__(self, series: Series, figures: Figures) -> None:
        self.series = series
        self.figures = figures
        self.states: list[State] = []
        self.pruned = False
        self.went = False
        self._moves: list[frozenset[str]] = []
        self._confirmed: dict[tuple[str, str], int] = {}
        """Stage and text of a step → the build that last hit or ran it to its end."""
        figures.series += 1

    def judge(self, built: Built) -> list[str]:
        """What is wrong with one build."""
        self.built, self.state = built, built.move.state
        self.states.append(self.state)
        self._moves.append(built.move.kinds)
        self.pruned |= built.move.prune is not None
        self.went |= bool(built.went)
        self.found: list[str] = []
        figures, seen = self.figures, built.seen
        figures.builds += 1
        figures.failed += built.failed
        planned = {step["id"]: step for step in seen.plan or ()}
        self.truth = self._verdicts()
        self.steps = {step["id"]: step for step in seen.steps}
        self.ran = {step_id for step_id, verdict in self.truth.items() if verdict in RAN}
        self.ran_in = {self.steps[step_id]["stage"] for step_id in self.ran}
        for step in seen.steps:
            verdict = self.truth[step["id"]]
            if verdict == "hit" or verdict in RAN:
                self._plan(step, planned.get(step["id"], {}), verdict)
            if verdict in RAN:
                self._cause(step)
            elif step["cause"]:
                self._wrong(step, f"{verdict}, and has the cause {step['cause']['kind']}")
        for step in seen.steps:
            if self.truth[step["id"]] in ("hit", "miss"):
                self._confirmed[step["stage"], step["instruction"]] = len(self.states)
        figures.wrong += self.found
        return self.found

    def _verdicts(self) -> dict[str, str]:
        truth = dict(self.built.seen.truth)
        found = {}
        for step in self.built.seen.steps:
            engine = found[step["id"]] = truth.pop(place_of(step), "skipped")
            self.figures.steps += 1
            self.figures.hits += engine == "hit"
            if step["verdict"] != engine:
                self.figures.verdicts_wrong += 1
                self._wrong(step, f"verdict {step['verdict']}, the engine says {engine}")
        for place, engine in truth.items():
            self.figures.steps += 1
            self.figures.verdicts_wrong += 1
            self.found.append(f"{self._head()}: {place} is not in the report, the engine says {engine}")
        return found

    def _plan(self, step: Step, planned: Step, verdict: str) -> None:
        figures = self.figures
        figures.planned += 1
        plan = planned.get("planned")
        if plan == "depends":
            figures.depends += 1
            read = self.state.read_above(step["stage"], step["line"])
            if read & self.ran_in or self._is_new(read):
                figures.decided += 1
            else:
                figures.plans_wrong += 1
                self._wrong(step, f"planned depends ({verdict}), and nothing that it reads ran")
        elif self.built.failed and verdict == "hit":
            # Of a build that fails the engine calls cached whatever it never came to, above the step that failed.
            return
        elif plan != ("will hit" if verdict == "hit" else "will run"):
            figures.plans_wrong += 1
            given_up = self.went and plan == "will run"
            figures.given_up += given_up
            more = " (a record went by itself)" if given_up else ""
            self._wrong(step, f"planned {plan}, the engine says {verdict}{more}")
        elif step["planned"] != plan:
            figures.plans_wrong += 1
            self._wrong(step, f"planned {plan}, but the build's report says {step['planned']}")

    def _is_new(self, stages: set[str]) -> bool:
        """Whether no earlier build had these stages as they are: then nobody knows yet what they hold."""

        def of(state: State) -> tuple[object, ...]:
            lines = [stage for stage in state.stages if stage.name in stages]
            return lines, state.files, state.ignore, state.head, state.args, state.image

        return not any(of(state) == of(self.state) for state in self.states[:-1])

    def _cause(self, step: Step) -> None:
        self.figures.misses += 1
        cause = step["cause"] or {}
        kind = cause.get("kind", "none")
        self.figures.kinds[kind] += 1
        self.figures.unknown += kind == UNKNOWN
        if trouble := self._trouble(step, cause, kind):
            self.figures.causes_wrong += 1
            self._wrong(step, f"{trouble} | {kind}: {cause.get('detail')} {cause.get('old')!r} -> {cause.get('new')!r}")

    def _trouble(self, step: Step, cause: dict[str, Any], kind: str) -> str:
        """What is wrong with a cause; "" where nothing is."""
        if kind not in ALL_KINDS:
            return "no cause"
        root = self.steps.get(cause["root"])
        if root is None or root["id"] not in self.ran:
            return f"its root {cause['root']} did not run"
        own = root is step
        if kind == PARENT:
            if own or not (root["stage"] in self.state.needed(step["stage"]) or self._shared(root, step)):
                return f"its root {root['id']} is not above it"
        elif kind == STAGE:
            if not own and root["stage"] not in self.state.read_above(step["stage"], step["line"]):
                return f"its root {root['id']} is in no stage that it reads"
            if own and self.state.read_above(step["stage"], step["line"]) & self.ran_in:
                return "a root that is another stage's output, which ran"
        elif not own:
            return f"a root of its own, and {cause['root']} is named"
        elif kind not in (allowed := self._allowed(step)):
            return f"the moves allow {' '.join(sorted(allowed))}"
        return self._files(cause) if kind == FILES else "files of a cause that has none" if cause.get("files") else ""

    def _shared(self, root: Step, step: Step) -> bool:
        """Whether a stage below a step begins as the root's: equal steps of two stages are one, under one name."""
        stages = [self.state.named(name) for name in self.state.needed(step["stage"])]
        first = [self.series.fill(line).partition("\n")[0] for stage in stages if stage for line in stage.lines[:1]]
        return root["instruction"].partition("\n")[0] in first

    def _allowed(self, step: Step) -> frozenset[str]:
        """The kinds that the moves can have led to since the step was last confirmed."""
        move = self.built.move
        if NO_CACHE in move.kinds and move.once[-1] in ("--no-cache", step["stage"]):
            return frozenset({NO_CACHE})
        last = self._confirmed.get((step["stage"], step["instruction"]), 0)
        found = frozenset().union(*self._moves[last:]) - {NO_CACHE, FIRST}
        # What it would be compared with can be older than the build that had it last.
        if any(state == self.state for state in self.states[:-1]):
            found = frozenset().union(*self._moves[1:]) - {NO_CACHE, FIRST}
        if NO_CACHE in move.kinds:
            # Equal steps of two stages are one to BuildKit.
            found |= {NO_CACHE}
        if self.pruned:
            found |= {EVICTED}
        if not last:
            found |= {FIRST}
        return found

    def _files(self, cause: dict[str, Any]) -> str:
        """Whether each file named differs from what it was in the build that is compared with."""
        said = _AGAINST.search(cause["detail"])
        then = int(said[1]) if said else 0
        if not cause["files"]:
            return "no file is named"
        if not 0 < then < len(self.states):
            return f"compared with build {then}"
        old = self.states[then - 1]
        for file in cause["files"]:
            prefix = SIDE if file.get("context") == "extra" else ""
            if not _differs(old, self.state, prefix, file["path"]) and not _differs(
                old, self.state, prefix, str(file.get("old"))
            ):
                return f"{file['change']} {file['path']} is as it was in build {then}"
        return ""

    def _wrong(self, step: Step, line: str) -> None:
        self.found.append(f"{self._head()}: {name_of(step)}: {line}")

    def _head(self) -> str:
        name = re.sub(r"\s+", " ", self.built.move.name)[:160]
        return f"{self.series.case.name}, build {self.built.seen.number} ({name})"


def _differs(old: State, new: State, prefix: str, path: str) -> bool:
    """A path, or what lies under it; rules that hide paths may show or hide any."""
    if not prefix:
        if old.ignore != new.ignore:
            return True
        if path == "Dockerfile":
            return old.dockerfile() != new.dockerfile()
    full = prefix + path
    names = {name for name in (*old.files, *new.files) if name == full or name.startswith(f"{full}/")}
    return any(old.files.get(name) != new.files.get(name) for name in names)
