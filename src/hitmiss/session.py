"""A project being watched and built: the one owner of state.

Saves, requests and ends of builds come in; `snapshot()` says how things stand; `on_change` is called whenever that is
worth asking again. It ties the rooms together and decides nothing that a room can decide: when to build is
`schedule.py`'s, what a save can reach is the definition's, what BuildKit did is the fold's.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shlex
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path

import msgspec

from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Stage, Status, Step
from hitmiss.build.recording import Writer
from hitmiss.docker import builders, client, storage
from hitmiss.docker import targets as docker_targets
from hitmiss.docker.current import current_builder
from hitmiss.errors import EngineError, HitmissError, UsageError
from hitmiss.forecast import Plan
from hitmiss.foresight import Foresight
from hitmiss.history.store import Store
from hitmiss.project import context, watch
from hitmiss.project.definition import Definition, load
from hitmiss.runner import Runner, header_of, nothing, project_folder, ran
from hitmiss.schedule import Action, OnChange, Schedule
from hitmiss.settings import BuildOptions, Settings, looks_secret
from hitmiss.snapshot import Past, Snapshot, Source, StepFiles, Watch

_ENGINE_POLL_S = 1.0
_CACHE_REST_S = 0.6
"""How long after a build the cache is measured: its records settle, and a save right after has the engine to itself."""


class Session:
    """Watches, builds and remembers, until it is closed."""

    def __init__(
        self,
        options: BuildOptions,
        settings: Settings | None = None,
        *,
        cwd: Path | None = None,
        store: Store | None = None,
        writer: Writer | None = None,
    ) -> None:
        """Raises `UsageError` when there is nothing to build: no context, no Dockerfile."""
        settings = settings or Settings()
        self.on_change: Callable[[], None] = nothing
        self._cwd = cwd or Path.cwd()
        self._notices: dict[str, str] = {}
        self._store = store or Store(on_notice=lambda text: self._notice("history", text))
        self._writer = writer
        self._options = options
        self._project = project_folder(options, self._cwd)
        self._once: BuildOptions | None = None
        self._message = ""
        self._definition = load(options, cwd=self._cwd, environment=os.environ)
        self._recall_target()
        self._schedule = Schedule(OnChange(settings.on_change), settle_s=settings.settle / 1000)
        self._timer: asyncio.TimerHandle | None = None
        self._runner: Runner | None = None
        self._building: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._last: Build = self._announced(0)
        self._last_logs: Runner | None = None
        self._number = 0
        self._files = 0
        self._watch = Watch.STARTING
        self._builder = builders.BuilderInfo(name=options.builder or current_builder())
        self._engine_problem = ""
        self._cache_bytes: int | None = None
        self._stop = asyncio.Event()
        self._foresight = Foresight(self._store, self._project, self._builder.name, options, self._cwd, self._notice)

    # What is shown

    def snapshot(self) -> Snapshot:
        """The session as it stands."""
        running = self._runner.build() if self._runner else None
        return Snapshot(
            project=self._project.name or str(self._project),
            target=self._definition.target,
            builder=self._builder.name,
            platforms=self._options.platform_list() or self._builder.platforms[:1],
            watch=self._watch_state(),
            files=self._files,
            on_change=self._schedule.mode,
            message=self._message,
            notices=tuple(text for text in self._notices.values() if text),
            problem=self._engine_problem or self._definition.error,
            build=running or self._last,
            previous=self._last if running else None,
            source=Source(
                name=self._definition.name,
                path=str(self._definition.contexts.dockerfile or ""),
                text=self._definition.text,
                error=self._definition.error,
                error_line=self._definition.error_line,
            ),
            cache_bytes=self._cache_bytes,
            plan_s=self._foresight.seconds,
            plan_right=self._foresight.score[0],
            plan_steps=self._foresight.score[1],
        )

    def require_target(self) -> None:
        """Raise `UsageError` when the target that was asked for is not in the Dockerfile."""
        if self._definition.error and not self._definition.error_line and self._options.target:
            raise UsageError(self._definition.error)

    def log(self, step_id: str) -> StepLog | None:
        """The output of a step of the build that is shown."""
        runner = self._runner or self._last_logs
        return runner.fold.logs.get(step_id) if runner else None

    def files(self, step_id: str) -> StepFiles | None:
        """What a step of the build that is shown reads of the contexts; None where that is not known."""
        return self._foresight.files(self.snapshot().build, step_id)

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of this project, newest first."""
        return self._foresight.history()

    def command(self) -> str:
        """The `docker build` command that does the same; values that look secret are left to the environment."""
        arguments = tuple(
            given.partition("=")[0] if looks_secret(given.partition("=")[0]) else given
            for given in self._options.build_args
        )
        options = msgspec.structs.replace(self._options, build_args=arguments)
        return shlex.join(["docker", "build", *options.arguments()])

    # What can be asked of it

    async def run(self) -> None:
        """Build once, then watch and rebuild until `close()`."""
        self._spawn(self._learn_builder())
        self._spawn(self._count_files())
        self._spawn(self._check_client())
        self._spawn(self._foresight.recall(self._definition, self._options.builder))
        self.rebuild()
        await self._watching()
        await self._stop.wait()

    async def close(self) -> None:
        """Stop watching and cancel a running build; returns when no process is left."""
        self._stop.set()
        if self._timer:
            self._timer.cancel()
        if self._runner:
            self._runner.cancel()
        if self._building:
            await asyncio.wait({self._building}, timeout=2.0)
        if self._runner:
            self._runner.abandon()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._writer:
            self._writer.close()
        self._store.close()

    def rebuild(self, *, no_cache: bool = False, no_cache_stages: Iterable[str] = ()) -> None:
        """Build now: as given, without any cache, or without the cache of some stages."""
        if not self._reload():
            return
        stages = tuple(no_cache_stages)
        self._once = None
        if no_cache or stages:
            wanted = self._options.no_cache_filter + stages
            self._once = msgspec.structs.replace(
                self._options, no_cache=no_cache or self._options.no_cache, no_cache_filter=wanted
            )
        self._do(self._schedule.requested(whole=no_cache or bool(stages)))

    def cancel(self) -> None:
        """Cancel the running build."""
        self._do(self._schedule.canceled())

    def toggle_watch(self) -> None:
        """Pause the watch, or resume it and build what was saved meanwhile."""
        self._do(self._schedule.pause(not self._schedule.paused))

    def next_mode(self) -> None:
        """Go to the next answer to a save during a build: restart, queue, manual."""
        self._do(self._schedule.switch(self._schedule.mode.next))
        self._say(f"A save during a build now means: {_MODE_WORDS[self._schedule.mode]}.")

    def set_target(self, target: str) -> None:
        """Build another target from now on, and remember it for this project."""
        self._options = msgspec.structs.replace(self._options, target=target)
        self._store.remember_target(self._project, target)
        self.rebuild()

    async def targets(self) -> tuple[docker_targets.Target, ...]:
        """The targets that the Dockerfile offers, as BuildKit lists them."""
        return await docker_targets.targets(self._options, self._cwd)

    async def prune_preview(self, what: storage.PruneFilter) -> storage.Preview:
        """What a prune of the builder's cache would delete."""
        return await storage.preview(self._options.builder or None, what)

    async def prune(self, what: storage.PruneFilter) -> storage.Pruned:
        """Delete build cache; says what was freed."""
        await self._foresight.look(self._definition)  # what there was before it
        pruned = await storage.prune(self._options.builder or None, what)
        self._spawn(self._foresight.look(self._definition))
        self._spawn(self._measure_cache())
        return pruned

    # Building

    def _do(self, action: Action) -> None:
        if action is Action.START:
            self._start()
        elif action is Action.CANCEL and self._runner:
            self._runner.cancel()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        deadline = self._schedule.deadline
        if deadline is not None and not self._stop.is_set():
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - time.monotonic()), self._tick)
        self.on_change()

    def _tick(self) -> None:
        self._timer = None
        self._do(self._schedule.tick(time.monotonic()))

    def _start(self) -> None:
        if self._stop.is_set():
            return
        self._number = max(self._number, self._foresight.forecaster.number()) + 1
        self._message = ""
        options, self._once = self._once or self._options, None
        builder = self._builder.name
        self._runner = Runner(
            options,
            cwd=self._cwd,
            number=self._number,
            target=self._definition.target,
            builder=builder,
            platforms=self._builder.platforms[:1],
            expected=self._definition.expected,
            durations=self._store.durations(self._project, builder),
            writer=self._writer,
            header=header_of(self._definition, options, self._project.name, builder),
            on_progress=self._progressed,
        )
        self._building = asyncio.create_task(self._build(self._runner, self._definition, options))

    async def _build(self, runner: Runner, definition: Definition, options: BuildOptions) -> None:
        foreseen = asyncio.create_task(self._foresight.begin(runner, definition, options))
        build = await runner.run()
        self._last, self._last_logs, self._runner = build, runner, None
        if build.status is not Status.CANCELED:
            self._store.remember_durations(self._project, build.builder, ran(build))
        if self._writer and self._writer.error:
            self._notice("recording", self._writer.error)
        self._engine_problem = str(runner.engine_error) if runner.engine_error else ""
        if runner.engine_error:
            self._spawn(self._await_engine())
        self._do(self._schedule.ended(time.monotonic()))
        if build.status is Status.SUCCEEDED and self._runner is None:
            self._spawn(self._measure_cache())
        if self._notices.get("unreadable"):
            self._spawn(self._count_files())
        if plan := await foreseen:
            self._spawn(self._explain(plan, build))

    async def _explain(self, plan: Plan, build: Build) -> None:
        """Say why the steps of a finished build ran."""
        told = await self._foresight.explain(plan, build)
        if self._last is build:
            self._last = told
            self.on_change()

    async def _foretell(self) -> None:
        """Show what the next build would do, while nothing starts by itself: hollow glyphs on the tree that stands."""
        told = await self._foresight.ahead(self._definition, self._options)
        if told and self._runner is None:
            self._last = msgspec.structs.replace(told, number=self._number)
            self.on_change()

    def _progressed(self) -> None:
        self.on_change()

    def _announced(self, number: int) -> Build:
        """The tree before any build: what the Dockerfile announces."""
        stages: dict[str, list[Step]] = {}
        for each in self._definition.expected:
            step = Step(
                f"{each.stage}:{each.index}", each.stage, each.index, each.of, each.instruction, place=each.place
            )
            stages.setdefault(each.stage, []).append(step)
        tree = tuple(Stage(name, name, None, tuple(steps)) for name, steps in stages.items())
        return Build(number=number, target=self._definition.target, stages=tree)

    # Watching

    async def _watching(self) -> None:
        contexts = self._definition.contexts
        if not contexts.folders() and contexts.dockerfile is None:
            self._watch = Watch.UNWATCHED
            self.on_change()
            return
        self._watch = Watch.WATCHING
        self.on_change()
        async for changes in watch.watch(contexts, stop=self._stop, on_notice=lambda text: self._notice("watch", text)):
            self._changed(changes)

    def _changed(self, changes: frozenset[watch.Change]) -> None:
        if not changes:  # the watch has begun
            self._foresight.forecaster.follow()
            return
        self._foresight.forecaster.saved(changes)
        kinds = {change.kind for change in changes}
        if watch.Kind.GONE in kinds:
            self._watch = Watch.GONE
            self._say("The context folder is gone; the watch goes on when it is back.")
            return
        if watch.Kind.BACK in kinds:
            self._watch = Watch.WATCHING
        if kinds & {watch.Kind.ADDED, watch.Kind.DELETED, watch.Kind.BACK}:
            self._spawn(self._count_files())
        defined = watch.Kind.BACK in kinds or any(change.definition for change in changes)
        if defined and not self._reload():
            return
        reach = self._definition.reach
        if defined or any(reach.reads(each.context, each.path, folder=each.folder) for each in changes):
            if not defined and self._foresight.forecaster.same_as_before(changes):
                self._say(f"{_printable(min(each.path for each in changes))}: saved as it was")
                return
            self._do(self._schedule.saved(time.monotonic()))
            if self._runner is None:
                self._spawn(self._foretell())
        elif not self._schedule.building:
            self._say(self._unread(changes))

    def _unread(self, changes: frozenset[watch.Change]) -> str:
        paths = sorted({change.path for change in changes})
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{_printable(paths[0])}{more}: no step of {self._definition.target or 'the target'} reads it"

    def _reload(self) -> bool:
        """Read the definition again; False when it cannot be built as it is."""
        try:
            self._definition = load(self._options, cwd=self._cwd, environment=os.environ, platform=self._platform())
        except UsageError as error:
            self._definition = dataclasses.replace(self._definition, error=str(error), error_line=0)
        if self._definition.error:
            self.on_change()
            return False
        if self._number == 0 and not self._runner:
            self._last = self._announced(0)
        return True

    def _watch_state(self) -> Watch:
        if self._watch is not Watch.WATCHING:
            return self._watch
        if self._schedule.paused:
            return Watch.PAUSED
        if self._schedule.settling:
            return Watch.SETTLING
        return Watch.STALE if self._schedule.stale and not self._schedule.building else Watch.WATCHING

    # What is learned on the side

    def _recall_target(self) -> None:
        if self._options.target:
            return
        known = self._store.target(self._project)
        if known and known in self._definition.targets:
            self._options = msgspec.structs.replace(self._options, target=known)
            self._definition = load(self._options, cwd=self._cwd, environment=os.environ)

    async def _learn_builder(self) -> None:
        try:
            self._builder = await builders.builder_info(self._options.builder or None)
        except HitmissError as error:
            if isinstance(error, EngineError) and not self._engine_problem:
                self._engine_problem = str(error)
                self._spawn(self._await_engine())
        self.on_change()

    async def _check_client(self) -> None:
        try:
            await client.version()
        except EngineError as error:
            self._notice("client", str(error))

    async def _count_files(self) -> None:
        census = await asyncio.to_thread(context.census, self._definition.contexts)
        self._files = census.files
        unreadable = census.unreadable
        self._notice(
            "unreadable", f"{_printable(unreadable[0])} cannot be read; a build would fail." if unreadable else ""
        )

    async def _measure_cache(self) -> None:
        await asyncio.sleep(_CACHE_REST_S)
        if self._schedule.building:
            return
        with contextlib.suppress(HitmissError):
            self._cache_bytes = (await storage.usage(self._options.builder or None)).total
            self.on_change()

    async def _await_engine(self) -> None:
        """Wait until the engine answers again, then build: its user should not have to notice."""
        builder = self._options.builder or None
        while self._engine_problem and not await builders.engine_alive(builder):  # noqa: ASYNC110
            await asyncio.sleep(_ENGINE_POLL_S)
        if self._engine_problem:
            self._engine_problem = ""
            self._spawn(self._learn_builder())
            self.rebuild()

    def _platform(self) -> str:
        return next(iter(self._builder.platforms), "")

    def _say(self, text: str) -> None:
        self._message = text
        self.on_change()

    def _notice(self, key: str, text: str) -> None:
        if self._notices.get(key, "") != text:
            self._notices[key] = text
        self.on_change()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


_MODE_WORDS = {
    OnChange.RESTART: "cancel and build again",
    OnChange.QUEUE: "build again afterwards",
    OnChange.MANUAL: "nothing until you press the rebuild key",
}


def _printable(path: str) -> str:
    return path.encode("utf-8", "replace").decode("utf-8", "replace") if path.isprintable() else ascii(path)[1:-1]
