"""Holds what hitmiss said of a case against the engine's record and against what the case expects."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.matrix.case import FILES, FIRST, UNKNOWN, Build, Case, Miss
from tests.matrix.figures import Figures
from tests.matrix.runner import BrokenCaseError, Run, Seen, place_of, running
from tests.support.engine import PrivateEngine

Step = dict[str, Any]

RAN = frozenset({"miss", "failed"})


def judged(case: Case, engine: PrivateEngine, place: Path) -> Figures:
    """Run a case; every step is judged."""
    figures = Figures(cases=1)
    began = time.monotonic()
    try:
        with running(case, engine, place) as run:
            for number, build in enumerate((case.first, *case.builds)):
                _Judge(run, build, run.build(build, number), figures).all()
            _secrets(run, figures)
    except (BrokenCaseError, OSError, AssertionError) as error:
        figures.broken.append(f"{case.name}: {error}")
    figures.seconds = figures.slowest = time.monotonic() - began
    return figures


class _Judge:
    """One build."""

    def __init__(self, run: Run, build: Build, seen: Seen, figures: Figures) -> None:
        self.run = run
        self.build = build
        self.seen = seen
        self.figures = figures
        self.names = {step["id"]: name_of(step) for step in seen.steps}
        self.free = {self._find(name)["id"] for name in build.free}
        self.open = {self._find(name)["id"] for name in build.open}
        self.planned = {step["id"]: step for step in seen.plan or ()}

    def all(self) -> None:
        self.figures.builds += 1
        if self.seen.trouble:
            self._wrong("plan", self.seen.trouble)
        verdicts = self._verdicts()
        expected = self._expected(verdicts)
        self._leaks()
        for step in self.seen.steps:
            verdict = verdicts.get(step["id"], "")
            if step["id"] in self.free:
                continue
            if verdict == "hit" or verdict in RAN:
                self._plan(step, verdict)
            if verdict in RAN:
                self.figures.misses += 1
                if (step["cause"] or {}).get("kind") == UNKNOWN:
                    self.figures.unknown += 1
                    self._wrong(name_of(step), f"cause unknown: {step['cause']['detail']}")
                if step["id"] in expected:
                    self._cause(step, expected[step["id"]])
            elif step["cause"]:
                self._wrong(name_of(step), f"{verdict or 'not looked at'}, and has the cause {step['cause']['kind']}")
        self._notes()

    def _verdicts(self) -> dict[str, str]:
        """The engine's verdict by step id."""
        truth = dict(self.seen.truth)
        found = {}
        for step in self.seen.steps:
            # A step that BuildKit never had to look at need not be in its stream.
            engine = truth.pop(place_of(step), "skipped")
            found[step["id"]] = engine
            self.figures.steps += 1
            if step["verdict"] == engine:
                self.figures.verdicts += 1
            else:
                self._wrong(name_of(step), f"verdict {step['verdict']}, the engine says {engine}")
        for place, engine in truth.items():
            self.figures.steps += 1
            self._wrong(place, f"not in the report, the engine says {engine}")
        return found

    def _expected(self, verdicts: dict[str, str]) -> dict[str, Miss]:
        """What the case says of the steps that missed; the case is broken where the engine did otherwise."""
        missed = {step_id for step_id, verdict in verdicts.items() if verdict in RAN} - self.free
        if self.build.misses is None:
            if self.seen.number:
                return {}
            for step in self.seen.steps:
                if not (self.run.case.shares or step["instruction"].startswith("FROM ")) and step["id"] not in missed:
                    self._broken(f"{name_of(step)} is {verdicts[step['id']]} in the first build")
            return {step_id: Miss(self.names[step_id], FIRST) for step_id in missed}
        expected = {self._find(each.step)["id"]: each for each in self.build.misses}
        for step_id in expected.keys() - missed:
            self._broken(f"{self.names[step_id]} was expected to miss, the engine says {verdicts[step_id]}")
        for step_id in missed - expected.keys():
            self._broken(f"{self.names[step_id]} was expected to hit, the engine says {verdicts[step_id]}")
        return expected

    def _plan(self, step: Step, verdict: str) -> None:
        self.figures.planned += 1
        plan = self.planned.get(step["id"], {}).get("planned")
        right = "will hit" if verdict == "hit" else "will run"
        name = name_of(step)
        if plan == "depends":
            self.figures.depends += 1
            if step["id"] in self.open:
                self.figures.allowed += 1
                right = plan
        if plan != right:
            self._wrong(name, f"planned {plan or 'nothing'}, the engine says {verdict}")
        elif step["planned"] != plan:
            self._wrong(name, f"planned {plan}, but the build's report says {step['planned'] or 'nothing'}")
        elif (step["file"], step["line"]) != (self.planned[step["id"]]["file"], self.planned[step["id"]]["line"]):
            self._wrong(name, f"its line is {step['line']}, planned {self.planned[step['id']]['line']}")
        else:
            self.figures.plans += 1

    def _cause(self, step: Step, expected: Miss) -> None:
        self.figures.judged += 1
        self.figures.by_kind[expected.kind] += 1
        cause = step["cause"] or {}
        root = self._find(expected.root)["id"] if expected.root else step["id"]
        troubles = []
        if cause.get("kind") == expected.kind:
            self.figures.kinds += 1
        else:
            troubles.append(f"cause {cause.get('kind')}, should be {expected.kind}")
        if cause.get("root") == root:
            self.figures.roots += 1
        else:
            said = self.names.get(cause.get("root", ""), cause.get("root"))
            troubles.append(f"root {said}, should be {self.names[root]}")
        if expected.kind == FILES:
            self.figures.with_paths += 1
            said = {f"{each['change']} {each['path']}" for each in cause.get("files") or ()}
            if trouble := self._paths(said, expected):
                troubles.append(trouble)
            else:
                self.figures.paths += 1
        elif cause.get("files"):
            troubles.append(f"files {cause['files']} of a cause that has none")
        for side, wanted in (("old", expected.old), ("new", expected.new)):
            if self.run.fill(wanted) not in (cause.get(side) or ""):
                troubles.append(f"{side} is {cause.get(side)!r}, should have {wanted!r}")
        if cause and not str(cause.get("detail", "")).strip():
            troubles.append("no sentence")
        if self.run.fill(expected.said) not in cause.get("detail", ""):
            troubles.append(f"it says {cause.get('detail')!r}, should say {expected.said!r}")
        if troubles:
            self._wrong(name_of(step), "; ".join(troubles))
        else:
            self.figures.causes += 1
        self._foreseen(step, expected, root)

    def _foreseen(self, step: Step, expected: Miss, root: str) -> None:
        cause = self.planned.get(step["id"], {}).get("cause") or {}
        self.figures.foreseen += cause.get("kind") == expected.kind and cause.get("root") == root

    def _paths(self, said: set[str], expected: Miss) -> str:
        wanted = {self.run.fill(each) for each in expected.files}
        above = {str(folder) for each in wanted for folder in Path(each.partition(" ")[2]).parents}
        spare = {each for each in said - wanted if each.partition(" ")[2] not in above} - set(expected.also)
        if spare or wanted - said:
            return f"files {sorted(said)}, should be {sorted(wanted)}"
        return ""

    def _notes(self) -> None:
        for name, note in self.build.notes.items():
            step = self._find(name)
            self.figures.notes += 1
            if step["note"] == note:
                self.figures.notes_right += 1
            else:
                self._wrong(name_of(step), f"note {step['note']}, should be {note}")

    def _leaks(self) -> None:
        for secret in self.run.case.secrets:
            if any(self.run.fill(secret).encode() in report for report in self.seen.reports):
                self._wrong("report", "holds the value of a secret")

    def _find(self, name: str) -> Step:
        """The step of that name, the beginning of its instruction being enough."""
        stage, _, start = self.run.fill(name).partition(" ")
        stage, _, system = stage.partition("@")
        found = [
            step
            for step in self.seen.steps
            if step["stage"] == stage
            and step["instruction"].startswith(start)
            and (not system or step["platform"] == system)
        ]
        if len(found) != 1:
            steps = ", ".join(name_of(step) for step in self.seen.steps)
            raise BrokenCaseError(f"build {self.seen.number}: {len(found)} steps are {name!r} of: {steps}")
        return found[0]

    def _wrong(self, what: str, line: str) -> None:
        self.figures.wrong.append(f"{self.run.case.name}, build {self.seen.number}: {what}: {line}")

    def _broken(self, line: str) -> None:
        self.figures.broken.append(f"{self.run.case.name}, build {self.seen.number}: {line}")


def name_of(step: Step) -> str:
    """A step as a person calls it."""
    return f"{step['stage']} {step['index']}/{step['of']} {step['instruction'][:60]}"


def _secrets(run: Run, figures: Figures) -> None:
    """No file of hitmiss's own has a secret in it."""
    for secret in run.case.secrets:
        if any(run.fill(secret).encode() in data for data in run.kept()):
            figures.wrong.append(f"{run.case.name}: what hitmiss keeps holds the value of a secret")
