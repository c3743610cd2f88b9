"""When BuildKit was sent the contexts of a build, and what changed in them meanwhile.

The plan reads the files, and BuildKit reads them, but not at the same moment. What changes from the earlier of the two
readings to the end of the later one may have been read as it was or as it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from hitmiss.build.model import Alteration, Build, FileChange
from hitmiss.project.manifest import Manifest

_LOADS = re.compile(r"^\[(?:\S+ )*(?:internal\] load build context|context [^\]]+\] load from client)")
_SLACK_NS = 50_000_000
"""BuildKit begins to send a context twice, some milliseconds apart, and the time between is not told."""
_GRAIN_NS = 20_000_000
"""The kernel's times may be so much too early."""


class Reading(NamedTuple):
    """When the files were read for a plan: begin and end, in seconds since 1970."""

    began: float
    ended: float


class Window(NamedTuple):
    """When BuildKit may have read the files, in nanoseconds since 1970; to the end of the plan's reading at least."""

    since: int
    until: int


class Meanwhile(NamedTuple):
    """What differs from what a plan has read, by when it changed; `during` has also what was written and is the same.

    What changed `before` BuildKit read anything, it has read as it is now; what changed `after`, as it was planned.
    """

    before: tuple[FileChange, ...] = ()
    during: tuple[FileChange, ...] = ()
    after: tuple[FileChange, ...] = ()


def window(build: Build, reading: Reading) -> Window:
    """When the contexts of a build that has ended were sent."""
    shift = _shift(build)
    loads = [step for step in build.internals if step.started and _LOADS.match(step.instruction)]
    begins = [_ns(step.started) + shift for step in loads if step.started]
    ends = [at + int(step.duration_s * 1e9) + _SLACK_NS for at, step in zip(begins, loads, strict=True)]
    if not loads and build.started:
        begins = [_ns(build.started)]
        ends = [begins[0] + int(build.duration_s * 1e9)]
    since = min(begins, default=int(reading.began * 1e9))
    until = max([*ends, int(reading.ended * 1e9)])
    return Window(since - _GRAIN_NS, min(until, time.time_ns()))


def meanwhile(manifest: Manifest, differ: Iterable[FileChange], window: Window, told: Mapping[str, float]) -> Meanwhile:
    """When each of the changes since the plan came, and what else was written while BuildKit read.

    `told` has the seconds since 1970 at which the watch first told of a path.
    """
    found: tuple[list[FileChange], list[FileChange], list[FileChange]] = ([], [], [])
    seen: set[str] = set()
    for change in differ:
        paths = (change.path, change.old) if change.change is Alteration.RENAMED else (change.path,)
        seen.update(paths)
        last = max(map(manifest.when, paths))
        first = min([last, *(int(told[path] * 1e9) for path in paths if path in told)])
        found[0 if last <= window.since else 1 if first <= window.until else 2].append(change)
    found[1].extend(FileChange(path, Alteration.MODIFIED) for path in sorted(manifest.written(*window) - seen))
    return Meanwhile(*map(tuple, found))


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)


def _shift(build: Build) -> int:
    """What the engine's clock must be put right by, at the least: its work lies between our begin and our end."""
    starts = [_ns(step.started) for step in build.steps + build.internals if step.started]
    if not starts or build.started is None:
        return 0
    began = _ns(build.started)
    ended = began + int(build.duration_s * 1e9)
    return max(0, began - min(starts)) + min(0, ended - max(starts))
