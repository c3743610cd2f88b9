"""`hitmiss build`: one build without the screen. stdout is the report's alone; what is happening goes to stderr."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from hitmiss.build.model import Build, Status, Verdict
from hitmiss.build.recording import Writer
from hitmiss.docker.current import current_builder
from hitmiss.errors import BUILD_FAILED, BUILT, CANCELED, NO_ENGINE, WRONG_USAGE, UsageError
from hitmiss.history.store import Store
from hitmiss.project.definition import Definition, load
from hitmiss.report import terminal
from hitmiss.report.json_report import report
from hitmiss.runner import Runner, header_of, project_folder, ran
from hitmiss.settings import BuildOptions


def run(options: BuildOptions, *, as_json: bool, record: Path | None) -> int:
    """Build and report; gives the exit code. Raises `UsageError` for what cannot be built."""
    for output in options.outputs:
        if output == "-" or "dest=-" in output.split(","):
            raise UsageError("stdout is the report's.", "Give the output a file: `-o type=tar,dest=FILE`.")
    cwd = Path.cwd()
    definition = load(options, cwd=cwd, environment=os.environ)
    if definition.error:
        raise UsageError(definition.error)
    writer = Writer(record) if record else None
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    store = Store(on_notice=lambda text: err.print(f"! {text}", markup=False))
    runner = _runner(options, definition, cwd, store, writer)
    shown = contextlib.nullcontext() if as_json else _progress(runner, out, err)
    with contextlib.closing(store), shown:
        build = asyncio.run(_build(runner))
        if build.status is not Status.CANCELED:
            store.remember_durations(project_folder(options, cwd), build.builder, ran(build))
    if writer:
        writer.close()
        if writer.error:
            err.print(f"! {writer.error}", markup=False)
    if as_json:
        sys.stdout.buffer.write(report(build))
        sys.stdout.buffer.flush()
        terminal.print_failure(build, err)
    elif out.is_terminal:
        terminal.print_tree(build, out)
    else:
        terminal.print_checks(build, out)
        terminal.print_failure(build, err)
        out.print(terminal.summary(build))
    return _exit_code(build, runner)


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
    )


@contextlib.contextmanager
def _progress(runner: Runner, out: Console, err: Console) -> Iterator[None]:
    """What is happening: a moving line on a terminal, a line a step elsewhere."""
    if not out.is_terminal:
        lines = _Lines(out)
        runner.on_progress = lambda: lines(runner.build())
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


async def _build(runner: Runner) -> Build:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
            loop.add_signal_handler(number, runner.cancel)
    return await runner.run()


class _Lines:
    """Prints each step once, as soon as it has its final verdict."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()

    def __call__(self, build: Build) -> None:
        for step in build.steps:
            if step.verdict.final and step.verdict is not Verdict.SKIPPED and step.id not in self._told:
                if step.verdict is Verdict.MISS and not build.status.ended:
                    continue  # BuildKit may still find that it had it: told at the end
                self._told.add(step.id)
                self._console.print(terminal.line(step), markup=False, soft_wrap=True)
