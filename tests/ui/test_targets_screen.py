"""The list of targets: filter, move, choose, by keyboard and mouse."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from hitmiss.docker.targets import Target
from hitmiss.ui import theme
from hitmiss.ui.screens.targets import TargetScreen, rank
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, all_inside, sees, shown

SIZES = [(80, 24), (120, 40)]
TARGETS = (
    Target("base", base="python:3.12-slim", description="what all others need", line=1),
    Target("dev", base="base", line=5),
    Target("test-unit", base="dev", description="runs [bold]unit[/bold] tests \x1b[31m", line=9),
    Target("test-e2e", base="dev", platform="linux/arm64", line=12),
    Target("final", base="scratch", default=True, line=20),
)


async def opened(pilot: Pilot[None], targets: tuple[Target, ...] = TARGETS, current: str = "") -> Host:
    app = pilot.app
    assert isinstance(app, Host)
    app.push_screen(TargetScreen(targets, current), app.given.append)
    await sees(pilot, "Build which target?")
    return app


async def gives(app: Host, *answers: str | None) -> None:
    await wait_for_async(lambda: app.given == list(answers), 5, f"{answers}, given {app.given}")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [theme.DARK.name, theme.LIGHT.name])
async def test_it_shows_base_default_current_and_description(size: tuple[int, int], name: str) -> None:
    async with Host(name).run_test(size=size) as pilot:
        app = await opened(pilot, current="dev")
        await sees(pilot, "FROM python:3.12-slim", "what all others need", "▸ dev", "current", "default", "linux/arm64")
        assert "[bold]unit[/bold]" in shown(app)
        assert "\x1b" not in shown(app)
        assert all_inside(app, "#dialog", "#filter", "#targets")


async def test_enter_chooses_the_current_unless_one_moves() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, current="dev")
        await pilot.press("enter")
        await gives(app, "dev")
        await opened(pilot, current="dev")
        await pilot.press("down", "enter")
        await gives(app, "dev", "test-unit")
        await opened(pilot, current="dev")
        await pilot.press("up", "up", "up", "enter")
        await gives(app, "dev", "test-unit", "base")
        await opened(pilot, current="dev")
        await pilot.press("pagedown", "enter")
        await gives(app, "dev", "test-unit", "base", "final")


async def test_without_a_target_the_default_is_the_current() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        await sees(pilot, "▸ final", "default, current")
        await pilot.press("enter")
        await gives(app, "final")


async def test_typing_filters_and_the_input_keeps_the_focus() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        await pilot.press("t", "e", "s")
        await sees(pilot, "test-unit")
        listed = app.screen.query_one(OptionList)
        await wait_for_async(lambda: listed.option_count == 2, 5)
        await pilot.press("down")
        assert isinstance(app.focused, Input)
        await pilot.press("enter")
        await gives(app, "test-e2e")


async def test_nothing_matches() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        await pilot.press(*"[zz")
        await sees(pilot, "No target is called like that.")
        await pilot.press("down", "enter")
        assert app.given == []
        await pilot.press("backspace", "backspace", "backspace")
        await sees(pilot, "base", "final")
        await pilot.press("escape")
        await gives(app, None)


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_chooses(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        app = await opened(pilot)
        await pilot.click("#targets", offset=(6, 2))
        await gives(app, "dev")


async def test_no_targets_at_all() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, ())
        await sees(pilot, "The Dockerfile has no targets.")
        await pilot.press("enter", "escape")
        await gives(app, None)


async def test_a_last_stage_without_a_name_can_be_chosen() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, (Target("dev", base="x"), Target("", default=True, base="dev")))
        await sees(pilot, "(last stage)", "default, current")
        await pilot.press("enter")
        await gives(app, "")


@pytest.mark.parametrize("size", [(20, 5), (250, 70)])
async def test_hundreds_of_targets_in_any_terminal(size: tuple[int, int]) -> None:
    many = tuple(Target(f"stage-{number:03}", base="base") for number in range(300))
    async with Host().run_test(size=size) as pilot:
        app = pilot.app
        assert isinstance(app, Host)
        app.push_screen(TargetScreen(many, "stage-150"), app.given.append)
        await wait_for_async(lambda: isinstance(app.focused, Input), 5)
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "▸ stage-150")
        assert all_inside(app, "#dialog", "#targets")
        await pilot.press("pagedown", "down")
        await sees(pilot, "stage-161")
        await pilot.press("2", "9", "9", "enter")
        await gives(app, "stage-299")


def names(query: str) -> list[str]:
    return [target.name for target in rank(TARGETS, query)]


def test_the_best_match_is_first() -> None:
    assert names("") == ["base", "dev", "test-unit", "test-e2e", "final"]
    assert names("tu") == ["test-unit"]
    assert names("e2e") == ["test-e2e"]
    assert names("dev")[0] == "dev"
    assert names("DEV") == names("dev")
    assert names("slim") == ["base"]
    assert names("others need") == ["base"]
    assert names("nothing like it") == []


def test_a_long_name_costs_nothing() -> None:
    odd = (Target("ab" * 5000, base="b"), Target("c", base="ab" * 5000))
    assert rank(odd, "a" * 30 + "c") == ()
    assert rank(odd, "abab") == odd
