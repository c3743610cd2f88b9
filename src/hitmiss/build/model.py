"""What a build looks like: values that the screen, the reports and the history read.

Everything here is immutable. `fold.py` makes these values from the progress stream; nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What BuildKit did with a step (`product.md`, Words)."""

    PENDING = "pending"
    RUNNING = "running"
    HIT = "hit"
    MISS = "miss"
    FAILED = "failed"
    CANCELED = "canceled"
    """Began to run and was stopped, by the user or because another step failed."""
    SKIPPED = "skipped"
    """Never looked at: the build ended before, or did not need it."""
    INTERNAL = "internal"
    """Loading the definition, metadata or context; importing and exporting."""

    @property
    def final(self) -> bool:
        """Whether nothing more is to be expected of the step."""
        return self not in (Verdict.PENDING, Verdict.RUNNING)

    @property
    def looked_at(self) -> bool:
        """Whether the engine has come to the step, and is done with it."""
        return self in (Verdict.HIT, Verdict.MISS, Verdict.FAILED, Verdict.CANCELED)


class Status(StrEnum):
    """How a build stands."""

    IDLE = "idle"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether the build is over."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)


class Planned(StrEnum):
    """What hitmiss expects of a step before the build starts (`product.md`, Words)."""

    HIT = "will hit"
    RUN = "will run"
    DEPENDS = "depends"
    """On bytes that another step has yet to write."""


class Note(StrEnum):
    """The story of a hit."""

    EARLY_CUTOFF = "early-cutoff"
    IMPORTED = "imported"
    WENT_BACK = "went-back"


class CauseKind(StrEnum):
    """Why a step missed (`product.md`, Causes of a miss): the closed list."""

    FIRST_BUILD = "first-build"
    FILES_CHANGED = "files-changed"
    INSTRUCTION_CHANGED = "instruction-changed"
    ARGUMENT_CHANGED = "argument-changed"
    ENVIRONMENT_CHANGED = "environment-changed"
    BASE_IMAGE_CHANGED = "base-image-changed"
    STEP_INSERTED = "step-inserted"
    STEP_REMOVED = "step-removed"
    STAGE_OUTPUT_CHANGED = "stage-output-changed"
    PARENT_MISSED = "parent-missed"
    REMOTE_CHANGED = "remote-changed"
    PLATFORM_CHANGED = "platform-changed"
    NO_CACHE = "no-cache"
    EVICTED = "evicted"
    UNKNOWN = "unknown"


