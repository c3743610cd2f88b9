"""The keys at the bottom of the screen, to read and to click.

It is one line of text. Textual's footer has a widget for each key and makes all of them anew when one comes or goes, as
it does twice in each build: that takes longer than all else that is drawn then.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.events import Leave, MouseDown, MouseMove
from textual.reactive import reactive
from textual.widget import Widget


class KeysLine(Widget):
    """The bindings of the screen that are shown, as many as there is room for."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys-line--key", "keys-line--description", "keys-line--pointed"}
    DEFAULT_CSS = """
    KeysLine {
        dock: bottom;
        height: 1;
        color: $footer-foreground;
        background: $panel;
        & > .keys-line--key { color: $footer-key-foreground; text-style: bold; }
        & > .keys-line--description { color: $footer-description-foreground; }
        & > .keys-line--pointed { background: $block-hover-background; }
    }
    """

    pointed = reactive("")
    """The key under the mouse."""

    def __init__(self, kept: Collection[str] = ()) -> None:
        """`kept` are the ids of bindings that stand there however narrow the line is."""
        super().__init__()
        self._kept = kept
        self._active: tuple[Binding, ...] = ()

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._update())
        self._update()

    def _update(self) -> None:
        active = self.screen.active_bindings.values()
        shown = [each.binding for each in reversed(active) if each.binding.show and each.enabled]
        first = {binding.action: binding for binding in shown}  # an action may have several keys
        found = tuple(binding for binding in reversed(shown) if first[binding.action] is binding)
        if found != self._active:
            self._active = found
            self.refresh()

    def places(self) -> list[tuple[int, str, Binding]]:
        """Where each key begins, in cells, how it is called, and what it is."""
        shown = [(self.app.get_key_display(binding), binding) for binding in self._active]
        while sum(_width(*each) for each in shown) > self.content_size.width:
            rest = [each for each in shown if each[1].id not in self._kept]
            if not rest:
                break
            shown.remove(rest[-1])
        starts = accumulate((_width(*each) for each in shown), initial=0)
        return [(start, name, binding) for start, (name, binding) in zip(starts, shown, strict=False)]

    def render(self) -> Text:
        """The line."""
        key = self.get_component_rich_style("keys-line--key", partial=True)
        said = self.get_component_rich_style("keys-line--description", partial=True)
        line = Text(no_wrap=True)
        for _, name, binding in self.places():
            part = Text.assemble((f" {name} ", key), (f"{binding.description} ", said))
            if binding.key == self.pointed:
                part.stylize(self.get_component_rich_style("keys-line--pointed", partial=True))
            line.append_text(part)
        return line

    def on_mouse_move(self, event: MouseMove) -> None:
        """Show which key a click would press, and what that does."""
        binding = self._at(event.x)
        if (binding.key if binding else "") != self.pointed:
            self.pointed = binding.key if binding else ""
            self.tooltip = (binding.tooltip or None) if binding else None

    def on_leave(self, _: Leave) -> None:
        """Show none."""
        self.pointed, self.tooltip = "", None

    def on_mouse_down(self, event: MouseDown) -> None:
        """Press the key."""
        if binding := self._at(event.x):
            self.app.simulate_key(binding.key)

    def _at(self, x: int) -> Binding | None:
        return next(
            (each for start, name, each in self.places() if start <= x < start + _width(name, each)),
            None,
        )


def _width(name: str, binding: Binding) -> int:
    return cell_len(f" {name} {binding.description} ")
