"""What the next build will do and why the last one did what it did, for one project on one builder.

It ties the rooms together: the definition's operations, the files as they are, the engine's records and what is
remembered become a `Plan`; a plan and the finished build become causes, and are remembered. It starts no build and
knows no screen. `plan` and `explain` take milliseconds to tens of them and may be called in a thread; what asks the
engine is a coroutine.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from hitmiss import sending
from hitmiss.aside import aside
from hitmiss.build.model import Build, Cause, CauseKind, Expected, Foreseen, Planned, Status, Step, Verdict, stage_id
from hitmiss.cache import alarms, matching, notes, timing
from hitmiss.cache import causes as reasons
from hitmiss.cache import doubts as doubting
from hitmiss.cache import plan as planning
from hitmiss.cache.derive import derive
from hitmiss.cache.doubts import Doubts
from hitmiss.cache.facts import BuildFacts, Key, Known, StepFacts
from hitmiss.cache.hidden import Hider
from hitmiss.cache.keys import Keys, contents_of
from hitmiss.cache.operations import Operations, StepRef
from hitmiss.cache.retold import as_build, work_of
from hitmiss.docker.copies import copies
from hitmiss.docker.listing import Listing
from hitmiss.docker.tied import named
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine, Left, Records, left_by
from hitmiss.outcome import imports, outcome, ref, told
from hitmiss.project.definition import Definition, announce
from hitmiss.recollection import Recollection
from hitmiss.runner import Runner
from hitmiss.sending import Reading
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import StepFiles
from hitmiss.sources import Pool, Sources
from hitmiss.step_files import files_of

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
        self.remembered = Recollection(store, project, builder)
        self._project = project
        self._hider = Hider(hidden, self.remembered.salt)
        self._secrets = secrets
        self.sources = Sources(store, pool)
        self._lock = self.sources.lock

    @property
    def builder(self) -> str:
        """The builder that it is for."""
        return self.remembered.builder

    def look(self, engine: Engine) -> None:
        """Take note of what the engine's cache holds while nothing is built: whether it was pruned."""
        if engine.records is not None:
            self.remembered.saw(engine.records, engine.asked)

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
            by_id = None if engine.records is None else engine.records.by_id
            self.sources.forget_stale(self.remembered.builds(), by_id)
            platforms = options.platform_list()
            derived = derive(definition.question, platforms, images=engine.images)
            operations = self._hider.beside(definition.texts()).operations(derived)
            contents = contents_of(operations, self.sources.content)
            facts = self._facts(definition, options, engine, operations, contents)
            return self._planned(facts, definition, options, engine, reading)

    def explain(self, plan: Plan, build: Build, left: Left) -> Build:
        """The finished build with plan, causes and notes; it is remembered.

        `left` is what it left behind on the engine.
        """
        if left.there:
            self.remembered.saw(left.there, left.asked, built=True)
        with self._lock:
            done = {ref(step): step for step in build.steps}
            doubts = self._doubts(plan, build)
            plan = self._as_read(plan, doubts, done)
            facts = self._happened(plan, build, done, doubts)
            facts = msgspec.structs.replace(facts, copies=self._copies(facts, build, left))
            ran = {step.id for step in facts.steps if _began(step)}
            past = self.remembered.builds()
            known = self.remembered.known_before(facts, plan.memory)
            why = self._causes(msgspec.structs.replace(plan.evidence, now=facts, ran=ran, known=known))
            stories = notes.notes(facts, past, known, imported=self._imported(plan, facts, known, build))
            warned = alarms.alarms(facts, past, self.sources.unseen, now=time.time(), sent=doubts.paths)
            steps = tuple(
                msgspec.structs.replace(
                    step, cause=why.get(step.id), note=stories.get(step.id), alarm=warned.get(step.id, "")
                )
                for step in facts.steps
            )
            facts = msgspec.structs.replace(facts, steps=steps)
            number = self.remembered.remember(facts, plan.memory, left.records, doubts.unsure)
            return told(build, {ref(step): step for step in steps}, number)

    def compared(self, before: BuildFacts, after: BuildFacts) -> tuple[Build, tuple[Step, ...]]:
        """`after`, each step that differs from `before` with what made it so; and the steps that `before` alone has."""
        with self._lock:
            known = {key: Known(before.number, before.started) for key in before.keys}
            differ = {step.id for step in after.steps if step.operation < 0 or after.keys[step.operation] not in known}
            why = reasons.differences(
                reasons.Evidence(
                    after, differ, [before], known, self.sources.changes(after, {}), there=self.sources.there
                )
            )
            detail = f"It is not in build {before.number}."
            why |= {
                each: Cause(CauseKind.STEP_INSERTED, each, detail, against=before.number)
                for each in _alone(after, before)
            }
            steps = tuple(msgspec.structs.replace(step, cause=why.get(step.id), note=None) for step in after.steps)
            gone = _alone(before, after)
            return (
                as_build(msgspec.structs.replace(after, steps=steps)),
                tuple(step for step in as_build(before).steps if step.id in gone),
            )

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
        keys = self.remembered.keys(operations, contents).all()
        return BuildFacts(
            number=0,
            project=str(self._project),
            part=self.part,
            builder=self.builder,
            target=definition.target,
            started=time.time(),
            status=Status.IDLE,
            platforms=options.platform_list(),
            build_platform=definition.question.build_platform if definition.question else "",
            dockerfile=definition.text,
            dockerfile_name=definition.name,
            arguments=self._hider.beside(definition.texts()).arguments(given),
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
        past = self.remembered.builds()
        announced = _announced(definition, options, engine)
        request = _request(definition, options)
        memory = self.remembered.memory(facts, engine)
        keys = self.remembered.keys(facts.operations, facts.contents)
        plans = planning.planned(facts.operations.steps, planning.fates(keys, memory, request))
        elsewhere = _elsewhere_perhaps(plans, facts, memory, request) if options.cache_from else frozenset()
        plans |= dict.fromkeys(elsewhere, Planned.DEPENDS)
        times = self.remembered.expected()
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
            self.remembered.elsewhere(),
            self.sources.there,
            memory.lost,
        )
        why = self._causes(evidence)
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
            ref(step): Foreseen(step.planned, step.expected_s, step.cause, work_of(step, facts), step.of, step.place)
            for step in steps
            if step.planned
        }
        return Plan(facts, foreseen, timing.seconds(facts, past), engine, evidence, memory, keys, reading)

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
            each.text, each.platform or "", each.place, operations.steps.get(ref(each), -1),
            planned=plans.get(ref(each)), expected_s=times.get((each.platform or "", each.stage, each.instruction)),
        )  # fmt: skip

    # Explaining

    def _causes(self, evidence: reasons.Evidence) -> dict[str, Cause]:
        """The causes for people: what they were found from holds the Dockerfile's text as it is."""
        return {step_id: self._hider.cause(cause) for step_id, cause in reasons.causes(evidence).items()}

    def _imported(
        self, plan: Plan, facts: BuildFacts, known: Mapping[Key, Known], build: Build
    ) -> frozenset[str] | None:
        """The steps whose results were not in the cache when the build began; None where no cache was imported.

        A result of ours is there unless it was lost; one that somebody else built is known by its record's text.
        """
        if not imports(build):
            return None
        there = named(plan.engine.records or Listing(), self.remembered.records(), build)
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
        return msgspec.structs.replace(doubts, contents=contents, keys=self.remembered.keys(operations, contents).all())

    def _copies(self, facts: BuildFacts, build: Build, left: Left) -> dict[str, str]:
        """The engine's records of its copies of the contexts."""
        past = self.remembered.builds()
        before = next((each for each in past if each.copies and each.contexts == facts.contexts), facts)
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
        keys = self.remembered.keys(plan.facts.operations, contents)
        trees, fresh = self.sources.freeze()
        facts = msgspec.structs.replace(plan.facts, contents=contents, keys=keys.all())
        changes = self.sources.changes(msgspec.structs.replace(facts, trees=trees), fresh)
        evidence = msgspec.structs.replace(plan.evidence, changes=changes)
        return msgspec.structs.replace(plan, facts=facts, keys=keys, evidence=evidence)

    def _happened(self, plan: Plan, build: Build, done: Mapping[StepRef, Step], doubts: Doubts) -> BuildFacts:
        """The facts of the plan with what came of them."""
        steps = tuple(outcome(each, done.get(ref(each))) for each in plan.facts.steps)
        succeeded = build.status is Status.SUCCEEDED
        # A hit that BuildKit left out, as a build beside this one had it, tells nothing of bytes that are the same.
        told = {step.id for step in done.values() if step.verdict is Verdict.HIT and step.started}
        hits = {step.operation for step in steps if succeeded and step.id in told and step.operation >= 0}
        keys, learned = planning.settled(plan.keys, hits - doubts.unsure, plan.memory)
        self.remembered.learned(learned)
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
            image=build.image,
            context_bytes=build.context_bytes,
            platforms=build.platforms,
            plan_right=right,
            plan_steps=planned,
        )


