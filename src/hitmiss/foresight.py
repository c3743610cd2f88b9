"""The forecaster of a session that watches: its plan before and during a build, its reasons after it.

A build never waits for any of it, nor ends because of it: what goes wrong here is said in a notice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hitmiss.aside import aside
from hitmiss.build.model import Build, Planned
from hitmiss.cache import timing
from hitmiss.cache.moved import moved as alarms_of
from hitmiss.docker import past
from hitmiss.errors import UsageError
from hitmiss.forecast import Forecaster, Plan, explained, foresee
from hitmiss.history.store import StepName, Store
from hitmiss.inquiry import Engine, Records, ask, moved
from hitmiss.outcome import lasted, ref, warned
from hitmiss.past import past_outside
from hitmiss.project.definition import Definition
from hitmiss.project.entries import children
from hitmiss.runner import Runner, secret_values, secrets
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Past, StepFiles
from hitmiss.sources import Pool
from hitmiss.weigh import Weight, weigh, weighed


class Foresight:
    """What is expected of the builds of one project, and why they did what they did."""

    def __init__(
        self,
        store: Store,
        project: Path,
        builder: str,
        options: BuildOptions,
        cwd: Path,
        notice: Callable[[str, str], None],
        *,
        part: str = "",
        pool: Pool | None = None,
    ) -> None:
        """`notice` is told a key and a sentence, "" when it no longer holds; `part` is the target, one of several that
        share the manifests of `pool`.
        """
        self._store = store
        self._part = part
        self._project = project
        self._notice = notice
        self._tidied = False
        self._runner: Runner | None = None
        self._before: tuple[Past, ...] = ()
        self._asking = asyncio.Lock()
        self.plan: Plan | None = None
        self.forecaster = Forecaster(
            store, project, builder, secret_values(options, cwd), lambda: secrets(options, cwd), part=part, pool=pool
        )

    @property
    def seconds(self) -> float | None:
        """How long the build that runs, or the next one, should take; None while that is not known."""
        return self.plan.seconds if self.plan else None

    @property
    def score(self) -> tuple[int, int]:
        """Of all planned steps of the project: how many came out as planned, and how many they are."""
        return self.forecaster.remembered.score

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of the project, newest first; below them those that only the engine remembers."""
        return self.forecaster.remembered.history + self._before

    def files(self, build: Build, step_id: str) -> StepFiles | None:
        """What a step of `build` reads of the contexts; None where that is not known."""
        return self.forecaster.files(self.plan, build, step_id) if self.plan else None

    async def begin(
        self,
        runner: Runner,
        definition: Definition,
        options: BuildOptions,
        engine: Awaitable[Engine],
        before: asyncio.Event | None = None,
    ) -> Plan | None:
        """Plan the build that begins, once the one `before` is remembered."""
        try:
            if before:
                await before.wait()
            plan = await foresee(self.forecaster, runner, definition, options, engine)
        except UsageError:
            return None  # the engine will say what is wrong with the Dockerfile
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the plan, the build goes on
            self._notice("plan", f"What this build will do could not be foretold: {error}")
            return None
        self._notice("plan", "")
        self._runner = runner
        self.plan = plan or self.plan
        if self._before:
            self._learn()  # they may have come while it was planned
        return plan

    async def explain(self, plan: Plan, build: Build, there: Awaitable[Records]) -> Build:
        """The finished build with why its steps ran; it is remembered. `there` are the cache records after it."""
        if self.plan and self.plan.engine is plan.engine:
            plan = self.plan  # it knows more of durations meanwhile
        try:
            told = await explained(self.forecaster, plan, build, there)
        except Exception as error:  # noqa: BLE001 - as above
            self._notice("plan", f"Why the steps ran could not be found out: {error}")
            return build
        if not self._tidied:
            self._tidied = True
            with contextlib.suppress(Exception):  # at most once a day there is something to do
                await asyncio.to_thread(self._store.clean, children)
        return told

    async def weigh(self, build: Build, options: BuildOptions, cwd: Path) -> Weight:
        """What a finished build has made and moved; nobody waits for it."""
        with contextlib.suppress(Exception):
            _, known = await aside(self.forecaster.remembered.made_before, build.number, build.target)
            return await weigh(build, options, cwd, known)
        return Weight()

    async def weighed(self, build: Build, weight: Awaitable[Weight], definition: Definition) -> Build:
        """The finished build with that; it is remembered."""
        with contextlib.suppress(Exception):
            number, known = await aside(self.forecaster.remembered.made_before, build.number, build.target)
            told = await aside(weighed, build, await weight, definition, known, number)
            if told.images:
                await aside(self.forecaster.remembered.remember_images, told.number, told.images)
            return told
        return build

    async def warned(self, plan: Plan, build: Build) -> Build:
        """The finished build with an alarm for each base image whose tag has moved on its registry; it is remembered.

        Nothing may wait for it: a registry can take seconds.
        """
        with contextlib.suppress(Exception):
            async with self._asking:
                names = await moved(plan.engine.images, self.forecaster.builder, self._store)
            return await asyncio.to_thread(alarmed, self._store, self._project, plan, build, names)
        return build

    async def ahead(
        self, definition: Definition, options: BuildOptions, engine: Engine, *, unsettled: Collection[str] = ()
    ) -> Build | None:
        """What the next build would do, as a build that has not begun.

        The images called `unsettled` may be others by then: what hits only on those that are there now depends on them.
        Raises `UsageError` for what cannot be built.
        """
        try:
            plan = self.plan = await aside(self.forecaster.plan, definition, options, engine)
            if plan is None or not engine.images.keys() & set(unsettled):
                return plan.build if plan else None
            images = {name: image for name, image in engine.images.items() if name not in unsettled}
            without = msgspec.structs.replace(engine, images=images)
            other = await aside(self.forecaster.plan, definition, options, without)
            return depending(plan, other).build if other else plan.build
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._notice("plan", f"What the next build will do could not be foretold: {error}")
            return None

    async def look(self) -> None:
        """Take note of what the cache holds now: somebody may have pruned it."""
        self.forecaster.look(await ask((), self.forecaster.builder))

    async def recall(self, definition: Definition, options: BuildOptions, after_s: float = 0.0) -> Build | None:
        """On the first start in a project: the last build that the engine remembers of it, and for the plan and the
        history what it remembers of the others. None where it remembers none, or hitmiss has builds of its own.

        It is asked after `after_s` seconds, so that a quick build that begins now has the machine to itself.
        """
        contexts = definition.contexts
        if self.forecaster.remembered.number() or contexts.root is None or contexts.dockerfile is None:
            return None
        began = datetime.now(UTC)
        await asyncio.sleep(after_s)
        found = await past.past(options.builder, contexts.root, contexts.dockerfile.name, expected=definition.expected)
        for runs in found.runs:
            await asyncio.to_thread(self._store.remember_durations, self._project, self.forecaster.builder, runs)
        builds = [build for build in found.builds if build.started and build.started < began]
        self._before = tuple(map(past_outside, builds))
        self._learn()
        return next((build for build in builds if build.target in (options.target, definition.target)), None)

    def saved(self, build: Build) -> Build:
        """The finished build with how long its hits took before, where that was learned after it began."""
        if not self._before:
            return build
        return lasted(build, self._store.durations(self._project, self.forecaster.builder))

    def _learn(self) -> None:
        """Tell the plan and the build that runs what was learned of durations."""
        if self._runner and self.plan:
            self._runner.learn(self._store.durations(self._project, self.forecaster.builder), self._part)
            self.plan = timed(self.plan, self._store.expected(self._project, self.forecaster.builder))
            self._runner.foresee(self.plan.foreseen, self._part)


