"""The build cache: what is in it, what a prune would take, and the prune itself.

python-on-whales lacks the records' details and prune's space limits, so these are questions to buildx itself. Where
the engine listens on a unix socket it is asked too (`/system/df`): buildx gives sizes in four digits and times in
words, the engine gives bytes and time stamps of the same records.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import groupby

import msgspec

from hitmiss.docker import client, endpoint
from hitmiss.docker.reach import CACHE_MOUNT, CacheRecord, PruneFilter, reach
from hitmiss.errors import HitmissError

__all__ = ["CacheRecord", "CacheUsage", "Preview", "PruneFilter", "Pruned", "preview", "prune", "usage"]

_ASK_S, _PRUNE_S = 120.0, 3600.0
"""How long the engine may take, in seconds: it measures folders for `du`, and deletes millions of files in a prune."""


_MOUNT_ID = re.compile(r' with id "[^"/]*/([^"]+)"$')
"""The end of a cache mount's description: its id behind the namespace of its frontend, which is empty as a rule."""


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """What the build cache holds; all sizes in bytes.

    Records that a running build holds count in `total`, but not in `reclaimable`. `shared` are records that images
    use as well: deleting them gives back only what no image needs.
    """

    records: tuple[CacheRecord, ...] = ()

    @property
    def total(self) -> int:
        """Bytes of all records."""
        return sum(record.size for record in self.records)

    @property
    def mounts(self) -> dict[str, int]:
        """Bytes of the cache mounts, by what their `id` is in a Dockerfile (or their target, where that has none)."""
        found: dict[str, int] = {}
        for record in self.records:
            if record.type == CACHE_MOUNT and (name := _MOUNT_ID.search(record.description)):
                found[name[1]] = found.get(name[1], 0) + record.size
        return found

    @property
    def reclaimable(self) -> int:
        """Bytes of the records that nothing holds."""
        return sum(record.size for record in self.records if record.reclaimable)

    @property
    def shared(self) -> int:
        """Bytes of the records that images use as well."""
        return sum(record.size for record in self.records if record.shared)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a prune would take: the records, largest first.

    `exact` is False where the engine decides which records go ("about"). `total` and `total_count` are the whole
    cache's, in bytes and records; `private` are the bytes of the records that are not shared with images: only these
    count for the space to keep.
    """

    records: tuple[CacheRecord, ...] = ()
    exact: bool = True
    total: int = 0
    total_count: int = 0
    private: int = 0

    @property
    def size(self) -> int:
        """Bytes of the records that go."""
        return sum(record.size for record in self.records)

    @property
    def shared(self) -> int:
        """Bytes of the records that go and that images use as well; these may stay on the disk."""
        return sum(record.size for record in self.records if record.shared)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune took: bytes freed, and how many records went."""

    freed: int = 0
    count: int = 0


async def usage(builder: str | None = None) -> CacheUsage:
    """What the builder's cache holds. Raises `EngineError` or `HitmissError`."""
    listed, exact = await asyncio.gather(_listed(builder), _exact(builder))
    now = datetime.now(UTC)
    return CacheUsage(tuple(_sharpened(record, exact.get(record.id), now) for record in listed))


async def preview(builder: str | None, wanted: PruneFilter) -> Preview:
    """What `prune` with the same filter would take now. Raises `EngineError` or `HitmissError`.

    Worked out from all records (`reach`): `du` heeds the filters for types, but not the one for age.
    """
    cache = await usage(builder)
    found = await asyncio.to_thread(reach, cache.records, wanted)
    return Preview(
        records=tuple(sorted(found.records, key=lambda record: -record.size)),
        exact=found.exact,
        total=cache.total,
        total_count=len(cache.records),
        private=cache.total - cache.shared,
    )


