"""The engine's own copies of the contexts that were sent to it: which record is whose.

BuildKit keeps the files of a context and is sent only what differs from them by size and time; the copy is a record of
the type `source.local` with the context's name in it, and lives as long as that. There are two such records for each
context: the older one, made some milliseconds before, holds its ignore file alone (seen on Docker Engine 28.5.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from hitmiss.build.model import Build
from hitmiss.docker.listing import LOCAL, CacheRecord, Listing

_SLACK = timedelta(seconds=2)
"""Through buildx the time of the last use is told in whole seconds."""
_PAIR = 2
_OLDEST = datetime.min.replace(tzinfo=UTC)


def copies(names: Iterable[str], known: Mapping[str, str], records: Listing, build: Build) -> dict[str, str]:
    """The record of each context's copy, by the context's name, after a build that has ended; none where that is open.

    `known` are those from before it: they stay as long as their records are there.
    """
    found: dict[str, str] = {}
    for name in names:
        if (id_ := known.get(name)) in records.by_id and id_:
            found[name] = id_
        elif record := _used(records.copies, f"{LOCAL}{name or 'context'}", build.started):
            found[name] = record.id
    return found


def _used(records: Iterable[CacheRecord], description: str, began: datetime | None) -> CacheRecord | None:
    """The copy that a build which began then has used; several contexts of one name cannot be told apart."""
    used = [
        record
        for record in records
        if record.description == description
        if record.in_use or (began and record.last_used and record.last_used >= began - _SLACK)
    ]
    fresh = [record for record in used if began and record.created and record.created >= began - _SLACK]
    pair = fresh if len(fresh) == _PAIR else used
    return max(pair, key=lambda record: record.created or _OLDEST) if len(pair) <= _PAIR and pair else None
