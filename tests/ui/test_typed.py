"""Keys that come faster than the screen: none overtakes the one before it."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from hitmiss.ui import typed
from tests.support.wait import wait_for_async
from tests.ui.shown import type_at_once


class Opened(ModalScreen[None]):
    """A dialog that is typed into."""

    BINDINGS = [("escape", "dismiss")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        yield Input()


class Deaf(Widget, can_focus=True):
    """Does not come back from a key before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.got, self.free = asyncio.Event(), asyncio.Event()

    async def on_key(self) -> None:
        self.got.set()
        await self.free.wait()


class Keys(typed.InTurn):
    """Its keys open a dialog, and are counted."""

    BINDINGS = [("o", "open"), ("x", "count('x')"), ("y", "count('y')")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[str] = []

    def action_open(self) -> None:
        self.push_screen(Opened())

    def action_count(self, key: str) -> None:
        self.counted.append(key)


async def test_keys_wait_for_the_dialog_that_the_first_one_opens() -> None:
    app = Keys()
    async with app.run_test() as pilot:
        type_at_once(app, "x", "o", "x", "y", "z")
        await wait_for_async(
            lambda: isinstance(app.focused, Input) and app.focused.value == "xyz", 10, "what was typed"
        )
        type_at_once(app, "escape", "y")
        await wait_for_async(lambda: app.counted == ["x", "y"], 10, "the key after the dialog")
        await pilot.pause()
        assert not isinstance(app.screen, Opened)


async def test_a_widget_that_never_answers_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "_STUCK_S", 0.0)
    app = Keys()
    async with app.run_test() as pilot:
        deaf = Deaf()
        await app.mount(deaf)
        app.screen.set_focus(deaf)
        type_at_once(app, "o")
        await deaf.got.wait()
        app.screen.set_focus(None)
        type_at_once(app, "x", "y")
        await wait_for_async(lambda: app.counted == ["x", "y"], 10, "the keys after it")
        deaf.free.set()
        await pilot.pause()
