"""The engine's cache records as a plan needs them: which there are, and whose result is gone. `tied.py` says whose.

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

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from hitmiss.cache.facts import Key, Known
from hitmiss.docker import client, endpoint
from hitmiss.docker.storage import age_of, bytes_of
from hitmiss.errors import HitmissError

_ASK_S = 10.0
"""How long the engine may take, in seconds: 200 records took 6 ms over its socket, and 220 ms through buildx."""

_SOURCE = "source.local"


class CacheRecord(msgspec.Struct, frozen=True):
    """One record. `size` is in bytes; the times are the engine's, None where it told none (never used)."""

    id: str
    parents: tuple[str, ...] = ()
    type: str = "regular"
    description: str = ""
    size: int = 0
    created: datetime | None = None
    last_used: datetime | None = None
    usage_count: int = 0
    shared: bool = False
    in_use: bool = False


async def records(builder: str = "") -> tuple[CacheRecord, ...]:
    """All records of a builder. Raises `HitmissError` where it does not tell them."""
    socket = endpoint.socket_path(builder or None)
    if socket is not None:
        try:
            body = await endpoint.get(socket, "/v1.44/system/df?type=build-cache", timeout_s=_ASK_S)
            return await asyncio.to_thread(_disk_usage, body)
        except (OSError, msgspec.DecodeError):
            pass  # an engine that cannot be asked directly may still answer to buildx
    return await _listed(builder)


def lost(
    known: Mapping[Key, Known], records: Iterable[CacheRecord], pruned: float = 0.0, *, at_rest: bool = True
) -> frozenset[Key]:
    """The keys among `known` whose result is gone, by the rule above; without a known record it goes with any prune.

    That there was a prune shows in a record that is gone, in a Dockerfile's record that is younger than the build which
    must have made one (unless a build runs already, not `at_rest`), or by `pruned`: when one was last noticed, in
    seconds since 1970 (`Store.saw_records`). A lost result that nobody reads is not made again: see above.
    """
    present = {record.id: record for record in records}
    missing = [each.seen for each in known.values() if each.record and each.record not in present]
    definitions = [
        record.created.timestamp() if record.created else 0.0
        for record in present.values()
        if record.type == _SOURCE and record.description == "local source for dockerfile"
    ]
    since = max([pruned, *missing])
    oldest = min(definitions, default=float("inf")) if at_rest else 0.0
    on_image = _on_images(present)
    return frozenset(
        key
        for key, each in known.items()
        if (each.record and each.record not in present)
        or (
            (not each.record or each.record in on_image)
            and (each.seen <= since or (each.record and each.seen < oldest))
        )
    )


def _on_images(present: Mapping[str, CacheRecord]) -> set[str]:
    """The records that stand on a layer of an image: those have no description."""
    found: dict[str, bool] = {}

    for start in present:
        path = [start]
        while path:
            record = present.get(path[-1])
            if path[-1] in found:
                path.pop()
            elif record is None:
                found[path.pop()] = False
            elif not record.description and record.type == "regular":
                found[path.pop()] = True
            elif ahead := [each for each in record.parents if each not in found]:
                path += ahead
            else:
                found[path.pop()] = any(found[each] for each in record.parents)
    return {key for key, stands in found.items() if stands}


# What the engine tells


class _Told(msgspec.Struct, rename="pascal"):
    """One record of `/system/df`. The engine writes the name of `Parents` with a space before it."""

    id: str = msgspec.field(name="ID")
    parents: list[str] | None = None
    spaced_parents: list[str] | None = msgspec.field(name=" Parents", default=None)
    parent: str = ""
    type: str = ""
    description: str = ""
    size: int = 0
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    usage_count: int = 0
    shared: bool = False
    in_use: bool = False

    def record(self) -> CacheRecord:
        parents = self.parents or self.spaced_parents or [each for each in self.parent.split(",") if each]
        return CacheRecord(
            self.id,
            tuple(parents),
            self.type,
            self.description,
            self.size,
            self.created_at,
            self.last_used_at,
            self.usage_count,
            self.shared,
            self.in_use,
        )


class _DiskUsage(msgspec.Struct):
    records: list[_Told] | None = msgspec.field(name="BuildCache", default=None)


def _disk_usage(body: bytes) -> tuple[CacheRecord, ...]:
    return tuple(each.record() for each in msgspec.json.decode(body, type=_DiskUsage).records or ())


class _Line(msgspec.Struct, rename="pascal"):
    """One line of `buildx du --format json`: sizes in four digits, the last use in words."""

    id: str = msgspec.field(name="ID")
    parents: list[str] | None = None
    type: str = ""
    description: str = ""
    size: str = ""
    created_at: str = ""
    last_used_at: str = ""
    usage_count: int = 0
    shared: bool = False
    reclaimable: bool = True


async def _listed(builder: str) -> tuple[CacheRecord, ...]:
    words = ["du", *(["--builder", builder] if builder else [])]
    answer = await client.ask(*words, "--format", "json", timeout_s=_ASK_S)
    old = bool(answer.code) and "unknown flag: --format" in answer.err
    if old:
        answer = await client.ask(*words, "--verbose", timeout_s=_ASK_S)
    if answer.code:
        raise client.error_of(answer.err) or HitmissError(client.last_sentence(answer.err))
    try:
        lines = _verbose(answer.out.decode("utf-8", "replace")) if old else _json(answer.out)
        now = datetime.now(UTC)
        return tuple(_record(line, now) for line in lines)
    except msgspec.DecodeError as error:
        raise HitmissError(f"buildx listed the build cache in words that hitmiss cannot read ({error}).") from None


def _json(out: bytes) -> Iterator[_Line]:
    return (msgspec.json.decode(line, type=_Line) for line in out.splitlines() if line.strip())


_KEYS = ("Created at", "Mutable", "Reclaimable", "Shared", "Size", "Description", "Usage count", "Last used", "Type")
_FIELD = re.compile(rf"^({'|'.join(_KEYS)}):\s*(.*?)(?=^(?:{'|'.join(_KEYS)}):|\Z)", re.MULTILINE | re.DOTALL)


def _verbose(text: str) -> Iterator[_Line]:
    """The records of `buildx du --verbose`: `Key: value` lines, ` - id` for parents; a description may have lines."""
    for block in re.split(r"^ID:\s+", text, flags=re.MULTILINE)[1:]:
        fields = {key: value.strip() for key, value in _FIELD.findall(block)}
        uses = fields.get("Usage count", "")
        yield _Line(
            block.split()[0],
            re.findall(r"^ - (\w+)$", block.partition("Created at:")[0], re.MULTILINE),
            fields.get("Type", ""),
            fields.get("Description", ""),
            fields.get("Size", ""),
            fields.get("Created at", ""),
            fields.get("Last used", ""),
            int(uses) if uses.isdecimal() else 0,
            fields.get("Shared") == "true",
            fields.get("Reclaimable") == "true",
        )


def _record(line: _Line, now: datetime) -> CacheRecord:
    age = age_of(line.last_used_at)
    return CacheRecord(
        line.id,
        tuple(line.parents or ()),
        line.type,
        line.description,
        bytes_of(line.size),
        time_of(line.created_at),
        now - timedelta(seconds=age[0]) if age else None,
        line.usage_count,
        line.shared,
        not line.reclaimable,
    )


_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d* ([+-]\d\d)(\d\d)\b")


def time_of(text: str) -> datetime | None:
    """Go's `2026-01-02 03:04:05.123456789 +0000 UTC` as a time; None for what is none."""
    found = _TIME.match(text)
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3]}:{found[4]}") if found else None
    except ValueError:
        return None