def alarmed(store: Store, project: Path, plan: Plan, build: Build, names: Collection[str]) -> Build:
    """The build with an alarm for each of the base images `names`, whose tags have moved; it is remembered with it."""
    told = warned(build, alarms_of(plan.facts, names))
    if told is not build:
        store.remember_alarms(project, build.number, {step.id: step.alarm for step in told.steps if step.alarm})
    return told


def depending(plan: Plan, other: Plan) -> Plan:
    """The plan where steps that hit only by it, and not by `other`, depend on which of both comes true."""
    hits = {step.id for step in other.facts.steps if step.planned is Planned.HIT}
    steps = tuple(
        msgspec.structs.replace(step, planned=Planned.DEPENDS)
        if step.planned is Planned.HIT and step.id not in hits
        else step
        for step in plan.facts.steps
    )
    return msgspec.structs.replace(plan, facts=msgspec.structs.replace(plan.facts, steps=steps))


def timed(plan: Plan, times: Mapping[StepName, float]) -> Plan:
    """The plan with the seconds that its steps take, where they were learned after it was made."""
    steps = tuple(
        msgspec.structs.replace(step, expected_s=times.get((step.platform, step.stage, step.instruction)))
        if step.expected_s is None
        else step
        for step in plan.facts.steps
    )
    facts = msgspec.structs.replace(plan.facts, steps=steps)
    seconds = {ref(step): step.expected_s for step in steps}
    foreseen = {
        where: msgspec.structs.replace(each, expected_s=seconds[where]) for where, each in plan.foreseen.items()
    }
    return msgspec.structs.replace(
        plan, facts=facts, foreseen=foreseen, seconds=timing.seconds(facts, plan.evidence.past)
    )