async def prune(builder: str | None, wanted: PruneFilter) -> Pruned:
    """Delete what the filter covers. Raises `EngineError` or `HitmissError`.

    Records that a running build holds stay. Cancelling ends the client, and with it the prune: what is gone is gone.
    """
    sizes = {record.id: record.size for record in (await usage(builder)).records}
    words = ["prune", "--force", *_builder_words(builder)]
    words += ["--all"] if wanted.all else []
    words += ["--filter", f"until={wanted.unused_since * 3600:.3f}s"] if wanted.unused_since is not None else []
    words += ["--filter", f"type={CACHE_MOUNT}"] if wanted.cache_mounts_only else []
    # Without the other two limits this is the size that the cache may have afterwards, and needs no newer BuildKit.
    # A bare number is bytes; buildx reads `10GB` as GiB.
    words += ["--reserved-space", str(wanted.keep_bytes)] if wanted.keep_bytes else []
    answer = (await _ask(*words, timeout_s=_PRUNE_S)).decode("utf-8", "replace")
    gone = {match[1]: bytes_of(match[2]) for match in _PRUNED_ROW.finditer(answer)}
    return Pruned(sum(sizes.get(key, size) for key, size in gone.items()), len(gone))


_PRUNED_ROW = re.compile(r"^([0-9a-z]{20,})\*?\s+(?:true|false)\s+([\d.]+\s?[A-Za-z]+)", re.MULTILINE)
"""A row of `buildx prune`'s table: id (`*`: mutable), reclaimable, size (`*`: shared)."""


def _builder_words(builder: str | None) -> list[str]:
    return ["--builder", builder] if builder else []


async def _ask(*words: str, timeout_s: float) -> bytes:
    answer = await client.ask(*words, timeout_s=timeout_s)
    if answer.code:
        raise client.error_of(answer.err) or HitmissError(client.last_sentence(answer.err))
    return answer.out


# What buildx tells


class _Listed(msgspec.Struct, rename="pascal"):
    """One line of `buildx du --format json`."""

    id: str = msgspec.field(name="ID")
    type: str = ""
    size: str = ""
    description: str = ""
    last_used_at: str = ""
    usage_count: int = 0
    shared: bool = False
    reclaimable: bool = False
    mutable: bool = False
    parents: list[str] | None = None


async def _listed(builder: str | None) -> list[CacheRecord]:
    """The records as buildx lists them; `--format` is only known to buildx 0.29 and newer."""
    words = ["du", *_builder_words(builder)]
    answer = await client.ask(*words, "--format", "json", timeout_s=_ASK_S)
    if answer.code and "unknown flag: --format" in answer.err:
        text = (await _ask(*words, "--verbose", timeout_s=_ASK_S)).decode("utf-8", "replace")
        return [_record(each) for each in parse_verbose(text)]
    if answer.code:
        raise client.error_of(answer.err) or HitmissError(client.last_sentence(answer.err))
    try:
        return [_record(msgspec.json.decode(line, type=_Listed)) for line in answer.out.splitlines() if line.strip()]
    except msgspec.DecodeError as error:
        raise HitmissError(f"buildx listed the build cache in words that hitmiss cannot read ({error}).") from None


def parse_verbose(text: str) -> Iterator[_Listed]:
    """The records of `buildx du --verbose`: blocks of `Key: value` lines, and ` - id` for parents."""
    for blank, block in groupby(text.splitlines(), key=lambda line: not line.strip()):
        fields: dict[str, str] = {}
        parents: list[str] = []
        for line in () if blank else block:
            key, colon, value = line.partition(":")
            if line.startswith(" - "):
                parents.append(line[3:].strip())
            elif colon:
                fields[key] = value.strip()
        parents += [parent for parent in fields.get("Parent", "").split(",") if parent]
        if "ID" in fields:
            yield _Listed(
                id=fields["ID"],
                type=fields.get("Type", ""),
                size=fields.get("Size", ""),
                description=fields.get("Description", ""),
                last_used_at=fields.get("Last used", ""),
                usage_count=int(fields["Usage count"]) if fields.get("Usage count", "").isdigit() else 0,
                shared=fields.get("Shared") == "true",
                reclaimable=fields.get("Reclaimable") == "true",
                mutable=fields.get("Mutable") == "true",
                parents=parents,
            )


