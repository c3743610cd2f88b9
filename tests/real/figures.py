"""Holds what hitmiss said of a series against the engine's record, and against git."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from hitmiss.project.dockerfile import parse
from tests.matrix.runner import place_of
from tests.real.series import Seen, numbered

Changed = Callable[[str, str], frozenset[str]]
"""The paths that differ between two commits."""

RAN = frozenset({"miss", "failed"})
OF_TEXT = frozenset(
    {"instruction-changed", "argument-changed", "environment-changed", "base-image-changed", "step-inserted",
     "step-removed"}
)  # fmt: skip
"""Causes that cannot be where the Dockerfile is the same."""
NEVER = frozenset({"no-cache", "evicted", "remote-changed", "platform-changed"})
"""Causes that cannot be here at all: nothing is pruned, fetched or asked for."""


@dataclass
class Figures:
    """Counts over any number of builds; each may be added to another's."""

    commits: int = 0
    builds: int = 0
    steps: int = 0
    hits: int = 0
    misses: int = 0
    verdicts_wrong: int = 0
    planned: int = 0
    """Steps that were hit or missed, so that a plan can be held against it."""
    plan_wrong: int = 0
    depends: int = 0
    depends_hit: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    doubtful: int = 0
    """Causes that git or the Dockerfile contradicts."""
    broken: int = 0
    """Builds of which hitmiss gave no report."""
    lines: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Count the other's too."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    @property
    def failures(self) -> list[str]:
        """The promises that are not kept."""
        found = []
        if self.verdicts_wrong:
            found.append(f"{self.verdicts_wrong} verdicts are wrong")
        if self.plan_wrong * 100 > self.planned:
            found.append(f"the plan is wrong for {share(self.plan_wrong, self.planned)} of the steps")
        if self.unknown:
            found.append(f"{self.unknown} causes are unknown")
        if self.broken:
            found.append(f"{self.broken} builds have no report")
        if not self.builds:
            found.append("nothing was built")
        return found

    def shown(self) -> list[str]:
        """The figures, a line each."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.causes.most_common())
        return [
            f"commits   {self.commits}, built {self.builds}, skipped {len(self.skipped)}",
            f"steps     {self.steps}: {self.hits} hit, {self.misses} missed",
            f"verdicts  {self.verdicts_wrong} wrong",
            f"plan      {self.plan_wrong} wrong of {self.planned} ({share(self.plan_wrong, self.planned)});"
            f" depends {self.depends}, of which {self.depends_hit} hit",
            f"causes    {kinds or 'none'}; unknown {self.unknown}, doubtful {self.doubtful}",
        ]


def share(part: int, whole: int) -> str:
    """`1.2 %`."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


