"""`hitmiss build`: one build without the screen. stdout is the report's alone; what is happening goes to stderr."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import msgspec
from rich.console import Console

from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Status, Verdict
from hitmiss.build.recording import Writer
from hitmiss.docker import builders, client
from hitmiss.docker.current import current_builder
from hitmiss.errors import BUILD_FAILED, BUILT, CANCELED, NO_ENGINE, WRONG_USAGE, EngineError, HitmissError, UsageError
from hitmiss.forecast import Forecaster, Plan, explained, foresee
from hitmiss.history.store import Store
from hitmiss.project.definition import Definition, load
from hitmiss.report import terminal
from hitmiss.report.json_report import report
from hitmiss.runner import Runner, header_of, project_folder, ran, secret_values, secrets
from hitmiss.settings import BuildOptions


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
        terminal.print_checks(build, out)
        terminal.print_failure(build, err, log)
        out.print(terminal.summary(build))
    if code == NO_ENGINE:
        raise EngineError(build.error)  # the client's own words say less
    return CANCELED if out.gone else code


def _built(
    options: BuildOptions, out: _Out, err: Console, record: Path | None, *, quiet: bool
) -> tuple[Build, int, StepLog | None]:
    for output in options.outputs:
        if _writes_to_stdout(output):
            raise UsageError("stdout is the report's.", "Give the output a file: `-o type=tar,dest=FILE`.")
    cwd = Path.cwd()
    # A Dockerfile that does not parse is BuildKit's to refuse: it may be one of another frontend.
    definition = load(options, cwd=cwd, environment=os.environ)
    writer = Writer(record) if record else None
    store = Store(on_notice=lambda text: err.print(f"! {text}", markup=False))
    runner = _runner(options, definition, cwd, store, writer)
    project, builder = project_folder(options, cwd), options.builder or current_builder()
    forecaster = Forecaster(store, project, builder, secret_values(options, cwd), lambda: secrets(options, cwd))
    shown = contextlib.nullcontext() if quiet else _progress(runner, out, err)
    with contextlib.closing(store), shown:
        build = asyncio.run(_build(runner, options, definition, forecaster))
        if build.status is not Status.CANCELED:
            store.remember_durations(project, build.builder, ran(build))
    if writer:
        writer.close()
        if writer.error:
            err.print(f"! {writer.error}", markup=False)
    failed = build.failed_step
    return build, _exit_code(build, runner), runner.fold.logs.get(failed.id) if failed else None


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


def _runner(options: BuildOptions, definition: Definition, cwd: Path, store: Store, writer: Writer | None) -> Runner:
    project = project_folder(options, cwd)
    builder = options.builder or current_builder()
    return Runner(
        options,
        cwd=cwd,
        target=definition.target,
        builder=builder,
        expected=definition.expected,
        durations=store.durations(project, builder),
        writer=writer,
        header=header_of(definition, options, project.name, builder),
        find_record=True,
    )


@contextlib.contextmanager
def _progress(runner: Runner, out: _Out, err: Console) -> Iterator[None]:
    """What is happening: a moving line on a terminal, a line a step elsewhere."""
    if not out.is_terminal:
        lines = _Lines(out)

        def tell() -> None:
            lines(runner.build())
            if out.gone:
                runner.cancel()

        runner.on_progress = tell
        yield
        return
    with err.status("building") as status:
        runner.on_progress = lambda: status.update(terminal.busy(runner.build()))
        yield


def _exit_code(build: Build, runner: Runner) -> int:
    if runner.engine_error:
        return NO_ENGINE
    if build.status is Status.FAILED and runner.refused:
        return WRONG_USAGE
    return {Status.SUCCEEDED: BUILT, Status.CANCELED: CANCELED}.get(build.status, BUILD_FAILED)


async def _build(runner: Runner, options: BuildOptions, definition: Definition, forecaster: Forecaster) -> Build:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
            loop.add_signal_handler(number, runner.cancel)
    platforms = asyncio.create_task(_own_platforms(options))
    foreseen = asyncio.create_task(_plan(forecaster, runner, definition, options))
    build = await runner.run()
    if build.status is Status.CANCELED:
        platforms.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        build = msgspec.structs.replace(build, platforms=await platforms)
    plan = await foreseen
    try:
        return await explained(forecaster, plan, build) if plan else build
    except Exception as error:  # noqa: BLE001 - the build is what was asked for
        _warn(f"Why the steps ran could not be found out: {error!r}")
        return build


async def _plan(forecaster: Forecaster, runner: Runner, definition: Definition, options: BuildOptions) -> Plan | None:
    try:
        return await foresee(forecaster, runner, definition, options)
    except UsageError:
        return None  # the engine will say what is wrong with the Dockerfile
    except Exception as error:  # noqa: BLE001 - as above
        _warn(f"What the build will do could not be foretold: {error!r}")
        return None


def _warn(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(f"! {sentence}", markup=False)


async def _own_platforms(options: BuildOptions) -> tuple[str, ...]:
    """The platforms asked for, or the builder's own; learned while the build runs."""
    if asked := options.platform_list():
        return asked
    try:
        text = await client.ask_well("inspect", *([options.builder] if options.builder else []))
        return builders.parse_inspect(text.decode("utf-8", "replace")).platforms[:1]
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
