"""The targets of a workspace: what each is, how it stands, and the rounds in which they are built.

The session and `hitmiss build` both build through it. When something is built is their affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from hitmiss.aside import aside
from hitmiss.build.logs import StepLog
from hitmiss.build.merged import merged
from hitmiss.build.model import Build, Status
from hitmiss.build.recording import Writer
from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.caches import passed_over
from hitmiss.docker.limits import limits
from hitmiss.equivalent import equivalent
from hitmiss.errands import Errands
from hitmiss.errors import UsageError
from hitmiss.forecast import Plan
from hitmiss.foresight import alarmed
from hitmiss.history.store import Store
from hitmiss.inquiry import Records, ask, records_after
from hitmiss.member import Linked, Member
from hitmiss.project.definition import Definition
from hitmiss.project.gathered import Gathered
from hitmiss.project.units import Unit
from hitmiss.round import Lane, Round
from hitmiss.runner import Runner, header_of, nothing, project_folder, ran
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Past, StepFiles
from hitmiss.sources import Pool
from hitmiss.turns import foretold, longest
from hitmiss.workspace import Workspace

_REMEMBER_S = 0.5
"""So long a build that has just ended may take to be remembered when hitmiss is left."""


class Crew:
    """The members that are built together. `on_change` is called whenever one of them stands otherwise than before."""

    def __init__(
        self,
        space: Workspace,
        builder: BuilderInfo,
        *,
        store: Store,
        notice: Callable[[str, str], None],
        writer: Writer | None = None,
        find_record: bool = False,
    ) -> None:
        """`notice` is told a key and a sentence, "" when it no longer holds.

        Raises `UsageError` when there is nothing to build.
        """
        self.space = space
        self.builder = builder
        self.project = project_folder(space.flags, space.cwd)
        self.on_change: Callable[[], None] = nothing
        self.round: Round | None = None
        self.runners: list[Runner] = []
        """Those of the last round, as they ended."""
        self.number = 0
        """Of the last build."""
        self.own: Awaitable[tuple[str, ...]] | None = None
        """Gives the builder's own platforms, where they are not known from the start."""
        self._store = store
        self._notice = notice
        self._writer = writer
        self._find_record = find_record
        self._foreseen: dict[str, asyncio.Task[Plan | None]] = {}
        self._places: dict[str, str] = {}
        """The builder that each member is being built on."""
        self._remembered: dict[str, asyncio.Event] = {}
        """Set when a member's last build is remembered: the next plan needs it."""
        self._pool = Pool()
        self._begun = 0
        """So many clients have been started."""
        self._there: asyncio.Task[Records] | None = None
        """The cache records after the last build."""
        self._errands = Errands()
        self._questions = Errands()
        """What the engine is being asked."""
        self._finished = Build()
        self.members: dict[str, Member] = {}
        self.members = self._members(space)
        self._link()

    # What there is

    def settle_in(self, space: Workspace) -> frozenset[str]:
        """Take over what is to be built from now on; targets that stay as they were keep what is known of them.

        Gives the names of the others. Raises `UsageError`, and changes nothing, when one of them has nothing to build.
        """
        before, now = self.members, self._members(space)
        self.members, self.space = now, space
        for name, member in self.members.items():
            if name in before and member is not before[name]:
                member.follow(before[name])
        self._link()
        return frozenset(name for name, member in now.items() if member is not before.get(name))

    def work_on(self, builder: BuilderInfo, name: str) -> None:
        """Build with another builder from now on; `name` is what docker's tools are told, "" to choose themselves.

        What is expected and why is asked of the new one: none of the old one's keys and records holds there.
        """
        self.builder = builder
        self._there = None
        self._remembered.clear()
        self.settle_in(self.space.on(name))

    def limits(self, builder: BuilderInfo) -> tuple[str, ...]:
        """What a builder cannot do of what is to be built, and what buildx would pass over, each once."""
        given = [member.unit.options for member in self.members.values()]
        found = [text for options in given for text in (*limits(builder, options), *passed_over(options, os.environ))]
        return tuple(dict.fromkeys(found))

    def with_stage(self, target: str) -> Workspace:
        """The workspace of a Dockerfile, with another stage as its target."""
        (unit,) = self.space.units
        options = msgspec.structs.replace(unit.options, target=target)
        return msgspec.structs.replace(self.space, units=(msgspec.structs.replace(unit, options=options),))

    def reload(self) -> bool:
        """Read the definitions again; False when one cannot be built as it is."""
        for member in self.members.values():
            member.reload(self._platform)
        self._link()
        return not self.problem()

    def imagined(self, unit: Unit) -> Definition:
        """What a member would be with other options. Raises `UsageError` when there is nothing to build."""
        return self.members[unit.name].imagined(unit, self._platform, self._linked(unit))

    def gather(self) -> Gathered:
        """All that is to be watched."""
        contexts = {name: member.definition.contexts for name, member in self.members.items()}
        return Gathered(contexts, self.space.files)

    @property
    def only(self) -> Member | None:
        """The member that is alone; None where there are several."""
        return next(iter(self.members.values())) if len(self.members) == 1 else None

    def title(self) -> str:
        """What is built, in a word."""
        return self.only.definition.target if self.only and not self.only.name else self.space.title()

    def problem(self) -> str:
        """Why what is chosen cannot be built as it is."""
        for member in self.members.values():
            if member.definition.error:
                return _of(member, member.definition.error)
        return ""

    def command(self) -> str:
        """The `docker` command that does the same; values that look secret are left to the environment."""
        return equivalent(self.space, {name: member.unit.options for name, member in self.members.items()})

    # How it stands

    def part(self, member: Member) -> Build:
        """A member's build that runs, or its last one."""
        runner = self.round.runner(member.name) if self.round else None
        return runner.build(member.name) if runner else member.last

    def shown(self) -> Build:
        """All of it as one build: what runs, and what was built before."""
        parts = {name: self.part(member) for name, member in self.members.items()}
        whole = merged(parts, target=self.title(), notes=self._notes(parts), status=self._status())
        # A target that is alone is called what it was asked for by, not what its stage is called.
        return msgspec.structs.replace(whole, target=self.title()) if self.only and self.only.name else whole

    def before(self) -> Build:
        """The build before the one that runs."""
        return self.only.last if self.only else self._finished

    def builds(self, name: str) -> bool:
        """Whether a member is being built now."""
        return self.round is not None and self.round.runner(name) is not None

    def began(self, name: str) -> float | None:
        """When the build of a member began that runs, or its last one, in seconds since 1970; None before the first."""
        started = self.part(self.members[name]).started
        return started.timestamp() if started else None

    def log(self, step_id: str) -> StepLog | None:
        """The output of a step of the build that is shown."""
        for member in self.members.values():
            runner = self.round.runner(member.name) if self.round else None
            log = runner.log(step_id) if runner else member.log(step_id)
            if log:
                return log
        return None

    def files(self, step_id: str) -> StepFiles | None:
        """What a step of the build that is shown reads of the contexts; None where that is not known."""
        for member in self.members.values():
            build = self.part(member)
            if build.step(step_id):
                return member.foresight.files(build, step_id)
        return None

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of all members, newest first."""
        if self.only:
            return self.only.foresight.history()
        found = [past for member in self.members.values() for past in member.foresight.history()]
        return tuple(sorted(found, key=lambda past: past.started, reverse=True))

    async def look_back(self) -> None:
        """Take note of what was built elsewhere, and tell of it where there is something new."""
        before = self.history()
        for member in tuple(self.members.values()):
            await aside(member.foresight.forecaster.remembered.builds)
        if self.history() != before:
            self.on_change()

    def seconds(self) -> float | None:
        """How long the build that runs, or the next one, should take; None while that is not known."""
        latest = {name: self.part(member).number for name, member in self.members.items()}
        names = self.round.names if self.round else [name for name in latest if latest[name] == max(latest.values())]
        return longest(member for name, member in self.members.items() if name in names)

    def score(self) -> tuple[int, int]:
        """Of all planned steps: how many came out as planned, and how many they are."""
        found = [member.foresight.score for member in self.members.values()]
        return sum(right for right, _ in found), sum(planned for _, planned in found)

    # Building

    def start(self, names: Iterable[str], once: Mapping[str, BuildOptions]) -> Round:
        """A round that builds these members; `once` stands in for the options of some in this round alone."""
        self._finished = self.shown()
        latest = max(member.foresight.forecaster.remembered.number() for member in self.members.values())
        self.number = max(self.number, latest) + 1
        self.runners = []
        chosen = [member for member in self.members.values() if member.name in names]
        for member in chosen if len(self.members) > 1 else ():
            member.wait(self.number)
        if self.space.at_once:
            lanes = [Lane(tuple(member.name for member in chosen), partial(self._begin, chosen, once))]
        else:
            lanes = [
                Lane((member.name,), partial(self._begin, [member], once), frozenset(member.unit.before()))
                for member in chosen
            ]
        self.round = Round(lanes, self._ended)
        self._errands.run(self._foretell_waiting(self.round, chosen))
        return self.round

    async def run(self, round_: Round) -> tuple[str, ...]:
        """Build it to its end; gives the members that are not built yet."""
        try:
            await round_.run()
        finally:
            self.round = None
        for member in self.members.values():
            if member.name in round_.names and member.last.number == self.number:
                member.pass_over()
        left = [member.name for member in self.members.values() if member.name in round_.names and not member.built]
        return tuple(left)

    async def planned(self) -> None:
        """Wait until the builds that run are planned: their files have been looked at."""
        if plans := set(self._foreseen.values()):
            await asyncio.wait(plans)

    async def remembered(self, name: str) -> None:
        """Wait until a member's last build is remembered: a plan needs it."""
        if known := self._remembered.get(name):
            await known.wait()

    async def explained(self) -> None:
        """Wait until all is known about the builds that are over."""
        await self._errands.done()

    async def close(self) -> None:
        """End what is still being found out; a build just ended is remembered first, unless that takes long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REMEMBER_S):
                for member in tuple(self.members.values()):
                    await self.remembered(member.name)
        await self._errands.cancel()
        await self._questions.cancel()

    async def foretell(self, names: Iterable[str]) -> str:
        """Show what the next build of these would do: hollow glyphs on the tree that stands.

        Gives why one of them cannot be built, "" where all can.
        """
        members = [member for member in self.members.values() if member.name in names]
        engine = await ask([member.definition for member in members], self.builder.name)
        problem = ""
        for member in members:
            try:
                told = await member.foresight.ahead(member.definition, member.unit.options, engine)
            except UsageError as error:
                problem = problem or _of(member, str(error))
                continue
            if told and self.round is None:
                member.expect(told, self.number)
                self.on_change()
        return problem

    async def _foretell_waiting(self, round_: Round, members: Sequence[Member]) -> None:
        """Show what the members will do whose turn has not come."""
        async for member, told in foretold(members, self._foreseen, self._remembered, self.builder.name):
            if self.round is round_ and round_.waits_for(member.name):
                member.expect(told, self.number)
                self.on_change()

    def _begin(self, members: Sequence[Member], once: Mapping[str, BuildOptions]) -> Runner:
        """The runner of some members; its clock begins to run."""
        self._begun += 1
        builder, own = self.builder.name, self.builder.platforms[:1]
        jobs = [
            msgspec.structs.replace(
                member.job(self.number, builder, own, once.get(member.name), self.space.stands_on(member.name)),
                makes=self.space.makes(member.name),
            )
            for member in members
        ]
        options = jobs[0].options
        runner = Runner(
            *jobs,
            cwd=self.space.cwd,
            command=self.space.command({job.name: job.options for job in jobs}) if self.space.at_once else None,
            writer=self._writer,
            header=header_of(members[0].definition, options, self.project.name, builder),
            on_progress=lambda: self.on_change(),
            find_record=self._find_record,
        )
        # What the build before left is still asked for: two answers at once could not be told apart by age.
        there = self._there if self._there and not self._there.done() else None
        engine = self._questions.run(ask([member.definition for member in members], builder, there))
        for member, job in zip(members, jobs, strict=True):
            before = self._remembered.get(member.name)
            begun = member.foresight.begin(runner, member.definition, job.options, engine, before)
            self._foreseen[member.name] = self._questions.run(begun)
            self._places[member.name] = member.builder
        return runner

    def _ended(self, lane: Lane, runner: Runner, builds: Mapping[str, Build]) -> None:
        """A client is done."""
        self.runners.append(runner)
        there = self._there = self._questions.run(self._records_after(builds.values(), self._begun))
        for name, build in builds.items():
            foreseen = self._foreseen.pop(name)
            member = self.members.get(name)
            if member is None or member.builder != self._places.pop(name):
                continue  # something else is built from now on, or elsewhere
            member.ended(build, runner)
            remembered = self._remembered[name] = asyncio.Event()
            self._errands.run(self._explain(member, foreseen, build, there, remembered))

    async def _records_after(self, builds: Iterable[Build], begun: int) -> Records:
        """The cache records, where anything was done that could have changed them; `begun` clients had been started."""
        looked = any(step.verdict.looked_at for build in builds for step in build.steps)
        return await records_after(self.builder.name, lambda: self._begun > begun) if looked else Records()

    async def _explain(
        self,
        member: Member,
        foreseen: asyncio.Task[Plan | None],
        build: Build,
        there: asyncio.Task[Records],
        remembered: asyncio.Event,
    ) -> None:
        """Say why the steps of a finished build ran, and what it made."""
        weight = self._questions.run(member.foresight.weigh(build, member.unit.options, self.space.cwd))
        definition = member.definition
        try:
            told, plan = await self._explained(member, foreseen, build, there, remembered)
            told = await member.foresight.weighed(told, weight, definition)
        finally:
            weight.cancel()
        self.amend(member, told)
        if plan and not self._find_record and not member.unit.options.pull:  # with it the engine asked the registries
            self.amend(member, await member.foresight.warned(plan, told))

    async def _explained(
        self,
        member: Member,
        foreseen: asyncio.Task[Plan | None],
        build: Build,
        there: asyncio.Task[Records],
        remembered: asyncio.Event,
    ) -> tuple[Build, Plan | None]:
        """A finished build with why its steps ran, and its plan."""
        try:
            if build.status is not Status.CANCELED:
                await asyncio.to_thread(self._store.remember_durations, member.key, build.builder, ran(build))
            if build.status is Status.FAILED and not any(step.verdict.looked_at for step in build.steps):
                await asyncio.to_thread(self._store.remember_no_step, member.key, build.wrong)
            if self.own and not build.platforms:
                build = msgspec.structs.replace(build, platforms=await self.own)
                self.amend(member, build)
            plan = await foreseen
            told = await member.foresight.explain(plan, build, there) if plan else build
        finally:
            remembered.set()
        self.amend(member, told)
        return told, plan

    def amend(self, member: Member, build: Build) -> None:
        """Show what was found out about a finished build, if it is still the last one."""
        if member.amend(build):
            self.on_change()

    def warn_of(self, names: Mapping[str, Collection[str]]) -> None:
        """Base images whose tag has moved on its registry, by members."""
        for name, images in names.items():
            member = self.members[name]
            if member.foresight.plan:
                told = alarmed(self._store, member.key, member.foresight.plan, member.last, images)
                self.amend(member, told)

    # Inside

    @property
    def _platform(self) -> str:
        return next(iter(self.builder.platforms), "")

    def _members(self, space: Workspace) -> dict[str, Member]:
        """The members of a workspace; those that are there already, and are meant as they were, stay."""
        before = self.members
        return {
            unit.name: known if (known := before.get(unit.name)) and known.unit == unit else self._member(unit)
            for unit in space.wanted()
        }

    def _member(self, unit: Unit) -> Member:
        return Member(
            unit,
            self.project,
            store=self._store,
            builder=self.builder.name,
            cwd=self.space.cwd,
            notice=self._notice,
            pool=self._pool,
        )

    def _link(self) -> None:
        """Tell the members that build on another one's result what that is; needed ones come first."""
        for member in self.members.values():
            if member.unit.linked:
                member.reload(self._platform, self._linked(member.unit))

    def _linked(self, unit: Unit) -> Linked:
        """What the contexts are that other members put out."""
        return {
            context: (name, self.members[name].definition)
            for context, name in unit.linked.items()
            if name in self.members
        }

    def _status(self) -> Status | None:
        """How the whole stands, where its members cannot tell: between two of them nothing runs for a moment."""
        return Status.RUNNING if self.round else None

    def _notes(self, parts: Mapping[str, Build]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, part in parts.items():
            needs = self.round.waits_for(name) if self.round else ()
            if needs:
                found[name] = f"waiting for {', '.join(needs)}"
            elif self.round is None and part.status is Status.IDLE and self.number:
                found[name] = "not built"
            elif self.number and 0 < part.number < self.number:
                found[name] = f"as in build {part.number}"
        return found


def _of(member: Member, problem: str) -> str:
    """A problem of one of several members, or of the only one."""
    return f"{member.name}: {problem}" if member.name else problem
