"""Cache records as text says them, and which of them a prune reaches; no engine."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss.docker import client, endpoint, storage
from hitmiss.docker.reach import CacheRecord, PruneFilter, reach
from hitmiss.errors import EngineError, HitmissError

HOUR = 3600.0


def record(name: str, *parents: str, **fields: object) -> CacheRecord:
    values = {
        "type": "regular",
        "size": 10,
        "description": name,
        "last_used": "",
        "unused_s": 100.0,
        "usage_count": 1,
        "shared": False,
        "reclaimable": True,
        "mutable": False,
    }
    return CacheRecord(id=name, parents=parents, **{**values, **fields})  # type: ignore[arg-type]


def names(records: Sequence[CacheRecord]) -> list[str]:
    return [each.id for each in records]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("4.096kB", 4096),
        ("12.5kB", 12500),
        ("7.423MB", 7_423_000),
        ("3.4GB", 3_400_000_000),
        ("3.4 GB", 3_400_000_000),
        ("1.2TB", 1_200_000_000_000),
        ("0.29kB", 290),
        ("-1B", 0),
        ("much", 0),
        ("1.2.3kB", 0),
        ("", 0),
    ],
)
def test_sizes_are_read_without_rounding(text: str, size: int) -> None:
    assert storage.bytes_of(text) == size


@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        ("Less than a second ago", 0, 1),
        ("1 second ago", 1, 2),
        ("59 seconds ago", 59, 60),
        ("About a minute ago", 60, 120),
        ("15 minutes ago", 900, 960),
        ("About an hour ago", HOUR, 1.5 * HOUR),
        ("24 hours ago", 23.5 * HOUR, 24.5 * HOUR),
        ("2 days ago", 47.5 * HOUR, 71.5 * HOUR),
        ("3 weeks ago", (21 * 24 - 0.5) * HOUR, (28 * 24 - 0.5) * HOUR),
        ("4 months ago", (120 * 24 - 0.5) * HOUR, (150 * 24 - 0.5) * HOUR),
        ("2 years ago", (730 * 24 - 0.5) * HOUR, float("inf")),
        ("once upon a time", 0, float("inf")),
    ],
)
def test_a_time_in_words_is_a_span(text: str, lowest: float, highest: float) -> None:
    assert storage.age_of(text) == (lowest, highest)


def test_no_time_at_all_is_no_span() -> None:
    assert storage.age_of("") is None


PRETTY = """\
ID:           jlp251b61l0oqcb8csoy329c6
Parents:
 - i7t98e84ukefozsxgtswd646a
 - b2jwhp4i6rudjmvx44wo5cgbb
Created at:   2026-11-21 00:59:29.86522057 +0000 UTC
Mutable:      false
Reclaimable:  true
Shared:       true
Size:         1.5kB
Description:  [final 2/2] LINK COPY --link a: b /r
Usage count:  2
Last used:    15 minutes ago
Type:         regular

ID:           pd3686m26k3rcgv39lr5zjrl6
Mutable:      true
Reclaimable:  false
Shared:       false
Size:         4.096kB

Total:		7.575MB
"""
OLDER = """\
ID:\t\tjlp251b61l0oqcb8csoy329c6
Parent:\t\ti7t98e84ukefozsxgtswd646a,b2jwhp4i6rudjmvx44wo5cgbb
Created at:\t2026-11-21 00:59:29.86522057 +0000 UTC
Mutable:\tfalse
Reclaimable:\ttrue
Shared:\t\ttrue
Size:\t\t1.5kB
Description:\t[final 2/2] LINK COPY --link a: b /r
Usage count:\t2
Last used:\t15 minutes ago
Type:\t\tregular

ID:\t\tpd3686m26k3rcgv39lr5zjrl6
Mutable:\ttrue
Reclaimable:\tfalse
Shared:\t\tfalse
Size:\t\t4.096kB

