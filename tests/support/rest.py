"""The engine's cache records once no build holds one: a build lets go of them up to half a second after its end."""

from __future__ import annotations

from hitmiss.docker.cache_records import records
from hitmiss.docker.listing import Listing
from tests.support.wait import wait_for_async


async def settled() -> Listing:
    """The records, when two answers are the same and nobody uses one."""
    found = Listing()

    async def free() -> bool:
        nonlocal found
        before, found = found, await records()
        return {each.id for each in before} == {each.id for each in found} and not found.used

    rests: bool = await wait_for_async(free, 20, "the cache to rest")
    assert rests
    return found
