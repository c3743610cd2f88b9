"""`python -m tests.generated --seed N --steps 500`: series after series until so many steps were compared."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.generated.judge import Figures, Judge
from tests.generated.series import Series
from tests.matrix.runner import BrokenCaseError, ready
from tests.support.engine import NoEngineError, PrivateEngine

BUILDS = 9
"""Builds of a series, the first one among them."""


def run_series(
    seed: int, number: int, engine: PrivateEngine, place: Path, figures: Figures, *, builds: int = BUILDS,
    told: bool = True,
) -> None:  # fmt: skip
    """One series; what is wrong is printed with both Dockerfiles."""
    series = Series(seed, number, engine, place)
    judge = Judge(series, figures)
    before = ""
    for _ in range(builds):
        try:
            built = series.next()
        except BrokenCaseError as error:
            figures.wrong.append(f"{seed}:{number}: {error}")
            print(figures.wrong[-1], flush=True)
            return
        wrong = judge.judge(built)
        after = built.move.state.dockerfile()
        if wrong and told:
            print(*wrong, f"--- before\n{before}--- now {built.move.state.options()}\n{after}---", sep="\n", flush=True)
        for record in built.went if told else ():
            print(f"{seed}:{number} build {built.seen.number}: gone by itself: {record[:150]}")
        if built.failed and told:
            print(f"{seed}:{number} build {built.seen.number} failed ({built.move.name}): {built.error[:300]}")
        before = after


def main() -> int:
    """Run, print; exit code 1 where anything is wrong, 2 where no engine can be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.generated", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=500, help="so many steps are compared at least")
    parser.add_argument("--series", type=int, help="this series alone")
    given = parser.parse_args()
    figures = Figures()
    began = time.monotonic()
    try:
        with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="hitmiss-generated-") as folder:
            engine.import_base("busybox:latest")
            ready(engine)
            number = given.series or 0
            while True:
                run_series(given.seed, number, engine, Path(folder) / str(number), figures)
                if given.series is not None or figures.steps >= given.steps:
                    break
                number += 1
    except NoEngineError as error:
        print(error, file=sys.stderr)
        return 2
    print(*figures.lines(), f"took      {time.monotonic() - began:.0f} s", sep="\n")
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