"""


@pytest.mark.parametrize("text", [PRETTY, OLDER])
def test_the_verbose_list_of_older_and_newer_buildx_says_the_same(text: str) -> None:
    first, second = storage.parse_verbose(text)
    assert first.parents == ["i7t98e84ukefozsxgtswd646a", "b2jwhp4i6rudjmvx44wo5cgbb"]
    assert first.description == "[final 2/2] LINK COPY --link a: b /r"
    assert (first.size, first.usage_count, first.shared, first.reclaimable) == ("1.5kB", 2, True, True)
    assert (second.mutable, second.reclaimable, second.last_used_at) == (True, False, "")


# What a prune reaches


def test_leaves_go_before_what_they_were_made_on() -> None:
    records = [record("base"), record("mid", "base"), record("leaf", "mid")]
    assert names(reach(records, PruneFilter()).records) == ["leaf", "mid", "base"]


def test_what_is_in_use_stays_with_all_that_it_was_made_on() -> None:
    records = [record("base"), record("mid", "base"), record("busy", "mid", reclaimable=False), record("free", "base")]
    assert names(reach(records, PruneFilter(all=True)).records) == ["free"]


def test_shared_and_own_records_go_only_with_all() -> None:
    records = [
        record("base", shared=True),
        record("top", "base"),
        record("front", type="frontend"),
        record("own", type="internal"),
    ]
    assert names(reach(records, PruneFilter()).records) == ["top"]
    assert set(names(reach(records, PruneFilter(all=True)).records)) == {"base", "top", "front", "own"}


def test_an_old_record_stays_under_a_young_one() -> None:
    records = [
        record("old", unused_s=50 * HOUR),
        record("young", "old", unused_s=1.0),
        record("alone", unused_s=25 * HOUR),
    ]
    assert names(reach(records, PruneFilter(unused_since=24)).records) == ["alone"]


def test_a_record_never_used_is_as_old_as_can_be() -> None:
    found = reach([record("never", unused_s=None)], PruneFilter(unused_since=720))
    assert names(found.records) == ["never"]
    assert found.exact


@pytest.mark.parametrize(("hours", "goes", "exact"), [(23.0, True, True), (24.0, True, False), (25.0, False, True)])
def test_an_age_in_words_is_exact_unless_the_limit_lies_within_it(hours: float, goes: bool, exact: bool) -> None:
    day = record("day", unused_s=23.5 * HOUR, unused_slack_s=HOUR)
    found = reach([day], PruneFilter(unused_since=hours))
    assert (names(found.records) == ["day"], found.exact) == (goes, exact)


def test_cache_mounts_only() -> None:
    records = [record("step"), record("mount", type="exec.cachemount"), record("source", type="source.local")]
    assert names(reach(records, PruneFilter(cache_mounts_only=True)).records) == ["mount"]


def test_space_to_keep_is_measured_by_what_is_not_shared() -> None:
    records = [record("image", size=1000, shared=True), record("own", size=50)]
    assert reach(records, PruneFilter(keep_bytes=51)).records == ()
    assert names(reach(records, PruneFilter(keep_bytes=50)).records) == ["own"]


def test_space_to_keep_takes_the_oldest_and_least_used_until_less_is_left() -> None:
    records = [
        record("old, often used", unused_s=400, usage_count=9, size=10),
        record("old, used once", unused_s=300, usage_count=1, size=10),
        record("new, used once", unused_s=2, usage_count=1, size=10),
        record("new, often used", unused_s=1, usage_count=9, size=10),
    ]
    found = reach(records, PruneFilter(keep_bytes=25))
    assert names(found.records) == ["old, used once", "new, used once"]
    assert not found.exact
    assert reach(records, PruneFilter(keep_bytes=41)) == reach([], PruneFilter())


def test_space_to_keep_never_takes_a_parent_before_its_child() -> None:
    records = [record("old base", unused_s=9000, size=100), record("new top", "old base", unused_s=1, size=1)]
    assert names(reach(records, PruneFilter(keep_bytes=50)).records) == ["new top", "old base"]


def test_no_space_to_keep_is_no_limit() -> None:
    assert len(reach([record("a"), record("b")], PruneFilter(keep_bytes=0)).records) == 2


RECORDS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 5), st.floats(0, 1000) | st.none(), st.booleans(), st.booleans()),
    max_size=60,
)


@given(RECORDS, st.integers(0, 2000), st.booleans())
def test_whatever_the_cache_holds_children_go_first_and_no_more_than_needed(
    drawn: list[tuple[int, int, float | None, bool, bool]], keep: int, everything: bool
) -> None:
    records = [
        record(
            str(number),
            *([str(number // 2)] if number > 1 else []),
            size=size,
            usage_count=count,
            unused_s=unused,
            shared=shared,
            reclaimable=free,
        )
        for number, (size, count, unused, shared, free) in enumerate(drawn)
    ]
    found = reach(records, PruneFilter(keep_bytes=keep, all=everything)).records
    gone: set[str] = set()
    for each in found:
        assert each.reclaimable
        assert everything or not each.shared
        assert all(other.id in gone for other in records if each.id in other.parents)
        gone.add(each.id)
    if keep and found:
        private = sum(each.size for each in records if not each.shared)
        assert private - sum(each.size for each in found[:-1]) >= keep


# What is asked


def answers(monkeypatch: pytest.MonkeyPatch, *replies: client.Answer) -> list[tuple[str, ...]]:
    """Let buildx give these answers, one after the other; gives the questions."""
    asked: list[tuple[str, ...]] = []
    waiting = list(replies)

    async def ask(*words: str, **_: object) -> client.Answer:
        asked.append(words)
        return waiting.pop(0)

    monkeypatch.setattr(client, "ask", ask)
    monkeypatch.setattr(endpoint, "socket_path", lambda builder=None: None)
    return asked


LISTED = {
    "ID": "a" * 25,
    "Type": "exec.cachemount",
    "Size": "3.4GB",
    "Description": "cached mount /c",
    "LastUsedAt": "2 hours ago",
    "UsageCount": 3,
    "Shared": False,
    "Reclaimable": True,
    "Mutable": True,
    "Parents": None,
    "Something": "new",
}


async def test_records_are_read_from_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps(LISTED).encode()
    asked = answers(monkeypatch, client.Answer(0, line + b"\n" + line.replace(b"aaaaa", b"bbbbb") + b"\n", ""))
    cache = await storage.usage("other")
    assert asked == [("du", "--builder", "other", "--format", "json")]
    assert (len(cache.records), cache.total, cache.reclaimable) == (2, 6_800_000_000, 6_800_000_000)
    assert cache.records[0].unused_s == 1.5 * HOUR


async def test_an_older_buildx_is_asked_for_its_verbose_list(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = client.Answer(1, b"", "unknown flag: --format\n")
    asked = answers(monkeypatch, refused, client.Answer(0, OLDER.encode(), ""))
    cache = await storage.usage()
    assert asked == [("du", "--format", "json"), ("du", "--verbose")]
    assert [each.size for each in cache.records] == [1500, 4096]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (client.Answer(1, b"", "ERROR: Cannot connect to the Docker daemon at x."), EngineError, "No Docker engine"),
        (client.Answer(1, b"", "ERROR: the disk is on fire"), HitmissError, "the disk is on fire"),
        (client.Answer(0, b"<html>", ""), HitmissError, "cannot read"),
    ],
)
async def test_what_goes_wrong_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, answer: client.Answer, kind: type[HitmissError], words: str
) -> None:
    answers(monkeypatch, answer)
    with pytest.raises(kind, match=words) as caught:
        await storage.usage()
    assert "\n" not in str(caught.value)


async def test_a_prune_says_what_it_may_take_and_counts_what_went(monkeypatch: pytest.MonkeyPatch) -> None:
    table = (
        "ID\t\t\t\t\t\tRECLAIMABLE\tSIZE\t\tLAST ACCESSED\n"
        f"{'a' * 25}*              \ttrue \t3.4GB*    \t2 hours ago\n"
        f"{'c' * 25}               \ttrue \t1.5kB     \t2 hours ago\n"
        "Total:\t3.4GB\n"
    )
    asked = answers(
        monkeypatch, client.Answer(0, json.dumps(LISTED).encode(), ""), client.Answer(0, table.encode(), "")
    )
    wanted = PruneFilter(unused_since=1, cache_mounts_only=True, keep_bytes=5_000_000_000, all=True)
    assert await storage.prune(None, wanted) == storage.Pruned(3_400_001_500, 2)
    assert " ".join(asked[1]) == (
        "prune --force --all --filter until=3600.000s --filter type=exec.cachemount --reserved-space 5000000000"
    )
