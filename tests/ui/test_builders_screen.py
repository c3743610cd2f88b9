"""The screen of builders with builders of the test's own: what is listed when, what is done, what is asked before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.fleet import CONTAINER, KUBERNETES, REMOTE, Listed, Node, Wanted
from hitmiss.docker.limits import limits
from hitmiss.errors import HitmissError
from hitmiss.replay import Replay
from hitmiss.settings import BuildOptions
from hitmiss.ui import theme
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.screens.builders import BuildersScreen
from hitmiss.ui.screens.new_builder import NewBuilderScreen, wrong_with
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, all_inside, sees, shown

SIZES = [(80, 24), (120, 40)]
DEMO = Path(str(resources.files("hitmiss.examples"))) / "webapp.jsonl"
AMD = ("linux/amd64", "linux/amd64/v2", "linux/386")


def builder(name: str, driver: str, status: str = "", *nodes: Node, context: bool = False, error: str = "") -> Listed:
    platforms = tuple(dict.fromkeys(platform for node in nodes for platform in node.platforms))
    info = BuilderInfo(name, driver, platforms, status, error, image_store=True, several=len(nodes) > 1)
    return Listed(info, nodes, context)


DEFAULT = builder(
    "default", "docker", "running", Node("default", "unix:///run/docker.sock", "running", AMD), context=True
)
AWAY = builder(
    "away", "docker", "error", Node("away", "tcp://away:2375"), context=True, error="No engine [b]answers[/b]."
)
BOX = builder("box", CONTAINER, "inactive", Node("box0", "unix:///run/docker.sock", "inactive"))
TEAM = builder(
    "team",
    KUBERNETES,
    "running",
    Node("team0", "kubernetes:///a", "running", AMD),
    Node("team1", "kubernetes:///b", "running", ("linux/arm64",)),
)
FAR = builder("far", REMOTE, "running", Node("far0", "tcp://far:1234", "running", AMD))
ALL = (DEFAULT, AWAY, BOX, FAR, TEAM)


class Fleet:
    """Builders of words. `done` is what was asked for; `waits` holds an answer back, `refusal` stands for all deeds."""

    def __init__(self, *builders: Listed) -> None:
        self.builders = builders or ALL
        self.done: list[tuple[object, ...]] = []
        self.waits: dict[str, asyncio.Event] = {}
        self.refusal: HitmissError | None = None
        self.sizes: dict[str, int | None] = {"default": 3_400_000_000, "team": 120_000_000, "far": None}

    def known(self) -> tuple[Listed, ...]:
        return tuple(
            Listed(BuilderInfo(each.name, each.info.driver), (Node(f"{each.name}0"),), each.context)
            for each in self.builders
        )

    async def _come(self, what: str) -> None:
        if what in self.waits:
            await self.waits[what].wait()

    async def listed(self) -> tuple[Listed, ...]:
        await self._come("listed")
        return self.builders

    async def size(self, name: str) -> int | None:
        await self._come("size")
        return self.sizes.get(name)

    async def _do(self, *words: object) -> None:
        self.done.append(words)
        await self._come("deed")
        if self.refusal:
            raise self.refusal

    async def create(self, wanted: Wanted) -> None:
        await self._do("create", wanted)
        self.builders = (*self.builders, builder(wanted.name, wanted.driver, "inactive"))

    async def start(self, name: str) -> None:
        await self._do("start", name)

    async def stop(self, name: str) -> None:
        await self._do("stop", name)

    async def remove(self, name: str) -> None:
        await self._do("remove", name)
        self.builders = tuple(each for each in self.builders if each.name != name)


async def opened(
    pilot: Pilot[None],
    fleet: Fleet,
    *seen: str,
    current: str = "default",
    options: BuildOptions | None = None,
) -> Host:
    app = pilot.app
    assert isinstance(app, Host)
    asked = options or BuildOptions()
    app.push_screen(BuildersScreen(fleet, app.given.append, lambda info: limits(info, asked), current))
    await sees(pilot, *(seen or ("3.4 GB", "120.0 MB")))
    return app


async def at(pilot: Pilot[None], name: str) -> None:
    """Go to the line of a builder."""
    listed = pilot.app.screen.query_one(OptionList)
    names = [each.name for each in ALL]
    for _ in range(names.index(name)):
        await pilot.press("down")
    await wait_for_async(lambda: listed.highlighted == names.index(name), 5)


async def holds(condition: Callable[[], object], what: str) -> None:
    await wait_for_async(condition, 5, what)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [theme.DARK.name, theme.LIGHT.name])
async def test_it_lists_driver_nodes_platforms_state_and_cache(size: tuple[int, int], name: str) -> None:
    async with Host(name).run_test(size=size) as pilot:
        app = await opened(pilot, Fleet())
        await sees(
            pilot, "▸ default", "● running", "✖ error", "○ inactive", "kubernetes ×2", "docker-container", "amd64"
        )
        await sees(pilot, "unix:///run/docker.sock", "linux/386")
        assert "amd64/v2" not in shown(app), "every machine has several of amd64's levels"
        assert all_inside(app, "#dialog", "#head", "#builders", "#detail", "#said")
        await at(pilot, "team")
        await sees(pilot, "team0", "team1", "kubernetes:///b", "linux/arm64")
        assert all_inside(app, "#dialog", "#detail", "#said")


async def test_names_come_first_then_states_and_sizes_last() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        fleet.waits = {"listed": asyncio.Event(), "size": asyncio.Event()}
        app = await opened(pilot, fleet, "▸ default", "away", "box", "team", "◌ …", "Looking at the builders")
        assert "running" not in shown(app)
        fleet.waits["listed"].set()
        await sees(pilot, "● running", "✖ error", "○ inactive")
        assert "GB" not in shown(app)
        fleet.waits["size"].set()
        await sees(pilot, "3.4 GB", "120.0 MB")


async def test_enter_uses_another_one() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Fleet())
        await at(pilot, "far")
        await pilot.press("enter")
        await holds(lambda: app.given == ["far"], "the builder")
        assert not isinstance(app.screen, BuildersScreen)
        await opened(pilot, Fleet(), current="far")
        await pilot.press("enter")
        await holds(lambda: not isinstance(app.screen, BuildersScreen), "it to close")
        assert app.given == ["far"], "the one in use stays in use"


async def test_it_opens_on_the_one_in_use_and_the_mouse_will_do() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Fleet(), current="team")
        assert app.screen.query_one(OptionList).highlighted == 4
        await pilot.click("#builders", offset=(5, 2))
        await holds(lambda: app.given == ["box"], "the builder")


async def test_what_a_builder_cannot_do_is_said_before_it_is_used() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Fleet(), options=BuildOptions(platforms=("linux/amd64", "linux/arm64"), push=True))
        await sees(pilot, "! default runs no linux/arm64")
        await at(pilot, "team")
        await holds(lambda: "runs no" not in shown(app), "nothing to be said against it")


async def test_an_error_is_text() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        await opened(pilot, Fleet())
        await at(pilot, "away")
        await sees(pilot, "✖ No engine [b]answers[/b].")


async def test_start_and_stop() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        fleet.waits = {"deed": asyncio.Event()}
        await opened(pilot, fleet)
        await at(pilot, "box")
        await pilot.press("s")
        await sees(pilot, "Starting box; escape waits no longer")
        await pilot.press("x", "d", "n", "enter")
        assert fleet.done == [("start", "box")], "one thing at a time"
        fleet.waits["deed"].set()
        await sees(pilot, "● box runs.")
        await pilot.press("x")
        await sees(pilot, "● box is stopped.")
        assert fleet.done == [("start", "box"), ("stop", "box")]


async def test_escape_gives_a_start_up_and_the_screen_stays() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        fleet.waits = {"deed": asyncio.Event()}
        app = await opened(pilot, fleet)
        await at(pilot, "box")
        await pilot.press("s")
        await sees(pilot, "Starting box")
        await pilot.press("escape")
        await sees(pilot, "Starting box: no longer waited for.")
        await pilot.press("escape")
        await holds(lambda: not isinstance(app.screen, BuildersScreen), "it to close")


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("default", "s", "default is an engine of docker's: it is started where it runs"),
        ("default", "x", "default is an engine of docker's: it is stopped where it runs"),
        ("far", "s", "far is remote: its BuildKit is started where it runs"),
        ("default", "d", "default is docker's own engine: it cannot be removed."),
        ("away", "d", "`docker context rm away` removes it."),
    ],
)
async def test_what_is_not_ours_to_do_is_said(name: str, key: str, said: str) -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        fleet = Fleet()
        await opened(pilot, fleet)
        await at(pilot, name)
        await pilot.press(key)
        await sees(pilot, said)
        await pilot.press("y")
        assert fleet.done == []


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("box", "With box go its container and all of its build cache."),
        ("team", "With team go its pods and its build cache (120.0 MB)."),
        ("far", "far is forgotten here; its BuildKit and what that has in its cache stay."),
    ],
)
async def test_what_is_lost_is_said_before_one_is_removed(name: str, lost: str) -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        fleet = Fleet()
        app = await opened(pilot, fleet)
        await at(pilot, name)
        await pilot.press("d")
        await sees(pilot, lost, "y removes it, escape")
        await pilot.press("escape")
        await holds(lambda: lost not in shown(app), "the question to go")
        await pilot.press("y")
        await pilot.press("d")
        await sees(pilot, lost)
        assert fleet.done == []
        await pilot.press("y")
        await sees(pilot, f"● {name} is gone.")
        assert fleet.done == [("remove", name)]
        assert app.given == [], "another one is in use"


async def test_going_elsewhere_takes_the_question_back() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        app = await opened(pilot, fleet)
        await at(pilot, "box")
        await pilot.press("d")
        await sees(pilot, "y removes it")
        await pilot.press("down")
        await holds(lambda: "y removes it" not in shown(app), "the question to go")
        await pilot.press("y")
        assert fleet.done == []


async def test_the_one_in_use_can_be_removed_and_docker_chooses_then() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        fleet = Fleet()
        app = await opened(pilot, fleet, current="team")
        await pilot.press("d")
        await sees(pilot, "It is in use: docker's own choice builds")
        await pilot.press("y")
        await holds(lambda: app.given == [""], "the session to be told")
        await sees(pilot, "● team is gone.")


async def test_what_goes_wrong_is_one_sentence() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        fleet.refusal = HitmissError("The builder's own image [red]x[/red] cannot be fetched.", "Look at the network.")
        await opened(pilot, fleet)
        await at(pilot, "box")
        await pilot.press("s")
        await sees(pilot, "✖ The builder's own image [red]x[/red] cannot be fetched. Look at the")
        fleet.refusal = None
        await pilot.press("s")
        await sees(pilot, "● box runs.")


@pytest.mark.parametrize("size", SIZES)
async def test_a_new_one_is_made(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        fleet = Fleet()
        app = await opened(pilot, fleet)
        await pilot.press("n")
        await sees(pilot, "New builder", "[docker-container]", "BuildKit in a container on this engine")
        assert all_inside(app, "#dialog", "#driver", "#name", "#make", "#close")
        await pilot.press(*"big", "enter")
        await sees(pilot, "● big is made; enter uses it", "big")
        assert fleet.done == [("create", Wanted("big"))]
        listed = app.screen.query_one(OptionList)
        assert listed.highlighted == len(ALL), "enter would use it"


async def test_a_remote_one_needs_an_endpoint() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        app = await opened(pilot, fleet)
        await pilot.press("n")
        await sees(pilot, "New builder")
        assert not app.screen.query_one("#where").display
        await pilot.press("shift+tab", "right")
        await sees(pilot, "Endpoint", "[remote]")
        await pilot.press("tab", *"cloud", "enter")
        await sees(pilot, "✖ A remote builder needs an endpoint, such as tcp://HOST:1234.")
        await holds(
            lambda: app.focused is app.screen.query_one("#endpoint"), "the input that lacks it to have the focus"
        )
        app.screen.query_one("#endpoint", Input).value = "tcp://cloud:1234"
        await pilot.press("enter")
        await sees(pilot, "● cloud is made")
        assert fleet.done == [("create", Wanted("cloud", REMOTE, "tcp://cloud:1234"))]


async def test_no_new_one_after_all() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        fleet = Fleet()
        app = await opened(pilot, fleet)
        await pilot.press("n")
        await sees(pilot, "New builder")
        await pilot.press("escape")
        await holds(lambda: isinstance(app.screen, BuildersScreen), "the list")
        assert fleet.done == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("a"), ""),
        (Wanted("A.b_c-1", KUBERNETES), ""),
        (Wanted("a", REMOTE, "unix:///run/buildkit.sock"), ""),
        (Wanted("a", REMOTE, "docker-container://x"), ""),
        (Wanted(""), "Give it a name."),
        (Wanted("1a"), "A name starts with a letter"),
        (Wanted("a b"), "A name starts with a letter"),
        (Wanted("-x"), "A name starts with a letter"),
        (Wanted("box"), "There is a builder called box already."),
        (Wanted("a", REMOTE, ""), "A remote builder needs an endpoint"),
        (Wanted("a", REMOTE, "host:1234"), "A remote builder needs an endpoint"),
        (Wanted("a", REMOTE, "tcp://"), "A remote builder needs an endpoint"),
    ],
)
def test_what_can_be_made(wanted: Wanted, said: str) -> None:
    found = wrong_with(wanted, ("box",))
    assert found.startswith(said)
    assert bool(found) is bool(said)


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (250, 70)])
async def test_any_terminal_will_do(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        app = pilot.app
        app.push_screen(BuildersScreen(Fleet(), lambda name: None, lambda info: ()))
        await holds(lambda: isinstance(app.screen, BuildersScreen), "the list")
        app.push_screen(NewBuilderScreen())
        await holds(lambda: isinstance(app.screen, NewBuilderScreen), "the dialog")
        await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "3.4 GB")


async def test_no_client_is_one_sentence() -> None:
    class Silent(Fleet):
        async def listed(self) -> tuple[Listed, ...]:
            raise HitmissError("Docker's buildx plugin is missing.", "Install it.")

    async with Host().run_test(size=(80, 24)) as pilot:
        await opened(pilot, Silent(), "✖ Docker's buildx plugin is missing. Install it.", "default")


async def test_a_recording_has_the_builder_that_it_has() -> None:
    replay = Replay(DEMO, speed=0)
    async with HitmissApp(replay).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "recording")
        await pilot.press("b")
        await sees(pilot, "its builder cannot be changed")
        replay.set_builder("other")
        await sees(pilot, "nothing can be built")
        assert replay.limits(BuilderInfo("other", REMOTE)) == ()
        await replay.close()
