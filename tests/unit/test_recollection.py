"""What is remembered of a project's builds while several hitmiss build it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.build.model import Status
from hitmiss.cache.facts import BuildFacts
from hitmiss.cache.plan import Memory
from hitmiss.history.store import Store
from hitmiss.recollection import Recollection

SHOP = Path("/home/me/shop")


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[tuple[Recollection, Recollection]]:
    stores = [Store(tmp_path / "history.sqlite") for _ in range(2)]
    yield Recollection(stores[0], SHOP, "default"), Recollection(stores[1], SHOP, "default")
    for store in stores:
        store.close()


def built(by: Recollection, status: Status = Status.SUCCEEDED, number: int = 0) -> int:
    facts = BuildFacts(number, str(SHOP), "default", "final", 0.0, status, plan_right=1, plan_steps=1)
    return by.remember(facts, Memory(), {}, ())


def numbers(of: Recollection) -> tuple[list[int], list[int]]:
    """The builds that later ones are compared with, and those of the history."""
    return [build.number for build in of.builds()], [past.number for past in of.history]


def test_what_another_hitmiss_builds_is_known_at_once(windows: tuple[Recollection, Recollection]) -> None:
    one, other = windows
    assert [built(one), built(other), built(other), built(one)] == [1, 2, 3, 4]
    for each in windows:
        assert numbers(each) == ([4, 3, 2, 1], [4, 3, 2, 1])
        assert each.score == (4, 4)


def test_who_asks_while_a_build_is_kept_sees_it_once(
    windows: tuple[Recollection, Recollection], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = windows
    keep = Store.remember

    def kept(store: Store, *facts: Any, **more: Any) -> BuildFacts:
        found = keep(store, *facts, **more)
        one.builds()
        return found

    monkeypatch.setattr(Store, "remember", kept)
    built(one)
    assert numbers(one) == ([1], [1])
    assert one.score == (1, 1)


def test_two_builds_at_once_that_were_given_the_same_number(windows: tuple[Recollection, Recollection]) -> None:
    one, other = windows
    assert numbers(one) == numbers(other) == ([], [])
    assert [built(one, number=1), built(other, number=1)] == [1, 2]
    assert numbers(one) == numbers(other) == ([2, 1], [2, 1])


def test_a_canceled_build_is_in_the_history_and_not_compared_with(
    windows: tuple[Recollection, Recollection], tmp_path: Path
) -> None:
    one, other = windows
    built(one), built(one, Status.CANCELED), built(one)
    later = Store(tmp_path / "history.sqlite")
    for each in (one, other, Recollection(later, SHOP, "default")):
        assert numbers(each) == ([3, 1], [3, 2, 1])
    later.close()
