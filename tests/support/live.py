"""A session that runs without a screen, and what became of its builds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from hitmiss.build.model import Build, Status
from hitmiss.build.recording import Writer
from hitmiss.history.store import Store
from hitmiss.session import Session
from hitmiss.settings import BuildOptions, Settings
from hitmiss.snapshot import Snapshot, Watch
from hitmiss.workspace import Workspace
from tests.support.project import Project
from tests.support.wait import wait_for_async


class Live:
    """A session that runs, and the builds that it went through, with the time at which each was first seen so."""

    def __init__(self, project: Project, home: Path, settle_s: float = 0.1, **more: Any) -> None:
        mode = more.pop("mode", "restart")
        writer: Writer | None = more.pop("writer", None)
        space: Workspace | None = more.pop("space", None)
        settings = more.pop("settings", Settings())
        # With `remembering` it knows what `hitmiss build` has built.
        self.store = Store() if more.pop("remembering", False) else Store(home / "history.sqlite")
        self.session = Session(
            space or BuildOptions(**more),
            msgspec.structs.replace(settings, settle=int(settle_s * 1000), on_change=mode),
            cwd=project.path,
            store=self.store,
            writer=writer,
        )
        self.began: dict[int, float] = {}
        self.ended: dict[int, Build] = {}
        self.ended_at: dict[int, float] = {}
        self.said: list[str] = []
        self.session.on_change = self.changed
        self.task = asyncio.create_task(self.session.run())

    def changed(self) -> None:
        snap = self.snapshot
        for build in (snap.build, snap.previous):
            if build is None or not build.number:
                continue
            self.began.setdefault(build.number, time.monotonic())
            if build.status.ended and build.number not in self.ended:
                self.ended[build.number] = build
                self.ended_at[build.number] = time.monotonic()
        if snap.message and (not self.said or self.said[-1] != snap.message):
            self.said.append(snap.message)

    @property
    def snapshot(self) -> Snapshot:
        return self.session.snapshot()

    async def until(self, condition: Callable[[Snapshot], object], what: str, timeout_s: float = 40) -> Snapshot:
        def so() -> bool:
            if self.task.done():
                self.task.result()
            return bool(condition(self.snapshot))

        try:
            await wait_for_async(so, timeout_s, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.ended}\n{self.snapshot}") from None
        return self.snapshot

    async def built(self, number: int, status: Status = Status.SUCCEEDED) -> Build:
        """Wait for the end of that build."""
        await self.until(lambda snap: number in self.ended, f"build {number} to end")
        crew = self.session._crew
        await self.until(lambda snap: crew.round is None or crew.number > number, "its end to be taken in")
        build = self.ended[number]
        assert build.status is status, (build.error, build.text)
        return build

    async def explained(self, number: int) -> Build:
        """Wait until that build is over, and it is known why its steps ran; no registry is waited for."""
        await self.built(number)
        await self.idle()
        remembered = self.session._crew._remembered
        await self.until(
            lambda _: all(each.is_set() for each in remembered.values()), f"build {number} to be explained"
        )
        build = self.snapshot.build
        assert build.number == number, build
        return build

    async def watching(self) -> None:
        """Wait until the first build is over and every save will be seen."""
        await self.until(lambda snap: snap.files and snap.watch is Watch.WATCHING, "the watch to begin")

    async def idle(self) -> None:
        await self.until(lambda snap: not self.session._schedule.building and snap.watch is not Watch.SETTLING, "rest")


Starts = Callable[..., Live]


def shop(project: Project) -> None:
    """Write a project of which no engine has seen any step that runs; `final` is the target to build."""
    project.dockerfile(f"""
        FROM busybox AS base
        COPY a.txt /
        RUN cat /a.txt > /seen; : {uuid4().hex}
        FROM base AS final
        COPY src/ /src/
        RUN ls -R /src | wc -l
        FROM base AS other
        COPY b.txt /
    """)
    project.write("a.txt", "a")
    project.write("b.txt", "b")
    project.write("src/main.txt", "main")
    project.write("notes.md", "nobody reads me")
    project.write("secret.log", "ignored")
    project.write(".dockerignore", "*.log\n")


def verdicts(build: Build) -> str:
    """The first letter of each step's verdict."""
    return "".join(step.verdict.value[0] for step in build.steps)