def _record(listed: _Listed) -> CacheRecord:
    age = age_of(listed.last_used_at)
    return CacheRecord(
        id=listed.id,
        type=listed.type,
        size=bytes_of(listed.size),
        description=listed.description,
        last_used=listed.last_used_at,
        unused_s=age[0] if age else None,
        usage_count=listed.usage_count,
        shared=listed.shared,
        reclaimable=listed.reclaimable,
        mutable=listed.mutable,
        parents=tuple(listed.parents or ()),
        unused_slack_s=age[1] - age[0] if age else 0.0,
    )


_UNITS = {"b": 0, "kb": 1, "mb": 2, "gb": 3, "tb": 4, "pb": 5, "eb": 6}


def bytes_of(text: str) -> int:
    """`7.423MB` → 7423000 (docker/go-units' `HumanSize`: powers of 1000, four digits); 0 for what is not a size."""
    found = re.fullmatch(r"([\d.]+(?:e\+?\d+)?)\s?([A-Za-z]+)", text.strip())
    if not found or found[2].lower() not in _UNITS:
        return 0
    try:
        return int(Decimal(found[1]) * 1000 ** _UNITS[found[2].lower()])
    except InvalidOperation:
        return 0


_HOUR, _DAY = 3600.0, 86400.0
_PER_UNIT = {"second": 1.0, "minute": 60.0, "hour": _HOUR, "day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY}


def age_of(text: str) -> tuple[float, float] | None:
    """From and to how many seconds ago that was; None for no time at all.

    docker/go-units' `HumanDuration`: seconds and minutes are cut off, hours are rounded to the nearest and all larger
    units are cut off from those. So `2 days ago` is from 47.5 to 71.5 hours.
    """
    words = text.lower().removesuffix("ago").split()
    if not words:
        return None
    if words[:2] == ["less", "than"]:
        return 0.0, 1.0
    number = 1.0 if words[0] == "about" else float(words[0]) if words[0].isdigit() else 0.0
    unit = words[-1].rstrip("s")
    if unit == "year":
        return max(0.0, number * 365 * _DAY - _HOUR / 2), float("inf")
    length = _PER_UNIT.get(unit)
    if length is None:
        return 0.0, float("inf")
    rounded = 0.0 if unit in ("second", "minute") else _HOUR / 2
    start = _HOUR if words[0] == "about" and unit == "hour" else number * length - rounded
    return start, (number + 1) * length - rounded


# What the engine tells


class _Exact(msgspec.Struct):
    """One build cache record of the engine's `/system/df`."""

    id: str = msgspec.field(name="ID")
    size: int = msgspec.field(name="Size", default=0)
    last_used: str | None = msgspec.field(name="LastUsedAt", default=None)


class _DiskUsage(msgspec.Struct):
    records: list[_Exact] | None = msgspec.field(name="BuildCache", default=None)


async def _exact(builder: str | None) -> dict[str, _Exact]:
    """The engine's own figures by record; none where it cannot be asked. Another engine's ids match nothing."""
    socket = endpoint.socket_path(builder)
    if socket is None:
        return {}
    try:
        body = await endpoint.get(socket, "/v1.44/system/df?type=build-cache", timeout_s=_ASK_S)
        records = msgspec.json.decode(body, type=_DiskUsage).records
    except (OSError, msgspec.DecodeError):
        return {}
    return {record.id: record for record in records or ()}


def _sharpened(record: CacheRecord, exact: _Exact | None, now: datetime) -> CacheRecord:
    """The record with the engine's bytes and time in place of buildx's text."""
    if exact is None:
        return record
    record = replace(record, size=max(0, exact.size))
    try:
        used = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", exact.last_used or ""))
        return replace(record, unused_s=(now - used).total_seconds(), unused_slack_s=0.0)
    except (ValueError, TypeError):
        return record
