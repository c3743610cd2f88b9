"""The progress stream folded into one build.

`Fold` is told every event and the outcome; asked for the build as it stands, it gives an immutable `Build` and makes
anew only the steps that changed since it was last asked. It knows no process, no clock (the caller says what time it
is) and no screen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from hitmiss.build import order
from hitmiss.build.logs import LogBook, StepLog
from hitmiss.build.model import Build, Check, Expected, Foreseen, Place, Stage, Status, Step, Verdict, stage_id
from hitmiss.build.progress import CheckWarning, Event, Progress, Text, Vertex
from hitmiss.build.progress import Status as WireStatus
from hitmiss.build.trouble_steps import telling
from hitmiss.build.vertices import Name, Seen, covered_s, read_name

_MAX_TEXT = 2000
"""Lines outside the stream that are kept: a client that writes plain text without end must not fill the memory."""

_LAST_LINES = 100
"""So many lines are looked at for the one that says why a step failed."""

StepKey = tuple[str | None, str, int, str]
"""What a step is within one build: platform, stage, index, and its text."""

Durations = Callable[[str | None, str, str], float | None]
"""(platform, stage, instruction) → seconds the step took when it last ran, None when never seen."""


class _Row:
    """A step while it is being folded: what it is, and the vertices that it is made of."""

    __slots__ = ("announced", "id", "key", "of", "place", "step", "vertices")

    def __init__(self, key: StepKey, step_id: str, of: int) -> None:
        self.key = key
        self.id = step_id
        self.of = of
        self.place: Place | None = None
        self.announced = False
        self.vertices: list[tuple[Seen, bool]] = []
        """With whether it only merges what a `COPY --link` copied."""
        self.step: Step | None = None

    @property
    def stage(self) -> order.StageKey:
        return self.key[:2]

    @property
    def given_up(self) -> bool:
        """Whether nothing is known that does its work: BuildKit gives up work that another build does too."""
        return all(vertex.canceled for vertex, _ in self.vertices)

    def seen(self) -> list[Seen]:
        return [vertex for vertex, _ in self.vertices]


class Fold:
    """Folds one build's events. Times called `now` are seconds since the build's start."""

    def __init__(
        self,
        build: Build,
        expected: Sequence[Expected] = (),
        *,
        durations: Durations = lambda platform, stage, text: None,
        bake_target: str = "",
        foreign: Collection[str] = (),
    ) -> None:
        """`bake_target` is the one of several that this is the build of; `foreign` are the digests of steps that
        another one has, and that are this one's only where it announced them.
        """
        self.logs = LogBook()
        self._build = build
        self._durations = durations
        self._bake_target = bake_target
        self._foreign = foreign
        self._vertices: dict[str, Seen] = {}
        self._rows: dict[StepKey, _Row] = {}
        self._ids: set[str] = set()
        self._row_of: dict[str, _Row] = {}
        self._internals: dict[str, Seen] = {}
        self._checks: dict[tuple[str, int], Check] = {}
        self._stood_on: frozenset[_Row] = frozenset()
        """What the looked-at steps of a build that succeeded are made of."""
        self._text: deque[str] = deque(maxlen=_MAX_TEXT)
        self._dirty: set[_Row] = set()
        self._layout: list[tuple[order.StageKey, list[_Row]]] | None = None
        self._stages: dict[order.StageKey, Stage] = {}
        self._own_work: tuple[Step, ...] | None = None
        self._announced: dict[tuple[str | None, str, int], _Row] = {}
        self._shown: dict[str, list[_Row]] = {}
        """The announced steps by what the stream calls them."""
        self._bare: list[_Row] = []
        """Those of them that it may show without stage and number."""
        self._foreseen: Mapping[tuple[str, str, int], Foreseen] = {}
        for each in expected:
            row = self._row((each.platform, each.stage, each.index, each.instruction), each.of)
            row.place, row.announced = each.place, True
            self._announced[each.platform, each.stage, each.index] = row
            self._shown.setdefault(each.shown or each.instruction, []).append(row)
            if each.bare:
                self._bare.append(row)
        self._stage_order = list(dict.fromkeys(row.stage for row in self._rows.values()))
        names = {name for _, name in self._stage_order}
        self._sole_stage = names.pop() if len(names) == 1 else "stage-0"

    def hear(self, event: Event, now: float) -> None:
        """One event of the stream."""
        if isinstance(event, Text):
            self._text.append(event.text)
            return
        self._hear_progress(event, now)

    def foresee(self, foreseen: Mapping[tuple[str, str, int], Foreseen]) -> None:
        """What is expected of the steps, by platform ("" unless several are built), stage and index."""
        self._foreseen = foreseen
        self._dirty.update(self._rows.values())

    def disown(self, digest: str) -> StepLog | None:
        """A step that this build showed turns out to be `foreign`; gives what it wrote, which is another's then."""
        row, name = self._row_of.get(digest), read_name(self._vertex(digest).name)
        if row is None or name is None or row in self._shown.get(_shown(name.text), ()):
            return None
        del self._row_of[digest]
        row.vertices = [each for each in row.vertices if each[0].digest != digest]
        self._dirty.add(row)
        self._layout = None
        if row.vertices or (row.announced and _is_from(row.key[-1])):
            return None
        self._drop([row])
        return self.logs.take(row.id)

    def adopt(self, digest: str, log: StepLog) -> None:
        """Take over what a step wrote that another build has shown so far, and that is told next."""
        row = self._row_of.get(digest)
        self.logs.put(row.id if row else digest, log)

    def end(
        self,
        status: Status,
        duration_s: float,
        *,
        error: str = "",
        advice: str = "",
        image: str | None = None,
        ref: str = "",
    ) -> None:
        """The outcome. Steps that were not looked at become `skipped`, those still running `canceled`.

        Steps that the Dockerfile announced and a build that succeeded never spoke of are dropped: it did not have them.
        """
        self._build = msgspec.structs.replace(
            self._build,
            status=status,
            duration_s=duration_s,
            error=error,
            advice=advice,
            image=image,
            ref=ref or self._build.ref,
        )
        if status is Status.SUCCEEDED:
            self._drop([row for row in self._rows.values() if not row.vertices])
            self._stood_on = self._find_stood_on()
        self._dirty.update(self._rows.values())
        self._own_work = None

    def build(self, now: float) -> Build:
        """The build as it stands at `now`."""
        stages = self._make_stages()
        if self._own_work is None:
            self._own_work = tuple(self._make_internal(vertex) for vertex in self._internals.values())
        ended = self._build.status.ended
        return msgspec.structs.replace(
            self._build,
            duration_s=self._build.duration_s if ended else now,
            stages=stages,
            internals=self._own_work,
            checks=tuple(self._checks.values()),
            text=tuple(self._text),
            context_bytes=sum(vertex.context_bytes for vertex in self._internals.values()),
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
        for wire in event.vertexes or ():
            self._finish_log(wire.digest)
        for warning in event.warnings or ():
            self._hear_warning(warning)

    def _hear_vertex(self, wire: Vertex, now: float) -> None:
        vertex = self._vertex(wire.digest)
        known, inputs = bool(vertex.name), vertex.inputs
        vertex.hear(wire, now)
        if not known and vertex.name:
            self._place(vertex, wire.progress_group.name if wire.progress_group else "")
        if vertex.inputs != inputs:
            self._layout = None
        self._changed(wire.digest)

    def _hear_status(self, status: WireStatus) -> None:
        self._vertex(status.vertex).hear_status(status)
        self._changed(status.vertex)

    def _vertex(self, digest: str) -> Seen:
        vertex = self._vertices.get(digest)
        if vertex is None:
            vertex = self._vertices[digest] = Seen(digest)
        return vertex

    def _changed(self, digest: str) -> None:
        row = self._row_of.get(digest)
        if row:
            self._dirty.add(row)
        else:
            self._own_work = None

    def _finish_log(self, digest: str) -> None:
        """A step that ended writes no more (unless it starts again): half a character at its end is shown as such."""
        row = self._row_of.get(digest)
        vertex = self._vertices[digest]
        if vertex.intervals and not vertex.running:
            self.logs.finish(row.id if row else digest)

    def _place(self, vertex: Seen, group: str) -> None:
        """Finds the step that a vertex seen for the first time belongs to."""
        name = read_name(vertex.name, group)
        row = self._row_named(name, vertex.digest in self._foreign) if name else self._free_bare(vertex.name)
        if row is None:
            if name is None:
                self._internals[vertex.digest] = vertex
            return
        row.vertices.append((vertex, name is not None and name.link))
        self._row_of[vertex.digest] = row
        self._layout = None
        if early := self.logs.take(vertex.digest):
            self.logs.put(row.id, early)

    def _row_named(self, name: Name, foreign: bool) -> _Row | None:
        """The step of that name; None where it is that of a target which this one builds on."""
        stage = name.stage or self._sole_stage
        row = self._known_elsewhere(name, stage, at_once=bool(self._bake_target) and not foreign)
        if row is None and foreign and not self._announces(name, stage):
            return None
        return row or self._row_for(name, stage)

    def _free_bare(self, text: str) -> _Row | None:
        """The announced FROM of an image that a `--from` names too, and that was not shown yet."""
        rows = self._shown.get(_shown(text), ())
        return next((row for row in rows if row in self._bare and not row.vertices), None)

    def _announced_at(self, name: Name, stage: str) -> _Row | None:
        """What the Dockerfile announced for that place."""
        return self._announced.get((name.platform, stage, name.index)) or self._announced.get((None, stage, name.index))

    def _announces(self, name: Name, stage: str) -> bool:
        """Whether the Dockerfile announced just this step at its place."""
        there = self._announced_at(name, stage)
        return self._named(there, name) if there else self._of_several_platforms(name, stage) is not None

    def _named(self, row: _Row, name: Name) -> bool:
        """Whether the stream calls it so."""
        return row in self._shown.get(_shown(name.text), ()) or row.key[-1] == name.text

    def _of_several_platforms(self, name: Name, stage: str) -> _Row | None:
        """The step that was announced once for several platforms: BuildKit names it after any of them."""
        rows = (row for (_, *place), row in self._announced.items() if place == [stage, name.index])
        return next((row for row in rows if self._named(row, name)), None) if name.platform else None

    def _known_elsewhere(self, name: Name, stage: str, *, at_once: bool = False) -> _Row | None:
        """The announced step that another build on the same engine, or another platform, gave its own name; `at_once`
        with this one.

        BuildKit reports work that two builds share under the name that it was given last, with the stage and the
        numbers of the other build (measured; `solver/jobs.go` keeps one name for a vertex).
        """
        there = self._announced_at(name, stage)
        if there and (there.key[-1] == name.text or (_is_from(there.key[-1]) and _is_from(name.text))):
            return None
        if there is None and (shared := self._of_several_platforms(name, stage)):
            return shared
        rows = [
            row
            for row in self._shown.get(_shown(name.text), ())
            # Of this stage, and moved by as much as it has grown: a base image's ONBUILD lines stand above it.
            if row.key in self._rows and not (row.key[1] == stage and row.of - name.of == row.key[2] - name.index != 0)
        ]
        if not rows and at_once and _is_from(name.text):
            rows = self._of_same_image(name.text)
        rows = [row for row in rows if row.key[0] in (name.platform, None)] or rows
        # Of targets that are built at once BuildKit shows a step that it finds to be another's under both names.
        free = [row for row in rows if row.given_up] or (rows if at_once else [])
        return min(free, key=lambda row: any(vertex.looked_at for vertex in row.seen()), default=None)

    def _of_same_image(self, text: str) -> list[_Row]:
        """The announced FROMs that a FROM of another target can be: two tags of one image are one work to BuildKit."""
        rows = [row for row in self._announced.values() if _is_from(row.key[-1])]
        _, at, digest = text.partition("@")
        same = [row for row in rows if any(at and vertex.name.endswith(at + digest) for vertex in row.seen())]
        return same or [row for row in rows if row.given_up]

    def _row_for(self, name: Name, stage: str) -> _Row:
        announced = self._announced_at(name, stage)
        if announced and announced.of != name.of and announced.key[-1] != name.text and not _is_from(name.text):
            self._forget_announced(stage, name.of)
            announced = None
        text = name.text
        if announced and _is_from(text) and _is_from(announced.key[-1]):
            text = announced.key[-1]  # the engine writes the image in full; the reader wants the Dockerfile's words
        key = (name.platform, stage, name.index, text)
        if announced and key not in self._rows and not announced.vertices:
            del self._rows[announced.key]  # announced in other words, as far as the Dockerfile alone could tell
            announced.key = key
            self._rows[key] = announced
        row = self._row(key, name.of)
        row.place = announced.place if announced else None
        return row

    def _forget_announced(self, stage: str, of: int) -> None:
        """The engine sees this stage otherwise than the Dockerfile told us, all but its FROM: its own word counts."""
        mine = [row for row in self._rows.values() if row.announced and row.key[1] == stage]
        for row in mine:
            row.of = of
        self._dirty.update(mine)
        self._drop([row for row in mine if not row.vertices and not _is_from(row.key[-1])])
        self._announced = {key: row for key, row in self._announced.items() if key[1] != stage or _is_from(row.key[-1])}

    def _row(self, key: StepKey, of: int) -> _Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row(key, self._new_id(key), of)
            self._dirty.add(row)
            self._layout = None
        return row

    def _new_id(self, key: StepKey) -> str:
        platform, stage, index, _ = key
        where = ":".join(part for part in (self._bake_target, platform, stage) if part)
        step_id, again = f"{where}:{index}", 1
        while step_id in self._ids:
            again += 1
            step_id = f"{where}:{index}~{again}"
        self._ids.add(step_id)
        return step_id

    def _drop(self, rows: list[_Row]) -> None:
        for row in rows:
            del self._rows[row.key]
            self._ids.discard(row.id)
            self._dirty.discard(row)
            self._layout = None

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
        vertices = row.seen()
        platform, stage, index, text = row.key
        own = [vertex for vertex, link in row.vertices if not link]
        if not _is_from(text):
            own = [vertex for vertex in own if vertex.digest not in self._foreign] or own
        if any(vertex.inputs for vertex in own) and text[:4].upper() == "ADD ":
            own = [vertex for vertex in own if vertex.inputs]  # the other one fetches what is added, in every build
        if not any(vertex.looked_at for vertex in own):  # a copy that BuildKit skipped because its merge was known
            own = vertices
        since = [vertex.since for vertex in vertices if vertex.since is not None]
        verdict = self._verdict(own, vertices, is_from=_is_from(text))
        if self._build.status is Status.SUCCEEDED and verdict in (Verdict.CANCELED, Verdict.SKIPPED):
            verdict = self._twin(row) or (Verdict.HIT if self._was_there(row) else verdict)
        foreseen = self._foreseen.get((platform or "", stage, index))
        return Step(
            id=row.id,
            stage=stage,
            index=index,
            of=row.of,
            instruction=text,
            platform=platform,
            bake_target=self._bake_target or None,
            place=row.place or (foreseen.place if foreseen and foreseen.of == row.of else None),
            verdict=verdict,
            started=min((start for vertex in vertices for start in vertex.intervals), default=None),
            duration_s=self._spent_s(vertices),
            running_since=min(since) if since and verdict is Verdict.RUNNING else None,
            error=next((vertex.error for vertex in vertices if vertex.error), ""),
            said=self._said(row) if verdict is Verdict.FAILED else "",
            activity=next((vertex.activity for vertex in vertices if vertex.activity), "")
            if verdict is Verdict.RUNNING
            else "",
            last_s=self._durations(platform, stage, text),
            planned=foreseen.planned if foreseen else None,
            expected_s=foreseen.expected_s if foreseen else None,
            work=(foreseen.work if foreseen else "") or (own[0].digest if own else ""),
            cause=foreseen.cause if foreseen and verdict in (Verdict.PENDING, Verdict.RUNNING) else None,
            pieces=tuple(piece for vertex in vertices for piece in vertex.fetched),
        )

    def _said(self, row: _Row) -> str:
        log = self.logs.get(row.id)
        return telling(log.texts(max(0, log.line_count - _LAST_LINES))) if log else ""

    def _twin(self, row: _Row) -> Verdict | None:
        """What became of the same step for another platform: where both come to the same, BuildKit does one."""
        for other in self._rows.values():
            if other is not row and other.key[1:] == row.key[1:]:
                vertices = [vertex for vertex in other.seen() if not vertex.canceled]
                verdict = self._verdict(vertices, vertices, is_from=_is_from(row.key[-1]))
                if verdict in (Verdict.HIT, Verdict.MISS):
                    return verdict
        return None

    def _was_there(self, row: _Row) -> bool:
        """Whether its result came from elsewhere: nothing ran for it here, and what stands on it was built.

        What a build at the same moment does or has looked at is left out of this one's stream.
        """
        return row in self._stood_on and (row.given_up or not any(vertex.looked_at for vertex in row.seen()))

    def _find_stood_on(self) -> frozenset[_Row]:
        """The steps below those that were looked at, whichever build's vertices tell what those are made of."""
        waiting = [row for row in self._rows.values() if any(vertex.looked_at for vertex in row.seen())]
        digests: set[str] = set()
        found: set[_Row] = set()
        while waiting:
            inputs = [each for vertex in waiting.pop().seen() for each in vertex.inputs]
            while inputs:
                digest = inputs.pop()
                row = self._row_of.get(digest)
                if row and row not in found:
                    found.add(row)
                    waiting.append(row)
                elif row is None and digest in self._vertices and digest not in digests:
                    digests.add(digest)
                    inputs += self._vertices[digest].inputs
        return frozenset(found)

    def _verdict(self, own: list[Seen], vertices: list[Seen], *, is_from: bool) -> Verdict:
        """The engine's word for a step.

        A FROM whose image was there already is only resolved: BuildKit reports it as done, not as cached. Nothing ran
        for it and nothing was fetched, so it is a hit; one that fetched or unpacked layers is a miss.
        """
        # Work of two builds that turns out to be the same is done for one of them and given up for the other, which
        # then hears of the first (BuildKit, `solver/scheduler.go`, mergeTo).
        if any(vertex.looked_at and not vertex.canceled for vertex in own):
            own = [vertex for vertex in own if not vertex.canceled]
            vertices = [vertex for vertex in vertices if not vertex.canceled]
        broken = [vertex for vertex in vertices if vertex.error]
        if broken:
            return Verdict.CANCELED if all(vertex.canceled for vertex in broken) else Verdict.FAILED
        started = [vertex for vertex in own if vertex.looked_at]
        if not started:
            return Verdict.SKIPPED if self._build.status.ended else Verdict.PENDING
        if all(vertex.cached for vertex in started):
            return Verdict.HIT
        if any(vertex.running for vertex in started):
            return Verdict.CANCELED if self._build.status.ended else Verdict.RUNNING
        if is_from and not any(vertex.pulled for vertex in started):
            return Verdict.HIT
        return Verdict.MISS

    def _spent_s(self, vertices: list[Seen]) -> float:
        """Seconds that BuildKit worked on it; what it never said the end of was cut off with the build."""
        since = [vertex.since for vertex in vertices if vertex.since is not None]
        cut_off = bool(since) and self._build.status in (Status.FAILED, Status.CANCELED)
        spent = covered_s(vertex.intervals for vertex in vertices)
        return spent + max(0.0, self._build.duration_s - min(since)) if cut_off else spent

    def _make_internal(self, vertex: Seen) -> Step:
        ended = self._build.status.ended
        return Step(
            id=vertex.digest,
            stage="",
            index=0,
            of=0,
            instruction=vertex.name,
            verdict=Verdict.FAILED if vertex.error and not vertex.canceled else Verdict.INTERNAL,
            started=min(vertex.intervals, default=None),
            duration_s=self._spent_s([vertex]),
            running_since=None if ended else vertex.since,
            error=vertex.error,
            activity="" if ended else vertex.activity,
            pieces=vertex.pieces,
        )

    def _make_stages(self) -> tuple[Stage, ...]:
        """The tree; steps and stages that did not change since the last call are the same objects."""
        rearranged = self._layout is None
        if self._layout is None:
            self._layout = self._make_layout()
            self._stages = {key: stage for key, stage in self._stages.items() if key in dict(self._layout)}
        touched = set()
        for row in self._dirty:
            step = self._make_step(row)
            if step != row.step:
                row.step = step
                touched.add(row.stage)
        self._dirty.clear()
        for key, rows in self._layout:
            if rearranged or key in touched:
                steps = tuple(row.step for row in rows if row.step)
                old = self._stages.get(key)
                if old is None or len(old.steps) != len(steps) or any(map(_differ, old.steps, steps)):
                    self._stages[key] = self._stage(key, steps)
        return tuple(self._stages[key] for key, _ in self._layout)

    def _make_layout(self) -> list[tuple[order.StageKey, list[_Row]]]:
        """Steps by stage, in the Dockerfile's order; stages in the order of their dependencies.

        Between stages that were announced the announced order stands: the tree must not move, and a step that BuildKit
        shares between stages (their FROM) makes one depend on the other that has nothing to do with it.
        """
        announced = set(self._stage_order)
        groups: dict[order.StageKey, list[_Row]] = {}
        for row in self._rows.values():
            groups.setdefault(row.stage, []).append(row)
        needs: dict[order.StageKey, set[order.StageKey]] = {key: set() for key in groups}
        for digest, row in self._row_of.items():
            for source in self._vertices[digest].inputs:
                other = self._row_of.get(source)
                if other is not None and not {row.stage, other.stage} <= announced:
                    needs[row.stage].add(other.stage)
        return [
            (key, sorted(groups[key], key=lambda row: row.key[2]))
            for key in order.stages(list(groups), needs, self._stage_order)
        ]

    def _stage(self, key: order.StageKey, steps: tuple[Step, ...]) -> Stage:
        platform, name = key
        target = self._bake_target or None
        return Stage(stage_id(target, *key), name, platform, steps, bake_target=target)


def _differ(one: Step, other: Step) -> bool:
    return one is not other


def _shown(text: str) -> str:
    """An instruction of the stream as far as the Dockerfile decides it: the engine adds the digest of an image."""
    return text.partition("@")[0] if _is_from(text) else text


def _is_from(text: str) -> bool:
    return text[:5].upper() == "FROM "
