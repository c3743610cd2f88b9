"""The screen on several targets: titles and totals, what rests, whose Dockerfile is shown and edited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from hitmiss.build.merged import merged
from hitmiss.build.model import Build, Cause, CauseKind, Check, Place, Stage, Status, Step, Verdict
from hitmiss.docker.targets import Target
from hitmiss.snapshot import Snapshot, Source
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.widgets.dockerfile_view import DockerfileLines
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.status import Progress, Summary
from hitmiss.ui.widgets.step_tree import StepTree
from tests.support.subject import snapshot
from tests.support.wait import wait_for_async
from tests.ui.shown import sees, shown
from tests.ui.telling import Scripted

API = "FROM python AS api\nCOPY api/ .\n"
WEB = "# The front.\nFROM node AS web\nRUN npm ci\nCOPY web/ .\n"
SOURCES = {
    "api": Source("Dockerfile.api", "/shop/Dockerfile.api", API),
    "web": Source("Dockerfile.web", "/shop/Dockerfile.web", WEB),
}


def part(name: str, number: int, *steps: tuple[str, Verdict, int], **more: Any) -> Build:
    """A target's build; its steps by instruction, verdict and line."""
    made = tuple(
        Step(
            f"{name}:{name}:{index}", name, index, len(steps), text, bake_target=name, verdict=verdict,
            place=Place(f"Dockerfile.{name}", line, line), duration_s=1.0,
            cause=Cause(CauseKind.FILES_CHANGED, f"{name}:{name}:{index}", "1 file changed.")
            if verdict is Verdict.MISS
            else None,
        )
        for index, (text, verdict, line) in enumerate(steps, 1)
    )  # fmt: skip
    stage = Stage(f"{name}:{name}", name, None, made, bake_target=name)
    return Build(number, Status.SUCCEEDED, stages=(stage,), **more)


HIT, MISS = Verdict.HIT, Verdict.MISS
API_BUILT = part("api", 1, ("FROM python", HIT, 1), ("COPY api/ .", MISS, 2), context_bytes=100)
WEB_BUILT = part("web", 2, ("FROM node", HIT, 2), ("RUN npm ci", HIT, 3), ("COPY web/ .", MISS, 4), context_bytes=7)


def both(**notes: str) -> Snapshot:
    """The web was built in build 2, the api in the one before."""
    build = merged({"api": API_BUILT, "web": WEB_BUILT}, target="all", notes=notes or {"api": "as in build 1"})
    checks = (Check("WebCheck: mend it", "", "", "Dockerfile.web", 3),)
    build = msgspec.structs.replace(build, checks=checks)
    return snapshot(build, target="all", source=SOURCES["api"], sources=SOURCES)


@asynccontextmanager
async def on(snap: Snapshot, size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[Pilot[int], HitmissApp]]:
    app = HitmissApp(Scripted(snap))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot, app


def dockerfile_shown(app: HitmissApp) -> str:
    return str(app.query_one(Panels).border_subtitle or "")


async def test_where_all_hits_the_whole_is_told_of_and_no_log_is_awaited() -> None:
    api, web = part("api", 1, ("FROM python", HIT, 1)), part("web", 1, ("FROM node", HIT, 2))
    async with on(snapshot(merged({"api": api, "web": web}, target="all"))) as (pilot, _):
        await sees(pilot, "All 2 steps came from the cache")
        await pilot.press("l")
        await sees(pilot, "Choose a step to see what it wrote.")


async def test_the_target_that_failed_is_named() -> None:
    web = part("web", 2, ("FROM node", HIT, 2), ("RUN npm ci", Verdict.FAILED, 3))
    failed = msgspec.structs.replace(web, status=Status.FAILED, error="npm is not there.")
    async with on(snapshot(merged({"api": API_BUILT, "web": failed}, target="all"))) as (pilot, _):
        await sees(pilot, "✖ web failed at Dockerfile.web:3: npm is not there.")
    pushed = msgspec.structs.replace(WEB_BUILT, status=Status.FAILED, error="The registry refuses it.")
    async with on(snapshot(merged({"api": API_BUILT, "web": pushed}, target="all"))) as (pilot, _):
        await sees(pilot, "✖ web failed: The registry refuses it.")


