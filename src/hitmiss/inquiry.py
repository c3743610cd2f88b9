"""What the engine is asked before and after a build, so that it can be planned and explained."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import msgspec

from hitmiss.build.model import Build
from hitmiss.cache.derive import image_names
from hitmiss.cache.operations import Image
from hitmiss.docker import cache_records, provenance
from hitmiss.errors import HitmissError
from hitmiss.project.definition import Definition


class Engine(msgspec.Struct, frozen=True):
    """What the engine says before a build: base images by their name in FROM, and its cache records.

    `records` is None where it did not answer: nothing is taken for gone then.
    """

    images: Mapping[str, Image] = {}
    records: tuple[cache_records.CacheRecord, ...] | None = None
    at_rest: bool = True
    """False where the records may be those of a build that had begun."""


async def ask(definition: Definition, builder: str) -> Engine:
    """What the engine knows that a plan needs; nothing where it does not answer."""
    # The records first: they must be those from before the build that may begin just now.
    records = asyncio.create_task(cache_records.records(builder))
    images: Mapping[str, Image] = {}
    if definition.question:
        with contextlib.suppress(HitmissError, OSError):
            images = await provenance.images(image_names(definition.question), builder)
    try:
        return Engine(images, await records)
    except (HitmissError, OSError):
        return Engine(images, None)


class Left(msgspec.Struct, frozen=True):
    """What a build left behind: the engine's record of each step, by the step's id, and all records there are."""

    records: Mapping[str, str] = {}
    there: tuple[cache_records.CacheRecord, ...] = ()


async def left_by(builder: str, before: Engine, build: Build) -> Left:
    """What a build that has ended left behind; `before` is from its beginning."""
    if before.records is not None:
        with contextlib.suppress(HitmissError, OSError):
            there = await cache_records.records(builder)
            return Left(cache_records.tie({each.id for each in before.records}, there, build), there)
    return Left()
