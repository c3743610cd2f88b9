"""The Dockerfile with syntax colours and, per line, the verdict of its step.

It shows text and marks that it is given; it reads no file and knows no build.
"""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var

from hitmiss.ui.widgets.line_layout import visible, width_of
from hitmiss.ui.widgets.lines_view import LinesView, StyledSpan
from hitmiss.ui.widgets.search_pane import SearchPane

MAX_COLOURED = 32 * 1024
"""Longer sources are shown without syntax colours."""

NOTES_FROM = 50
"""The gutter has room for notes in views of at least this many columns."""

STYLES = ("hit", "miss", "failed", "running", "dim", "warning")
TOKENS = {"Keyword": "keyword", "Comment": "comment", "Literal.String": "string", "Name.Variable": "variable"}
"""pygments' kinds of token that have a colour of their own, and its name here."""


@dataclass(frozen=True, slots=True)
class LineMark:
    """What the gutter says of a line.

    `style_name` is one of `STYLES`; `note` is short (a time, `~ 3.2 s`) and stands in the gutter; `message` (an error,
    the warning of a check) gets rows of its own under the line.
    """

    glyph: str
    style_name: str
    note: str = ""
    message: str = ""


class _Row(NamedTuple):
    """A line of the source (`message` is empty) or a piece of the message under it."""

    line: int
    text: str
    message: bool = False


@lru_cache(maxsize=256)
def _name_of(kind: str) -> str:
    """The name here of a kind of token, nothing for most."""
    return next((ours for theirs, ours in TOKENS.items() if kind.startswith(f"Token.{theirs}")), "")


@lru_cache(maxsize=8)
def _syntax(text: str) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """For each line of the source, stretches that have a colour: start, end, name."""
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

    lines: list[tuple[tuple[int, int, str], ...]] = []
    line: list[tuple[int, int, str]] = []
    column = 0
    lexer = get_lexer_by_name("docker", stripnl=False, ensurenl=False)
    for kind, value in lexer.get_tokens(text):
        name = _name_of(str(kind))
        for index, piece in enumerate(value.split("\n")):
            if index:
                lines.append(tuple(line))
                line, column = [], 0
            if piece and name:
                line.append((column, column + len(piece), name))
            column += len(piece)
    return (*lines, tuple(line))


