"""Help: the keys that matter, and what the glyphs mean. It shows what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.color import Color, ColorParseError
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from hitmiss.symbols import plain

_WIDEST = 16
"""The most cells that keys or titles get; longer ones wrap."""


@dataclass(frozen=True, slots=True)
class HelpKey:
    """A key (or keys), the action's title and what it does."""

    keys: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class HelpGroup:
    """Keys that belong together."""

    title: str
    keys: tuple[HelpKey, ...]


@dataclass(frozen=True, slots=True)
class Glyph:
    """A glyph of the screen, its word, what it means, and its colour (a Textual colour, or a theme's `$variable`)."""

    glyph: str
    word: str
    meaning: str
    style: str = ""


class HelpScreen(ModalScreen[None]):
    """Shows keys and glyphs; escape, `q`, `?` or a click on Close closes it."""

    CSS_PATH = "help.tcss"
    AUTO_FOCUS = "#help"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "close", "Close")]

    def __init__(self, groups: Sequence[HelpGroup], glyphs: Sequence[Glyph] = ()) -> None:
        super().__init__()
        self._groups = tuple(groups)
        self._glyphs = tuple(glyphs)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Help")
            dialog.border_subtitle = Content("↑ ↓ scroll · esc closes")
            with VerticalScroll(id="help"):
                if self._glyphs:
                    yield Static("What the shapes say", classes="title", markup=False)
                    yield Static(self._legend(), classes="rows")
                for group in self._groups:
                    yield Static(plain(group.title), classes="title", markup=False)
                    yield Static(self._keys(group), classes="rows")
            with Horizontal(id="buttons"):
                yield Button("Close", id="close", compact=True)

    def on_button_pressed(self) -> None:
        """The only button closes."""
        self.action_close()

    def action_close(self) -> None:
        """Close the help."""
        self.dismiss(None)

    def _keys(self, group: HelpGroup) -> Table:
        table = self._rows()
        for key in group.keys:
            cells = Text(plain(key.keys), self._style("$accent")), Text(plain(key.title), "bold")
            table.add_row(*cells, Text(plain(key.description)))
        return table

    def _legend(self) -> Table:
        table = self._rows()
        for glyph in self._glyphs:
            style = self._style(glyph.style)
            table.add_row(Text(plain(glyph.glyph), style), Text(plain(glyph.word), style), Text(plain(glyph.meaning)))
        return table

    def _rows(self) -> Table:
        """Three columns, alike in all groups: two as wide as their text, one that wraps in what is left."""
        keys = [key for group in self._groups for key in group.keys]
        first = [len(key.keys) for key in keys] + [len(glyph.glyph) for glyph in self._glyphs]
        second = [len(key.title) for key in keys] + [len(glyph.word) for glyph in self._glyphs]
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=min(_WIDEST, max(first, default=1)))
        table.add_column(width=min(_WIDEST, max(second, default=1)))
        table.add_column(ratio=1)
        return table

    def _style(self, name: str) -> Style:
        """A colour, or a variable of the theme, bold; plain bold when there is no such colour."""
        value = self.app.theme_variables.get(name[1:], "") if name.startswith("$") else name
        try:
            return Style(color=Color.parse(value).rich_color, bold=True)
        except ColorParseError:
            return Style(bold=True)