class Alteration(StrEnum):
    """How a path differs between two builds."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    RENAMED = "renamed"
    MODE = "mode"
    LINK = "link"
    """The target of a symbolic link."""
    KIND = "kind"
    """A file became a folder, a link a file, and so on."""


class FileChange(msgspec.Struct, frozen=True):
    """One path that differs; `path` is relative to its context, with `/`.

    `old` and `new` are what changed, for people: modes ("644", "755"), link targets, kinds ("file", "folder", "link";
    of what was added or removed only where it is no file), the path before a rename. `grown` is the change of size in
    bytes. `context` is the named context, "" the main one.
    """

    path: str
    change: Alteration
    old: str = ""
    new: str = ""
    grown: int = 0
    context: str = ""


class Cause(msgspec.Struct, frozen=True):
    """Why a step missed, or would.

    `root` is the id of the step where the chain began (the step's own id for a root), `detail` one sentence. `old` and
    `new` are the two texts that differ, for people, redacted. `against` is the number of the build that it was compared
    with (0: none), `through` the ids of the steps between the root and this one, `below` how many steps ran because of
    this root (0 unless it is one).
    """

    kind: CauseKind
    root: str
    detail: str
    files: tuple[FileChange, ...] = ()
    old: str | None = None
    new: str | None = None
    against: int = 0
    through: tuple[str, ...] = ()
    below: int = 0


class Place(msgspec.Struct, frozen=True):
    """Lines of a file, counted from 1, both included."""

    file: str
    line: int
    end_line: int


class Expected(msgspec.Struct, frozen=True):
    """A step that the Dockerfile announces before BuildKit has spoken of it.

    `stage`, `index` and `of` are BuildKit's own numbers; `text` is the instruction as written, with the bodies of its
    heredocs.
    """

    stage: str
    index: int
    of: int
    instruction: str
    place: Place
    platform: str | None = None
    text: str = ""
    shown: str = ""
    """What the stream calls it, as far as the Dockerfile decides that; "" for nothing else than the instruction."""
    secret: str = ""
    """What BuildKit calls it where that holds the value of a credential; nobody may read it."""
    bare: bool = False
    """Whether the stream may show it without stage and number: a `--from` or mount names the image of this FROM."""


class Foreseen(msgspec.Struct, frozen=True):
    """What is expected of a step: its plan, how long it takes when it runs (seconds), and why it would run."""

    planned: Planned
    expected_s: float | None = None
    cause: Cause | None = None
    work: str = ""
    """The name of its key: equal for a step that several targets share."""
    of: int = 0
    place: Place | None = None
    """Where it stands, of a stage with `of` steps: the lines that a base image adds are known to the plan alone."""


class Piece(msgspec.Struct, frozen=True):
    """A piece of a step or of BuildKit's own work, in its words: a layer that is fetched or written, files that are
    sent. Sizes are in bytes, 0 where BuildKit tells none.
    """

    name: str
    current: int = 0
    total: int = 0
    duration_s: float = 0.0
    done: bool = False


class Step(msgspec.Struct, frozen=True):
    """One instruction that BuildKit runs, or (verdict `internal`) work of its own.

    `duration_s` counts the time BuildKit worked on it so far, in the engine's own clock; a running step adds the time
    since `running_since` (seconds since the build's start, on our clock). `activity` says what it is doing in words.
    """

    id: str
    stage: str
    index: int
    of: int
    instruction: str
    platform: str | None = None
    bake_target: str | None = None
    place: Place | None = None
    verdict: Verdict = Verdict.PENDING
    started: datetime | None = None
    duration_s: float = 0.0
    running_since: float | None = None
    error: str = ""
    said: str = ""
    """Of a step that failed, the last line of its output that says why; "" where it wrote none."""
    activity: str = ""
    last_s: float | None = None
    """How long it took when it last ran, in seconds; None when that is not known."""
    planned: Planned | None = None
    """What was expected of it before the build; None when there was no plan."""
    expected_s: float | None = None
    """How long it takes when it runs: the median of its past runs, in seconds."""
    cause: Cause | None = None
    """Why it missed; before it is decided, why it would."""
    note: Note | None = None
    alarm: str = ""
    """One sentence about a hit whose inputs are not what they seem; "" for none."""
    work: str = ""
    """What it does, named: equal for steps of several targets that BuildKit does once. "" while that is not known."""
    pieces: tuple[Piece, ...] = ()
    """Of a step, the layers that were fetched for it; of BuildKit's own work, all that it told."""

    @property
    def plan_was_wrong(self) -> bool:
        """Whether the engine did something else than was planned."""
        ran = self.verdict in (Verdict.MISS, Verdict.FAILED)
        return (self.planned is Planned.HIT and ran) or (self.planned is Planned.RUN and self.verdict is Verdict.HIT)

    @property
    def saved_s(self) -> float:
        """Seconds that a hit saved: what the same step took when it last ran."""
        return self.last_s or 0.0 if self.verdict is Verdict.HIT else 0.0

    def elapsed_s(self, now: float) -> float:
        """Seconds spent on the step so far; `now` in seconds since the build's start."""
        return self.duration_s + (max(0.0, now - self.running_since) if self.running_since is not None else 0.0)


class Stage(msgspec.Struct, frozen=True):
    """The steps of one stage (for one platform, where the build has several), in the Dockerfile's order."""

    id: str
    name: str
    platform: str | None
    steps: tuple[Step, ...]
    bake_target: str | None = None

    @property
    def title(self) -> str:
        """How the tree names the stage."""
        return f"{self.name} · {self.platform}" if self.platform else self.name

    @property
    def full_title(self) -> str:
        """The same with its target, where it is one of several."""
        return f"{self.bake_target} ▸ {self.title}" if self.bake_target else self.title


def stage_id(target: str | None, platform: str | None, name: str) -> str:
    """What a stage is called in ids; target and platform where there are several of them."""
    return ":".join(filter(None, (target, platform, name)))


def staged(steps: Iterable[Step]) -> tuple[Stage, ...]:
    """The steps by target, platform and stage, in the order in which they come."""
    found: dict[tuple[str | None, str | None, str], list[Step]] = {}
    for step in steps:
        found.setdefault((step.bake_target, step.platform, step.stage), []).append(step)
    return tuple(
        Stage(stage_id(target, platform, name), name, platform, tuple(mine), bake_target=target)
        for (target, platform, name), mine in found.items()
    )


class Layer(msgspec.Struct, frozen=True):
    """What one step added to an image, or the image that it stands on; `text` is the instruction.

    `size` is that of its files in bytes, `packed` what a registry keeps of it, `grown` by how much `size` (where that
    is not known: `packed`) is more than in the build before; None where it is not known. `step` is the step's id.
    """

    text: str
    step: str = ""
    size: int | None = None
    packed: int | None = None
    grown: int | None = None

    @property
    def bytes(self) -> int | None:
        """The size of its files; where that is not known, what a registry keeps of it."""
        return self.packed if self.size is None else self.size


class BuiltImage(msgspec.Struct, frozen=True):
    """The image that a build made for one platform, its layers from the base upwards.

    `size` and `packed` are the sums over the layers (`packed` with the configuration's), `grown` how much more that is
    than in build `against` (0: there was none), `gone` are layers that it had then. None where it is not known.
    """

    platform: str = ""
    bake_target: str = ""
    digest: str = ""
    size: int | None = None
    packed: int | None = None
    layers: tuple[Layer, ...] = ()
    against: int = 0
    grown: int | None = None
    gone: tuple[Layer, ...] = ()

    @property
    def bytes(self) -> int | None:
        """The size of its files; where that is not known, what a registry keeps of it."""
        return self.packed if self.size is None else self.size


class Check(msgspec.Struct, frozen=True):
    """A warning of the Dockerfile checks; `line` counts from 1, 0 when it names no line."""

    short: str
    detail: str
    url: str
    file: str
    line: int


class Part(msgspec.Struct, frozen=True):
    """One target of several that are built together; `note` is a word on how it stands ("" for nothing to say).

    `number` is the build that it was last part of: it shows as that one left it while others are built.
    """

    name: str
    status: Status = Status.IDLE
    note: str = ""
    number: int = 0
    ref: str = ""
    image: str | None = None
    error: str = ""


class Build(msgspec.Struct, frozen=True):
    """A build at one moment.

    `number` counts the builds of the project on this machine from 1; `ref` is the name of the engine's own build
    record. `text` is what the client said outside the stream (the source excerpt and the error of a failed build, and
    its warnings). `error` is what a user is told of a failure, `advice` the end of it that says what to do ("" where
    that is not known).
    """

    number: int = 0
    status: Status = Status.IDLE
    target: str = ""
    builder: str = ""
    platforms: tuple[str, ...] = ()
    started: datetime | None = None
    duration_s: float = 0.0
    stages: tuple[Stage, ...] = ()
    internals: tuple[Step, ...] = ()
    checks: tuple[Check, ...] = ()
    text: tuple[str, ...] = ()
    error: str = ""
    advice: str = ""
    context_bytes: int = 0
    image: str | None = None
    ref: str = ""
    parts: tuple[Part, ...] = ()
    """The targets, where it is one of several; their steps carry the names."""
    resting: frozenset[str] = frozenset()
    """The ids of the steps that only targets have which are not part of this build: an earlier one left them so."""
    images: tuple[BuiltImage, ...] = ()
    """What it made, by platforms and targets; it becomes known after the build."""
    written: Mapping[str, int] = {}
    """The bytes that pieces of BuildKit's own work wrote, by their ids, as far as they were found after the build."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in the order of the tree; BuildKit's own work is not among them."""
        return tuple(step for stage in self.stages for step in stage.steps)

    @property
    def own_steps(self) -> tuple[Step, ...]:
        """The steps that this build has to do with."""
        return tuple(step for step in self.steps if step.id not in self.resting) if self.resting else self.steps

    def count(self, *verdicts: Verdict) -> int:
        """How many steps of this build have one of these verdicts."""
        return sum(step.verdict in verdicts for step in self.own_steps)

    @property
    def hits(self) -> int:
        """How many steps came from the cache."""
        return self.count(Verdict.HIT)

    @property
    def misses(self) -> int:
        """How many steps ran, the failed one included."""
        return self.count(Verdict.MISS, Verdict.FAILED)

    @property
    def saved_s(self) -> float:
        """Seconds that this build's hits saved."""
        return sum(step.saved_s for step in self.own_steps)

    def step(self, step_id: str) -> Step | None:
        """The step (or piece of BuildKit's own work) with that id."""
        for step in self.steps + self.internals:
            if step.id == step_id:
                return step
        return None

    @property
    def wrong(self) -> str:
        """What is wrong: `error` without what to do about it."""
        return self.error.removesuffix(self.advice).rstrip()

    @property
    def failed_target(self) -> str:
        """Which of several targets failed, the one of the failed step first; "" where there is only one."""
        if self.failed_step and self.parts:
            return self.failed_step.bake_target or ""
        return next((part.name for part in self.parts if part.status is Status.FAILED), "")

    @property
    def failed_step(self) -> Step | None:
        """The step that failed the build, if one did."""
        return next((step for step in self.steps if step.verdict is Verdict.FAILED), None)
