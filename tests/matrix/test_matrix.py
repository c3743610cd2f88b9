"""The matrix as a whole has what was promised."""

from __future__ import annotations

from collections import Counter

from tests.matrix.case import ALL_KINDS, FIRST
from tests.matrix.figures import Figures, total
from tests.matrix.groups import GROUPS

CASES = [case for group in GROUPS.values() for case in group]


def test_there_are_enough_cases_each_with_its_own_name() -> None:
    assert len(CASES) >= 75
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_each_cause_is_expected_somewhere() -> None:
    kinds = {miss.kind for case in CASES for build in case.builds for miss in build.misses or ()}
    assert kinds | {FIRST} == ALL_KINDS


def test_every_kind_of_file_change_is_expected_somewhere() -> None:
    files = {file for case in CASES for build in case.builds for miss in build.misses or () for file in miss.files}
    assert {file.partition(" ")[0] for file in files} == {
        *("added", "removed", "modified", "renamed", "mode", "link", "kind"),
    }


def test_figures_travel_and_add_up() -> None:
    one = Figures(cases=1, steps=3, verdicts=2, slowest=2.0, wrong=["a"])
    one.by_kind["files-changed"] = 2
    other = Figures.of(one.plain())
    assert other == one
    both = total([one, other])
    assert (both.cases, both.steps, both.slowest, both.wrong) == (2, 6, 2.0, ["a", "a"])
    assert both.by_kind["files-changed"] == 4
    assert both.failures() == ["verdicts 4 of 6, not all"]
