"""One short series, always the same; `python -m tests.generated` runs as many as are wanted."""

from __future__ import annotations

from pathlib import Path

from tests.generated.__main__ import run_series
from tests.generated.judge import Figures
from tests.matrix.runner import ready
from tests.support.engine import PrivateEngine

SEED, SERIES, BUILDS = 2, 1, 5
"""Among its moves are an ENV that a heredoc holds and a stage that is asked to run under another one."""


def test_a_short_series(engine: PrivateEngine, tmp_path: Path) -> None:
    figures = Figures()
    run_series(SEED, SERIES, ready(engine), tmp_path, figures, builds=BUILDS)
    assert figures.wrong == [], "\n".join(["", *figures.wrong, *figures.lines()])
    assert (figures.builds, figures.failed, figures.unknown) == (BUILDS, 0, 0)
    assert figures.steps >= 60
    assert figures.misses >= 20
