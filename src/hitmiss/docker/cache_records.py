"""The engine's cache records, asked for and read: over its socket, or where that cannot be had through buildx.

What they tell is `listing.py`'s, whose they are `tied.py`'s, whose result is gone `gone.py`'s.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from hitmiss.docker import client, endpoint
from hitmiss.docker.listing import CacheRecord, Listing
from hitmiss.docker.storage import age_of, bytes_of
from hitmiss.errors import HitmissError

_ASK_S = 10.0
"""How long the engine may take, in seconds: 200 records took 6 ms over its socket, and 220 ms through buildx."""


async def records(builder: str = "") -> Listing:
    """All records of a builder. Raises `HitmissError` where it does not tell them."""
    socket = endpoint.socket_path(builder or None)
    if socket is not None:
        try:
            body = await endpoint.get(socket, "/v1.44/system/df?type=build-cache", timeout_s=_ASK_S)
            return await asyncio.to_thread(_disk_usage, body)
        except (OSError, msgspec.DecodeError):
            pass  # an engine that cannot be asked directly may still answer to buildx
    return await _listed(builder)


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


def _disk_usage(body: bytes) -> Listing:
    return Listing(each.record() for each in msgspec.json.decode(body, type=_DiskUsage).records or ())


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


async def _listed(builder: str) -> Listing:
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
        return Listing(_record(line, now) for line in lines)
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
