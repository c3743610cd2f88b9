"""`hitmiss build`: one build without the screen. stdout is the report's alone; what is happening goes to stderr."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from rich.console import Console

from hitmiss import settings as settings_files
from hitmiss.arguments import left_alone
from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Status, Verdict
from hitmiss.build.recording import Writer
from hitmiss.build.trouble import plain_build
from hitmiss.crew import Crew
from hitmiss.docker import builders
from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.current import current_builder
from hitmiss.docker.fleet import recorded
from hitmiss.errors import BUILD_FAILED, BUILT, CANCELED, NO_ENGINE, WRONG_USAGE, EngineError, HitmissError, UsageError
from hitmiss.history.store import Store
from hitmiss.inquiry import moved
from hitmiss.report import terminal
from hitmiss.report.json_report import report
from hitmiss.round import Round
from hitmiss.runner import Runner, project_folder
from hitmiss.settings import BuildOptions
from hitmiss.workspace import open_workspace

_PATIENCE_S = 1.0
"""So long a build runs before the registries of its base images are asked."""


class _Out(Console):
    """stdout, whose reader may go away (`hitmiss build | head`): what is printed then is lost, and the build cancelled.

    Rich would end the program from within the event loop, which leaves asyncio waiting for its client forever.
    """

    gone = False

    def on_broken_pipe(self) -> None:
        self.gone = self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(options: BuildOptions, *, as_json: bool, record: Path | None) -> int:
    """Build and report; gives the exit code. Raises `HitmissError` for what cannot be built, after the report of it."""
    out, err = _Out(highlight=False), Console(stderr=True, highlight=False)
    try:
        build, code, log = _built(options, out, err, record, quiet=as_json)
    except HitmissError as error:
        if as_json:
            _print_json(_refused(options, error), out)
        raise
    if as_json:
        _print_json(build, out)
        if code != NO_ENGINE:
            terminal.print_failure(build, err, log)
    elif code == NO_ENGINE and not any(step.verdict.looked_at for step in build.steps):
        pass
    elif out.is_terminal:
        terminal.print_tree(build, out, log)
    else:
        terminal.print_transfers(build, out)
        terminal.print_checks(build, out)
        terminal.print_failure(build, err, log)
        out.print(terminal.summary(build), soft_wrap=True)
    if code == NO_ENGINE:
        raise EngineError(build.error)  # the client's own words say less
    return CANCELED if out.gone else code


def _built(
    options: BuildOptions, out: _Out, err: Console, record: Path | None, *, quiet: bool
) -> tuple[Build, int, StepLog | None]:
    for output in options.outputs:
        if _writes_to_stdout(output):
            raise UsageError("stdout is the report's.", "Give the output a file: `-o type=tar,dest=FILE`.")
    _warn(plain_build(os.environ))
    writer = Writer(record) if record else None
    store = Store(on_notice=_warn)
    with contextlib.closing(store):
        build, code, log = asyncio.run(_build(options, store, writer, out, None if quiet else err))
    if writer:
        writer.close()
        if writer.error:
            err.print(f"! {writer.error}", markup=False)
    return build, code, log


def _writes_to_stdout(output: str) -> bool:
    fields = dict(part.partition("=")[::2] for part in output.split(","))
    if output == "-" or fields.get("dest") == "-":
        return True
    return fields.get("type") in ("tar", "oci") and not fields.get("dest") and fields.get("tar") != "false"


def _print_json(build: Build, out: _Out) -> None:
    try:
        sys.stdout.buffer.write(report(build))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def _refused(options: BuildOptions, error: HitmissError) -> Build:
    """The report's view of a build that was never begun."""
    return Build(
        status=Status.FAILED,
        target=options.target,
        builder=options.builder or current_builder(),
        platforms=options.platform_list(),
        started=datetime.now(UTC),
        error=str(error),
    )


