"""`hitmiss plan`, `why`, `history` and `diff`: what can be said without building. stdout is the report's alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from hitmiss import forecast
from hitmiss.build.model import Build, Step
from hitmiss.cache.facts import BuildFacts
from hitmiss.cache.retold import as_build
from hitmiss.docker import builders
from hitmiss.docker.current import current_builder
from hitmiss.docker.presence import require_engine
from hitmiss.errors import BUILT, UsageError
from hitmiss.history.store import Store
from hitmiss.inquiry import ask
from hitmiss.past import past_of
from hitmiss.project.definition import load
from hitmiss.report import json_report, why
from hitmiss.runner import project_folder, secret_values
from hitmiss.settings import BuildOptions

_NO_BUILD = "No build of this project is remembered yet."
_BUILD_ONE = "`hitmiss build` builds it."


def plan(options: BuildOptions, *, as_json: bool) -> int:
    """Say what a build would do. Raises `HitmissError` where that cannot be told."""
    cwd = Path.cwd()
    with _store() as store:
        made = asyncio.run(_plan(options, cwd, store))
    build = made.build
    if as_json:
        _write(json_report.plan_report(build, made.seconds))
    else:
        why.print_plan(build, made.seconds, _console())
    return BUILT


async def _plan(options: BuildOptions, cwd: Path, store: Store) -> forecast.Plan:
    builder = options.builder or current_builder()
    require_engine(options.builder or None)
    info = await builders.builder_info(options.builder or None)
    definition = load(options, cwd=cwd, environment=os.environ, platform=next(iter(info.platforms), ""))
    if definition.error:
        raise UsageError(definition.error)
    forecaster = forecast.Forecaster(store, project_folder(options, cwd), builder, secret_values(options, cwd))
    made = forecaster.plan(definition, options, await ask([definition], builder))
    if made is None:
        raise UsageError(
            f"What a build of {options.context} would do cannot be told.",
            "A plan needs a context that is a folder on this machine, and its Dockerfile.",
        )
    return made


def explain(step: str, project: str, *, number: int | None, as_json: bool) -> int:
    """Say why the steps of the last build (or build `number`) ran; `step` is its id, line, or part of its text."""
    folder = _folder(project)
    with _store() as store:
        build = as_build(_remembered(store, folder, number))
    steps = _named(build, step) if step else why.misses(build)
    if as_json:
        _write(json_report.report(build, only={each.id for each in steps}))
    else:
        why.print_why(build, steps, _console(), newcomer=bool(step))
    return BUILT


def history(project: str, *, limit: int, as_json: bool) -> int:
    """List the remembered builds of a project, newest first."""
    folder = _folder(project)
    with _store() as store:
        builds = [past_of(facts) for facts in store.builds(folder, limit=limit)]
        right, planned = store.plan_score(folder)
    if as_json:
        _write(json_report.history_report(builds, right, planned))
    else:
        why.print_history(builds, right, planned, _console())
    return BUILT


def diff(old: int, new: int, project: str, *, as_json: bool) -> int:
    """Say what differs between two remembered builds."""
    folder = _folder(project)
    with _store() as store:
        before, after = (_remembered(store, folder, number) for number in (old, new))
        build = forecast.Forecaster(store, folder, after.builder).compared(before, after)
    if as_json:
        _write(json_report.diff_report(as_build(before), build))
    else:
        why.print_diff(as_build(before), build, _console())
    return BUILT


def _remembered(store: Store, folder: Path, number: int | None) -> BuildFacts:
    if number is None:
        found = next(iter(store.builds(folder, limit=1)), None)
        if found is None:
            raise UsageError(_NO_BUILD, _BUILD_ONE)
        return found
    kept = store.build(folder, number)
    if kept is None:
        raise UsageError(
            f"Build {number} of this project is not remembered.", "`hitmiss history` lists those that are."
        )
    return kept


def _named(build: Build, step: str) -> list[Step]:
    """The steps that somebody means: by id, by line of the Dockerfile, or by part of their text."""
    found = [each for each in build.steps if each.id == step]
    if not found and step.isdecimal():
        line = int(step)
        found = [each for each in build.steps if each.place and each.place.line <= line <= each.place.end_line]
    if not found:
        found = [each for each in build.steps if step.lower() in each.instruction.lower()]
    if not found:
        ids = ", ".join(each.id for each in build.steps)
        raise UsageError(f"Build {build.number} has no step {step!r}.", f"Its steps: {ids}.")
    return found


def _folder(project: str) -> Path:
    folder = Path(project)
    if not folder.is_dir():
        raise UsageError(f"{project} is not a folder.", "Name the project's folder.")
    return folder.resolve()


@contextlib.contextmanager
def _store() -> Iterator[Store]:
    err = Console(stderr=True, highlight=False)
    with contextlib.closing(Store(on_notice=lambda text: err.print(f"! {text}", markup=False))) as store:
        yield store


def _console() -> Console:
    return Console(highlight=False)


def _write(document: bytes) -> None:
    try:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
