"""What has become of the engine's cache records: what was pruned, and what only seems to be gone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hitmiss.cache.facts import Known, Seen
from hitmiss.docker.gone import lost, noticed
from hitmiss.docker.listing import CacheRecord, Listing

NOW = 1000.0
RUN = "mount / from exec /bin/sh -c make"


def record(
    id_: str, made: float, description: str = RUN, *, in_use: bool = False, sort: str = "regular"
) -> CacheRecord:
    when = datetime.fromtimestamp(made, UTC)
    return CacheRecord(id_, ("base",), sort, description, created=when, in_use=in_use)


BASE = CacheRecord("base", created=datetime.fromtimestamp(1, UTC))
OLD = record("old", 10)
COPY = record("copy", 10, "local source for context", sort="source.local")


def seen(*records: CacheRecord, asked: float = 100.0, then: Seen | None = None, **more: bool) -> Seen:
    return noticed(then or Seen(), Listing(records), asked, now=NOW, **more)


def test_a_prune_shows_in_a_record_that_is_gone() -> None:
    then = seen(BASE, OLD, COPY)
    assert then.pruned == 0.0
    assert seen(BASE, OLD, COPY, record("new", 200), then=then, asked=300).pruned == 0.0
    assert seen(BASE, COPY, then=then, asked=300).pruned == NOW
    assert seen(BASE, OLD, then=then, asked=300).pruned == NOW, "any record counts"
    assert seen(BASE, COPY, then=then, asked=300, built=True).pruned == 0.0, "a build of ours replaced it"
    assert seen(BASE, COPY, then=then, asked=99) == then, "an answer from before"


def test_what_a_build_uses_may_go_by_itself() -> None:
    used = record("used", 50, in_use=True)
    assert seen(BASE, OLD, then=seen(BASE, OLD, used), asked=300).pruned == 0.0
    assert seen(BASE, OLD, then=seen(BASE, OLD, COPY, at_rest=False), asked=300).pruned == 0.0


def test_the_half_that_is_read_stands_for_the_one_that_was_written_to() -> None:
    then = seen(BASE, OLD)
    during = seen(BASE, record("read", 20, in_use=True), then=then, asked=300, at_rest=False)
    assert (during.pruned, during.hidden) == (0.0, frozenset({"old"}))
    known = {b"key": Known(1, 30.0, "old"), b"other": Known(1, 30.0, "elsewhere")}
    assert lost(known, Listing([BASE, record("read", 20, in_use=True)]), during, at_rest=False) == {b"other"}
    after = seen(BASE, OLD, then=during, asked=400)
    assert (after.pruned, after.hidden) == (0.0, frozenset())
    assert seen(BASE, then=after, asked=500).pruned == NOW
    assert seen(BASE, then=during, asked=500).pruned == NOW, "nothing stands for it any more"


@pytest.mark.parametrize("built", [True, False])
def test_a_result_that_was_exported_is_listed_as_its_other_half_from_then_on(built: bool) -> None:
    known = {b"key": Known(1, 30.0, "old"), b"other": Known(1, 30.0, "")}
    read = record("read", 20)
    then = seen(BASE, OLD)
    for asked in (300, 400, 500):
        then = seen(BASE, read, then=then, asked=asked, built=built)
        assert (then.pruned, lost(known, Listing([BASE, read]), then, at_rest=False)) == (0.0, frozenset())
    again = record("again", 40)
    then = seen(BASE, again, then=then, asked=600, built=built)
    assert lost(known, Listing([BASE, again]), then, at_rest=False) == frozenset()
    gone = seen(BASE, then=then, asked=700)
    assert (gone.pruned, lost(known, Listing([BASE]), gone)) == (NOW, frozenset(known))


def test_a_step_that_is_done_again_stands_for_nothing() -> None:
    anew = record("anew", 299, in_use=True)
    assert seen(BASE, anew, then=seen(BASE, OLD), asked=300, at_rest=False).pruned == NOW
    other = record("read", 20, "mount / from exec /bin/sh -c test", in_use=True)
    assert seen(BASE, other, then=seen(BASE, OLD), asked=300, at_rest=False).pruned == NOW


def test_what_is_hidden_in_an_answer_from_before_the_last_look() -> None:
    then = seen(BASE, OLD, asked=300)
    before = seen(BASE, record("read", 20, in_use=True), then=then, asked=200, at_rest=False)
    assert before.hidden == frozenset({"old"})
    assert (before.asked, before.pruned, before.marks) == (then.asked, then.pruned, then.marks)


def test_one_stands_for_one() -> None:
    then = seen(BASE, OLD, record("older", 5))
    assert seen(BASE, record("read", 20, in_use=True), then=then, asked=300).pruned == NOW


def test_a_context_that_is_being_sent() -> None:
    then = seen(BASE, OLD, COPY)
    sent = record("sent", 299, "local source for context", in_use=True)
    assert seen(BASE, OLD, sent, then=then, asked=300, at_rest=False).pruned == 0.0
