"""One target of a session: what it is, what is expected of its builds, and the last of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Status, Step, Verdict, stage_id, staged
from hitmiss.errors import UsageError
from hitmiss.foresight import Foresight
from hitmiss.history.store import StepName, Store
from hitmiss.project.definition import Definition, load
from hitmiss.project.units import Unit, triggered
from hitmiss.project.watch import Change
from hitmiss.runner import Job, Runner, ran
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Source
from hitmiss.sources import Pool, Sources

Linked = Mapping[str, tuple[str, Definition]]
"""The named contexts that another target puts out, with its name."""


def key_of(project: Path, name: str) -> Path:
    """What a target's builds are remembered under: the project's folder, and the target where there are several."""
    return Path(f"{project}:{name}") if name else project


class Member:
    """A target that is watched and built again and again."""

    def __init__(
        self,
        unit: Unit,
        project: Path,
        *,
        store: Store,
        builder: str,
        cwd: Path,
        notice: Callable[[str, str], None],
        pool: Pool | None = None,
    ) -> None:
        """`cwd` is where the unit's paths start from, `pool` has the manifests that targets share.

        Raises `UsageError` when there is nothing to build.
        """
        self.unit = unit
        self.key = key_of(project, unit.name)
        self._cwd = cwd
        self._store = store
        self.definition = self._load("")
        self.foresight = Foresight(store, self.key, builder, unit.options, cwd, notice, part=unit.name, pool=pool)
        self.last = self.announced(0)
        self._runner: Runner | None = None

    @property
    def name(self) -> str:
        """The target's name, "" where it is the only one."""
        return self.unit.name

    @property
    def builder(self) -> str:
        """The builder whose keys and records its plans and reasons are about."""
        return self.foresight.forecaster.builder

    @property
    def source(self) -> Source:
        """The Dockerfile as it is on disk."""
        found = self.definition
        path = str(found.contexts.dockerfile or "")
        return Source(found.name, path, found.text, found.error, found.error_line)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that were asked for; none where the builder's own is meant."""
        return self.unit.options.platform_list()

    def reload(self, platform: str, linked: Linked | None = None) -> bool:
        """Read the definition again; False when it cannot be built as it is. `platform` is the builder's own."""
        try:
            self.definition = self._load(platform, linked)
        except UsageError as error:
            self.definition = dataclasses.replace(self.definition, error=str(error), error_line=0)
        return not self.definition.error

    @property
    def sources(self) -> Sources:
        """The files that it reads, as they are now."""
        return self.foresight.forecaster.sources

    def seen(self, changes: Mapping[str, Sequence[Change]]) -> list[Change]:
        """Of the changes by target those of its contexts, and of those of the targets that it builds on."""
        return _seen(self.name, self.definition, changes)

    def reads(self, changes: Iterable[Change]) -> bool:
        """Whether the target's steps read one of these, and its triggers want it built for it."""
        reach = self.definition.reach
        return any(
            triggered(self.unit, each.path) and reach.reads(each.context, each.path, folder=each.folder)
            for each in changes
        )

    def announced(self, number: int) -> Build:
        """The tree before any build: what the Dockerfile announces."""
        target = self.name or None
        steps = (
            Step(
                f"{stage_id(target, each.platform, each.stage)}:{each.index}", each.stage, each.index, each.of,
                each.instruction, each.platform, target, each.place,
            )
            for each in self.definition.expected
        )  # fmt: skip
        return Build(number=number, target=self.definition.target, stages=staged(steps))

    def job(
        self, number: int, builder: str, platforms: tuple[str, ...], once: BuildOptions | None, linked: frozenset[str]
    ) -> Job:
        """What a runner has to know; `once` stands in for the unit's options in this build alone."""
        return Job(
            once or self.unit.options,
            name=self.name,
            number=number,
            target=self.definition.target,
            builder=builder,
            platforms=platforms,
            expected=self.definition.expected,
            durations=self._durations(builder),
            linked=linked,
        )

    def _durations(self, builder: str) -> dict[StepName, float]:
        """What the steps took before; what they took just now may not be in the store yet."""
        known = self._store.durations(self.key, builder)
        late = self.last.builder == builder and self.last.status in (Status.SUCCEEDED, Status.FAILED)
        return known | dict(ran(self.last)) if late else known

    def ended(self, build: Build, runner: Runner) -> None:
        """A build of it is over."""
        self.last, self._runner = build, runner

    def wait(self, number: int) -> None:
        """Its turn in build `number` has not come yet."""
        self.last = self.announced(number)

    def pass_over(self) -> None:
        """The builds are over; where its turn did not come, none of its steps will be looked at."""
        if self.last.status is Status.IDLE:
            steps = (msgspec.structs.replace(step, verdict=Verdict.SKIPPED, cause=None) for step in self.last.steps)
            self.last = msgspec.structs.replace(self.last, stages=staged(steps))

    def announce(self) -> None:
        """Show what the Dockerfile announces: nothing was built yet."""
        self.last = self.announced(0)

    def follow(self, before: Member) -> None:
        """Take the place of the same target as it was before."""
        self.last, self._runner = before.last, before._runner

    def remember(self, before: Build, builder: str) -> None:
        """Show a build that only the engine remembers."""
        self.last = msgspec.structs.replace(before, builder=builder, target=self.definition.target)

    def amend(self, build: Build) -> bool:
        """Take over what was found out about a finished build; False where it is not the last one any more."""
        if self.last.started != build.started:
            return False
        self.last = self.foresight.saved(build)
        return True

    def expect(self, build: Build, number: int) -> None:
        """Show what the next build would do."""
        self.last = msgspec.structs.replace(build, number=number)

    def log(self, step_id: str) -> StepLog | None:
        """The output of a step of the last build."""
        return self._runner.log(step_id) if self._runner else None

    @property
    def built(self) -> bool:
        """Whether its last build went well."""
        return self.last.status is Status.SUCCEEDED

    def imagined(self, unit: Unit, platform: str, linked: Linked | None = None) -> Definition:
        """What it would be with the options of `unit`. Raises `UsageError` when there is nothing to build."""
        return load(
            unit.options,
            cwd=self._cwd,
            environment=os.environ,
            platform=platform,
            inline=unit.inline,
            linked=linked,
        )

    def _load(self, platform: str, linked: Linked | None = None) -> Definition:
        return self.imagined(self.unit, platform, linked)


def _seen(name: str, definition: Definition, changes: Mapping[str, Sequence[Change]]) -> list[Change]:
    found = list(changes.get(name, ()))
    for linked, below in definition.linked.items():
        inner = _seen(linked, below, changes)
        found += [dataclasses.replace(change, context=f"{linked}:{change.context}") for change in inner]
    return found