async def _build(
    options: BuildOptions, store: Store, writer: Writer | None, out: _Out, err: Console | None
) -> tuple[Build, int, StepLog | None]:
    """Build all that the project asks for; what is happening is told on `out` and `err`, but not without `err`."""
    cwd = Path.cwd()
    # A Dockerfile that does not parse is BuildKit's to refuse: it may be one of another frontend.
    settings = settings_files.load(project_folder(options, cwd))
    space = await open_workspace(options, settings, cwd=cwd)
    for sentence in (*space.notices, *settings_files.warnings(settings)):
        _warn(sentence)
    info = BuilderInfo(name=options.builder or current_builder())
    crew = Crew(space, info, store=store, notice=lambda _, text: _warn(text), writer=writer, find_record=True)
    _warn(left_alone(store, space, crew.project))
    for sentence in await _limits(crew, options.builder):
        _warn(sentence)
    round_ = crew.start(tuple(crew.members), {})
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
            loop.add_signal_handler(number, round_.cancel)
    platforms = asyncio.create_task(_own_platforms(options))
    crew.own = platforms
    asked = asyncio.create_task(_moved(crew, store))
    with _progress(crew, round_, out, err) if err else contextlib.nullcontext():
        await crew.run(round_)
        if crew.shown().status is Status.CANCELED:
            platforms.cancel()
        await crew.explained()
        if asked.done() and not asked.exception():
            crew.warn_of(asked.result())
        asked.cancel()
    build = crew.shown()
    failed = build.failed_step
    return build, _exit_code(build, crew.runners), crew.log(failed.id) if failed else None


async def _limits(crew: Crew, builder: str) -> tuple[str, ...]:
    """What the builder cannot do of what is to be built. Asking it costs 50 ms, so only where it may matter."""
    info = recorded(crew.builder.name)
    if crew.limits(info) or any(member.platforms for member in crew.members.values()):
        with contextlib.suppress(HitmissError):  # the build itself will say what is wrong with the builder
            return crew.limits(await builders.builder_info(builder or None))
    return ()


@contextlib.contextmanager
def _progress(crew: Crew, round_: Round, out: _Out, err: Console) -> Iterator[None]:
    """What is happening: a moving line on a terminal, a line a step elsewhere."""
    if not out.is_terminal:
        lines = _Lines(out)

        def tell() -> None:
            lines(crew.shown())
            if out.gone:
                round_.cancel()

        crew.on_change = tell
        yield
        return
    with err.status("building") as status:
        crew.on_change = lambda: status.update(terminal.busy(crew.shown()))
        yield


def _exit_code(build: Build, runners: Sequence[Runner]) -> int:
    if any(runner.engine_error for runner in runners):
        return NO_ENGINE
    if build.status is Status.FAILED and all(runner.refused for runner in runners[-1:]):
        return WRONG_USAGE
    return {Status.SUCCEEDED: BUILT, Status.CANCELED: CANCELED}.get(build.status, BUILD_FAILED)


async def _moved(crew: Crew, store: Store) -> dict[str, frozenset[str]]:
    """The base images whose tag has moved on its registry, by members: asked beside a build that takes a while, so that
    a quick one costs no more, and nobody waits for the answer.
    """
    await asyncio.sleep(_PATIENCE_S)
    found: dict[str, frozenset[str]] = {}
    for name, member in crew.members.items():
        plan = member.foresight.plan
        if plan and not member.unit.options.pull:
            found[name] = await moved(plan.engine.images, crew.builder.name, store)
    return found


def _warn(sentence: str) -> None:
    if sentence:
        Console(stderr=True, highlight=False).print(f"! {sentence}", markup=False, soft_wrap=True)


async def _own_platforms(options: BuildOptions) -> tuple[str, ...]:
    """The platforms asked for, or the builder's own; learned while the build runs."""
    if asked := options.platform_list():
        return asked
    try:
        return (await builders.builder_info(options.builder or None)).platforms[:1]
    except HitmissError:
        return ()


class _Lines:
    """Prints each step once, as soon as it has its final verdict."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()

    def __call__(self, build: Build) -> None:
        for stage in build.stages:
            for step, later in zip_longest(stage.steps, stage.steps[1:]):
                known = build.status.ended or (later is not None and later.verdict is not Verdict.PENDING)
                if step.index == 1 and not known:
                    continue  # a FROM seems done before its layers are fetched: it is once something is built on it
                if step.verdict.final and step.verdict is not Verdict.SKIPPED and step.id not in self._told:
                    self._told.add(step.id)
                    self._console.print(terminal.line(step), markup=False, soft_wrap=True)
