"""Lines with a search bar: `/` opens it, `n` and `N` go from match to match, escape closes it, and `n` opens it
again; `z` wraps long lines.

What the log and the Dockerfile have in common as widgets. It knows no lines but through `LinesView`.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from hitmiss.ui.widgets.lines_view import LinesView


class SearchPane(Vertical):
    """A container for one `LinesView`, which the subclass makes."""

    DEFAULT_CSS = """
    SearchPane {
        height: 1fr;
        & > .search-bar {
            dock: bottom;
            height: 1;
            display: none;
            background: $panel;
        }
        &.-searching > .search-bar { display: block; }
        .search-bar Label { width: auto; height: 1; padding: 0 1; }
        .search-bar Input { width: 1fr; background: $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "open_search", "search", key_display="/", id="search", tooltip="Find a text in these lines"),
        Binding("n,enter", "next_match", "next", show=False, id="next_match", tooltip="The next match"),
        Binding("N", "previous_match", "previous", show=False, id="previous_match", tooltip="The match before"),
        Binding("escape", "close_search", "close search", show=False, id="close_search", tooltip="Close the search"),
        Binding("z", "toggle_wrap", "wrap", id="wrap", tooltip="Wrap long lines, or cut them and scroll sideways"),
    ]

    def __init__(self, lines: LinesView, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._view = lines
        self._has_bar = False
        self._sought = ""
        """What was searched when the bar was closed."""

    def compose(self) -> ComposeResult:
        """The lines. The bar is made when it is first asked for: the first frame waits for every widget there is."""
        yield self._view

    async def _make_bar(self) -> None:
        """The count in it follows the lines: a log may grow while it is searched."""
        self._has_bar = True
        field = Input(placeholder="search", compact=True)
        await self.mount(Horizontal(Label("/"), field, Label(classes="found"), classes="search-bar"))
        self.watch(self._view, "found", self._show_found)

    def focus_lines(self) -> None:
        """Put the focus on the lines, not on the bar."""
        self.screen.set_focus(self._view)  # `Widget.focus` would let the keys pass that are typed ahead

    @property
    def searching(self) -> bool:
        """Whether the bar is open."""
        return self.has_class("-searching")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While nothing was searched, the keys of a search are free for others."""
        if action in ("next_match", "previous_match"):
            return self.searching or bool(self._sought)
        if action == "close_search":
            return self.searching
        return True

    async def action_open_search(self) -> None:
        """Open the bar, or go back to it."""
        if not self._has_bar:
            await self._make_bar()
        self.add_class("-searching")
        field = self.query_one(Input)
        self.screen.set_focus(field)
        field.select_all()

    def action_close_search(self) -> None:
        """Close the bar; the lines stay where they are."""
        self.remove_class("-searching")
        field = self.query_one(Input)
        self._sought = field.value
        field.clear()
        self._view.search("")
        self.focus_lines()

    def restart_search(self) -> None:
        """Search lines that took the place of others."""
        self._view.search(self.query_one(Input).value)
        self._show_found()

    def action_next_match(self) -> None:
        """Go to the next match; after the search was closed, search the same again."""
        if self.searching:
            self._view.next_match()
        else:
            self._search_again()

    def action_previous_match(self) -> None:
        """Go to the match before; after the search was closed, search the same again."""
        if self.searching:
            self._view.previous_match()
        else:
            self._search_again()

    def _search_again(self) -> None:
        self.add_class("-searching")
        self.query_one(Input).value = self._sought
        self.restart_search()

    def action_toggle_wrap(self) -> None:
        """Wrap long lines, or show one row a line."""
        self._view.wrap = not self._view.wrap

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        event.stop()
        if self.searching:
            self.restart_search()

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        """Enter goes on to the next match, and to the lines, so that `n` and `N` are keys again."""
        event.stop()
        self._view.next_match()
        self.focus_lines()

    def _show_found(self) -> None:
        current, count = self._view.found
        words = f"{current:,} of {count:,}" if count else "no match" if self.query_one(Input).value else ""
        self.query_one(".found", Label).update(Content(words))
