"""What the engine remembers of a project's earlier builds, for the first start: so that a tree and durations are there.

The engine keeps a record of every build, whoever started it. Which project one was of is told by its context's folder
and by the name of its Dockerfile. Each question is a process of some 60 ms, so there are few.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from hitmiss.build.fold import Fold
from hitmiss.build.model import Build, Expected, Status, Verdict
from hitmiss.build.progress import LineSplitter, decode
from hitmiss.build.redact import Redactor
from hitmiss.build.step_names import StepNames
from hitmiss.docker import client
from hitmiss.errors import HitmissError

Run = tuple[tuple[str, str, str], float]
"""Platform ("" for the builder's own), stage and instruction of a step, and the seconds that it took."""

_ALL_S = 1.5
"""How long all questions together may take, in seconds."""

_MOST = 5
"""So many records are looked at."""

_STATUS = {"completed": Status.SUCCEEDED, "error": Status.FAILED, "canceled": Status.CANCELED}


class Past(msgspec.Struct, frozen=True):
    """The last few builds of the project, the newest first, and the runs of each, the oldest first."""

    builds: tuple[Build, ...] = ()
    runs: tuple[tuple[Run, ...], ...] = ()

    @property
    def build(self) -> Build | None:
        """The newest build; None where there is none."""
        return next(iter(self.builds), None)


class _Time(msgspec.Struct):
    """One line of `buildx history ls --format json`."""

    ref: str
    name: str
    status: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    completed_at: datetime | None = None

    @property
    def id(self) -> str:
        """The name that other questions know it by."""
        return self.ref.rpartition("/")[2]


class _Record(msgspec.Struct, rename="pascal"):
    """`buildx history inspect REF --format json`; the duration is in nanoseconds."""

    context: str = ""
    dockerfile: str = ""
    target: str = ""
    status: str = ""
    duration: int = 0
    started_at: datetime | None = None
    platform: list[str] | str | None = None


async def past(builder: str, context: Path, dockerfile: str = "", *, expected: Sequence[Expected] = ()) -> Past:
    """What the builder remembers of builds of this folder with this Dockerfile ("" is `Dockerfile`).

    `expected` are the steps that the Dockerfile announces, for the lines. Takes 1.5 s at most and raises nothing: what
    cannot be told in time is left out.
    """
    builds: list[Build] = []
    with contextlib.suppress(HitmissError, OSError, TimeoutError):
        async with asyncio.timeout(_ALL_S):
            for ref, record in await _records(builder, context, Path(dockerfile or "Dockerfile").name):
                builds.append(await _folded(builder, ref, record, expected))
    whole = tuple(build for build in builds if build.stages)
    return Past(whole, tuple(runs for build in reversed(builds) if (runs := _runs(build))))


async def _records(builder: str, context: Path, dockerfile: str) -> list[tuple[str, _Record]]:
    """The records of the project's builds, the newest first."""
    out = await _ask("history", "ls", "--format", "json", *_on(builder))
    with contextlib.suppress(msgspec.DecodeError):
        listed = [msgspec.json.decode(line, type=_Time) for line in out.splitlines() if line.strip()]
        ended = [each for each in listed if each.status.lower() in _STATUS]
        # A record is called like its folder, with the target in brackets; another name may be given to it.
        ended.sort(key=lambda each: (each.name.partition(" (")[0] == context.name, each.created_at), reverse=True)
        refs = [each.id for each in ended[:_MOST]]
        found = await asyncio.gather(*(_inspect(builder, ref) for ref in refs))
        fitting = [
            (ref, record)
            for ref, record in zip(refs, found, strict=True)
            if record and record.context and _same(record, context, dockerfile)
        ]
        return sorted(fitting, key=lambda each: str(each[1].started_at), reverse=True)
    return []


def _same(record: _Record, context: Path, dockerfile: str) -> bool:
    try:
        folder = Path(record.context).resolve()
    except OSError:
        return False
    return folder == context.resolve() and Path(record.dockerfile or "Dockerfile").name == dockerfile


async def _inspect(builder: str, ref: str) -> _Record | None:
    out = await _ask("history", "inspect", ref, "--format", "json", *_on(builder))
    try:
        return msgspec.json.decode(out, type=_Record)
    except msgspec.DecodeError:
        return None


async def _folded(builder: str, ref: str, record: _Record, expected: Sequence[Expected]) -> Build:
    """A record's stream as a build; it comes on stderr."""
    answer = await client.ask("history", "logs", ref, "--progress=rawjson", *_on(builder), timeout_s=_ALL_S)
    platforms = record.platform if isinstance(record.platform, list) else []
    start = Build(
        status=Status.RUNNING,
        target=record.target,
        builder=builder,
        platforms=tuple(platforms),
        started=record.started_at,
        ref=ref,
    )
    fold = Fold(start, expected)
    names = StepNames()
    names.add(expected)
    redactor = Redactor((), names)
    splitter = LineSplitter()
    seconds = record.duration / 1e9
    for line in splitter.feed(answer.err.encode()) + splitter.close():
        if (event := decode(line)) is not None:
            fold.hear(redactor.event(event), seconds)
    fold.end(_STATUS.get(record.status.lower(), Status.FAILED), seconds)
    return fold.build(seconds)


def _runs(build: Build) -> tuple[Run, ...]:
    return tuple(
        ((step.platform or "", step.stage, step.instruction), step.duration_s)
        for step in build.steps
        if step.verdict is Verdict.MISS
    )


async def _ask(*words: str) -> bytes:
    return (await client.ask(*words, timeout_s=_ALL_S)).out


def _on(builder: str) -> list[str]:
    return ["--builder", builder] if builder else []
