"""The progress stream folded into one build.

`Fold` is told every event and the outcome; asked for the build as it stands, it gives an immutable `Build` and makes
anew only the steps that changed since it was last asked. It knows no process, no clock (the caller says what time it
is) and no screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from hitmiss.build import order
from hitmiss.build.logs import LogBook
from hitmiss.build.model import Build, Check, Expected, Place, Stage, Status, Step, Verdict
from hitmiss.build.progress import CheckWarning, Event, Progress, Text, Vertex
from hitmiss.build.progress import Status as WireStatus

_NAME = re.compile(r"^\[(?P<head>[^\]]*?) *(?P<index>\d+)/(?P<of>\d+)\] (?P<text>.*)$", re.DOTALL)
_CONTEXT = re.compile(r"^\[(?:\S+ )*(?:internal\] load build context|context [^\]]+\] load from client)")
_PULLS = re.compile(r"^(?:sha256:|extracting |pulling )")
_CANCELED = ("context canceled", "context cancelled")
_LINK = "LINK "

StepKey = tuple[str | None, str | None, str, int, str]
"""What a step is within one build: bake target, platform, stage, index, and its text."""

Durations = Callable[[str | None, str, str], float | None]
"""(platform, stage, instruction) → seconds the step took when it last ran, None when never seen."""


class Name(msgspec.Struct, frozen=True):
    """What a vertex's name says: `[linux/amd64 build  2/11] RUN make`."""

    bake_target: str | None
    platform: str | None
    stage: str
    index: int
    of: int
    text: str
    link: bool


def read_name(name: str, group: str, bake_targets: frozenset[str] = frozenset()) -> Name | None:
    """The parts of a step's name, None for BuildKit's own work.

    The index is padded when a stage has ten steps or more; the sole stage of a Dockerfile without a name has none
    (BuildKit, `dockerfile2llb.prefixCommand`). `group` is the name of the vertex's progress group.
    """
    match = _NAME.match(name)
    if not match:
        return None
    target = platform = None
    stage = ""
    for word in match["head"].split():
        if "/" in word:
            platform = word
        elif word in bake_targets and target is None:
            target = word
        else:
            stage = word
    text = match["text"]
    link = text.startswith(_LINK) and bool(group) and _LINK not in group
    return Name(
        target,
        platform,
        stage,
        int(match["index"]),
        int(match["of"]),
        text.removeprefix(_LINK) if link else text,
        link,
    )


class _Vertices:
    """One vertex as it has been reported so far: intervals merged, the last word kept."""

    __slots__ = ("cached", "digest", "error", "inputs", "intervals", "name", "pulled", "since")

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.name = ""
        self.inputs: tuple[str, ...] = ()
        self.intervals: dict[datetime, datetime | None] = {}
        self.cached = False
        self.error = ""
        self.since: float | None = None
        self.pulled = False

    def hear(self, vertex: Vertex, now: float) -> None:
        self.name = self.name or vertex.name
        self.inputs = vertex.inputs or self.inputs
        self.cached = self.cached or vertex.cached
        self.error = vertex.error or self.error
        if vertex.started is not None:
            self.intervals[vertex.started] = vertex.completed or self.intervals.get(vertex.started)
        self.since = (self.since if self.since is not None else now) if self.running else None

    @property
    def running(self) -> bool:
        return any(end is None for end in self.intervals.values())

    @property
    def duration_s(self) -> float:
        return sum((end - start).total_seconds() for start, end in self.intervals.items() if end is not None)


class _Row:
    """A step while it is being folded: what it is, and the vertices that it is made of."""

    __slots__ = (
        "bake_target",
        "expected",
        "index",
        "key",
        "of",
        "place",
        "platform",
        "stage",
        "text",
        "vertices",
    )

    def __init__(self, key: StepKey, of: int) -> None:
        self.key = key
        self.bake_target, self.platform, self.stage, self.index, self.text = key
        self.of = of
        self.place: Place | None = None
        self.expected = False
        self.vertices: list[tuple[_Vertices, bool]] = []

    @property
    def id(self) -> str:
        where = ":".join(part for part in (self.bake_target, self.platform, self.stage) if part)
        return f"{where}:{self.index}"


