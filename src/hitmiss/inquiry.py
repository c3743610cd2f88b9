"""What the engine is asked before and after a build, so that it can be planned and explained."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

from hitmiss.build.model import Build
from hitmiss.cache.derive import image_names
from hitmiss.cache.operations import Image
from hitmiss.docker import cache_records, provenance, registry
from hitmiss.docker.listing import Listing
from hitmiss.docker.tied import tie
from hitmiss.errors import HitmissError
from hitmiss.history.store import Store
from hitmiss.project.definition import Definition

_LONGEST_S = 0.2
_REST_S = 0.005


class Records(msgspec.Struct, frozen=True):
    """All cache records of a builder (None where it did not answer), and when it was asked, in seconds since 1970."""

    all: Listing | None = None
    asked: float = 0.0
    built: bool = False
    """Whether they are what a build of ours has left."""


class Engine(msgspec.Struct, frozen=True):
    """What the engine says before a build: base images by their name in FROM, and its cache records.

    `records` is None where it did not answer: nothing is taken for gone then.
    """

    images: Mapping[str, Image] = {}
    records: Listing | None = None
    at_rest: bool = True
    """False where the records may be those of a build that had begun."""
    asked: float = 0.0
    """When it was asked for the records, in seconds since 1970."""
    built: bool = False
    """Whether they are what a build of ours has left."""


async def records(builder: str) -> Records:
    """The cache records that there are now."""
    asked = time.time()
    try:
        return Records(await cache_records.records(builder), asked)
    except (HitmissError, OSError):
        return Records(None, asked)


async def records_after(builder: str, over: Callable[[], bool]) -> Records:
    """The cache records after a build of ours: those that it used are let go of a moment after its client has ended.

    They come as they are where that takes long: another build may hold some. So they do when it is `over`, as the next
    build begins.
    """
    end = time.monotonic() + _LONGEST_S
    found = await records(builder)
    while found.all and found.all.used and time.monotonic() < end:
        await asyncio.sleep(_REST_S)
        if over():
            break
        found = await records(builder)
    return msgspec.structs.replace(found, built=True)


async def ask(definitions: Iterable[Definition], builder: str, there: asyncio.Task[Records] | None = None) -> Engine:
    """What the engine knows that the plans of these definitions need; nothing where it does not answer.

    `there` are cache records that somebody asks for just now.
    """
    # The records first: they must be those from before the build that may begin just now.
    asked = there or asyncio.create_task(records(builder))
    images: Mapping[str, Image] = {}
    try:
        with contextlib.suppress(HitmissError, OSError):
            questions = [each.question for each in definitions if each.question]
            names = dict.fromkeys(name for question in questions for name in image_names(question))
            images = await provenance.images(tuple(names), builder)
        found = await asyncio.shield(asked)
    finally:
        if there is None and not asked.done():
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
    return Engine(images, found.all, asked=found.asked, built=found.built)


async def moved(images: Mapping[str, Image], builder: str, store: Store) -> frozenset[str]:
    """Those of the base images of a build whose tag points to another image on its registry today.

    A registry is asked for a name at most once an hour, one name after the other; who cannot answer is not heard.
    """
    found: set[str] = set()
    for name in images:
        if here := await registry.here(name, builder):
            there = store.tag(builder, name)
            if there is None:
                there = await registry.there(name, builder)
                await asyncio.to_thread(store.remember_tag, builder, name, there)
            if there and there not in here:
                found.add(name)
    return frozenset(found)


class Left(msgspec.Struct, frozen=True):
    """What a build left behind: the engine's record of each step, by the step's id, and all records there are."""

    records: Mapping[str, str] = {}
    there: Listing = Listing()
    asked: float = 0.0


def left_by(before: Engine, there: Records, build: Build) -> Left:
    """What a build that has ended left behind; `before` is from its beginning, `there` from after its end."""
    if before.records is None or there.all is None:
        return Left()
    return Left(tie(before.records.by_id.keys(), there.all, build), there.all, there.asked)
