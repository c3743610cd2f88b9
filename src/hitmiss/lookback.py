"""`hitmiss plan`, `why`, `history` and `diff`: what can be said without building. stdout is the report's alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from rich.console import Console

from hitmiss import forecast
from hitmiss import settings as settings_files
from hitmiss.arguments import left_alone
from hitmiss.build.merged import merged
from hitmiss.build.model import Build, Step
from hitmiss.cache.facts import BuildFacts
from hitmiss.cache.retold import as_build
from hitmiss.crew import Crew
from hitmiss.docker import builders
from hitmiss.docker.presence import require_engine
from hitmiss.errors import BUILT, UsageError
from hitmiss.history.store import Store
from hitmiss.past import past_of
from hitmiss.report import json_report, why
from hitmiss.runner import project_folder
from hitmiss.settings import BuildOptions
from hitmiss.symbols import plain
from hitmiss.workspace import open_workspace

_NO_BUILD = "No build of this project is remembered yet."
_BUILD_ONE = "`hitmiss build` builds it."


def plan(options: BuildOptions, *, as_json: bool) -> int:
    """Say what a build would do. Raises `HitmissError` where that cannot be told."""
    cwd = Path.cwd()
    with _store() as store:
        build, seconds = asyncio.run(_plan(options, cwd, store))
    if as_json:
        _write(json_report.plan_report(build, seconds))
    else:
        why.print_plan(build, seconds, _console())
    return BUILT


async def _plan(options: BuildOptions, cwd: Path, store: Store) -> tuple[Build, float | None]:
    """What a build would do, and how many seconds it would take."""
    require_engine(options.builder or None)
    space = await open_workspace(options, settings_files.load(project_folder(options, cwd)), cwd=cwd)
    info = await builders.builder_info(options.builder or None)
    crew = Crew(space, info, store=store, notice=lambda _, text: _warn(text))
    _warn(left_alone(store, space, crew.project))
    if not crew.reload():
        raise UsageError(crew.problem())
    if problem := await crew.foretell(tuple(crew.members)):
        raise UsageError(problem)
    if any(member.foresight.plan is None for member in crew.members.values()):
        raise UsageError(
            f"What a build of {options.context} would do cannot be told.",
            "A plan needs a context that is a folder on this machine, and its Dockerfile.",
        )
    return crew.shown(), crew.seconds()


def explain(step: str, project: str, *, number: int | None, as_json: bool) -> int:
    """Say why the steps of the last build (or build `number`) ran; `step` is its id, line, or part of its text."""
    folder = _folder(project)
    with _store() as store:
        build = _shown(_remembered(store, folder, number))
        if number is None:
            _warn_of_later(store, folder)
    steps = _named(build, step) if step else why.telling(build)
    if as_json:
        _write(json_report.report(build, only={each.id for each in steps}))
    else:
        why.print_why(build, steps, _console(), newcomer=bool(step))
    return BUILT


def history(project: str, *, limit: int, as_json: bool) -> int:
    """List the remembered builds of a project, newest first: `limit` of them, each with a row for every target."""
    folder = _folder(project)
    with _store() as store:
        parts = store.parts(folder) or (folder,)
        found = [past_of(facts) for part in parts for facts in store.builds(part, limit=limit)]
        began: dict[int, datetime] = {}
        for past in found:
            began[past.number] = max(past.started, began.get(past.number, past.started))
        newest = sorted(began, key=lambda number: began[number], reverse=True)[:limit]
        builds = [past for number in newest for past in found if past.number == number]
        scores = [store.plan_score(part) for part in parts]
        _warn_of_later(store, folder)
    right, planned = sum(score[0] for score in scores), sum(score[1] for score in scores)
    if as_json:
        _write(json_report.history_report(builds, right, planned))
    else:
        why.print_history(builds, right, planned, _console())
    return BUILT


def diff(old: int, new: int, project: str, *, as_json: bool) -> int:
    """Say what differs between two remembered builds; of each of several targets between the states then."""
    folder = _folder(project)
    with _store() as store:
        _remembered(store, folder, old), _remembered(store, folder, new)
        before: dict[str, BuildFacts] = {}
        after: dict[str, Build] = {}
        gone: list[Step] = []
        for part in store.parts(folder):
            then, now = (next(iter(store.builds(part, limit=1, before=number + 1)), None) for number in (old, new))
            if then and now and (then.number != now.number or old == new):
                before[then.part] = then
                after[then.part], left_out = forecast.Forecaster(store, part, now.builder).compared(then, now)
                gone += left_out
    if not after:
        raise UsageError(f"No target was built in both build {old} and build {new}.", "`hitmiss history` lists them.")
    left, right = _shown(before), merged(after)
    if as_json:
        _write(json_report.diff_report(left, right, gone))
    else:
        why.print_diff(left, right, gone, _console())
    return BUILT


def _shown(parts: Mapping[str, BuildFacts]) -> Build:
    return merged(
        {name: msgspec.structs.replace(as_build(facts), target=name or facts.target) for name, facts in parts.items()}
    )


def _remembered(store: Store, folder: Path, number: int | None) -> dict[str, BuildFacts]:
    """A build (the last one without a number) by its targets: "" is the only one."""
    parts = store.parts(folder)
    if number is None:
        number = max((each.number for part in parts for each in store.summaries(part, 1)), default=None)
        if number is None:
            raise UsageError(_NO_BUILD, _BUILD_ONE)
    found = [facts for part in parts if (facts := store.build(part, number))]
    if not found:
        raise UsageError(
            f"Build {number} of this project is not remembered.", "`hitmiss history` lists those that are."
        )
    return {facts.part: facts for facts in found}


def _warn_of_later(store: Store, folder: Path) -> None:
    """Say of a build that left nothing to explain, so that an older one is not taken for it."""
    for part in store.parts(folder) or (folder,):
        if why := store.no_step(part):
            _warn(f"A later build failed before its first step: {plain(why)}")


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
    with contextlib.closing(Store(on_notice=_warn)) as store:
        yield store


def _warn(sentence: str) -> None:
    if sentence:
        Console(stderr=True, highlight=False).print(f"! {sentence}", markup=False, soft_wrap=True)


def _console() -> Console:
    return Console(highlight=False)


def _write(document: bytes) -> None:
    try:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
