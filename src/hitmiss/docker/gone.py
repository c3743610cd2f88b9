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

from collections.abc import Mapping

from hitmiss.cache.facts import Key, Known
from hitmiss.docker.listing import Listing


def lost(known: Mapping[Key, Known], records: Listing, pruned: float = 0.0, *, at_rest: bool = True) -> frozenset[Key]:
    """The keys among `known` whose result is gone, by the rule above; without a known record it goes with any prune.

    That there was a prune shows in a record that is gone, in a Dockerfile's record that is younger than the build which
    must have made one (unless a build runs already, not `at_rest`), or by `pruned`: when one was last noticed, in
    seconds since 1970 (`Store.saw_records`). A lost result that nobody reads is not made again: see above.
    """
    present, on_image = records.by_id, records.on_images
    missing = [each.seen for each in known.values() if each.record and each.record not in present]
    since = max([pruned, *missing])
    oldest = records.oldest_definition if at_rest else 0.0
    return frozenset(
        key
        for key, each in known.items()
        if (each.record and each.record not in present)
        or (
            (not each.record or each.record in on_image)
            and (each.seen <= since or (each.record and each.seen < oldest))
        )
    )
