"""Bake and compose files on a real engine: every target's groups, steps, verdicts, plan and causes are the engine's."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hitmiss.build.model import Build, Planned, Status, Verdict
from hitmiss.history.store import Store
from hitmiss.session import Session
from hitmiss.settings import BuildOptions, Settings
from hitmiss.settings import load as load_settings
from hitmiss.snapshot import Watch
from hitmiss.ui.app import HitmissApp
from hitmiss.workspace import open_workspace
from tests.engine.bake_projects import PROJECTS as BAKE
from tests.engine.compose_projects import PROJECTS as COMPOSE
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.live import Live, Starts
from tests.support.project import Project
from tests.support.several import Several, all_planned, compare, compare_report, no_cause_is_unknown, no_plan_was_wrong
from tests.support.wait import wait_for_async
from tests.ui.shown import sees

pytestmark = pytest.mark.usefixtures("engine_env")

ALL = (*BAKE, *COMPOSE)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
async def test_a_project(
    case: Several, project: Project, start: Starts, engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    nonce = uuid4().hex
    case.write(project, nonce)
    options = BuildOptions(**case.options)

    report = hitmiss.report(*options.arguments(), cwd=project.path)
    assert tree_of(report, nonce) == {name: list(steps) for name, steps in case.tree.items()}
    assert {step["verdict"] for step in report["steps"] if step["instruction"][:4] != "FROM"} == {"miss"}
    compare_report(report)

    live = start(space=await open_workspace(options, Settings(), cwd=project.path), remembering=True)
    second = await settled(live, 2)
    assert tree(second, nonce) == tree_of(report, nonce)
    assert {step.verdict for step in second.steps} == {Verdict.HIT}
    all_planned(second, Planned.HIT)
    held(live, 2, len(case.tree))

    await live.watching()
    for tag in {tag for unit in live.session._crew.space.units for tag in unit.options.tags}:
        # A tag that moves can take a layer along that the next build unpacks on: containerd's affair, not this test's.
        engine.docker("tag", tag, f"kept:{uuid4().hex}", check=False)
    file, content = case.save
    project.save(file, content)
    third = await settled(live, 3)
    assert numbers(live) == {name: 3 if name in case.reached else 2 for name in case.tree}
    assert sorted(ran(third, nonce)) == sorted(case.ran)
    held(live, 3, len(case.reached))


@pytest.mark.parametrize("kind", ["a service that is alone", "one target of two"])
async def test_a_target_that_is_alone_has_its_steps_on_the_screen(
    kind: str, project: Project, tmp_path: Path, engine: PrivateEngine
) -> None:
    nonce = uuid4().hex
    project.dockerfile(f"FROM busybox\nRUN echo {nonce}\nCOPY page /\n")
    project.write("page", "1")
    if kind == "one target of two":
        project.write("docker-bake.hcl", 'target "web" {}\ntarget "docs" {}\n')
        options = BuildOptions(target="web")
    else:
        project.write("compose.yaml", "services: {web: {build: .}}\n")
        options = BuildOptions()
    space = await open_workspace(options, Settings(), cwd=project.path)
    session = Session(space, cwd=project.path, store=Store(tmp_path / "screen.sqlite"))
    async with HitmissApp(session).run_test(size=(120, 40)) as pilot:
        await sees(pilot, "built", "▾ stage-0", "● FROM busybox", "◆ RUN echo", "◆ COPY page")
        await wait_for_async(lambda: session.snapshot().watch is Watch.WATCHING, 20, "the watch to begin")
        project.save("page", "2")
        await sees(pilot, "● RUN echo", "◆ COPY page", "~ page")
        await pilot.press("d")
        await sees(pilot, "Dockerfile", " COPY page /")
        await session.close()


async def test_nothing_is_foretold_of_a_target_whose_turn_did_not_come(
    project: Project, start: Starts, engine: PrivateEngine
) -> None:
    nonce = uuid4().hex
    project.write(
        "hitmiss.toml", '[targets.low]\ndockerfile = "low"\n[targets.high]\ndockerfile = "high"\nneeds = ["low"]\n'
    )
    project.write("low", f"FROM busybox\nRUN echo low {nonce}\nCOPY page /\nRUN ! grep wrong /page\n")
    project.write("high", f"FROM busybox\nRUN echo high {nonce}\n")
    project.write("page", "right")
    settings = load_settings(project.path)
    live = start(space=await open_workspace(BuildOptions(), settings, cwd=project.path), settings=settings)
    await settled(live, 1)
    await live.watching()
    project.save("page", "wrong")
    await live.built(2, Status.FAILED)
    await live.idle()
    build = live.snapshot.build
    assert {step.verdict for step in build.steps if step.bake_target == "high"} == {Verdict.SKIPPED}
    assert Verdict.PENDING not in {step.verdict for step in build.steps}
    project.save("page", "right again")
    again = await settled(live, 3)
    assert [step.verdict for step in again.steps if step.bake_target == "high"] == [Verdict.HIT]


async def test_two_tags_of_one_image(project: Project, start: Starts, engine: PrivateEngine) -> None:
    nonce = uuid4().hex
    engine.docker("tag", "busybox", f"twin:{nonce}")
    services = ("common", "proxy", "web")
    project.write("compose.yaml", f"services: {{{', '.join(f'{each}: {{build: {each}}}' for each in services)}}}\n")
    project.write("common/Dockerfile", f"FROM busybox\nRUN echo common {nonce}\n")
    project.write("proxy/Dockerfile", f"FROM twin:{nonce}\nRUN echo proxy {nonce}\n")
    project.write("web/Dockerfile", f"FROM busybox AS base\nRUN echo base {nonce}\nFROM base\nRUN echo web {nonce}\n")
    wanted = {
        "common": ["FROM busybox", f"RUN echo common {nonce}"],
        "proxy": [f"FROM twin:{nonce}", f"RUN echo proxy {nonce}"],
        "web": ["FROM busybox", f"RUN echo base {nonce}", f"RUN echo web {nonce}"],
    }
    live = start(space=await open_workspace(BuildOptions(), Settings(), cwd=project.path))
    for number in range(1, 5):
        await settled(live, number)
        for name, member in live.session._crew.members.items():
            assert [step.instruction for step in member.last.steps] == wanted[name], (number, name)
            assert {step.verdict for step in member.last.steps if step.instruction[:4] == "FROM"} == {Verdict.HIT}
            assert all(step.place for step in member.last.steps)
            no_plan_was_wrong(member.last)
            no_cause_is_unknown(member.last)
        live.session.rebuild(no_cache=True)


def held(live: Live, number: int, count: int) -> None:
    """Hold the targets of a build against the engine's records."""
    crew = live.session._crew
    builds = {name: member.last for name, member in crew.members.items() if member.last.number == number}
    assert len(builds) == count
    below = {name: [crew.members[each].last for each in crew.space.stands_on(name)] for name in builds}
    compare(builds, below)
    for name, build in builds.items():
        no_plan_was_wrong(build)
        no_cause_is_unknown(build, below[name])
    no_cause_is_unknown(crew.shown())


async def settled(live: Live, number: int) -> Build:
    """That build as a whole, when all is known about it."""
    await live.built(number)
    await live.idle()
    await live.session._crew.explained()
    return live.snapshot.build


def numbers(live: Live) -> dict[str, int]:
    return {name: member.last.number for name, member in live.session._crew.members.items()}


def tree_of(report: dict[str, Any], nonce: str) -> dict[str, list[str]]:
    """The same of a report."""
    found: dict[str, list[str]] = {}
    for step in report["steps"]:
        found.setdefault(step["bake_target"], []).append(step["instruction"].replace(nonce, "NONCE"))
    return found


def tree(build: Build, nonce: str) -> dict[str, list[str]]:
    """The instructions below each target."""
    found: dict[str, list[str]] = {}
    for stage in build.stages:
        rows = found.setdefault(stage.bake_target or "", [])
        rows += [step.instruction.replace(nonce, "NONCE") for step in stage.steps]
    return found


def ran(build: Build, nonce: str) -> list[str]:
    return [
        f"{step.bake_target}: {step.instruction.replace(nonce, 'NONCE')}"
        for step in build.steps
        if step.verdict in (Verdict.MISS, Verdict.FAILED) and not step.instruction.startswith("FROM ")
    ]
