"""A project being watched and built: the one owner of state.

Saves, requests and ends of builds come in; `snapshot()` says how things stand; `on_change` is called whenever that is
worth asking again. It ties the rooms together and decides nothing that a room can decide: when to build is
`schedule.py`'s, what a save can reach is the definition's, what BuildKit did is the fold's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Set
from pathlib import Path

import msgspec

from hitmiss import reach
from hitmiss import settings as settings_files
from hitmiss.arguments import Arguments
from hitmiss.aside import aside
from hitmiss.build.logs import StepLog
from hitmiss.build.model import Status
from hitmiss.build.recording import Writer
from hitmiss.build.trouble import notices, passes
from hitmiss.bulletin import Bulletin
from hitmiss.crash import keep
from hitmiss.crew import Crew
from hitmiss.docker import builders, endpoint, storage
from hitmiss.docker import targets as docker_targets
from hitmiss.docker.current import current_builder
from hitmiss.docker.fleet import Fleet
from hitmiss.errands import Errands
from hitmiss.errors import HitmissError, UsageError
from hitmiss.following import Following
from hitmiss.history.store import Store
from hitmiss.project import context, watch
from hitmiss.project.find import Kind
from hitmiss.project.units import dependants
from hitmiss.round import Round
from hitmiss.runner import nothing, project_folder
from hitmiss.schedule import Action, OnChange, Schedule
from hitmiss.settings import BuildOptions, Settings, warnings
from hitmiss.snapshot import ArgumentRow, Changes, Cost, Past, Snapshot, StepFiles, Watch
from hitmiss.standing import Standing
from hitmiss.workspace import Workspace, alone

_CLIENT_S = 0.03
"""So long the client of a build that begins has the processor to itself; to draw the begin takes as long."""

_QUICK_S = 0.3
"""A build that all hits is over by then; one that takes longer shows what the engine remembers of earlier ones."""


class _NoCache(msgspec.Struct, frozen=True):
    """Which cache a build does without: all of it, or that of some stages."""

    all: bool = False
    stages: tuple[str, ...] = ()

    def of(self, options: BuildOptions) -> BuildOptions:
        """The options with that."""
        return msgspec.structs.replace(
            options, no_cache=self.all or options.no_cache, no_cache_filter=options.no_cache_filter + self.stages
        )


class Session:
    """Watches, builds and remembers, until it is closed."""

    def __init__(
        self,
        options: BuildOptions | Workspace,
        settings: Settings | None = None,
        *,
        cwd: Path | None = None,
        store: Store | None = None,
        writer: Writer | None = None,
    ) -> None:
        """Options speak of one Dockerfile. Raises `UsageError` when there is nothing to build."""
        settings = settings or Settings()
        self.on_change: Callable[[], None] = nothing
        cwd = cwd or Path.cwd()
        space = options if isinstance(options, Workspace) else alone(options, cwd)
        self._settings = settings
        self._bulletin = Bulletin(lambda: self.on_change())
        self._store = store or Store(on_notice=lambda text: self._bulletin.notice("history", text))
        self._writer = writer
        self.recalled = ""
        """The builder that was chosen the last time, where it is taken again."""
        space = self._recall_builder(space)
        builder = builders.BuilderInfo(name=space.flags.builder or current_builder())
        self._crew = Crew(space, builder, store=self._store, notice=self._bulletin.notice, writer=writer)
        self._crew.on_change = lambda: self.on_change()
        self._tell_of(space)
        self._recall_target()
        self._arguments = Arguments(self._crew, self._store)
        self._arguments.recall()
        self._schedule = Schedule(OnChange(settings.on_change), settle_s=settings.settle / 1000)
        self._timer: asyncio.TimerHandle | None = None
        self._again = False
        """Whether the last build was begun because the engine failed on what passes."""
        self._no_cache = _NoCache()
        """Asked for in the next build alone."""
        self._wanted: set[str] = set()
        self._building: asyncio.Task[None] | None = None
        self._looking_back: asyncio.Task[None] | None = None
        self._errands = Errands()
        self._standing = Standing(
            self._crew,
            self._errands,
            tell=self._bulletin.tell,
            on_change=lambda: self.on_change(),
            on_return=self.rebuild,
        )
        self._files = 0
        self._watch = Following(
            self._crew.gather(),
            self._changed,
            lambda texts: self._bulletin.tell("watch", texts),
            lambda error: self._bulletin.notice("changes", f"{keep(error)} The watch is begun anew."),
            lambda: self.on_change(),
        )
        self._opening = asyncio.Lock()
        self._stop = asyncio.Event()

    # What is shown

    def snapshot(self) -> Snapshot:
        """The session as it stands."""
        crew = self._crew
        members = crew.members.values()
        first = next(iter(members))
        right, planned = crew.score()
        return Snapshot(
            project=crew.project.name or str(crew.project),
            target=crew.title(),
            builder=crew.builder.name,
            platforms=first.platforms or crew.builder.platforms[:1],
            watch=self._watch_state(),
            files=self._files,
            on_change=self._schedule.mode,
            message=self._bulletin.message,
            notices=self._bulletin.notices(),
            problem=self._standing.problem or crew.problem(),
            build=crew.shown(),
            previous=crew.before() if crew.round else None,
            source=first.source,
            sources={member.name: member.source for member in members if member.name},
            cache_bytes=self._standing.cache_bytes,
            cache_mounts=self._standing.cache_mounts,
            plan_s=crew.seconds(),
            plan_right=right,
            plan_steps=planned,
            arguments=self._arguments.shown(),
        )

    def require_target(self) -> None:
        """Raise `UsageError` when the target that was asked for is not in the Dockerfile."""
        for member in self._crew.members.values():
            found = member.definition
            if found.error and not found.error_line and member.unit.options.target:
                raise UsageError(found.error)

    def log(self, step_id: str) -> StepLog | None:
        """The output of a step of the build that is shown."""
        return self._crew.log(step_id)

    def files(self, step_id: str) -> StepFiles | None:
        """What a step of the build that is shown reads of the contexts; None where that is not known."""
        return self._crew.files(step_id)

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of this project, newest first; those made elsewhere are told a moment later."""
        if self._crew.round is None and (self._looking_back is None or self._looking_back.done()):
            self._looking_back = self._errands.run(self._crew.look_back())
        return self._crew.history()

    def command(self) -> str:
        """The `docker` command that does the same; values that look secret are left to the environment."""
        return self._crew.command()

    # What can be asked of it

    async def run(self) -> None:
        """Build once, then watch and rebuild until `close()`."""
        self._standing.look()
        self._errands.run(self._count_files())
        self.rebuild()
        self._errands.run(self._recall())
        await self._watch.run()
        await self._stop.wait()

    async def close(self) -> None:
        """Stop watching and cancel a running build; returns when no process is left."""
        self._stop.set()
        self._watch.stop()
        if self._timer:
            self._timer.cancel()
        if self._crew.round:
            self._crew.round.cancel()
        if self._building:
            await asyncio.wait({self._building}, timeout=2.0)
        if self._crew.round:
            self._crew.round.abandon()
        await self._errands.cancel()
        await self._crew.close()
        if self._writer:
            self._writer.close()
        self._store.close()

    def rebuild(self, *, no_cache: bool = False, no_cache_stages: Iterable[str] = ()) -> None:
        """Build all that is chosen now: as given, without any cache, or without the cache of some stages."""
        stages = tuple(no_cache_stages)
        if nameless := self._nameless(stages):
            key = self._settings.key("no_cache", "n")
            self._bulletin.say(
                f"{nameless} has no name, and BuildKit builds only named stages (FROM … AS name) without the cache; "
                f"{key} builds all without it."
            )
            return
        self._wanted = set(self._crew.members)
        if self._watch.state is Watch.GONE:
            self._bulletin.say(_GONE)
            return
        if not self._reload():
            return
        self._no_cache = _NoCache(no_cache, stages)
        self._request()

    def _nameless(self, stages: Iterable[str]) -> str:
        """The first of these stages that no AS has given its name; "" where there is none, or nobody knows."""
        definitions = [member.definition for member in self._crew.members.values()]
        if not all(each.text for each in definitions):
            return ""
        named = {name for each in definitions for name in each.targets}
        return next((stage for stage in stages if stage not in named), "")

    def cancel(self) -> None:
        """Cancel the running build."""
        self._no_cache = _NoCache()
        self._do(self._schedule.canceled())

    def toggle_watch(self) -> None:
        """Pause the watch, or resume it and build what was saved meanwhile."""
        self._bulletin.message = ""
        self._do(self._schedule.pause(not self._schedule.paused))

    def next_mode(self) -> None:
        """Go to the next answer to a save: restart, queue, manual."""
        self._do(self._schedule.switch(self._schedule.mode.next))
        self._bulletin.say(_MODE_WORDS[self._schedule.mode].format(rebuild=self._settings.key("rebuild", "r")))

    def set_target(self, target: str) -> None:
        """Build another target from now on, and remember it for this project."""
        crew = self._crew
        self._store.remember_target(crew.project, target)
        one = crew.space.kind is Kind.DOCKERFILE
        crew.settle_in(crew.with_stage(target) if one else crew.space.choose(target))
        self.rebuild()

    def arguments(self) -> tuple[ArgumentRow, ...]:
        """The build arguments of what is built now."""
        return self._arguments.rows()

    async def cost(self, changes: Changes) -> Cost:
        """What a build with other arguments would do."""
        return await self._arguments.cost(changes)

    def set_arguments(self, changes: Changes) -> None:
        """Build with other arguments from now on, and keep them for this project, but for secret ones."""
        try:
            reached = self._arguments.change(changes)
        except HitmissError as error:
            self._bulletin.say(str(error))
            return
        self._wanted |= reached
        if reached and self._reload():
            self._request()
        self.on_change()

    async def targets(self) -> tuple[docker_targets.Target, ...]:
        """The targets that can be built: the stages of a Dockerfile, or what the project's files name."""
        space = self._crew.space
        if space.kind is Kind.DOCKERFILE:
            return await docker_targets.targets(space.wanted()[0].options, space.cwd)
        return space.targets()

    def set_builder(self, name: str) -> None:
        """Plan and build with another builder from now on, and remember it for this project; "" is docker's choice."""
        name = "" if name == current_builder() else name
        self._store.remember_builder(self._crew.project, name)
        self._standing.turn_to(name)
        self.rebuild()

    def fleet(self) -> Fleet:
        """All builders, to list and to manage."""
        return Fleet()

    def limits(self, builder: builders.BuilderInfo) -> tuple[str, ...]:
        """What a builder cannot do of what is to be built, one sentence each."""
        return self._crew.limits(builder)

    async def prune_preview(self, what: storage.PruneFilter) -> storage.Preview:
        """What a prune of the builder's cache would delete."""
        return await storage.preview(self._crew.space.flags.builder or None, what)

    async def prune(self, what: storage.PruneFilter) -> storage.Pruned:
        """Delete build cache; says what was freed."""
        foresight = next(iter(self._crew.members.values())).foresight
        await foresight.look()  # what there was before it
        pruned = await storage.prune(self._crew.space.flags.builder or None, what)
        self._errands.run(foresight.look())
        self._standing.measure(lambda: self._schedule.building)
        return pruned

    # Building

    def _request(self) -> None:
        self._do(self._schedule.requested(whole=self._no_cache != _NoCache()))

    def _do(self, action: Action) -> None:
        if action is Action.START:
            self._start()
        elif action is Action.CANCEL and self._crew.round:
            self._crew.round.cancel()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        deadline = self._schedule.deadline
        if deadline is not None and not self._stop.is_set():
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - time.monotonic()), self._tick)
        if action is Action.START:
            asyncio.get_running_loop().call_later(_CLIENT_S, lambda: self.on_change())
        else:
            self.on_change()

    def _tick(self) -> None:
        self._timer = None
        self._do(self._schedule.tick(time.monotonic()))

    def _start(self) -> None:
        if self._stop.is_set():
            return
        self._bulletin.message = ""
        no_cache, self._no_cache = self._no_cache, _NoCache()
        once = {name: no_cache.of(member.unit.options) for name, member in self._crew.members.items()}
        names, self._wanted = self._wanted or set(self._crew.members), set()
        self._building = asyncio.create_task(self._build(self._crew.start(names, once)))

    async def _build(self, round_: Round) -> None:
        try:
            self._wanted.update(await self._crew.run(round_))
            again = self._over()
        except Exception as error:  # noqa: BLE001 - whatever has gone wrong, the next save builds again
            self._wanted.update(round_.names)
            again = False
            self._bulletin.notice("build", keep(error))
        else:
            self._bulletin.notice("build", "")
        self._do(self._schedule.ended(time.monotonic()))
        if self._stop.is_set():
            return
        if again and self._crew.round is None:
            self._do(self._schedule.requested())
            self._bulletin.say("The engine lost a layer that it was at work on: built again.")
        if self._crew.round is None and all(member.built for member in self._crew.members.values()):
            self._standing.measure(lambda: self._schedule.building)
        if self._bulletin.stands("unreadable"):
            self._errands.run(self._count_files())

    def _over(self) -> bool:
        """Say what there is to say of a build that is over; whether it is to be made once more."""
        if self._writer and self._writer.error:
            self._bulletin.notice("recording", self._writer.error)
        missed = dict.fromkeys(text for member in self._crew.members.values() for text in notices(member.last))
        self._bulletin.notice("caches", " ".join(missed))
        error = next((runner.engine_error for runner in self._crew.runners if runner.engine_error), None)
        self._standing.built(error)
        self._again = not self._again and any(passes(member.last) for member in self._crew.members.values())
        return self._again

    # Watching

    def _changed(self, found: frozenset[watch.Change]) -> None:
        try:
            self._take_in(found)
        except Exception as error:  # noqa: BLE001 - whatever has gone wrong, the watch goes on
            self._bulletin.notice("changes", keep(error))
        else:
            if found and self._bulletin.stands("changes"):
                self._bulletin.notice("changes", "")

    def _take_in(self, found: frozenset[watch.Change]) -> None:
        gathered = self._watch.gathered
        if not found:  # the watch has begun
            for member in self._crew.members.values():
                member.sources.follow()
            self._catch_up()
            self._errands.run(self._catch_up_with_files())
            return
        changes: dict[str, list[watch.Change]] = {name: [] for name in self._crew.members}
        for change in found:
            for name, each in gathered.told(change):
                changes.get(name, []).append(each)
        for member in self._crew.members.values():
            member.sources.saved(member.seen(changes))
        kinds = {change.kind for change in found}
        if watch.Kind.GONE in kinds:
            self._bulletin.say(_GONE)
            return
        ignoring = any(change.definition and change.path.endswith(".dockerignore") for change in found)
        if ignoring or kinds & {watch.Kind.ADDED, watch.Kind.DELETED, watch.Kind.BACK}:
            self._errands.run(self._count_files())
        if any(gathered.of_files(change) for change in found) or self._bulletin.stands("files"):
            self._errands.run(self._reopen(changes, back=watch.Kind.BACK in kinds))
            return
        self._reached(changes, back=watch.Kind.BACK in kinds)

    def _catch_up(self) -> None:
        """Build what was written anew between the first reading of the definitions and the begin of the watch."""
        before = {name: member.source.text for name, member in self._crew.members.items()}
        if self._reload():
            changed = {name for name, member in self._crew.members.items() if member.source.text != before[name]}
            if changed:
                self._want(changed)
                self._do(self._schedule.saved(time.monotonic()))

    async def _catch_up_with_files(self) -> None:
        """Build what was saved between the first look at the files and the begin of the watch."""
        members = tuple(self._crew.members.values())
        await self._crew.planned()
        missed = {member.name: await aside(member.sources.missed) for member in members}
        if any(missed.values()) and members == tuple(self._crew.members.values()):
            self._reached(missed, back=False)

    def _want(self, names: Set[str]) -> None:
        """Have these built next, and what stands on them."""
        self._wanted |= names | {unit.name for unit in dependants(self._crew.space.wanted(), names)}

    def _reached(self, changes: reach.Changes, *, back: bool) -> None:
        """Build what the changes reach, and what stands on it."""
        defined = reach.defined(changes, back=back)
        if defined and not self._reload():
            self._wanted |= defined
            return
        found = reach.reach(self._crew, self._settings, changes, defined)
        if found.reached:
            self._bulletin.message = ""
            self._want(found.reached)
            self._do(self._schedule.saved(time.monotonic()))
            if self._crew.round is None:
                self._errands.run(self._crew.foretell(frozenset(self._wanted)))
        elif found.same and not (self._schedule.building or self._schedule.settling or self._schedule.stale):
            self._bulletin.say(reach.same_words(changes))
        elif not self._schedule.building:
            self._bulletin.say(reach.unread_words(self._crew, changes, self._settings.key("no_cache", "n")))

    def _reload(self) -> bool:
        """Read the definitions again; False when one cannot be built as it is."""
        good = self._crew.reload()
        self._bulletin.notice("exposed", self._arguments.exposed())
        self._gather_anew()
        if not good:
            self.on_change()
            return False
        if self._crew.number == 0 and not self._crew.round:
            for member in self._crew.members.values():
                member.announce()
        self._standing.say_limits()
        return True

    async def _reopen(self, changes: reach.Changes, *, back: bool) -> None:
        """The files that say what the targets are have changed: ask again what they say, and build what is new."""
        crew = self._crew
        before = set(crew.members)
        async with self._opening:
            try:
                space = await crew.space.again(self._settings_again())
                fresh = crew.settle_in(space)
            except HitmissError as error:
                self._bulletin.message = ""  # what was said of the files as they were before
                self._bulletin.notice("files", str(error))
                fresh = frozenset()
            else:
                self._bulletin.notice("files", "")
                self._tell_of(space)
        self._want(fresh)
        if self._reload() and fresh:
            self._do(self._schedule.saved(time.monotonic()))
        if rest := reach.beside_definitions(crew, changes):
            self._reached(rest, back=back)
        elif gone := before - crew.members.keys():
            self._bulletin.say(f"No longer built: {', '.join(sorted(gone))}.")
        elif not fresh and not self._bulletin.stands("files"):
            self._bulletin.say(f"The {crew.space.kind} says the same as before.")

    def _tell_of(self, space: Workspace) -> None:
        """What there is to say of the files that were read."""
        self._bulletin.tell("said", (*space.notices, *warnings(self._settings)))

    def _settings_again(self) -> Settings:
        if self._crew.space.kind is Kind.SETTINGS:
            self._settings = settings_files.load(self._crew.space.cwd)
        return self._settings

    def _gather_anew(self) -> None:
        """Watch what there is to watch now."""
        again = self._watch.turn_to(self._crew.gather())
        if self._watch.state is Watch.WATCHING and not again:
            for member in self._crew.members.values():
                if not member.sources.followed:
                    member.sources.follow()

    def _watch_state(self) -> Watch:
        if self._watch.state is not Watch.WATCHING:
            return self._watch.state
        if self._schedule.paused:
            return Watch.PAUSED_STALE if self._schedule.stale else Watch.PAUSED
        if self._schedule.waiting:
            return Watch.QUEUED
        if self._schedule.settling:
            return Watch.SETTLING
        return Watch.STALE if self._schedule.stale and not self._schedule.building else Watch.WATCHING

    # What is learned on the side

    def _recall_target(self) -> None:
        """Build what was chosen the last time, where nothing else is asked for."""
        crew = self._crew
        if crew.space.flags.target or not (known := self._store.target(crew.project)):
            return
        if crew.space.kind is not Kind.DOCKERFILE:
            with contextlib.suppress(UsageError):  # a target that is no more
                crew.settle_in(crew.space.choose(known))
        elif crew.only and known in crew.only.definition.targets:
            crew.settle_in(crew.with_stage(known))

    async def _recall(self) -> None:
        """On the first start in a project show what the engine itself remembers, until there is a build to show."""
        pause = _QUICK_S if self._schedule.building else 0.0
        for member in tuple(self._crew.members.values()):
            before = await member.foresight.recall(member.definition, member.unit.options, pause)
            if member.last.number:
                self._crew.amend(member, member.last)
            elif before and member.last.status is Status.IDLE:
                member.remember(before, self._crew.builder.name)
                if self._crew.round is None:
                    self._bulletin.message = f"Built outside hitmiss in {before.duration_s:.1f} s."
        self.on_change()

    def _recall_builder(self, space: Workspace) -> Workspace:
        """Build on what was chosen the last time, where nothing else is asked for."""
        known = self._store.builder(project_folder(space.flags, space.cwd))
        if not known or space.flags.builder or os.environ.get("BUILDX_BUILDER"):
            return space
        if not endpoint.exists(known):
            self._bulletin.notice(
                "builder", f"The builder {known}, chosen here before, is gone: {current_builder()} builds."
            )
            return space
        self.recalled = known
        return space.on(known)

    async def _count_files(self) -> None:
        try:
            census = await asyncio.to_thread(context.census, self._watch.gathered)
        except UsageError:  # an ignore pattern that BuildKit refuses: the watch tells of it
            return
        self._files = census.files
        unreadable = census.unreadable
        self._bulletin.notice(
            "unreadable", f"{reach.printable(unreadable[0])} cannot be read; a build would fail." if unreadable else ""
        )


_GONE = "The context folder is gone; the watch goes on when it is back."
_MODE_WORDS = {
    OnChange.RESTART: "A save during a build cancels it and builds again.",
    OnChange.QUEUE: "A save during a build is built after it.",
    OnChange.MANUAL: "Saves start nothing; {rebuild} builds.",
}
