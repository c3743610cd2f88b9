"""`python -m tests.matrix.figures [--only TEXT]`: runs all cases and prints how often hitmiss was right."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.matrix.case import Case
from tests.support.engine import NoEngineError, PrivateEngine


@dataclass
class Figures:
    """Counts over any number of cases; each of them may be added to another's."""

    cases: int = 0
    builds: int = 0
    steps: int = 0
    verdicts: int = 0
    misses: int = 0
    judged: int = 0
    """Misses of which the case says why."""
    kinds: int = 0
    with_paths: int = 0
    paths: int = 0
    roots: int = 0
    causes: int = 0
    """Right in kind, paths, root and texts."""
    unknown: int = 0
    planned: int = 0
    """Steps that were hit or missed, so that a plan can be held against it."""
    plans: int = 0
    depends: int = 0
    allowed: int = 0
    """`depends` where another step's bytes decide."""
    foreseen: int = 0
    """Causes that the plan named right; for the eye alone."""
    notes: int = 0
    notes_right: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    by_kind: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What is wrong with a case itself: the engine did not do what it expects."""

    def add(self, other: Figures) -> None:
        """Count the other's too."""
        for name, value in vars(other).items():
            if name == "slowest":
                self.slowest = max(self.slowest, other.slowest)
            elif name == "by_kind":
                self.by_kind.update(other.by_kind)
            else:
                setattr(self, name, getattr(self, name) + value)

    def plain(self) -> dict[str, Any]:
        """For a report that goes from one process to another."""
        return {**vars(self), "by_kind": dict(self.by_kind)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Figures:
        """Back from `plain`."""
        return cls(**{**plain, "by_kind": Counter(plain["by_kind"])})

    def failures(self) -> list[str]:
        """Which promises are not kept."""
        found = []
        if self.verdicts < self.steps:
            found.append(f"verdicts {self.verdicts} of {self.steps}, not all")
        if self.causes < 0.99 * self.judged:
            found.append(f"causes {share(self.causes, self.judged)}, below 99 %")
        if self.unknown:
            found.append(f"unknown {self.unknown}, not 0")
        if self.plans < 0.99 * self.planned:
            found.append(f"plan {share(self.plans, self.planned)}, below 99 %")
        if self.broken:
            found.append(f"{len(self.broken)} expectations that are wrong themselves")
        return found

    def lines(self) -> list[str]:
        """The figures, a line each."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.by_kind.items()))
        return [
            f"cases     {self.cases}, builds {self.builds}, steps {self.steps}, misses {self.misses}"
            f" ({self.seconds:.0f} s, slowest case {self.slowest:.1f} s)",
            f"verdicts  {share(self.verdicts, self.steps)} right",
            f"causes    {share(self.causes, self.judged)} right: kind {share(self.kinds, self.judged)},"
            f" paths {share(self.paths, self.with_paths)}, root {share(self.roots, self.judged)};"
            f" unknown {self.unknown}",
            f"plan      {share(self.plans, self.planned)} right; depends {self.depends}, {self.allowed} allowed",
            f"foreseen  {share(self.foreseen, self.judged)} of the causes named in the plan",
            f"notes     {share(self.notes_right, self.notes)} right",
            f"expected  {kinds}",
        ]


def share(part: int, whole: int) -> str:
    """`99.5 % (199 of 200)`."""
    return f"{100 * part / whole:.1f} % ({part} of {whole})" if whole else "none"


def show(figures: Figures, *, most: int = 0) -> list[str]:
    """All there is to say, as lines; of what was wrong the first `most` (0: all)."""
    lines = figures.lines()
    for title, found in (("wrong", figures.wrong), ("broken case", figures.broken)):
        shown = found[:most] if most else found
        lines += [f"{title}: {line}" for line in shown]
        if len(shown) < len(found):
            lines.append(f"{title}: … and {len(found) - len(shown)} more")
    return lines


def run_group(cases: Sequence[Case]) -> list[Figures]:
    """Cases one after the other, on an engine of their own; what is wrong is told at once on stderr."""
    from tests.matrix.judge import judged
    from tests.matrix.runner import ready

    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="hitmiss-matrix-") as folder:
        engine.import_base("busybox:latest")
        ready(engine)
        found = []
        for number, case in enumerate(cases):
            found.append(judged(case, engine, Path(folder) / str(number)))
            for line in (*found[-1].broken, *found[-1].wrong):
                print(line, file=sys.stderr, flush=True)
        return found


def total(parts: Iterable[Figures]) -> Figures:
    """The sum."""
    figures = Figures()
    for part in parts:
        figures.add(part)
    return figures


def main() -> int:
    """Run, print; exit code 1 where a promise is not kept, 2 where no engine can be had."""
    from tests.matrix.groups import GROUPS

    parser = argparse.ArgumentParser(prog="python -m tests.matrix.figures", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="engines at a time")
    given = parser.parse_args()
    chosen = [[case for case in group if given.only in case.name] for group in GROUPS.values()]
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(given.jobs) as pool:
            figures = total(part for parts in pool.map(run_group, filter(None, chosen)) for part in parts)
    except NoEngineError as error:
        print(error, file=sys.stderr)
        return 2
    failures = figures.failures()
    print(*show(figures), f"took      {time.monotonic() - began:.0f} s", sep="\n")
    print(*(f"NOT KEPT  {line}" for line in failures), sep="\n", end="\n" if failures else "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
