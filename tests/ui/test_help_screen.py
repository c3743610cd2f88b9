"""The help: keys, glyphs, scrolling, closing."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from hitmiss.symbols import SYMBOLS
from hitmiss.ui import theme
from hitmiss.ui.actions import ACTIONS, key_of
from hitmiss.ui.screens.help import Glyph, HelpGroup, HelpKey, HelpScreen
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, all_inside, sees, shown

SIZES = [(80, 24), (120, 40)]
GROUPS = (
    HelpGroup("Build", tuple(HelpKey(key_of(act.id, {}), act.title, act.description) for act in ACTIONS)),
    HelpGroup("Odd", (HelpKey("ctrl+x, [", "[b]title[/b]\x1b[1m", "word " * 40), HelpKey("z", "last of all"))),
)
GLYPHS = tuple(
    Glyph(each.glyph, each.word or str(key), each.meaning, f"${each.colour}") for key, each in SYMBOLS.items()
)


async def opened(pilot: Pilot[None]) -> Host:
    app = pilot.app
    assert isinstance(app, Host)
    app.push_screen(HelpScreen(GROUPS, GLYPHS), app.given.append)
    await sees(pilot, "Help")
    return app


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [theme.DARK.name, theme.LIGHT.name])
async def test_it_shows_glyphs_and_keys(size: tuple[int, int], name: str) -> None:
    async with Host(name).run_test(size=size) as pilot:
        app = await opened(pilot)
        await sees(pilot, "What the shapes say", "● ", "came from the cache", "Build", "rebuild", "Close")
        assert all_inside(app, "#dialog", "#help", "#close")
        help_ = app.screen.query_one("#help")
        help_.scroll_end(animate=False)
        await sees(pilot, "last of all", "[b]title[/b]")
        assert "\x1b" not in shown(app)


async def test_it_scrolls_by_keyboard_and_wheel() -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        help_ = app.screen.query_one("#help")
        await pilot.press("end")
        await wait_for_async(lambda: help_.scroll_y == help_.max_scroll_y > 0, 5)
        await pilot.press("home", "down", "down")
        await wait_for_async(lambda: help_.scroll_y == 2, 5)


@pytest.mark.parametrize("key", ["escape", "q", "question_mark"])
async def test_keys_close_it(key: str) -> None:
    async with Host().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        await pilot.press(key)
        await wait_for_async(lambda: app.given == [None], 5)


async def test_the_mouse_closes_it() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot)
        await pilot.click("#close")
        await wait_for_async(lambda: app.given == [None], 5)


async def test_colours_that_there_are_not_do_no_harm() -> None:
    odd = (
        Glyph("x", "odd", "of no colour", "$nosuch"),
        Glyph("y", "odd", "of a wrong one", "not a colour"),
        Glyph("z", "", ""),
    )
    async with Host().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(HelpScreen((), odd))
        await sees(pilot, "of no colour", "of a wrong one")


@pytest.mark.parametrize("size", [(20, 5), (250, 70)])
async def test_any_terminal_will_do(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        app = pilot.app
        app.push_screen(HelpScreen(GROUPS, GLYPHS))
        await wait_for_async(lambda: isinstance(app.screen, HelpScreen), 5)
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "What the shapes say")
