"""What the next build will do and why the last one did what it did, for one project on one builder.

It ties the rooms together: the definition's operations, the files as they are, the engine's records and what is
remembered become a `Plan`; a plan and the finished build become causes, and are remembered. It starts no build and
knows no screen. `plan` and `explain` take milliseconds to tens of them and may be called in a thread; what asks the
engine is a coroutine.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from hitmiss import sending
from hitmiss.aside import aside
from hitmiss.build.model import Build, BuiltImage, Expected, Foreseen, Note, Planned, Status, Step, Verdict, stage_id
from hitmiss.cache import alarms, notes, timing
from hitmiss.cache import causes as reasons
from hitmiss.cache import doubts as doubting
from hitmiss.cache import plan as planning
from hitmiss.cache.derive import derive
from hitmiss.cache.doubts import Doubts
from hitmiss.cache.facts import BuildFacts, Key, Known, Seen, StepFacts
from hitmiss.cache.hidden import Hider
from hitmiss.cache.keys import Keys, contents_of, shapes_of
from hitmiss.cache.operations import Operations, StepRef
from hitmiss.cache.retold import as_build, work_of
from hitmiss.docker import gone
from hitmiss.docker.copies import copies
from hitmiss.docker.listing import Listing
from hitmiss.docker.tied import named
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine, Left, Records, left_by
from hitmiss.outcome import imports, outcome, ref, told
from hitmiss.past import past_of
from hitmiss.project.definition import Definition, announce
from hitmiss.runner import Runner
from hitmiss.sending import Reading
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Past, StepFiles
from hitmiss.sources import Pool, Sources
from hitmiss.step_files import files_of

_PAST = 40
"""So many earlier builds are compared with."""


_OUTSIDE = "This builder does not have its result; the cache that is imported (--cache-from) may."


class Plan(msgspec.Struct, frozen=True):
    """What is expected of a build.

    `facts` is the build as far as it is known before it begins, `foreseen` what its steps will do, `seconds` how long
    it should take (None where a step that will run never ran before). The rest is what `explain` goes on from.
    """

    facts: BuildFacts
    foreseen: Mapping[StepRef, Foreseen]
    seconds: float | None
    engine: Engine
    evidence: reasons.Evidence
    memory: planning.Memory
    keys: Keys
    reading: Reading

    @property
    def build(self) -> Build:
        """The build as it stands before it begins."""
        return as_build(self.facts)


async def foresee(
    forecaster: Forecaster, runner: Runner, definition: Definition, options: BuildOptions, engine: Awaitable[Engine]
) -> Plan | None:
    """Plan a build that begins now, and tell its fold: asked for while the client starts, so that nothing waits."""
    asked = msgspec.structs.replace(await engine, at_rest=False)
    plan = await aside(forecaster.plan, definition, options, asked)
    if plan:
        runner.foresee(plan.foreseen, forecaster.part)
    return plan


async def explained(forecaster: Forecaster, plan: Plan, build: Build, there: Awaitable[Records]) -> Build:
    """The finished build with what there is to say about it; it is remembered, unless nothing of it was looked at.

    `there` are the engine's cache records after it.
    """
    if not any(step.verdict.looked_at for step in build.steps):
        return build
    records = await there
    return await aside(lambda: forecaster.explain(plan, build, left_by(plan.engine, records, build)))


class Forecaster:
    """Plans and explains the builds of one project on one builder."""

    def __init__(
        self,
        store: Store,
        project: Path,
        builder: str,
        hidden: Iterable[str] = (),
        secrets: Callable[[], Mapping[str, Sequence[str]]] = dict,
        *,
        part: str = "",
        pool: Pool | None = None,
    ) -> None:
        """`hidden` are values that nobody may see, `secrets` gives the lines of a build's secrets by their ids.

        `part` is the target that it is for, where the project has several, which may share the manifests of `pool`.
        """
        self.part = part
        self._store = store
        self._project = project
        self.builder = builder
        self._salt = store.salt()
        self._hider = Hider(hidden, self._salt)
        self._secrets = secrets
        self.sources = Sources(store, pool)
        self._lock = self.sources.lock
        self._past: list[BuildFacts] | None = None
        self._history: tuple[Past, ...] = ()
        self._known: dict[Key, Known] = {}
        """Those of the keys of `_past` that were confirmed."""
        self.score = (0, 0)
        """Of all planned steps of the project: how many came out as planned, and how many they are."""

    def look(self, engine: Engine) -> None:
        """Take note of what the engine's cache holds while nothing is built: whether it was pruned."""
        if engine.records is not None:
            self._saw(engine.records, engine.asked)

    def number(self) -> int:
        """The number of the latest remembered build of the project."""
        return self._store.latest(self._project)

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of this project on this builder, newest first; empty until the first plan was made."""
        return self._history

    def files(self, plan: Plan, build: Build, step_id: str) -> StepFiles | None:
        """What a step reads of the contexts, changed files first; None for a step that is not known."""
        step = next((each for each in plan.facts.steps if each.id == step_id), None)
        if step is None or step.operation < 0:
            return None
        shown = build.step(step_id)
        cause = shown.cause if shown else None
        with self._lock:
            return files_of(plan.facts.operations, step.operation, self.sources.manifests(), cause)

    def plan(self, definition: Definition, options: BuildOptions, engine: Engine) -> Plan | None:
        """What a build of `definition` would do now; None where that cannot be told: a context that is no folder, a
        Dockerfile that does not parse.
        """
        if definition.question is None or definition.contexts.root is None:
            return None
        with self._lock:
            began = time.time()
            self.sources.read(definition)
            reading = Reading(began, time.time())
            self.sources.forget_stale(self._earlier(), None if engine.records is None else engine.records.by_id)
            platforms = options.platform_list()
            operations = self._hider.operations(derive(definition.question, platforms, images=engine.images))
            contents = contents_of(operations, self.sources.content)
            facts = self._facts(definition, options, engine, operations, contents)
            return self._planned(facts, definition, options, engine, reading)

    def explain(self, plan: Plan, build: Build, left: Left) -> Build:
        """The finished build with plan, causes and notes; it is remembered.

        `left` is what it left behind on the engine.
        """
        if left.there:
            self._saw(left.there, left.asked, built=True)
        with self._lock:
            done = {ref(step): step for step in build.steps}
            doubts = self._doubts(plan, build)
            plan = self._as_read(plan, doubts, done)
            facts = self._happened(plan, build, done, doubts)
            facts = msgspec.structs.replace(facts, copies=self._copies(facts, build, left))
            ran = {step.id for step in facts.steps if step.verdict in (Verdict.MISS, Verdict.FAILED)}
            known = self._known_before(plan, facts)
            why = reasons.causes(msgspec.structs.replace(plan.evidence, now=facts, ran=ran, known=known))
            stories = notes.notes(facts, self._earlier(), known, imported=self._imported(plan, facts, known, build))
            warned = alarms.alarms(facts, self._earlier(), self.sources.unseen, now=time.time(), sent=doubts.paths)
            steps = tuple(
                msgspec.structs.replace(
                    step, cause=why.get(step.id), note=stories.get(step.id), alarm=warned.get(step.id, "")
                )
                for step in facts.steps
            )
            number = self._remember(plan, msgspec.structs.replace(facts, steps=steps), left.records, doubts)
            return told(build, {ref(step): step for step in steps}, number)

    def made_before(self, number: int, target: str) -> tuple[int, tuple[BuiltImage, ...]]:
        """The images of the latest build of a target before build `number`, and its number; 0 where there is none."""
        with self._lock:
            past = (each for each in self._earlier() if each.number < number and each.target == target and each.made)
            latest = next(past, None)
        return (latest.number, latest.made) if latest else (0, ())

    def remember_images(self, number: int, images: tuple[BuiltImage, ...]) -> None:
        """Keep what a build made, which is found out after it was remembered."""
        self._store.remember_images(self._project, number, images)
        with self._lock:
            self._past = [
                msgspec.structs.replace(each, made=images) if each.number == number else each
                for each in self._earlier()
            ]

    def compared(self, before: BuildFacts, after: BuildFacts) -> Build:
        """`after`, every step that differs from `before` with what made it so."""
        with self._lock:
            known = {key: Known(before.number, before.started) for key in before.keys}
            differ = {step.id for step in after.steps if step.operation < 0 or after.keys[step.operation] not in known}
            why = reasons.causes(
                reasons.Evidence(
                    after, differ, [before], known, self.sources.changes(after, {}), there=self.sources.there
                )
            )
            steps = tuple(msgspec.structs.replace(step, cause=why.get(step.id), note=None) for step in after.steps)
            return as_build(msgspec.structs.replace(after, steps=steps))

    # Planning

    def _facts(
        self,
        definition: Definition,
        options: BuildOptions,
        engine: Engine,
        operations: Operations,
        contents: tuple[tuple[bytes, ...], ...],
    ) -> BuildFacts:
        given = definition.question.build_args if definition.question else {}
        keys = self._keys(operations, contents).all()
        return BuildFacts(
            number=0,
            project=str(self._project),
            part=self.part,
            builder=self.builder,
            target=definition.target,
            started=time.time(),
            status=Status.IDLE,
            platforms=options.platform_list(),
            dockerfile=self._hider.text(definition.text),
            dockerfile_name=definition.name,
            arguments=self._hider.arguments(given),
            contexts={name: str(path) for name, path in definition.folders()},
            rules=self.sources.rules(definition),
            images=engine.images,
            operations=operations,
            keys=keys,
            contents=contents,
            secrets={name: self._hider.digest("\n".join(lines)) for name, lines in self._secrets().items()},
        )

    def _planned(
        self,
        facts: BuildFacts,
        definition: Definition,
        options: BuildOptions,
        engine: Engine,
        reading: Reading,
    ) -> Plan:
        past = self._earlier()
        announced = _announced(definition, options, engine)
        request = planning.Request(options.no_cache, frozenset(each.lower() for each in options.no_cache_filter))
        memory = self._memory(facts.keys, past, engine)
        keys = self._keys(facts.operations, facts.contents)
        plans = planning.planned(facts.operations.steps, planning.fates(keys, memory, request))
        elsewhere = _elsewhere_perhaps(plans, facts, memory, request) if options.cache_from else frozenset()
        plans |= dict.fromkeys(elsewhere, Planned.DEPENDS)
        times = self._store.expected(self._project, self.builder)
        named = [self._step(each, plans, facts.operations, times) for each in announced]
        steps = timing.as_written(named, past)
        trees, fresh = self.sources.freeze()
        facts = msgspec.structs.replace(facts, steps=steps, trees=trees)
        ran = {step.id for step in steps if step.planned is Planned.RUN}
        evidence = reasons.Evidence(
            facts,
            ran,
            past,
            memory.known,
            self.sources.changes(facts, fresh),
            request,
            self._elsewhere(past),
            self.sources.there,
        )
        why = reasons.causes(evidence)
        steps = tuple(
            msgspec.structs.replace(
                step,
                cause=why.get(step.id),
                alarm=alarms.open_question(facts, step, past) or (_OUTSIDE if ref(step) in elsewhere else ""),
            )
            for step in steps
        )
        facts = msgspec.structs.replace(facts, steps=steps)
        foreseen = {
            ref(step): Foreseen(step.planned, step.expected_s, step.cause, work_of(step, facts))
            for step in steps
            if step.planned
        }
        return Plan(facts, foreseen, timing.seconds(facts, past), engine, evidence, memory, keys, reading)

    def _keys(self, operations: Operations, contents: Sequence[Sequence[bytes]]) -> Keys:
        return Keys(operations, contents, salt=self._salt, same_as=self._store.aliases(self.builder))

    def _earlier(self) -> list[BuildFacts]:
        if self._past is None:
            self._past = self._store.builds(self._project, self.builder, limit=_PAST)
            self._known = self._store.known(self.builder, {key for build in self._past for key in build.keys})
            self.score = self._store.plan_score(self._project)
            self._history = tuple(map(past_of, self._past))
        return self._past

    def _elsewhere(self, past: Sequence[BuildFacts]) -> bool:
        return not past and bool(self._store.summaries(self._project, 1))

    def _memory(self, keys: Sequence[Key], past: Sequence[BuildFacts], engine: Engine) -> planning.Memory:
        shapes = shapes_of(past, salt=self._salt)
        known = self._known | self._store.known(self.builder, keys)
        lost: frozenset[Key] = frozenset()
        if engine.records is not None:
            seen = self._saw(engine.records, engine.asked, at_rest=engine.at_rest, built=engine.built)
            lost = gone.lost(known, engine.records, seen, at_rest=engine.at_rest)
        doubted = {key for build in past for key in build.doubted}
        return planning.Memory(known, lost, shapes, doubted)

    def _saw(
        self,
        records: Listing,
        asked: float,
        *,
        at_rest: bool = True,
        built: bool = False,
    ) -> Seen:
        """Take note of all records there were when the engine was `asked`, in seconds since 1970."""
        told = partial(gone.noticed, records=records, asked=asked, at_rest=at_rest, built=built, now=time.time())
        return self._store.saw_records(self.builder, asked, told)

    def _step(
        self,
        each: Expected,
        plans: Mapping[StepRef, Planned],
        operations: Operations,
        times: Mapping[tuple[str, str, str], float],
    ) -> StepFacts:
        stage = stage_id(self.part, each.platform, each.stage)
        return StepFacts(
            f"{stage}:{each.index}", each.stage, each.index, each.of, self._hider.text(each.instruction),
            self._hider.text(each.text), each.platform or "", each.place, operations.steps.get(ref(each), -1),
            planned=plans.get(ref(each)), expected_s=times.get((each.platform or "", each.stage, each.instruction)),
        )  # fmt: skip

    # Explaining

    def _known_before(self, plan: Plan, facts: BuildFacts) -> dict[Key, Known]:
        """Those of the keys that were known when the build began; what runs beside it may be remembered already."""
        before = plan.memory.known
        return {
            key: before.get(key, each)
            for key, each in self._store.known(self.builder, facts.keys).items()
            if key in before or each.seen < facts.started
        }

    def _imported(
        self, plan: Plan, facts: BuildFacts, known: Mapping[Key, Known], build: Build
    ) -> frozenset[str] | None:
        """The steps whose results were not in the cache when the build began; None where no cache was imported.

        A result of ours is there unless it was lost; one that somebody else built is known by its record's text.
        """
        if not imports(build):
            return None
        ours = {each.record for each in self._known.values()}
        there = named(plan.engine.records or Listing(), ours, build)
        lost = plan.memory.lost
        return frozenset(
            step.id
            for step in facts.steps
            if step.operation >= 0
            and (facts.keys[step.operation] in lost if facts.keys[step.operation] in known else step.id not in there)
        )

    def _doubts(self, plan: Plan, build: Build) -> Doubts:
        """What the build may have read otherwise than was planned: files changed before all of them were sent."""
        operations = plan.facts.operations
        window = sending.window(build, plan.reading)
        found: dict[str, sending.Meanwhile] = {}
        for name in doubting.contexts(operations):
            if meanwhile := self.sources.meanwhile(name, plan.facts, plan.reading, window):
                found[name] = meanwhile
        if not any(map(any, found.values())):
            return doubting.NONE

        def covers(when: int) -> doubting.Reached:
            return lambda name, selected: self.sources.covered(
                name, found[name][when] if name in found else (), selected
            )

        doubts = doubting.doubts(operations, covers(0), covers(1), covers(2))
        if not doubts.paths and not doubts.anew:
            return doubts
        now = contents_of(operations, self.sources.content)
        concerned = doubts.anew | doubts.paths.keys()
        contents = tuple(each if place in concerned else plan.facts.contents[place] for place, each in enumerate(now))
        return msgspec.structs.replace(doubts, contents=contents, keys=self._keys(operations, contents).all())

    def _copies(self, facts: BuildFacts, build: Build, left: Left) -> dict[str, str]:
        """The engine's records of its copies of the contexts."""
        before = next((each for each in self._earlier() if each.copies and each.contexts == facts.contexts), facts)
        return copies(doubting.contexts(facts.operations), before.copies, left.there, build)

    def _as_read(self, plan: Plan, doubts: Doubts, done: Mapping[StepRef, Step]) -> Plan:
        """The plan as it would have been for what the build has read, as far as its verdicts tell."""
        steps = tuple(outcome(each, done.get(ref(each))) for each in plan.facts.steps)
        facts = msgspec.structs.replace(plan.facts, steps=steps)
        now = doubts.anew | doubting.read_anew(facts, doubts, plan.memory.known)
        if not now:
            return plan
        contents = tuple(
            doubts.contents[place] if place in now else each for place, each in enumerate(plan.facts.contents)
        )
        keys = self._keys(plan.facts.operations, contents)
        trees, fresh = self.sources.freeze()
        facts = msgspec.structs.replace(plan.facts, contents=contents, keys=keys.all())
        changes = self.sources.changes(msgspec.structs.replace(facts, trees=trees), fresh)
        evidence = msgspec.structs.replace(plan.evidence, changes=changes)
        return msgspec.structs.replace(plan, facts=facts, keys=keys, evidence=evidence)

    def _happened(self, plan: Plan, build: Build, done: Mapping[StepRef, Step], doubts: Doubts) -> BuildFacts:
        """The facts of the plan with what came of them."""
        steps = tuple(outcome(each, done.get(ref(each))) for each in plan.facts.steps)
        succeeded = build.status is Status.SUCCEEDED
        hits = {step.operation for step in steps if succeeded and step.verdict is Verdict.HIT and step.operation >= 0}
        keys, learned = planning.settled(plan.keys, hits - doubts.unsure, plan.memory)
        if learned:
            self._store.remember_aliases(self.builder, learned)
        right, planned = notes.score(steps)
        return msgspec.structs.replace(
            plan.facts,
            keys=keys,
            steps=steps,
            doubted=doubting.doubted(msgspec.structs.replace(plan.facts, steps=steps), doubts, plan.memory.known),
            target=build.target,
            started=build.started.timestamp() if build.started else time.time(),
            number=build.number,
            status=build.status,
            duration_s=build.duration_s,
            ref=build.ref,
            platforms=build.platforms,
            plan_right=right,
            plan_steps=planned,
        )

    def _remember(self, plan: Plan, facts: BuildFacts, records: Mapping[str, str], doubts: Doubts) -> int:
        """Keep the build; gives its number.

        A lost result that nobody read is called a hit, and is no less lost. In a build that failed BuildKit calls a
        step cached that was never built (where a COPY finds no file, all above it): there a hit confirms nothing new.
        Nor does a step that read files which changed while they were sent.
        """
        lost = plan.memory.lost
        sure = plan.memory.known if facts.status is not Status.SUCCEEDED else facts.keys
        confirmed = {
            facts.keys[step.operation]: step.id
            for step in facts.steps
            if step.operation >= 0
            and step.confirmed
            and step.operation not in doubts.unsure
            and (
                step.ran
                or step.note is Note.IMPORTED
                or (facts.keys[step.operation] not in lost and facts.keys[step.operation] in sure)
            )
        }
        ran = {step.id for step in facts.steps if step.ran}
        records = dict.fromkeys(ran, "") | dict(records)
        kept = self._store.remember(
            facts,
            confirmed=confirmed,
            records={key: records[step_id] for key, step_id in confirmed.items() if step_id in records},
        )
        self._known |= self._store.known(self.builder, confirmed)
        self.score = self.score[0] + facts.plan_right, self.score[1] + facts.plan_steps
        if kept.status is not Status.CANCELED:
            self._past = [kept, *self._earlier()][:_PAST]
            self._history = (past_of(kept), *self._history)[:_PAST]
        return kept.number


def _elsewhere_perhaps(
    plans: Mapping[StepRef, Planned], facts: BuildFacts, memory: planning.Memory, request: planning.Request
) -> frozenset[StepRef]:
    """The steps that run unless an outside cache has them: lost results, and all where nothing was ever built."""
    new = not memory.known
    return frozenset(
        step
        for step, place in facts.operations.steps.items()
        if plans[step] is Planned.RUN and (new or facts.keys[place] in memory.lost) and not request.includes(step[1])
    )


def _announced(definition: Definition, options: BuildOptions, engine: Engine) -> tuple[Expected, ...]:
    """The steps that BuildKit will show, those of the bases' ONBUILD lines among them."""
    triggers = {name: image.triggers for name, image in engine.images.items() if image.triggers}
    question = definition.question
    if question is None or not triggers:
        return definition.expected
    return announce(
        question.dockerfile,
        definition.name,
        target=question.target,
        values=question.build_args,
        platforms=options.platform_list(),
        named=question.contexts,
        own=question.build_platform,
        triggers=triggers,
    )
