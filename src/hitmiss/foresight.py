"""The forecaster of a session that watches: its plan before and during a build, its reasons after it.

A build never waits for any of it, nor ends because of it: what goes wrong here is said in a notice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from hitmiss.build.model import Build
from hitmiss.docker import past
from hitmiss.forecast import Forecaster, Plan, explained, foresee
from hitmiss.history.store import Store
from hitmiss.inquiry import ask
from hitmiss.project.definition import Definition
from hitmiss.project.entries import children
from hitmiss.runner import Runner, secret_values, secrets
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Past, StepFiles


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
    ) -> None:
        """`notice` is told a key and a sentence, "" when it no longer holds."""
        self._store = store
        self._project = project
        self._notice = notice
        self._tidied = False
        self.plan: Plan | None = None
        self.forecaster = Forecaster(
            store, project, builder, secret_values(options, cwd), lambda: secrets(options, cwd)
        )

    @property
    def seconds(self) -> float | None:
        """How long the build that runs, or the next one, should take; None while that is not known."""
        return self.plan.seconds if self.plan else None

    @property
    def score(self) -> tuple[int, int]:
        """Of all planned steps of the project: how many came out as planned, and how many they are."""
        return self.forecaster.score

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of the project, newest first."""
        return self.forecaster.history()

    def files(self, build: Build, step_id: str) -> StepFiles | None:
        """What a step of `build` reads of the contexts; None where that is not known."""
        return self.forecaster.files(self.plan, build, step_id) if self.plan else None

    async def begin(self, runner: Runner, definition: Definition, options: BuildOptions) -> Plan | None:
        """Plan the build that begins."""
        try:
            plan = await foresee(self.forecaster, runner, definition, options)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the plan, the build goes on
            self._notice("plan", f"What this build will do could not be foretold: {error}")
            return None
        self._notice("plan", "")
        self.plan = plan or self.plan
        return plan

    async def explain(self, plan: Plan, build: Build) -> Build:
        """The finished build with why its steps ran; it is remembered."""
        try:
            told = await explained(self.forecaster, plan, build)
        except Exception as error:  # noqa: BLE001 - as above
            self._notice("plan", f"Why the steps ran could not be found out: {error}")
            return build
        if not self._tidied:
            self._tidied = True
            with contextlib.suppress(Exception):  # at most once a day there is something to do
                await asyncio.to_thread(self._store.clean, children)
        return told

    async def ahead(self, definition: Definition, options: BuildOptions) -> Build | None:
        """What the next build would do, as a build that has not begun."""
        with contextlib.suppress(Exception):
            engine = await ask(definition, self.forecaster.builder)
            self.plan = await asyncio.to_thread(self.forecaster.plan, definition, options, engine)
            return self.plan.build if self.plan else None
        return None

    async def look(self, definition: Definition) -> None:
        """Take note of what the cache holds now: somebody may have pruned it."""
        self.forecaster.look(await ask(definition, self.forecaster.builder))

    async def recall(self, definition: Definition, builder: str) -> None:
        """On the first start in a project: how long its steps took, from the engine's own records of its builds."""
        contexts = definition.contexts
        if self.forecaster.number() or contexts.root is None or contexts.dockerfile is None:
            return
        found = await past.past(builder, contexts.root, contexts.dockerfile.name)
        for runs in found.runs:
            self._store.remember_durations(self._project, self.forecaster.builder, runs)
