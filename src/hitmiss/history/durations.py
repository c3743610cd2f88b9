"""How long steps took: the last nine runs of each, for 90 days."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import cast

from hitmiss.history.database import Database, Work, plain

StepName = tuple[str, str, str]
"""Platform ("" for the builder's own), stage, instruction."""

KEEP_S = 90 * 24 * 3600.0
"""So long is kept what was not seen again."""

_RUNS = 9


class Durations(Database):
    """Seconds that steps took, by project and builder. Nothing raises."""

    def durations(self, project: Path | str, builder: str) -> dict[StepName, float]:
        """Seconds that each step of this project took when it last ran on this builder."""
        return {name: runs[-1] for name, runs in self._runs(project, builder)}

    def expected(self, project: Path | str, builder: str) -> dict[StepName, float]:
        """Seconds that each step takes when it runs: the median of its last nine runs."""
        return {name: median(runs) for name, runs in self._runs(project, builder)}

    def remember_durations(self, project: Path | str, builder: str, runs: Iterable[tuple[StepName, float]]) -> None:
        """Keep how long these steps took; what was not seen for 90 days is forgotten."""
        now = time.time()
        work: list[Work] = []
        for name, seconds in runs:
            step = (plain(project), plain(builder), *map(plain, name))
            work += [("INSERT OR REPLACE INTO step_run VALUES (?, ?, ?, ?, ?, ?, ?)", (*step, seconds, now))]
            work += [(_TRIM, (*step, *step))]
        self._do([*work, ("DELETE FROM step_run WHERE ended < ?", (now - KEEP_S,))])

    def _runs(self, project: Path | str, builder: str) -> Iterator[tuple[StepName, list[float]]]:
        """The runs of each step, the last one last."""
        rows = self._all(
            "SELECT platform, stage, instruction, duration_s FROM step_run WHERE project = ? AND builder = ?"
            " ORDER BY platform, stage, instruction, ended",
            (plain(project), plain(builder)),
        )
        for name, group in groupby(rows, key=lambda row: row[:3]):
            yield cast(StepName, name), [cast(float, row[3]) for row in group]


_STEP = "project = ? AND builder = ? AND platform = ? AND stage = ? AND instruction = ?"
_TRIM = f"""
    DELETE FROM step_run WHERE {_STEP}
    AND ended <= (SELECT ended FROM step_run WHERE {_STEP} ORDER BY ended DESC LIMIT 1 OFFSET {_RUNS})
"""  # noqa: S608
