"""The engine's own build records. So far only: which one is that of a build of ours that did not succeed.

buildx tells a build's record only when it succeeded (`--metadata-file`); for the others `history ls` is asked, 70 ms.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from hitmiss.build.progress import LineSplitter, Progress, decode
from hitmiss.docker import client
from hitmiss.errors import HitmissError

_ASK_S = 5.0
"""How long the engine may take to answer, in seconds."""

_NEAR = timedelta(seconds=2)
"""How far the beginning of a record (measured: 1.5 ms after the build's first work) may be from that of the build."""


class _Listed(msgspec.Struct):
    """One line of `buildx history ls --format json`."""

    ref: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]


async def find(builder: str, began: datetime, digests: Set[str]) -> str:
    """The record of the build whose first work `began` then, and whose vertices had these `digests`; "" if none has.

    Builds that began at the same time are told apart by their digests, which hold the id of the session.
    """
    try:
        answer = await client.ask("history", "ls", "--format", "json", *_on(builder), timeout_s=_ASK_S)
        lines = [msgspec.json.decode(line, type=_Listed) for line in answer.out.splitlines() if line]
        for each in sorted(lines, key=lambda each: abs(each.created_at - began)):
            if abs(each.created_at - began) > _NEAR:
                break
            ref = each.ref.rpartition("/")[2]
            if digests <= await _digests(builder, ref):
                return ref
    except (HitmissError, msgspec.DecodeError):
        pass
    return ""


async def _digests(builder: str, ref: str) -> set[str]:
    """The vertices of a record; its stream comes on stderr."""
    answer = await client.ask("history", "logs", ref, "--progress=rawjson", *_on(builder), timeout_s=_ASK_S)
    splitter = LineSplitter()
    events = map(decode, splitter.feed(answer.err.encode()) + splitter.close())
    return {vertex.digest for event in events if isinstance(event, Progress) for vertex in event.vertexes or ()}


def _on(builder: str) -> list[str]:
    return ["--builder", builder] if builder else []
