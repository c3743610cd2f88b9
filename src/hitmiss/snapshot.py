"""What a session shows at one moment: the only thing that the screen and the reports read. Values, nothing else."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hitmiss.build.model import Build
from hitmiss.schedule import OnChange


class Watch(StrEnum):
    """How the watch stands."""

    STARTING = "starting"
    WATCHING = "watching"
    SETTLING = "settling"
    """Saves are still coming; one build starts when they end."""
    PAUSED = "paused"
    STALE = "changed"
    """Something changed that no build has seen, and nothing will start by itself."""
    GONE = "context gone"
    UNWATCHED = "not watched"
    """The context is no folder on this machine: it is built, but cannot be watched."""
    REPLAY = "recording"


class Source(msgspec.Struct, frozen=True):
    """The Dockerfile as it is on disk; `error_line` counts from 1, 0 when no line is at fault."""

    name: str = "Dockerfile"
    path: str = ""
    text: str = ""
    error: str = ""
    error_line: int = 0


class Snapshot(msgspec.Struct, frozen=True):
    """A session at one moment.

    `message` is the last thing worth a line (why a save started nothing, what was freed); `notices` are what stays
    true (polling, an engine that is away, a recording that ended). `now` is the running build's clock in seconds.
    """

    project: str
    target: str
    builder: str = ""
    platforms: tuple[str, ...] = ()
    watch: Watch = Watch.STARTING
    files: int = 0
    on_change: OnChange = OnChange.RESTART
    message: str = ""
    notices: tuple[str, ...] = ()
    problem: str = ""
    """What keeps builds from working now: no engine, a Dockerfile that does not parse, an unknown target."""
    build: Build = Build()
    previous: Build | None = None
    """The last finished build, while another one runs."""
    source: Source = Source()
    cache_bytes: int | None = None
    live: bool = True
    """False for a recording: nothing can be built or deleted."""
