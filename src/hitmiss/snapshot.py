"""What a session shows at one moment: the only thing that the screen and the reports read. Values, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from hitmiss.build.model import Build, FileChange
from hitmiss.schedule import OnChange


class Watch(StrEnum):
    """How the watch stands."""

    STARTING = "starting"
    WATCHING = "watching"
    SETTLING = "settling"
    """Saves are still coming; one build starts when they end."""
    QUEUED = "a save waits"
    """Something was saved that is built when the running build is over."""
    PAUSED = "paused"
    PAUSED_STALE = "paused, changed"
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


class FileRow(msgspec.Struct, frozen=True):
    """A file (or link, or empty folder) that a step reads; `size` in bytes; `change` since the build compared with."""

    path: str
    size: int = 0
    context: str = ""
    change: FileChange | None = None


class StepFiles(msgspec.Struct, frozen=True):
    """What a step reads of the contexts: changed ones first, then the biggest first; `rows` may be cut off.

    `count` and `size` (bytes) are of all of them; `against` is the number of the build that changes are told from.
    """

    rows: tuple[FileRow, ...] = ()
    count: int = 0
    size: int = 0
    against: int = 0


class Past(msgspec.Struct, frozen=True):
    """One line of the history: a remembered build; `why` is one short line about what ran ("" for nothing).

    `number` is 0 for a build that only the engine remembers. `target` is the stage that was built, `bake_target` the
    one of several targets that has this line.
    """

    number: int
    started: datetime
    status: str
    target: str = ""
    builder: str = ""
    duration_s: float = 0.0
    steps: int = 0
    hits: int = 0
    misses: int = 0
    plan_right: int = 0
    plan_steps: int = 0
    why: str = ""
    bake_target: str | None = None


class ArgumentRow(msgspec.Struct, frozen=True):
    """A build argument of a target: what it is, and where that comes from.

    `value` is None where it is not set, and three dots where it is `secret`; `before` is what it is when nothing is set
    here, `origin` says in a word or two who set it. `stages` are those that declare it ("" for the head of the
    Dockerfile); `line` is 0 where the Dockerfile has no ARG of that name. `kept` says that it is set here.
    """

    target: str
    name: str
    value: str | None = None
    origin: str = ""
    before: str | None = None
    before_origin: str = ""
    file: str = "Dockerfile"
    line: int = 0
    stages: tuple[str, ...] = ()
    secret: bool = False
    automatic: bool = False
    kept: bool = False


Changes = Mapping[str, Mapping[str, str | None]]
"""Target → argument → its new value; None takes back what was set here."""


class CostStep(msgspec.Struct, frozen=True):
    """A step that will run, or that depends on what another one writes; seconds as it took before."""

    target: str
    instruction: str
    depends: bool = False
    expected_s: float | None = None


class Cost(msgspec.Struct, frozen=True):
    """What a build with other arguments would do: the steps that will run, and how many hit.

    `seconds` is None where one of them never ran before. `targets` are those whose arguments change, `after` those that
    are built after them; `fetched` are base images that the engine does not have. `problem` says why it cannot be told,
    `refused` that it could not be built at all.
    """

    steps: tuple[CostStep, ...] = ()
    hits: int = 0
    seconds: float | None = None
    targets: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    fetched: tuple[str, ...] = ()
    problem: str = ""
    refused: bool = False


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
    sources: Mapping[str, Source] = {}
    """The Dockerfile of each bake target or compose service."""
    cache_bytes: int | None = None
    cache_mounts: Mapping[str, int] | None = None
    """Bytes of the builder's cache mounts, by their ids; None until they were asked for."""
    plan_s: float | None = None
    """How long the build that runs, or the next one, should take in seconds; None while that is not known."""
    plan_right: int = 0
    plan_steps: int = 0
    """Of so many planned steps of this project, so many came out as planned."""
    arguments: tuple[str, ...] = ()
    """Build arguments that were set here and are in force, as people write them; of secret ones the name alone."""
    live: bool = True
    """False for a recording: nothing can be built or deleted."""

    def source_of(self, target: str | None) -> Source:
        """The Dockerfile of a bake target; of another name the first one's."""
        return self.sources.get(target or "", self.source)

    def like(self, target: str | None) -> frozenset[str | None]:
        """The targets that are built from the same Dockerfile as this one; None where none is named."""
        path = self.source_of(target).path
        return frozenset(name for name, source in self.sources.items() if source.path == path) or frozenset({None})