class DockerfileLines(LinesView):
    """The source's lines, messages among them, and a cursor that stands on a source line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"dockerfile--{name}" for name in (*STYLES, *TOKENS.values())),
        "dockerfile--number",
        "dockerfile--cursor",
        "dockerfile--error",
    }
    DEFAULT_CSS = """
    DockerfileLines {
        .dockerfile--hit { color: $hit; }
        .dockerfile--miss { color: $miss; }
        .dockerfile--failed { color: $failed; }
        .dockerfile--running { color: $running; }
        .dockerfile--dim { color: $dim; }
        .dockerfile--warning { color: $warning; }
        .dockerfile--number { color: $dim; }
        .dockerfile--cursor { background: $block-cursor-blurred-background; }
        &:focus .dockerfile--cursor { background: $block-cursor-background; }
        .dockerfile--error { background: $failed 20%; }
        .dockerfile--keyword { text-style: bold; }
        .dockerfile--comment { color: $dim; text-style: italic; }
        &:dark {
            .dockerfile--string { color: #b5c98e; }
            .dockerfile--variable { color: #c3a6ff; }
        }
        &:light {
            .dockerfile--string { color: #4d6b12; }
            .dockerfile--variable { color: #6d28d9; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "choose", show=False, id="choose_line", tooltip="Go to the step of this line")
    ]

    cursor: var[int] = var(1)
    """The line that the cursor is on, counted from 1."""

    class Chosen(Message):
        """Enter or a click on a line."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self) -> None:
        super().__init__()
        self.placeholder = "There is no Dockerfile to show."
        self._source = ""
        self._lines: list[str] = []
        self._marks: Mapping[int, LineMark] = {}
        self._rows: list[_Row] = []
        self._width = 0
        self._tokens: Sequence[Sequence[tuple[int, int, str]]] = ()

    def show(self, text: str, marks: Mapping[int, LineMark]) -> None:
        """Show a source and its marks."""
        if text == self._source and marks == self._marks:
            return
        if text != self._source:
            self._source = text
            lines = text.removesuffix("\n").split("\n") if text else []
            self._lines = [visible(line.removesuffix("\r").expandtabs(8)) for line in lines]
            self._tokens = _syntax("\n".join(self._lines)) if len(text) <= MAX_COLOURED else ()
        self._marks = dict(marks)
        self._fill()
        self.cursor = min(self.cursor, max(1, len(self._lines)))

    def _fill(self) -> None:
        """Make rows of lines and messages, and keep the view where it is."""
        self._width = self.view_size.width
        notes = [width_of(mark.note) for mark in self._marks.values()] if self._width >= NOTES_FROM else []
        self._note_width = max(notes, default=0)
        self._number_width = len(str(len(self._lines)))
        gutter = self._number_width + 4 + (self._note_width + 1 if self._note_width else 0)
        self.gutter_width = gutter if self._lines else 0
        rows: list[_Row] = []
        for number, text in enumerate(self._lines, 1):
            rows.append(_Row(number, text))
            if (mark := self._marks.get(number)) is not None and mark.message:
                width = max(16, self.text_width - 2)
                for index, piece in enumerate(textwrap.wrap(visible(mark.message), width)):
                    rows.append(_Row(number, ("└ " if not index else "  ") + piece, True))
        top = self._line_at_top()
        self._rows = rows
        self.replace_lines()
        if top > 1:
            self.scroll_to(y=self.row_of(self._row_of_line(top)), animate=False, force=True)

    def _line_at_top(self) -> int:
        number = self.line_at(0)
        return self._rows[number].line if number is not None and number < len(self._rows) else 1

    def _row_of_line(self, line: int) -> int:
        return bisect_left(self._rows, line, key=lambda row: row.line)

    def fit(self) -> None:
        """Messages and the gutter depend on the width."""
        if self._width != self.view_size.width:
            self._fill()
        else:
            super().fit()

    def go_to(self, line: int) -> None:
        """Put the cursor on a line and show it."""
        self.cursor = max(1, min(line, len(self._lines)))
        if self._rows:
            self.reveal(self._row_of_line(self.cursor))

    def watch_cursor(self) -> None:
        """Textual calls this when the cursor moves."""
        self.redraw()

    # The lines

    def texts_from(self, number: int) -> Sequence[str]:
        """The text of the rows from one on."""
        return [row.text for row in self._rows[number:]]

    def text_of(self, number: int) -> str:
        """The text of one row."""
        return self._rows[number].text if number < len(self._rows) else ""

    def spans_of(self, number: int, start: int, end: int) -> Iterable[StyledSpan]:
        """The syntax colours of a line, or a message's colour."""
        row = self._rows[number]
        if row.message:
            return [(0, len(row.text), self._colour(self._marks[row.line].style_name))]
        tokens = self._tokens[row.line - 1] if row.line <= len(self._tokens) else ()
        return [(start, end, self._colour(name)) for start, end, name in tokens]

    def _colour(self, name: str) -> Style:
        known = name if name in STYLES or name in TOKENS.values() else "dim"
        return self.get_component_rich_style(f"dockerfile--{known}", partial=True)

    def background_of(self, number: int) -> Style | None:
        """The cursor's line, and lines that failed."""
        row = self._rows[number]
        if row.line == self.cursor and not row.message:
            return Style(bgcolor=self.get_component_rich_style("dockerfile--cursor").bgcolor)
        mark = self._marks.get(row.line)
        if mark is not None and mark.style_name == "failed":
            return Style(bgcolor=self.get_component_rich_style("dockerfile--error").bgcolor)
        return None

    def gutter_of(self, number: int, part: int, style: Style) -> Iterable[Segment]:
        """Line number, glyph and note; blank beside a wrapped line's other rows and beside messages."""
        row = self._rows[number]
        if part or row.message:
            return [Segment(" " * self.gutter_width, style)]
        mark = self._marks.get(row.line, LineMark(" ", "dim"))
        note = f" {visible(mark.note):>{self._note_width}}" if self._note_width else ""
        quiet = style + self.get_component_rich_style("dockerfile--number", partial=True)
        return [
            Segment(f"{row.line:>{self._number_width}} ", quiet),
            Segment(f"{visible(mark.glyph)[:1]:1}", style + self._colour(mark.style_name)),
            Segment(f"{note}  ", quiet),
        ]

    # Keys and mouse

    def action_scroll_up(self) -> None:
        """The cursor goes up."""
        self.go_to(self.cursor - 1)

    def action_scroll_down(self) -> None:
        """The cursor goes down."""
        self.go_to(self.cursor + 1)

    def action_page_up(self) -> None:
        """The cursor goes a page up."""
        self.go_to(self.cursor - max(1, self.view_size.height - 1))

    def action_page_down(self) -> None:
        """The cursor goes a page down."""
        self.go_to(self.cursor + max(1, self.view_size.height - 1))

    def action_scroll_home(self) -> None:
        """The cursor goes to the first line."""
        self.go_to(1)

    def action_scroll_end(self) -> None:
        """The cursor goes to the last line."""
        self.go_to(len(self._lines))

    def action_choose(self) -> None:
        """Say which line was chosen."""
        if self._lines:
            self.post_message(self.Chosen(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a line and chooses it; the end of a selection is no click."""
        offset = event.get_content_offset(self)
        number = self.line_at(offset.y) if offset else None
        if number is not None and not (self.text_selection and self.get_selection(self.text_selection)):
            self.cursor = self._rows[number].line
            self.action_choose()


class DockerfileView(SearchPane):
    """The source with its gutter. Lines are counted from 1."""

    class LineChosen(Message):
        """Enter or a click on a line."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        self.lines = DockerfileLines()
        super().__init__(self.lines, id=id, classes=classes)

    def show(self, text: str, marks: Mapping[int, LineMark]) -> None:
        """Show this source with these marks; the cursor and the scroll position stay where they are."""
        self.lines.show(text, marks)

    def go_to(self, line: int) -> None:
        """Put the cursor on a line and scroll it into view."""
        self.lines.go_to(line)

    def on_dockerfile_lines_chosen(self, event: DockerfileLines.Chosen) -> None:
        """Pass it on under this widget's name."""
        event.stop()
        self.post_message(self.LineChosen(event.line))
