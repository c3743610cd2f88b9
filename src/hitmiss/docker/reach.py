"""Which cache records a prune reaches: BuildKit's own rules, worked out on what `du` tells.

Pure: records in, records out. The rules are those of BuildKit's `cache/manager.go` (`prune`, `pruneOnce`,
`sortDeleteRecords`), read and then measured on Docker Engine 28.5.2:

- A record goes only when nothing holds it: no build, and no record that was made on top of it. So leaves go first.
- Without `--all`, records of the types `internal` and `frontend`, and those shared with images, stay.
- `until` counts from the last use; a record never used is as old as can be.
- With space to keep, one leaf goes at a time until the records that are not shared take less than that. Which one: the
  ranks by last use and by number of uses, each as a share of the highest rank, are added up; the least goes. Records of
  the same score go in no certain order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

CACHE_MOUNT = "exec.cachemount"
_OWN_TYPES = frozenset({"internal", "frontend"})
_RANKINGS = 64
"""How many times a long list of leaves is ranked again while it halves; BuildKit ranks it after each record."""


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One record of the build cache.

    `size` is in bytes. `last_used` is BuildKit's text; `unused_s` is how many seconds ago that was at least, and
    `unused_slack_s` how much longer it may have been (0 where the engine gave the time itself); None: never used.
    """

    id: str
    type: str
    size: int
    description: str
    last_used: str
    unused_s: float | None
    usage_count: int
    shared: bool
    reclaimable: bool
    mutable: bool
    parents: tuple[str, ...] = ()
    unused_slack_s: float = 0.0

    @property
    def in_use(self) -> bool:
        """Whether a build, or another part of the engine, holds it now."""
        return not self.reclaimable


@dataclass(frozen=True, slots=True)
class PruneFilter:
    """What a prune may take; the fields narrow each other down.

    `unused_since` is in hours; `keep_bytes` of the cache stay (records shared with images do not count); `all` also
    takes records that are shared with images, and BuildKit's own (`docker buildx prune --all`).
    """

    unused_since: float | None = None
    cache_mounts_only: bool = False
    keep_bytes: int | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """The records that go, in the order in which they go; `exact` is False where the engine may take others."""

    records: tuple[CacheRecord, ...]
    exact: bool


def reach(records: Sequence[CacheRecord], wanted: PruneFilter) -> Reach:
    """The records that a prune with this filter reaches."""
    fitting = {record.id: record for record in records if _fits(record, wanted)}
    gone = _Leaves(records, fitting)
    certain = not any(_doubtful(record, wanted) for record in fitting.values())
    if not wanted.keep_bytes:
        everything = tuple(gone.all())
        return Reach(everything, certain)
    surplus = sum(record.size for record in records if not record.shared) - wanted.keep_bytes
    taken = tuple(_collect(gone, surplus))
    return Reach(taken, certain and (not taken or not gone.left))


class _Leaves:
    """Takes records that nothing was made on top of; their parents become leaves in turn."""

    def __init__(self, records: Iterable[CacheRecord], fitting: dict[str, CacheRecord]) -> None:
        self._children = Counter(parent for record in records for parent in set(record.parents))
        self._fitting = fitting
        self.left = {key: record for key, record in fitting.items() if not self._children[key]}

    def take(self, record: CacheRecord) -> None:
        """Remove a leaf."""
        del self.left[record.id]
        for parent in set(record.parents):
            self._children[parent] -= 1
            if not self._children[parent] and parent in self._fitting:
                self.left[parent] = self._fitting[parent]

    def all(self) -> Iterable[CacheRecord]:
        """Remove leaves until there are none."""
        while self.left:
            record = next(iter(self.left.values()))
            self.take(record)
            yield record


def _fits(record: CacheRecord, wanted: PruneFilter) -> bool:
    if not record.reclaimable or (wanted.cache_mounts_only and record.type != CACHE_MOUNT):
        return False
    if not wanted.all and (record.shared or record.type in _OWN_TYPES):
        return False
    if wanted.unused_since is None or record.unused_s is None:
        return True
    return record.unused_s + record.unused_slack_s >= wanted.unused_since * 3600


def _doubtful(record: CacheRecord, wanted: PruneFilter) -> bool:
    """Whether it depends on what `du` left out of the time in words that the record is old enough."""
    if wanted.unused_since is None or record.unused_s is None:
        return False
    return record.unused_s < wanted.unused_since * 3600


def _collect(gone: _Leaves, surplus: int) -> Iterable[CacheRecord]:
    """Take leaves, the least valuable first, until less than the space to keep is left (`surplus` below zero)."""
    while surplus >= 0 and gone.left:
        batch = max(1, len(gone.left) // _RANKINGS)
        for record in islice(_ranked(list(gone.left.values())), batch):
            if surplus < 0:
                return
            gone.take(record)
            surplus -= record.size
            yield record


def _ranked(records: list[CacheRecord]) -> list[CacheRecord]:
    """The records in the order in which BuildKit would take them (`sortDeleteRecords`)."""
    by_age = sorted(records, key=lambda each: (each.unused_s is not None, -(each.unused_s or 0.0)))
    by_count = sorted(records, key=lambda each: each.usage_count)
    age = _ranks(by_age, [None if each.unused_s is None else -each.unused_s for each in by_age])
    count = _ranks(by_count, [each.usage_count or None for each in by_count])
    oldest, rarest = max(age.values()), max(count.values())
    return sorted(by_age, key=lambda each: age[each.id] / oldest + count[each.id] / rarest)


def _ranks(records: list[CacheRecord], values: Sequence[float | None]) -> dict[str, int]:
    """Each record's rank: 1 for those without a value, then one more for each higher value."""
    ranks: dict[str, int] = {}
    rank, highest = 1, None
    for record, value in zip(records, values, strict=True):
        if value is not None and (highest is None or value > highest):
            rank, highest = rank + 1, value
        ranks[record.id] = rank
    return ranks
