"""Which record is the engine's copy of a context."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hitmiss.build.model import Build
from hitmiss.docker.copies import copies
from hitmiss.docker.listing import CacheRecord, Listing

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BUILD = Build(started=BEGAN)


def record(
    name: str, *, made: float, used: float = 9.0, of: str = "context", kind: str = "source.local"
) -> CacheRecord:
    return CacheRecord(
        name, type=kind, description=f"local source for {of}", created=BEGAN + timedelta(seconds=made),
        last_used=BEGAN + timedelta(seconds=used),
    )  # fmt: skip


RULES, COPY = record("rules", made=0.30), record("copy", made=0.31)
OLD = record("old", made=-500.0, used=-400.0)


def test_the_later_of_the_two_that_were_used() -> None:
    others = (record("dockerfile", made=0.5, of="dockerfile"), record("step", made=0.6, kind="regular"), OLD)
    assert copies([""], {}, Listing((COPY, RULES, *others)), BUILD) == {"": "copy"}
    old = (record("r", made=-90.0), record("c", made=-89.9))
    assert copies([""], {}, Listing((*old, *others)), BUILD) == {"": "c"}, "it was there before"


def test_named_contexts() -> None:
    extra = (record("r", made=0.1, of="extra"), record("c", made=0.2, of="extra"))
    assert copies(["", "extra"], {}, Listing((RULES, COPY, *extra)), BUILD) == {"": "copy", "extra": "c"}
    assert copies(["elsewhere"], {}, Listing((RULES, COPY)), BUILD) == {}


def test_what_is_known_stays_while_it_is_there() -> None:
    assert copies([""], {"": "old"}, Listing((RULES, COPY, OLD)), BUILD) == {"": "old"}
    assert copies([""], {"": "gone"}, Listing((RULES, COPY, OLD)), BUILD) == {"": "copy"}
    assert copies([""], {"": "gone"}, Listing((OLD,)), BUILD) == {}, "the build was sent nothing"


def test_those_of_other_projects() -> None:
    other = (record("r", made=-90.0, used=9.1), record("c", made=-89.9, used=9.1))
    assert copies([""], {}, Listing((RULES, COPY, *other)), BUILD) == {"": "copy"}, "that of this build is new"
    more = (record("r2", made=-80.0), record("c2", made=-79.9))
    assert copies([""], {}, Listing((*other, *more)), BUILD) == {}, "nobody can tell"