def _request(definition: Definition, options: BuildOptions) -> planning.Request:
    """What was asked to run: BuildKit splits a filter at commas, and takes stages by the names that AS gives them."""
    given = {stage.name for stage in definition.question.dockerfile.stages} if definition.question else set()
    asked = {name for each in options.no_cache_filter for name in each.lower().split(",")}
    return planning.Request(options.no_cache, frozenset(asked & given - {""}))


def _began(step: StepFacts) -> bool:
    """Whether it ran, to its end or not. One that should hit may have been stopped while it was looked up."""
    if step.verdict is Verdict.CANCELED:
        return step.planned is not Planned.HIT
    return step.verdict in (Verdict.MISS, Verdict.FAILED)


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


def _alone(one: BuildFacts, other: BuildFacts) -> frozenset[str]:
    """The ids of the steps of one build that the other has neither as they are nor edited."""

    def name(step: StepFacts) -> tuple[str, str, str]:
        return step.stage, step.platform, "FROM" if step.text[:5].upper() == "FROM " else step.text

    there, keys = set(map(name, other.steps)), set(other.keys)
    return frozenset(
        step.id
        for step in one.steps
        if name(step) not in there
        and (step.operation < 0 or (one.keys[step.operation] not in keys and not matching.match(one, step, [other])))
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
