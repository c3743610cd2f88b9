"""The editor of build arguments: choose, type, see what it costs, confirm or take back; by keyboard and mouse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from hitmiss.errors import UsageError
from hitmiss.snapshot import ArgumentRow, Changes, Cost, CostStep
from hitmiss.ui import theme
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.screens.arguments import ArgumentScreen
from tests.support.subject import snapshot
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, all_inside, sees, shown
from tests.ui.telling import Scripted

SIZES = [(80, 24), (120, 40)]
ROWS = (
    ArgumentRow("builder", "IMAGE", "python:3.12", "default", "python:3.12", "default", line=1, stages=("",)),
    ArgumentRow("builder", "MODE", "dev", "kept here", "prod", "settings", line=4, stages=("build",), kept=True),
    ArgumentRow("builder", "TARGETARCH", automatic=True, line=5),
    ArgumentRow("app", "BASE", "[b]x[/b]\x1b", "--build-arg", "[b]x[/b]\x1b", "--build-arg", line=2, stages=("",)),
    ArgumentRow("app", "NPM_TOKEN", None, line=3, stages=("app",), secret=True),
)
PRICE = Cost(
    (CostStep("builder", "RUN make", expected_s=38.0), CostStep("builder", "COPY --from=a / /", depends=True)),
    hits=5,
    seconds=41.0,
    targets=("builder",),
)


class Asked:
    """Answers what a change costs; `held` answers wait until they are let go."""

    def __init__(self, answer: Cost | Exception = PRICE, *, held: bool = False) -> None:
        self.answer = answer
        self.questions: list[Changes] = []
        self.free = asyncio.Event()
        if not held:
            self.free.set()

    async def __call__(self, changes: Changes) -> Cost:
        self.questions.append(changes)
        await self.free.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def opened(pilot: Pilot[Any], asked: Asked, rows: tuple[ArgumentRow, ...] = ROWS) -> Host:
    app = pilot.app
    assert isinstance(app, Host)
    app.push_screen(ArgumentScreen(rows, asked), app.given.append)
    await sees(pilot, "Build arguments")
    return app


async def gives(app: Host, *answers: Changes | None) -> None:
    await wait_for_async(lambda: app.given == list(answers), 5, f"{answers}, given {app.given}")


async def test_its_buttons_are_whole_on_a_small_screen() -> None:
    app = HitmissApp(Scripted(snapshot()))
    async with app.run_test(size=(60, 15)) as pilot:
        app.push_screen(ArgumentScreen(ROWS, Asked()))
        await sees(pilot, "Build with these", "Clear all")
        room, buttons = app.screen.query_one("#buttons"), app.screen.query("#buttons Button")
        await wait_for_async(
            lambda: all(room.region.contains_region(each.region) for each in buttons), 5, "all of them"
        )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [theme.DARK.name, theme.LIGHT.name])
async def test_it_shows_values_and_where_they_come_from(size: tuple[int, int], name: str) -> None:
    async with Host(name).run_test(size=size) as pilot:
        app = await opened(pilot, Asked())
        await sees(pilot, "python:3.12", "default", "kept here", "--build-arg", "[b]x[/b]", "not set", "builder", "app")
        await sees(pilot, "set by BuildKit itself: TARGETARCH", "Dockerfile:1, before the first FROM")
        assert "\x1b" not in shown(app)
        assert all_inside(app, "#dialog", "#arguments", "#value", "#about", "#cost", "#steps", "#build", "#close")
        await pilot.press("down")
        await sees(pilot, "otherwise prod (settings) · Dockerfile:4, stage build")


@pytest.mark.parametrize("size", SIZES)
async def test_typing_asks_once_what_it_costs_and_enter_confirms(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitmiss.ui.screens.arguments._DEBOUNCE_S", 1.5)
    async with Host().run_test(size=size) as pilot:
        asked = Asked(held=True)
        app = await opened(pilot, asked)
        await sees(pilot, "Change a value to see what it will cost.")
        await pilot.press("backspace", "3")
        await sees(pilot, "Looking what that costs", "python:3.13", "changed")
        await wait_for_async(lambda: bool(asked.questions), 10, "the question")
        asked.free.set()
        await sees(pilot, "1 step will run, ~41 s · 1 depends on what they write · 5 hit", "RUN make", "~38 s")
        assert asked.questions == [{"builder": {"IMAGE": "python:3.13"}}]
        assert all_inside(app, "#dialog", "#build", "#steps")
        await pilot.press("enter")
        await gives(app, {"builder": {"IMAGE": "python:3.13"}})


async def test_an_answer_to_what_was_typed_before_is_not_shown() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        asked = Asked(held=True)
        app = await opened(pilot, asked)
        await pilot.press("x")
        await wait_for_async(lambda: len(asked.questions) == 1, 5, "the first question")
        await pilot.press("backspace")
        asked.free.set()
        await sees(pilot, "Change a value to see what it will cost.")
        assert "41 s" not in shown(app)
        await pilot.press("enter")
        await gives(app, None)


async def test_several_changes_and_taking_back() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, Asked())
        await pilot.press("x", "down", "ctrl+r", "down", "down", *"s3cr3t")
        assert "s3cr3t" not in shown(app)
        await sees(pilot, "looks secret: never stored", "prod")
        await pilot.press("up", "up", "up", "ctrl+r", "enter")
        await gives(app, {"builder": {"MODE": None}, "app": {"NPM_TOKEN": "s3cr3t"}})
        await opened(pilot, Asked())
        await pilot.press("x", "ctrl+l", "enter")
        await gives(app, app.given[0], {"builder": {"MODE": None}})


async def test_tab_goes_on_as_in_a_form_and_then_to_the_buttons() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, Asked())
        await pilot.press("tab", "x", "tab", "tab", *"s3cr3t")
        await sees(pilot, "looks secret: never stored")
        await pilot.press("tab")
        await wait_for_async(lambda: app.focused and app.focused.id == "build", 5, "the button")
        await pilot.press("shift+tab", "shift+tab", "shift+tab", "shift+tab", "y")
        await pilot.press("enter")
        wanted = {"builder": {"IMAGE": "python:3.12y", "MODE": "devx"}, "app": {"NPM_TOKEN": "s3cr3t"}}
        await gives(app, wanted)


async def test_mouse_and_escape() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, Asked())
        await pilot.click(OptionList, offset=(6, 2))
        await sees(pilot, "stage build")
        assert isinstance(app.focused, Input)
        await pilot.click("#clear")
        await sees(pilot, "prod", "41 s")
        await pilot.click("#build")
        await gives(app, {"builder": {"MODE": None}})
        await opened(pilot, Asked())
        await pilot.press("x", "escape")
        await gives(app, app.given[0], None)


async def test_what_cannot_be_built_is_not_confirmed() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Asked(Cost(problem="The base name should not be blank.", refused=True)))
        await pilot.press("x")
        await sees(pilot, "✖ The base name should not be blank.")
        await pilot.press("enter")
        await pilot.pause()
        assert app.given == []
        await pilot.press("escape")
        await gives(app, None)


async def test_an_engine_that_does_not_answer_is_said() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Asked(UsageError("No engine.", "Start one.")))
        await pilot.press("x")
        await sees(pilot, "✖ No engine.")
        await pilot.press("enter")
        await gives(app, {"builder": {"IMAGE": "python:3.12x"}})


async def test_a_dockerfile_without_arguments() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, Asked(), ())
        await sees(pilot, "The Dockerfile has no ARG to set.")
        await pilot.press("x", "down", "ctrl+r", "ctrl+l", "escape")
        await gives(app, None)


async def test_the_key_opens_it_and_the_session_takes_the_changes_over() -> None:
    subject = Scripted(snapshot(arguments=("IMAGE=python:3.11",)))
    subject.rows, subject.price = ROWS[:1], PRICE
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await sees(pilot, "IMAGE=python:3.11")
        await pilot.press("v")
        await sees(pilot, "Build arguments")
        await pilot.press("backspace", "3")
        await sees(pilot, "41 s")
        await pilot.press("enter")
        changes = {"builder": {"IMAGE": "python:3.13"}}
        await wait_for_async(lambda: ("set_arguments", changes) in subject.calls, 5, "the changes")
        subject.show(arguments=("A=1", "B=2"))
        await sees(pilot, "2 arguments set")


async def test_a_recording_has_no_arguments_to_change() -> None:
    subject = Scripted(snapshot(live=False))
    async with HitmissApp(subject).run_test(size=(250, 70), notifications=True) as pilot:
        await pilot.press("v")
        await sees(pilot, "A recording is played: its build arguments")
        assert ("arguments",) not in subject.calls
