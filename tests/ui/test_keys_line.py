"""The line of keys at the bottom of the screen."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding

from hitmiss.ui.widgets.keys_line import KeysLine
from tests.support.wait import wait_for_async
from tests.ui.shown import sees, shown


class Keys(App[None]):
    """Four keys of which one comes and goes, and one is shown nowhere."""

    BINDINGS = [  # noqa: RUF012 - as Textual declares it
        Binding("a", "press('a')", "alpha", tooltip="The first"),
        Binding("b,f5", "press('b')", "beta"),
        Binding("c", "press('c')", "gamma"),
        Binding("q", "press('q')", "quit", id="quit"),
        Binding("x", "press('x')", "hidden", show=False),
    ]
    without = ""

    def compose(self) -> ComposeResult:
        self.pressed: list[str] = []
        yield KeysLine(kept=["quit"])

    def action_press(self, key: str) -> None:
        self.pressed.append(key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return parameters != (self.without,)


async def test_a_key_comes_and_goes() -> None:
    app = Keys()
    async with app.run_test() as pilot:
        await sees(pilot, " a alpha  b beta  c gamma  q quit ")
        app.without = "b"
        app.refresh_bindings()
        await sees(pilot, " a alpha  c gamma  q quit ")
        app.without = ""
        app.refresh_bindings()
        await sees(pilot, " a alpha  b beta  c gamma  q quit ")
        assert "hidden" not in shown(app)


@pytest.mark.parametrize(
    ("width", "line"),
    [(80, "a alpha  b beta  c gamma  q quit"), (33, "a alpha  b beta  q quit"), (12, "q quit"), (3, "q")],
)
async def test_what_is_kept_stays_where_it_is_narrow(width: int, line: str) -> None:
    async with Keys().run_test(size=(width, 3)) as pilot:
        await wait_for_async(lambda: shown(pilot.app).splitlines()[-1].strip() == line, 10, line)


async def test_a_click_presses_the_key_under_the_mouse() -> None:
    app = Keys()
    async with app.run_test() as pilot:
        await sees(pilot, "quit")
        line = app.query_one(KeysLine)
        for x, key in ((0, "a"), (8, "a"), (9, "b"), (16, "b"), (17, "c"), (32, "q")):
            await pilot.hover(KeysLine, offset=(x, 0))
            assert line.pointed == key
            await pilot.click(KeysLine, offset=(x, 0))
        await pilot.hover(KeysLine, offset=(0, 0))
        assert line.tooltip == "The first"
        await pilot.click(KeysLine, offset=(34, 0))
        await pilot.hover(offset=(5, 5))
        await pilot.hover(KeysLine, offset=(34, 0))
        assert line.pointed == ""
        assert line.tooltip is None
        await pilot.hover(offset=(5, 5))
        await wait_for_async(lambda: "".join(app.pressed) == "aabbcq", 10, "all presses")
