"""Whose result is gone from the engine. Pure.

What is told here of the engine was seen on Docker Engine 28.5.2 with its embedded BuildKit and the containerd store
(`tests/engine/test_eviction_rules.py`).

The rule of what a prune loses. A step's result is gone when its record is. Beyond that, *any* prune that takes at least
one record, be it only a context or a cache mount of somebody else's build, makes the engine look whether each result
that it remembers is still there, and it does not find those whose record stands on a layer of a base image (one that
was loaded or pulled; an image that the engine built counts by what that was built on), though `du` goes on listing
them. Their keys stay known. So the next build runs each such step whose result somebody reads: its image, or a step
that runs. A step whose record stands on nothing (FROM scratch, the copy of a `COPY --link`, though not its merge) still
hits, and what only that one reads is as a rule not looked at again and is called a hit too (in one project a COPY at
the top of such a stage ran all the same). The build leaves new records, and from then on all hits, until the next
prune. A prune that takes nothing, the end of the engine, another build, and deleting an image lose nothing. Which steps
lose their result this way does not depend on whether the base image's own record (no description, no parents) stayed.

`WORKDIR` never obeys `--no-cache` and `--no-cache-filter` by itself: it runs when what it stands on ran without a
cache, and hits when there are only a FROM and other WORKDIRs above it in its stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from hitmiss.cache.facts import Key, Known, Seen
from hitmiss.docker.listing import LOCAL, CacheRecord, Listing

_NEVER = Seen()


def noticed(
    then: Seen, records: Listing, asked: float, *, at_rest: bool = True, built: bool = False, now: float
) -> Seen:
    """What has become of a builder's records since it was looked at `then`; times are in seconds since 1970.

    A prune shows in a record that was there and is gone. `built` says that a build of ours has just ended: what went
    meanwhile, the engine replaced (a cache mount whose RUN ran anew, the last step of a stage that is now exported).
    Records in use, and unless it is `at_rest` contexts and cache mounts too, a running build may give up by itself.
    An answer that is older than the last one changes nothing but what is hidden in it.
    """
    twins = dict(_twins(then, records))
    if asked < then.asked:
        return msgspec.structs.replace(then, hidden=frozenset(twins))
    fresh = {id_: twin.id for id_, twin in twins.items() if not twin.in_use}
    older = {id_: fresh.get(name, name) for id_, name in then.renamed.items()}
    renamed = {id_: name for id_, name in (older | fresh).items() if name in records.by_id or name in twins}
    pruned = then.pruned if built or then.marks.keys() <= records.by_id.keys() | twins.keys() else now
    passing = records.used if at_rest else records.used | records.irregular
    there = {id_: mark for id_, mark in records.marks.items() if id_ not in passing}
    back = {id_: then.marks[id_] for id_, twin in twins.items() if twin.in_use}
    return Seen(asked, pruned, there | back, frozenset(twins), renamed)


def _twins(then: Seen, records: Listing) -> Iterator[tuple[str, CacheRecord]]:
    """The records that are gone from the list and yet there, with those that stand for them.

    A result that nobody has exported or built on is two records: the one that was written to, made when the step
    began, and the one that is read, made when it ended. BuildKit lists the second while somebody uses it, and the first
    while nobody does (`cacheManager.DiskUsage`; `equalMutable`). So one that is made before the last look and was not
    listed then stands for another, for good where nobody uses it: the result was exported, or built on. A build that is
    sent a context makes a new second one for the old copy.
    """
    gone = [id_ for id_ in then.marks if id_ not in records.by_id]
    if not gone:
        return
    fresh: dict[int, list[CacheRecord]] = {}
    for record in records:
        older = record.created is not None and record.created.timestamp() <= then.asked
        sent = record.in_use and record.description.startswith(LOCAL)
        if record.id not in then.marks and (older or sent):
            fresh.setdefault(records.marks[record.id], []).append(record)
    for id_ in gone:
        if twins := fresh.get(then.marks[id_]):
            yield id_, twins.pop()


def lost(known: Mapping[Key, Known], records: Listing, seen: Seen = _NEVER, *, at_rest: bool = True) -> frozenset[Key]:
    """The keys among `known` whose result is gone, by the rule above; without a known record it goes with any prune.

    That there was a prune shows in a record that is gone, in a Dockerfile's record that is younger than the build which
    must have made one (unless a build runs already, not `at_rest`), or in that `seen`, what `noticed` gave for these
    records, tells of one. A lost result that nobody reads is not made again: see above.
    """
    present, on_image = records.by_id.keys() | seen.hidden, records.on_images
    names = {key: seen.renamed.get(each.record, each.record) for key, each in known.items()}
    missing = [each.seen for key, each in known.items() if names[key] and names[key] not in present]
    since = max([seen.pruned, *missing])
    oldest = records.oldest_definition if at_rest else 0.0
    return frozenset(
        key
        for key, each in known.items()
        if (names[key] and names[key] not in present)
        or ((not names[key] or names[key] in on_image) and (each.seen <= since or (each.record and each.seen < oldest)))
    )
