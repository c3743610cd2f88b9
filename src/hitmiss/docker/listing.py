"""All cache records of a builder at one moment, and what is asked of them.

Pure. Each target asks the same of the same records, of which there can be tens of thousands: it is worked out once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from functools import cached_property
from zlib import crc32

import msgspec

from hitmiss.build.model import Step

EXEC = "mount / from exec "
"""What the description of a RUN's record begins with."""

LOCAL = "local source for "
"""What the description of a context's copy begins with; its name follows, or what it was sent for."""

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


class Listing(tuple[CacheRecord, ...]):
    """The records, in the engine's order."""

    @cached_property
    def by_id(self) -> Mapping[str, CacheRecord]:
        """The records by their ids."""
        return {record.id: record for record in self}

    @cached_property
    def marks(self) -> Mapping[str, int]:
        """What tells the records apart, by their ids: equal for two that hold the same."""
        return {record.id: crc32(ascii((record.description, record.parents)).encode()) for record in self}

    @cached_property
    def regular(self) -> Sequence[tuple[datetime, CacheRecord]]:
        """Those of steps, oldest first, with the time when they were made."""
        made = [(each.created, each) for each in self if each.type == "regular" and each.created]
        return sorted(made, key=lambda each: each[0])

    @cached_property
    def texts(self) -> Texts:
        """Those of steps by their texts."""
        return Texts(record for record in self if record.type == "regular")

    @cached_property
    def copies(self) -> Sequence[CacheRecord]:
        """The engine's copies of the contexts that were sent to it."""
        return [record for record in self if record.type == _SOURCE]

    @cached_property
    def oldest_definition(self) -> float:
        """When the oldest copy of a Dockerfile was made, in seconds since 1970; infinite where there is none."""
        made = (
            record.created.timestamp() if record.created else 0.0
            for record in self.copies
            if record.description == f"{LOCAL}dockerfile"
        )
        return min(made, default=float("inf"))

    @cached_property
    def on_images(self) -> Set[str]:
        """The ids of records that stand on a layer of an image: those have no description."""
        return _on_images(self.by_id)

    @cached_property
    def used(self) -> Set[str]:
        """The ids of records that a build is using."""
        return {record.id for record in self if record.in_use}

    @cached_property
    def irregular(self) -> Set[str]:
        """The ids of records that are no step's: contexts, cache mounts."""
        return {record.id for record in self if record.type != "regular"}


def _on_images(present: Mapping[str, CacheRecord]) -> set[str]:
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


_NAME = re.compile(r"\[[^\]]*?(\d+)/\d+\] (.*)", re.DOTALL)
_FLAG = re.compile(r"""--[a-z]+(?:=(?:"[^"]*"|'[^']*'|\S)*)?\s+""")
_HEREDOC = re.compile(r"<<-?\S+ \((.*?)(?:\.\.\.)?\)$", re.DOTALL)


class Texts:
    """Records by their descriptions.

    `[stage 2/4] COPY a b`, the step's name, for COPY, ADD and WORKDIR (`LINK COPY` is the merge of a `COPY --link`, not
    the copy); `mount / from exec /bin/sh -c COMMAND` for RUN.
    """

    def __init__(self, records: Iterable[CacheRecord]) -> None:
        self._named: dict[tuple[int, str], list[str]] = {}
        self._commands: list[tuple[str, str]] = []
        self._ending: dict[str, list[tuple[str, str]]] = {}
        """The commands by their last word."""
        for record in records:
            if record.description.startswith(EXEC):
                done = _plain(record.description.removeprefix(EXEC))
                self._commands.append((record.id, done))
                self._ending.setdefault(_last(done), []).append((record.id, done))
            elif name := _NAME.fullmatch(record.description):
                self._named.setdefault((int(name[1]), _plain(name[2])), []).append(record.id)

    def of(self, step: Step) -> Sequence[str]:
        """The ids of those that have a step's text."""
        text = step.instruction
        if text[:4].upper() != "RUN ":
            return self._named.get((step.index, _plain(text)), ())
        wanted = _command(text)
        if wanted.endswith("…"):
            return [record for record, done in self._commands if wanted[:-1] in done]
        ending = self._ending.get(_last(wanted), ())
        return [record for record, done in ending if done == wanted or done.endswith(f" {wanted}")]


def _last(text: str) -> str:
    return text.rpartition(" ")[2]


def _command(text: str) -> str:
    """What a RUN runs, as the record's description ends with it; "…" at its end: it only holds that."""
    rest = text[4:].lstrip()
    while flag := _FLAG.match(rest):
        rest = rest[flag.end() :]
    if heredoc := _HEREDOC.match(rest):
        return _plain(heredoc[1]) + "…"
    if rest.startswith("<<"):
        return _plain(rest) + "…"
    try:
        words = msgspec.json.decode(rest, type=list[str])
    except msgspec.DecodeError:
        return _plain(rest)
    return _plain(" ".join(words))


def _plain(text: str) -> str:
    return " ".join(text.split())