async def test_titles_say_how_each_target_stands() -> None:
    async with on(both(), (120, 40)) as (pilot, app):
        await sees(pilot, "▾ api  ● 1  ◆ 1  as in build 1", "▾ web  ● 2  ◆ 1")
        await pilot.resize_terminal(80, 24)
        await pilot.press("g")
        await sees(pilot, "▾ api  ● 1  ◆ 1  as in build 1")
        assert app.query_one(StepTree).region.height > 0


async def test_a_target_that_is_alone_has_its_steps_in_the_tree() -> None:
    build = merged({"web": WEB_BUILT})
    snap = snapshot(build, target="web", source=SOURCES["web"], sources={"web": SOURCES["web"]})
    async with on(snap) as (pilot, app):
        await sees(pilot, " ▾ web", "● FROM node", "● RUN npm ci", "◆ COPY web/")
        tree = app.query_one(StepTree)
        await wait_for_async(lambda: tree.selected and tree.selected.id == "web:web:3", 5, "the step that missed")
        assert "web ▸" not in shown(app), "its name stands in the header"
        await pilot.press("d", "up", "enter")
        await wait_for_async(lambda: tree.selected and tree.selected.id == "web:web:2", 5, "the step of the line")


async def test_totals_are_of_what_was_built() -> None:
    snap = both()
    assert snap.build.resting == {"api:api:1", "api:api:2"}
    assert (snap.build.hits, snap.build.misses, snap.build.context_bytes) == (2, 1, 7)
    async with on(snap) as (_, app):
        assert "2 hit  1 miss" in app.query_one(Progress).text(snap, 80).plain
        assert "1 ran" in app.query_one(Summary).text(snap, 80).plain


async def test_what_rests_is_drawn_dim() -> None:
    async with on(both()) as (_, app):
        tree = app.query_one(StepTree)
        dim = tree.get_component_rich_style("steps--dim", partial=True).color
        lines = {strip.text.strip(): strip for strip in map(tree.render_line, range(9))}
        resting = next(strip for text, strip in lines.items() if "COPY api/" in text)
        built = next(strip for text, strip in lines.items() if "COPY web/" in text)
        assert {segment.style.color for segment in resting if segment.text.strip() and segment.style} == {dim}
        assert {segment.style.color for segment in built if segment.text.strip() and segment.style} != {dim}


async def test_the_first_miss_is_one_of_this_build() -> None:
    async with on(both()) as (_, app):
        await wait_for_async(lambda: app.query_one(StepTree).selected is not None, 5, "a line to be chosen")
        row = app.query_one(StepTree).selected
        assert row
        assert row.id == "web:web:3"


async def test_the_dockerfile_is_that_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    edited: list[tuple[str, int]] = []

    async def edit(_: object, path: str, line: int) -> str:
        edited.append((path, line))
        return ""

    monkeypatch.setattr("hitmiss.ui.acts.edit", edit)
    async with on(both()) as (pilot, app):
        tree = app.query_one(StepTree)
        app.look_at("web:web:2")
        await pilot.press("d", "e")
        await sees(pilot, "RUN npm ci", "WebCheck")
        assert dockerfile_shown(app) == "Dockerfile.web"
        app.look_at("api:api:2")
        await wait_for_async(lambda: dockerfile_shown(app) == "Dockerfile.api", 5, "the other Dockerfile")
        assert app.query_one(DockerfileLines).texts_from(0) == API.splitlines(), "and no check of the other one"
        await pilot.press("e")
        assert edited == [("/shop/Dockerfile.web", 3), ("/shop/Dockerfile.api", 2)]
        await pilot.press("a")
        assert dockerfile_shown(app) == ""
        await pilot.press("d")
        await pilot.press("up", "enter")
        there = "api:api:1"
        await wait_for_async(
            lambda: tree.selected and tree.selected.id == there, 5, "the step of the file's own line 1"
        )


async def test_the_list_names_dockerfiles_and_all() -> None:
    subject = Scripted(both())
    subject.offered = (
        Target("all", description="api, web"),
        Target("api", file="Dockerfile.api"),
        Target("web", file="Dockerfile.web"),
    )

    async def targets() -> tuple[Target, ...]:
        return subject.offered

    subject.targets = targets  # type: ignore[method-assign]
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await sees(pilot, "▸ all", "api, web", "Dockerfile.web")
        assert "FROM" not in next(line for line in shown(pilot.app).splitlines() if "Dockerfile.web" in line)