class Fold:
    """Folds one build's events. Times called `now` are seconds since the build's start."""

    def __init__(
        self,
        build: Build,
        expected: Sequence[Expected] = (),
        *,
        durations: Durations = lambda platform, stage, text: None,
        bake_targets: frozenset[str] = frozenset(),
    ) -> None:
        self.logs = LogBook()
        self._build = build
        self._durations = durations
        self._bake_targets = bake_targets
        self._expected = {(each.platform, each.stage, each.index): each for each in expected}
        self._stage_order = list(dict.fromkeys(each.stage for each in expected))
        self._sole_stage = self._stage_order[0] if len(self._stage_order) == 1 else "stage-0"
        self._vertices: dict[str, _Vertices] = {}
        self._rows: dict[StepKey, _Row] = {}
        self._row_of: dict[str, _Row] = {}
        self._internals: dict[str, _Vertices] = {}
        self._activity: dict[str, str] = {}
        self._context: dict[tuple[str, str], int] = {}
        self._checks: dict[tuple[str, int], Check] = {}
        self._text: list[str] = []
        self._steps: dict[StepKey, Step] = {}
        self._dirty: set[StepKey] = set()
        self._stages: tuple[Stage, ...] | None = None
        self._internals_cache: tuple[Step, ...] | None = None
        for each in expected:
            row = self._row((None, each.platform, each.stage, each.index, each.instruction), each.of)
            row.place, row.expected = each.place, True

    def hear(self, event: Event, now: float) -> None:
        """One event of the stream."""
        if isinstance(event, Text):
            self._text.append(event.text)
            return
        self._hear_progress(event, now)

    def end(
        self, status: Status, duration_s: float, *, error: str = "", image: str | None = None, ref: str = ""
    ) -> None:
        """The outcome. Steps that were not looked at become `skipped`, those still running `canceled`."""
        self._build = msgspec.structs.replace(
            self._build,
            status=status,
            duration_s=duration_s,
            error=error,
            image=image,
            ref=ref or self._build.ref,
        )
        if status is Status.SUCCEEDED:
            for key in [key for key, row in self._rows.items() if not row.vertices]:
                del self._rows[key]
        self._dirty.update(self._rows)
        self._stages = self._internals_cache = None

    def build(self, now: float) -> Build:
        """The build as it stands at `now`."""
        for key in self._dirty & self._rows.keys():
            self._steps[key] = self._make_step(self._rows[key])
        if self._stages is None or self._dirty:
            self._stages = self._make_stages()
        self._dirty.clear()
        if self._internals_cache is None:
            self._internals_cache = tuple(self._make_internal(vertex) for vertex in self._internals.values())
        ended = self._build.status.ended
        return msgspec.structs.replace(
            self._build,
            duration_s=self._build.duration_s if ended else now,
            stages=self._stages,
            internals=self._internals_cache,
            checks=tuple(self._checks.values()),
            text=tuple(self._text),
            context_bytes=sum(self._context.values()),
        )

    def digests(self) -> Mapping[str, str]:
        """Vertex digest → step id, for whoever compares with the engine's own record."""
        return {digest: row.id for digest, row in self._row_of.items()}

    def _hear_progress(self, event: Progress, now: float) -> None:
        for wire in event.vertexes or ():
            self._hear_vertex(wire, now)
        for status in event.statuses or ():
            self._hear_status(status)
        for log in event.logs or ():
            owner = self._row_of.get(log.vertex)
            self.logs.feed(owner.id if owner else log.vertex, log.data)
        for warning in event.warnings or ():
            self._hear_warning(warning)

    def _hear_vertex(self, wire: Vertex, now: float) -> None:
        vertex = self._vertices.get(wire.digest)
        if vertex is None:
            vertex = self._vertices[wire.digest] = _Vertices(wire.digest)
        known = bool(vertex.name)
        vertex.hear(wire, now)
        if not known and vertex.name:
            self._place(vertex, wire.progress_group.name if wire.progress_group else "")
        row = self._row_of.get(wire.digest)
        if row:
            self._dirty.add(row.key)
        else:
            self._internals_cache = None

    def _place(self, vertex: _Vertices, group: str) -> None:
        """Finds the step that a vertex seen for the first time belongs to."""
        name = read_name(vertex.name, group, self._bake_targets)
        if name is None:
            self._internals[vertex.digest] = vertex
            return
        stage = name.stage or self._sole_stage
        expected = self._expected.get((name.platform, stage, name.index)) or self._expected.get(
            (None, stage, name.index)
        )
        if expected and expected.of == name.of:
            text, place = expected.instruction if _is_from(name.text) else name.text, expected.place
            self._rows.pop((None, None, stage, name.index, expected.instruction), None)
        else:
            text, place = name.text, None
            self._forget_expected(stage)
        row = self._row((name.bake_target, name.platform, stage, name.index, text), name.of)
        row.place = place
        row.vertices.append((vertex, name.link))
        self._row_of[vertex.digest] = row

    def _forget_expected(self, stage: str) -> None:
        """The engine sees this stage otherwise than the Dockerfile told us: its own word counts."""
        for key in [key for key, row in self._rows.items() if row.expected and not row.vertices and row.stage == stage]:
            del self._rows[key]
            self._steps.pop(key, None)
        self._expected = {key: each for key, each in self._expected.items() if key[1] != stage}

    def _row(self, key: StepKey, of: int) -> _Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row(key, of)
            self._dirty.add(key)
        return row

    def _hear_status(self, status: WireStatus) -> None:
        vertex = self._vertices.get(status.vertex)
        if vertex is None:
            return
        if _CONTEXT.match(vertex.name):
            key = (status.vertex, status.id)
            self._context[key] = max(self._context.get(key, 0), status.current)
        vertex.pulled = vertex.pulled or bool(_PULLS.match(status.id))
        self._activity[status.vertex] = "" if status.completed else _words(status)
        row = self._row_of.get(status.vertex)
        if row:
            self._dirty.add(row.key)
        else:
            self._internals_cache = None

    def _hear_warning(self, warning: CheckWarning) -> None:
        line = warning.range[0].start.line if warning.range else 0
        short = warning.short.decode("utf-8", "replace")
        self._checks[short, line] = Check(
            short=short,
            detail="\n".join(part.decode("utf-8", "replace") for part in warning.detail or ()),
            url=warning.url,
            file=warning.source_info.filename if warning.source_info else "",
            line=line,
        )

    def _make_step(self, row: _Row) -> Step:
        own = [vertex for vertex, link in row.vertices if not link] or [vertex for vertex, _ in row.vertices]
        looked_at = [vertex for vertex in own if vertex.intervals or vertex.cached]
        if not looked_at:  # a copy that BuildKit skipped because its merge was known
            own = [vertex for vertex, _ in row.vertices]
        starts = [start for vertex, _ in row.vertices for start in vertex.intervals]
        since = [vertex.since for vertex, _ in row.vertices if vertex.since is not None]
        verdict = self._verdict(own, is_from=_is_from(row.text))
        return Step(
            id=row.id,
            stage=row.stage,
            index=row.index,
            of=row.of,
            instruction=row.text,
            platform=row.platform,
            bake_target=row.bake_target,
            place=row.place,
            verdict=verdict,
            started=min(starts, default=None),
            duration_s=sum(vertex.duration_s for vertex, _ in row.vertices),
            running_since=min(since) if since and verdict is Verdict.RUNNING else None,
            error=next((vertex.error for vertex in own if vertex.error), ""),
            activity=next((self._activity[v.digest] for v in own if self._activity.get(v.digest)), "")
            if verdict is Verdict.RUNNING
            else "",
            last_s=self._durations(row.platform, row.stage, row.text),
        )

    def _verdict(self, vertices: Iterable[_Vertices], *, is_from: bool) -> Verdict:
        """The engine's word for a step.

        A FROM whose image was there already is only resolved: BuildKit reports it as done, not as cached. Nothing ran
        for it and nothing was fetched, so it is a hit; one that fetched or unpacked layers is a miss.
        """
        vertices = list(vertices)
        errors = [vertex.error for vertex in vertices if vertex.error]
        if errors:
            stopped = all(any(word in error for word in _CANCELED) for error in errors)
            return Verdict.CANCELED if stopped else Verdict.FAILED
        started = [vertex for vertex in vertices if vertex.intervals or vertex.cached]
        if not started:
            return Verdict.SKIPPED if self._build.status.ended else Verdict.PENDING
        if all(vertex.cached for vertex in started):
            return Verdict.HIT
        if any(vertex.running for vertex in started):
            return Verdict.CANCELED if self._build.status.ended else Verdict.RUNNING
        if is_from and not any(vertex.pulled for vertex in started):
            return Verdict.HIT
        return Verdict.MISS

    def _make_internal(self, vertex: _Vertices) -> Step:
        return Step(
            id=vertex.digest,
            stage="",
            index=0,
            of=0,
            instruction=vertex.name,
            verdict=Verdict.FAILED if vertex.error and "cancel" not in vertex.error else Verdict.INTERNAL,
            started=min(vertex.intervals, default=None),
            duration_s=vertex.duration_s,
            running_since=vertex.since,
            error=vertex.error,
            activity=self._activity.get(vertex.digest, ""),
        )

    def _make_stages(self) -> tuple[Stage, ...]:
        """Steps by stage, in the Dockerfile's order; stages in the order of their dependencies."""
        groups: dict[order.StageKey, list[_Row]] = {}
        for row in self._rows.values():
            groups.setdefault((row.bake_target, row.platform, row.stage), []).append(row)
        needs: dict[order.StageKey, set[order.StageKey]] = {key: set() for key in groups}
        for digest, row in self._row_of.items():
            mine = (row.bake_target, row.platform, row.stage)
            for source in self._vertices[digest].inputs:
                other = self._row_of.get(source)
                if other is not None:
                    needs[mine].add((other.bake_target, other.platform, other.stage))
        stages = []
        for key in order.stages(list(groups), needs, self._stage_order):
            target, platform, name = key
            rows = sorted(groups[key], key=lambda row: row.index)
            stages.append(
                Stage(
                    id=":".join(part for part in key if part),
                    name=f"{target} ▸ {name}" if target else name,
                    platform=platform,
                    steps=tuple(self._steps[row.key] for row in rows),
                )
            )
        return tuple(stages)


def _is_from(text: str) -> bool:
    return text[:5].upper() == "FROM "


def _words(status: WireStatus) -> str:
    """What a running piece of work says of itself: `extracting`, `12.3 of 40.1 MB`."""
    if status.total:
        return f"{status.current / 1e6:.1f} of {status.total / 1e6:.1f} MB"
    return status.id.split(" sha256:")[0] if not status.id.startswith("sha256:") else ""
