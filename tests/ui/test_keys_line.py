"""The line of keys at the bottom of the screen."""

from __future__ import annotations

import gc
import weakref

from textual.app import App, ComposeResult
from textual.widgets._footer import FooterKey

from hitmiss.ui.widgets.keys_line import KeysLine


class Keys(App[None]):
    """One key that comes and goes."""

    BINDINGS = [("a", "nothing", "a"), ("b", "nothing_else", "b")]  # noqa: RUF012 - as Textual declares it
    without = False

    def compose(self) -> ComposeResult:
        yield KeysLine(show_command_palette=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self.without and action == "nothing")


async def test_keys_that_are_not_shown_are_let_go() -> None:
    app = Keys()
    made: weakref.WeakSet[FooterKey] = weakref.WeakSet()
    async with app.run_test() as pilot:
        for turn in range(4):
            app.without = bool(turn % 2)
            app.refresh_bindings()
            await pilot.pause()
            await pilot.pause()
            made.update(app.query(FooterKey))
            gc.collect()
            assert len(made) == len(app.query(FooterKey)) == 2 - app.without
