"""The tests of a group of cases: each file of tests has its own engine, so xdist can run them side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.case import Case
from tests.matrix.conftest import PROPERTY
from tests.matrix.figures import Figures, show, total
from tests.matrix.groups import GROUPS
from tests.matrix.judge import judged
from tests.matrix.runner import ready
from tests.support.engine import PrivateEngine

Recorder = Callable[[str, object], None]


def suite(group: str) -> tuple[Any, Any]:
    """A test for each case of the group, and one of the figures of all of them."""
    done: list[Figures] = []

    @pytest.mark.parametrize("case", GROUPS[group], ids=lambda case: str(case.name))
    def test_case(case: Case, engine: PrivateEngine, tmp_path: Path, record_property: Recorder) -> None:
        figures = judged(case, ready(engine), tmp_path)
        record_property(PROPERTY, figures.plain())
        done.append(figures)
        assert not figures.broken, "\n".join(figures.broken)
        assert figures.verdicts == figures.steps, "\n".join(figures.wrong)
        assert not figures.unknown, "\n".join(figures.wrong)

    @pytest.mark.engine
    def test_figures() -> None:
        assert done, "no case ran"
        figures = total(done)
        assert not figures.failures(), "\n".join(["", *figures.failures(), *show(figures)])

    return test_case, test_figures
