"""How long the records of a build that has ended are asked for."""

from __future__ import annotations

import pytest

from hitmiss import inquiry
from hitmiss.docker.listing import CacheRecord, Listing

FREE = CacheRecord("a")
USED = CacheRecord("a", in_use=True)


@pytest.mark.parametrize(
    ("answers", "over", "asked"),
    [
        ([FREE], 9, 1),
        ([USED, USED, FREE], 9, 3),
        ([USED, USED, FREE], 0, 1),
        ([USED, USED, FREE], 1, 2),
        ([None], 9, 1),
    ],
)
async def test_until_nobody_uses_them_or_the_next_build_begins(
    answers: list[CacheRecord | None], over: int, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[CacheRecord | None] = []

    async def records(builder: str) -> inquiry.Records:
        given.append(answers[len(given)])
        return inquiry.Records(Listing([given[-1]]) if given[-1] else None)

    monkeypatch.setattr(inquiry, "records", records)
    found = await inquiry.records_after("", lambda: len(given) > over)
    assert len(given) == asked
    assert found.built


async def test_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def records(builder: str) -> inquiry.Records:
        return inquiry.Records(Listing([USED]))

    monkeypatch.setattr(inquiry, "records", records)
    assert (await inquiry.records_after("", lambda: False)).all == Listing([USED])
