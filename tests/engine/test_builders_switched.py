"""A session that goes from one real engine to another, and to builders that do not work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.build.model import Build, Status
from hitmiss.docker import storage
from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.client import environment
from hitmiss.docker.fleet import Fleet, Listed, Wanted
from hitmiss.errors import HitmissError, UsageError
from hitmiss.history.store import Store
from hitmiss.session import Session
from hitmiss.settings import BuildOptions, Settings
from hitmiss.ui.app import HitmissApp
from hitmiss.workspace import open_workspace
from tests.conftest import use_engine
from tests.support.engine import PrivateEngine
from tests.support.live import Live, Starts, verdicts
from tests.support.project import Project
from tests.support.wait import wait_for_async
from tests.ui.shown import sees

pytestmark = pytest.mark.engine

FINAL = {"target": "final"}


@pytest.fixture
def second(engine_env: PrivateEngine, second_engine: PrivateEngine) -> Iterator[str]:
    """The second engine as a docker context."""
    yield engine_env.add_builder(second_engine)
    engine_env.remove_builder()


@pytest.fixture
def box(engine_env: PrivateEngine) -> Iterator[str]:
    """A builder whose container cannot be made here: its image is nowhere."""
    engine_env.docker("buildx", "create", "--name", "box", "--driver", "docker-container")
    yield "box"
    engine_env.docker("buildx", "rm", "--force", "box", check=False)


@pytest.fixture
def fleet(engine_env: PrivateEngine) -> Iterator[Fleet]:
    """The builders, without those that a test made."""
    yield Fleet()
    for name in ("crate", "far", "kube"):
        engine_env.docker("buildx", "rm", "--force", name, check=False)


def of(builders: tuple[Listed, ...]) -> dict[str, Listed]:
    return {each.name: each for each in builders}


async def explained(live: Live, number: int) -> Build:
    """Wait until that build is told with the causes of its misses."""

    def told(snap: Any) -> bool:
        steps = [step for step in snap.build.steps if step.verdict.value == "miss"]
        return snap.build.number == number and snap.build.status.ended and all(step.cause for step in steps)

    return (await live.until(told, f"build {number} to be explained")).build


# A session


async def test_it_builds_and_plans_on_the_other_engine_and_back(shop: Project, start: Starts, second: str) -> None:
    live = start(**FINAL)
    assert verdicts(await live.built(1)) == "hmmmm"
    await live.watching()
    live.session.set_builder(second)
    assert live.snapshot.builder == second, "the header says so at once"
    build = await live.built(2)
    assert (build.builder, verdicts(build)) == (second, "hmmmm"), "the other engine has none of it"
    causes = {step.cause.kind.value for step in (await explained(live, 2)).steps if step.cause}
    assert causes <= {"first-build", "parent-missed"}, "nothing is taken for evicted that was never there"
    shop.save("src/main.txt", "changed")
    assert verdicts(await live.built(3)) == "hhhmm"
    told = await explained(live, 3)
    assert [step.planned.value for step in told.steps if step.planned] == ["will hit"] * 3 + ["will run"] * 2
    live.session.set_builder("default")
    build = await live.built(4)
    assert (build.builder, verdicts(build)) == ("default", "hhhmm"), "it knows all but the save"
    await live.until(lambda snap: len(live.session.history()) == 2, "it to be remembered")
    assert [(past.number, past.builder) for past in live.session.history()] == [(4, "default"), (1, "default")]


async def test_a_switch_in_the_middle_of_a_build_ends_it(shop: Project, start: Starts, second: str) -> None:
    shop.dockerfile("FROM busybox\nCOPY src /src\nRUN sleep $(cat /src/main.txt)")
    shop.write("src/main.txt", "600")
    live = start()
    await live.until(lambda snap: any(step.verdict.value == "running" for step in snap.build.steps), "the step to run")
    live.session.toggle_watch()  # the save is to begin no build of its own
    shop.write("src/main.txt", "0.01")
    live.session.set_builder(second)
    build = await live.built(2)
    assert build.builder == second
    await explained(live, 2)
    await live.session._crew.explained()
    kept = [(each.number, each.builder) for each in live.store.summaries(shop.path, 10)]
    assert kept == [(2, second)], "what was cut off on the one is not told of the other"


async def test_the_cache_is_that_of_the_builder_in_use(
    shop: Project, start: Starts, second: str, second_engine: PrivateEngine
) -> None:
    live = start(**FINAL)
    await live.built(1)
    live.session.set_builder(second)
    await live.built(2)
    snap = await live.until(lambda snap: snap.cache_bytes is not None, "the cache to be measured")
    assert snap.cache_bytes == (await storage.usage(second)).total
    second_engine.empty_cache()
    assert (await live.session.prune_preview(storage.PruneFilter(all=True))).total_count == 0
    assert (await storage.usage("default")).records


async def test_the_choice_is_remembered_and_a_flag_goes_before_it(shop: Project, start: Starts, second: str) -> None:
    live = start(**FINAL)
    await live.built(1)
    live.session.set_builder(second)
    await live.built(2)
    await explained(live, 2)
    assert f" && docker --context {second} build --target final --builder {second}" in live.session.command()
    await live.session.close()
    again = start(**FINAL)
    assert (again.snapshot.builder, again.session.recalled) == (second, second)
    assert (await again.built(3)).builder == second
    await again.until(lambda snap: len(again.session.history()) == 2, "it to be remembered")
    await again.session.close()
    given = start(builder="default", **FINAL)
    assert (given.snapshot.builder, given.session.recalled) == ("default", "")
    assert (await given.built(4)).builder == "default"
    given.session.set_builder("default")
    await given.session.close()
    assert start(**FINAL).session.recalled == "", "docker's own choice is no choice to keep"


async def test_a_remembered_builder_that_is_gone(
    engine_env: PrivateEngine, shop: Project, start: Starts, second: str
) -> None:
    live = start(**FINAL)
    live.session.set_builder(second)
    await live.session.close()
    engine_env.remove_builder(second)
    again = start(**FINAL)
    assert f"The builder {second}, chosen here before, is gone: default builds." in again.snapshot.notices
    await again.until(lambda snap: snap.build.status is Status.SUCCEEDED, "a build")


async def test_a_builder_that_does_not_start_is_one_sentence(shop: Project, start: Starts, box: str) -> None:
    live = start(**FINAL)
    await live.built(1)
    await live.watching()
    live.session.set_builder(box)
    snap = await live.until(lambda snap: any("keeps what it builds" in each for each in snap.notices), "what it cannot")
    build = await live.built(2, Status.FAILED)
    assert build.error.startswith(
        f"The builder {box} could not be started: its own image moby/buildkit:buildx-stable-1"
    )
    assert "\n" not in build.error
    shop.save("src/main.txt", "changed")
    await live.built(3, Status.FAILED)
    live.session.set_builder("default")
    assert verdicts(await live.built(4)) == "hhhmm"
    snap = live.snapshot
    assert not any("keeps what it builds" in each for each in snap.notices)


async def test_a_builder_whose_engine_died_is_one_sentence_and_the_watch_goes_on(
    engine_env: PrivateEngine, mortal_engine: PrivateEngine, shop: Project, start: Starts
) -> None:
    mortal = engine_env.add_builder(mortal_engine, "mortal")
    try:
        live = start(**FINAL)
        await live.built(1)
        await live.watching()
        live.session.set_builder(mortal)
        await live.built(2)
        mortal_engine.kill_hard()
        shop.save("src/main.txt", "changed")
        await live.built(3, Status.FAILED)
        snap = await live.until(lambda snap: snap.problem, "the problem to be told")
        assert f"No Docker engine answers on {mortal_engine.host}." in snap.problem
        live.session.set_builder("default")
        assert live.snapshot.problem == ""
        assert verdicts(await live.built(4)) == "hhhmm"
        live.session.set_builder(mortal)
        await live.until(lambda snap: snap.problem, "the problem to be told again")
        mortal_engine.restart()
        await live.until(
            lambda snap: snap.build.builder == mortal and snap.build.status is Status.SUCCEEDED, "it to build again"
        )
        assert live.snapshot.problem == ""
    finally:
        engine_env.remove_builder("mortal")


# The list


async def test_the_list(engine_env: PrivateEngine, second_engine: PrivateEngine, second: str, box: str) -> None:
    fleet = Fleet()
    for builders in (fleet.known(), await fleet.listed()):
        found = of(builders)
        assert [each.name for each in builders] == ["default", second, box]
        assert [each.info.driver for each in builders] == ["docker", "docker", "docker-container"]
        assert [each.context for each in builders] == [True, True, False]
        assert found["default"].nodes[0].endpoint == engine_env.host
        assert found[second].nodes[0].endpoint == second_engine.host
        assert found[box].nodes[0].name == "box0"
    assert [each.info.status for each in builders] == ["running", "running", "inactive"]
    assert found["default"].info.image_store
    assert "linux/amd64" in found[second].info.platforms
    assert await fleet.size("default") == (await storage.usage()).total
    assert await fleet.size(second) is not None
    assert await fleet.size(box) is None


async def test_a_dead_engine_in_the_list(mortal_engine: PrivateEngine, engine_env: PrivateEngine) -> None:
    name = engine_env.add_builder(mortal_engine, "mortal")
    try:
        mortal_engine.kill_hard()
        each = of(await Fleet().listed())[name]
        assert (each.info.driver, each.info.status, each.context) == ("docker", "error", True)
        assert f"No Docker engine answers on {mortal_engine.host}." in each.info.error
        assert each.nodes[0].endpoint == mortal_engine.host
    finally:
        engine_env.remove_builder(name)


# What is done to them


@pytest.mark.parametrize("with_docker", [True, False], ids=["docker", "buildx alone"])
async def test_made_stopped_and_removed(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_docker: bool
) -> None:
    if not with_docker:
        monkeypatch.setenv("PATH", str(tmp_path))
    await fleet.create(Wanted("crate"))
    await fleet.create(Wanted("far", "remote", "tcp://127.0.0.1:9"))
    found = of(await fleet.listed())
    assert found["far"].nodes[0].endpoint == "tcp://127.0.0.1:9"
    assert (found["crate"].info.driver, found["far"].info.driver) == ("docker-container", "remote")
    with pytest.raises(HitmissError, match=r"own image docker.io/moby/buildkit:buildx-stable-1 cannot be fetched"):
        await fleet.start("crate")
    await fleet.stop("crate")
    for name in ("crate", "far"):
        await fleet.remove(name)
    assert not {"crate", "far"} & of(await fleet.listed()).keys()
    with pytest.raises(HitmissError, match="There is no builder called crate"):
        await fleet.remove("crate")


@pytest.mark.parametrize("with_docker", [True, False], ids=["docker", "buildx alone"])
async def test_what_cannot_be_made_is_said_in_one_sentence(
    fleet: Fleet, second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_docker: bool
) -> None:
    if not with_docker:
        monkeypatch.setenv("PATH", str(tmp_path))
    for wanted, said in (
        (Wanted("far", "remote"), "A remote builder needs an endpoint. Such as tcp://HOST:1234."),
        (Wanted("far", "remote", "nonsense"), "That is no endpoint. Such as tcp://HOST:1234."),
        (Wanted("kube", "kubernetes"), "No Kubernetes cluster is set up here."),
        (Wanted("x y"), "A builder cannot be called x y. A name starts with a letter"),
    ):
        with pytest.raises(HitmissError) as caught:
            await fleet.create(wanted)
        assert str(caught.value).startswith(said), str(caught.value)
        assert "\n" not in str(caught.value)
    for name in ("default", second):
        with pytest.raises(UsageError, match=f"There is a builder called {name} already"):
            await fleet.create(Wanted(name))
    with pytest.raises(HitmissError, match="It is a docker context") as caught:
        await fleet.remove(second)
    assert f"`docker context rm {second}` removes it." in str(caught.value)
    assert [each.name for each in await fleet.listed()] == ["default", second]


async def test_a_remote_builder_that_is_not_there(fleet: Fleet) -> None:
    await fleet.create(Wanted("far", "remote", "tcp://127.0.0.1:9"))
    with pytest.raises(HitmissError, match="The builder does not answer"):
        await fleet.start("far")


def test_a_context_is_entered_only_for_a_builder_that_needs_it(
    engine_env: PrivateEngine, second: str, box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def where(*words: str) -> tuple[str | None, str | None]:
        env = environment(["buildx", "build", *words])
        return env.get("DOCKER_HOST"), env.get("DOCKER_CONTEXT")

    plain = (engine_env.host, None)
    assert where() == where("--builder", "default") == where("--builder", box) == where("--builder", "no") == plain
    assert where("--builder", second) == (None, second)
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", second)
    assert where("--builder", second) == (None, second)
    assert where("--builder", "default") == (None, "default")


def test_what_is_not_known_yet(engine_env: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    use_engine(engine_env, monkeypatch)
    (each,) = Fleet().known()
    assert each.info == BuilderInfo("default", "docker")


# On the screen


async def test_a_bake_file_is_built_on_the_other_engine(
    project: Project, tmp_path: Path, second: str, second_engine: PrivateEngine
) -> None:
    project.dockerfile("FROM busybox\nCOPY Dockerfile /\n")
    project.write(
        "docker-bake.hcl",
        'group "default" { targets = ["a", "b"] }\n'
        'target "a" { tags = ["bake-a:1"] }\ntarget "b" { tags = ["bake-b:1"] }\n',
    )
    space = await open_workspace(BuildOptions(), Settings(), cwd=project.path)
    session = Session(space, cwd=project.path, store=Store(tmp_path / "bake.sqlite"))
    task = asyncio.create_task(session.run())
    try:
        await wait_for_async(lambda: session.snapshot().build.status is Status.SUCCEEDED, 40, "the first build")
        assert "bake-a:1" not in second_engine.images()
        session.set_builder(second)
        await wait_for_async(lambda: {"bake-a:1", "bake-b:1"} <= second_engine.images().keys(), 40, "both images there")
        told = f"cd {project.path} && docker --context {second} buildx bake --builder {second} a b"
        assert session.command() == told
    finally:
        await session.close()
        await asyncio.wait({task}, timeout=10)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_another_engine_is_chosen_on_the_screen(
    shop: Project, tmp_path: Path, second: str, box: str, size: tuple[int, int]
) -> None:
    session = Session(BuildOptions(target="final"), cwd=shop.path, store=Store(tmp_path / "screen.sqlite"))
    async with HitmissApp(session).run_test(size=size) as pilot:
        await wait_for_async(lambda: session.snapshot().build.status is Status.SUCCEEDED, 40, "the first build")
        await sees(pilot, "built")
        await pilot.press("b")
        await sees(pilot, "▸ default", "second", "docker-container", "● running", "○ inactive", " MB")
        await pilot.press("down", "enter")
        await wait_for_async(lambda: session.snapshot().build.builder == second, 20, "a build there")
        await wait_for_async(lambda: session.snapshot().build.status is Status.SUCCEEDED, 20, "its end")
        await pilot.press("b")
        await sees(pilot, "▸ second")
        await pilot.press("down", "enter")
        await sees(pilot, "✖ failed: The builder box could not be started", "! box keeps what it builds")
        await pilot.press("b")
        await sees(pilot, "▸ box")
        await pilot.press("up", "up", "enter")
        await wait_for_async(lambda: session.snapshot().build.status is Status.SUCCEEDED, 20, "it to build again")
        assert session.snapshot().builder == "default"
        await session.close()
