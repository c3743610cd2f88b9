"""Two small inputs of one line for dialogs: one of several words, and yes or no.

Brackets say what is chosen, so they read the same without colours. They know nothing of what is chosen with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Choice(Widget, can_focus=True):
    """One of several words, chosen with left and right or by mouse: `any  [1 h]  24 h`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Previous", show=False),
        Binding("right,space", "move(1)", "Next", show=False),
    ]

    index: reactive[int] = reactive(0, init=False)

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, choice: Choice, index: int) -> None:
            super().__init__()
            self.choice = choice
            self.index = index

    def __init__(self, words: Sequence[str], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words = tuple(words)

    def watch_index(self) -> None:
        self.post_message(self.Changed(self, self.index))

    def action_move(self, by: int) -> None:
        """Choose the word `by` places further; stops at both ends."""
        self.index = max(0, min(len(self._words) - 1, self.index + by))

    def on_click(self, event: Click) -> None:
        """Choose the word under the mouse."""
        offset = event.get_content_offset(self)
        end = 0
        for index, word in enumerate(self._words):
            end += len(word) + 2
            if offset is not None and offset.x < end:
                self.index = index
                return

    def render(self) -> Content:
        parts = [
            (f"[{word}]", "bold $accent") if index == self.index else (f" {word} ", "")
            for index, word in enumerate(self._words)
        ]
        return Content.assemble(*parts)


class Tick(Widget, can_focus=True):
    """Yes or no, turned over with space, enter or by mouse: `[x] cache mounts only`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "turn", "Turn over", show=False)]

    value: reactive[bool] = reactive(False, init=False)

    class Changed(Message):
        """It was turned over."""

        def __init__(self, tick: Tick, value: bool) -> None:
            super().__init__()
            self.tick = tick
            self.value = value

    def __init__(self, label: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = label

    def watch_value(self) -> None:
        self.post_message(self.Changed(self, self.value))

    def action_turn(self) -> None:
        """Turn it over."""
        self.value = not self.value

    def on_click(self) -> None:
        """Turn it over."""
        self.action_turn()

    def render(self) -> Content:
        return Content.assemble(("[x] ", "bold $accent") if self.value else ("[ ] ", ""), (self._label, ""))
