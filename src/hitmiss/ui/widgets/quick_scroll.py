"""Scrolling by keys that have names, so that they can be remapped, and that do not animate.

The base of `lines_view`; it knows nothing of what is scrolled.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView


class QuickScroll(ScrollView, can_focus=True, inherit_bindings=False):
    """A scroll view that a held key does not leave behind."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", "Up", show=False, id="lines_up", tooltip="One line up"),
        Binding("down", "scroll_down", "Down", show=False, id="lines_down", tooltip="One line down"),
        Binding("left", "scroll_left", "Left", show=False, id="lines_left", tooltip="To the left"),
        Binding("right", "scroll_right", "Right", show=False, id="lines_right", tooltip="To the right"),
        Binding("pageup", "page_up", "Page up", show=False, id="lines_page_up", tooltip="One page up"),
        Binding("pagedown,space", "page_down", "Page down", show=False, id="lines_page_down", tooltip="One page down"),
        Binding("home", "scroll_home", "Start", show=False, id="lines_home", tooltip="To the first line"),
        Binding("end", "scroll_end", "End", show=False, id="lines_end", tooltip="To the last line"),
    ]

    @property
    def view_size(self) -> Size:
        """Columns and rows for gutter and text: all but border and scrollbars, also while the widget is not shown."""
        return self.outer_size - self.styles.gutter.totals - self.scrollbar_gutter.totals

    def _scroll_by(self, rows: int = 0, columns: int = 0) -> None:
        x, y = self.scroll_offset
        self.scroll_to(x + columns, y + rows, animate=False, force=True)

    def action_scroll_up(self) -> None:
        """One row up."""
        self._scroll_by(-1)

    def action_scroll_down(self) -> None:
        """One row down."""
        self._scroll_by(1)

    def action_scroll_left(self) -> None:
        """Eight columns to the left."""
        self._scroll_by(columns=-8)

    def action_scroll_right(self) -> None:
        """Eight columns to the right."""
        self._scroll_by(columns=8)

    def action_page_up(self) -> None:
        """One page up, less a row to hold on to."""
        self._scroll_by(-max(1, self.view_size.height - 1))

    def action_page_down(self) -> None:
        """One page down, less a row to hold on to."""
        self._scroll_by(max(1, self.view_size.height - 1))

    def action_scroll_home(self) -> None:
        """To the first line."""
        self.scroll_to(0, 0, animate=False, force=True)

    def action_scroll_end(self) -> None:
        """To the last line."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