class Judge:
    """Judges the builds of one series in their order."""

    def __init__(self, changed: Changed, context: str, dockerfile: str) -> None:
        self.figures = Figures()
        self._changed = changed
        self._root = "" if context == "." else f"{context}/"
        self._dockerfile = dockerfile
        self._all: list[Seen] = []

    def take(self, seen: Seen) -> list[str]:
        """Judge one more; the lines are the disagreements."""
        self._all.append(seen)
        figures = self.figures
        figures.commits += 1
        if seen.trouble:
            figures.skipped.append(f"{seen.commit[:10]} {seen.trouble}")
            figures.broken += seen.broken
            return [f"skipped: {figures.skipped[-1]}"]
        figures.builds += 1
        before = len(figures.lines)
        if seen.plan_trouble:
            self._say(seen, "plan", seen.plan_trouble)
        plans = {step["id"]: step for step in seen.plan or ()}
        truth = dict(seen.truth)
        for step in seen.steps:
            # A step that BuildKit never had to look at need not be in its stream.
            engine = truth.pop(place_of(step), "skipped")
            self._verdict(seen, step, engine)
            if engine == "hit" or engine in RAN:
                self._plan(seen, step, engine, plans.get(step["id"]))
            if engine in RAN:
                self._cause(seen, step)
            elif step["cause"]:
                figures.doubtful += 1
                self._say(seen, _name(step), f"{engine}, and has the cause {step['cause']['kind']}")
        for place, engine in truth.items():
            figures.steps += 1
            figures.verdicts_wrong += 1
            self._say(seen, place, f"not in the report, the engine says {engine}")
        return figures.lines[before:]

    def _verdict(self, seen: Seen, step: dict[str, Any], engine: str) -> None:
        self.figures.steps += 1
        self.figures.hits += engine == "hit"
        self.figures.misses += engine in RAN
        if step["verdict"] != engine:
            self.figures.verdicts_wrong += 1
            self._say(seen, _name(step), f"verdict {step['verdict']}, the engine says {engine}")

    def _plan(self, seen: Seen, step: dict[str, Any], engine: str, planned: dict[str, Any] | None) -> None:
        figures = self.figures
        if seen.plan is None:
            return
        figures.planned += 1
        plan = (planned or {}).get("planned")
        said = None
        if plan == "depends":
            figures.depends += 1
            figures.depends_hit += engine == "hit"
            if not _open(seen, planned or {}):
                said = "planned depends, but no other stage's bytes decide"
        elif plan != ("will hit" if engine == "hit" else "will run"):
            said = f"planned {plan or 'nothing'}, the engine says {engine}"
        if said is None and step["planned"] != plan:
            said = f"planned {plan}, but the build's report says {step['planned'] or 'nothing'}"
        if said:
            figures.plan_wrong += 1
            self._say(seen, _name(step), f"{said}{_because(step)}")

    def _cause(self, seen: Seen, step: dict[str, Any]) -> None:
        cause = step["cause"]
        kind = cause["kind"] if cause else "none given"
        self.figures.causes[kind] += 1
        if kind in ("unknown", "none given"):
            self.figures.unknown += 1
            self._say(seen, _name(step), f"missed, cause {kind}{_because(step)}")
            return
        doubt = self._doubt(seen, step)
        if doubt:
            self.figures.doubtful += 1
            self._say(seen, _name(step), f"doubtful: {doubt}{_because(step)}")

    def _doubt(self, seen: Seen, step: dict[str, Any]) -> str:
        """What speaks against a cause."""
        cause = step["cause"]
        kind, files = cause["kind"], cause["files"]
        root = next((each for each in seen.steps if each["id"] == cause["root"]), None)
        if root is None:
            return f"the root {cause['root']} is no step"
        if not root["cause"] or root["cause"]["root"] != root["id"]:
            return f"the root {root['id']} is no root"
        if kind in NEVER:
            return "there is nothing of the kind here"
        against = numbered(self._all).get(cause.get("against", 0))
        if against is None:
            return "" if kind in ("first-build", "parent-missed", "stage-output-changed") else "compared with no build"
        if kind in OF_TEXT and against.text == seen.text:
            return f"the Dockerfile is as in {against.commit[:10]}"
        differ = self._changed(against.commit, seen.commit)
        if any(path.endswith(".dockerignore") for path in differ):
            # Files came and went that git knows nothing of.
            return ""
        parents = {str(folder) for path in differ for folder in PurePosixPath(path).parents}
        strange = [
            each["path"]
            for each in files
            if self._root + each["path"] not in differ | parents
            and not (self._root + each["path"] == self._dockerfile and against.text != seen.text)
        ]
        if strange:
            return f"git sees no change of {strange[:5]} since {against.commit[:10]}"
        if kind == "files-changed" and not files:
            return "no path is named"
        return ""

    def _say(self, seen: Seen, what: str, line: str) -> None:
        self.figures.lines.append(f"{seen.commit[:10]} {what}: {line}")


def _open(seen: Seen, step: dict[str, Any]) -> bool:
    """Whether a step may hang on bytes yet to be written: it or one below it reads a stage that will run.

    What a FROM names by a variable may be any stage whose name would do.
    """
    stages = parse(seen.text).stages
    names, index = {step.get("stage", "")}, step.get("index", 0)
    for stage in reversed(stages):
        if stage.shown in names:
            base = _VARIABLE.sub("*", stage.base.lower())
            names |= {base, *(each.shown for each in stages if fnmatchcase(each.shown, base))}
    plan = seen.plan or []
    reads = any(
        "from=" in each["instruction"] and (each["stage"] != step["stage"] or each["index"] <= index)
        for each in plan
        if each["stage"] in names
    )
    return reads and any(each["planned"] == "will run" for each in plan if each["stage"] != step["stage"])


_VARIABLE = re.compile(r"\$(\{[^}]*\}|\w+)")


def _name(step: dict[str, Any]) -> str:
    return f"{step['stage']} {step['index']}/{step['of']} {step['instruction'][:70]!r}"


def _because(step: dict[str, Any]) -> str:
    cause = step["cause"]
    return f" [{cause['kind']}, root {cause['root']}: {cause['detail'][:160]}]" if cause else ""
