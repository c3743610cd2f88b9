"""A short fixed set of generated cases; `python -m tests.generated` runs as many as are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generated.__main__ import run_series
from tests.generated.judge import Figures
from tests.matrix.runner import ready
from tests.support.engine import PrivateEngine

SEED = 1
BUILDS = 4


@pytest.mark.parametrize("series", range(2))
def test_series(engine: PrivateEngine, tmp_path: Path, series: int) -> None:
    figures = Figures()
    run_series(SEED, series, ready(engine), tmp_path, figures, builds=BUILDS)
    assert figures.builds == BUILDS
    assert figures.wrong == [], "\n".join(["", *figures.wrong, *figures.lines()])
    assert figures.unknown == 0
