"""The log of one step: follows its output, searches, wraps, copies.

It reads a `StepLog` and never changes it; which step is shown is the app's affair.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import ClassVar

from rich.color import Color
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.widgets import Static

from hitmiss.build.logs import Pen, StepLog
from hitmiss.ui.widgets.line_layout import visible
from hitmiss.ui.widgets.lines_view import LinesView, StyledSpan
from hitmiss.ui.widgets.search_pane import SearchPane

NO_OUTPUT = "No output yet."
GIVEN_UP = "This log was dropped: the logs of all steps together were too long to keep."
FROM_CACHE = "This step came from the cache: nothing ran, so there is no log."


@lru_cache(maxsize=4096)
def _style(pen: Pen) -> Style:
    """A log's pen as Rich draws it; Textual gives the sixteen colours the theme's shades."""
    colours = [
        Color.from_ansi(colour) if isinstance(colour, int) else Color.parse(colour) if colour else None
        for colour in (pen.foreground, pen.background)
    ]
    return Style(color=colours[0], bgcolor=colours[1]) + Style.parse(" ".join(pen.attributes))


class LogLines(LinesView):
    """The rows of a `StepLog`."""

    follow: var[bool] = var(True)
    """Whether the view goes along with the end of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.log_shown: StepLog | None = None
        self._revision = -1
        self._settled = 0
        self._is_placing = False

    def show(self, log: StepLog | None) -> None:
        """Show another log, from its end."""
        self.log_shown = log
        self._revision = log.revision if log else -1
        self._settled = log.settled if log else 0
        with self._placing():
            self.reset_lines(log.dropped_rows if log else 0)
        self.follow = True
        self._go_to_end()

    def refresh_log(self) -> bool:
        """Show what is new; says whether anything was."""
        log = self.log_shown
        if log is None or log.revision == self._revision:
            return False
        self._revision = log.revision
        with self._placing():
            self.lines_changed(self._settled, log.dropped_rows)
        self._settled = log.settled
        self._go_to_end()
        return True

    @contextmanager
    def _placing(self) -> Iterator[None]:
        """What scrolls now is not the user."""
        before, self._is_placing = self._is_placing, True
        try:
            yield
        finally:
            self._is_placing = before

    def _go_to_end(self) -> None:
        if self.follow:
            with self._placing():
                self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def fit(self) -> None:
        """The end stays in view."""
        with self._placing():
            super().fit()
        self._go_to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up leaves the end; coming back to it follows again."""
        super().watch_scroll_y(old_value, new_value)
        if not self._is_placing and round(old_value) != round(new_value):
            self.follow = new_value >= self.max_scroll_y

    def watch_follow(self) -> None:
        """Textual calls this when following begins or ends."""
        if self.is_attached:
            self._go_to_end()

    def watch_wrap(self) -> None:
        """The end stays in view when wrapping is switched, too."""
        with self._placing():
            super().watch_wrap()
        if self.is_attached:
            self._go_to_end()

    def action_scroll_end(self) -> None:
        """To the last line, and along with it."""
        self.follow = True
        self._go_to_end()

    def reveal(self, number: int, start: int = 0, end: int = 0) -> None:
        """A match that was gone to stays in view."""
        self.follow = False
        with self._placing():
            super().reveal(number, start, end)

    # The lines

    def texts_from(self, number: int) -> Sequence[str]:
        """The text of the rows from one on."""
        log = self.log_shown
        return log.texts(max(0, number - log.dropped_rows)) if log else ()

    def text_of(self, number: int) -> str:
        """The text of one row."""
        log = self.log_shown
        index = number - log.dropped_rows if log else -1
        return log.line(index).text if log and 0 <= index < log.line_count else ""

    def spans_of(self, number: int, start: int, end: int) -> Iterable[StyledSpan]:
        """The colours of a part of one row, which may have a colour for every character."""
        log = self.log_shown
        index = number - log.dropped_rows if log else -1
        if log and 0 <= index < log.line_count:
            spans = log.line(index).spans
            for span in islice(spans, max(0, bisect_left(spans, (start,)) - 1), None):
                if span.start >= end:
                    return
                yield span.start, span.end, _style(span.pen)

    def ending_of(self, number: int) -> str:
        """Rows that were cut for their length are one line when copied."""
        log = self.log_shown
        index = number - log.dropped_rows if log else -1
        return "" if log and 0 <= index < log.line_count and log.line(index).continues else "\n"

    def is_settled(self, number: int) -> bool:
        """All rows but the one that is being written."""
        return self.log_shown is not None and number < self.log_shown.settled


class LogView(SearchPane):
    """Shows a step's log. The app calls `show` when another step is selected and `refresh_log` when output came."""

    DEFAULT_CSS = """
    LogView {
        border-bottom: solid $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        & > .note { height: 1; padding: 0 1; color: $text-muted; text-style: italic; display: none; }
        & > .excerpt {
            height: auto;
            max-height: 40%;
            padding: 0 1;
            border-left: thick $error;
            background: $error 10%;
            display: none;
        }
        & > .-shown { display: block; }
        & > .-whole { max-height: 100%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", id="follow", tooltip="Go along with the end of the log, or stay here"),
        Binding("y", "copy", "copy log", id="copy_log", tooltip="Copy what is selected, or the whole log"),
    ]

    class Copied(Message):
        """Text of the log is on the clipboard."""

        def __init__(self, title: str, lines: int) -> None:
            super().__init__()
            self.title = title
            self.lines = lines

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        self.lines = LogLines()
        super().__init__(self.lines, id=id, classes=classes)
        self._title, self._empty = "", NO_OUTPUT

    def compose(self) -> ComposeResult:
        """What was dropped and the excerpt stand above the lines."""
        yield Static(classes="excerpt", markup=False)
        yield Static(classes="note", markup=False)
        yield from super().compose()

    def on_mount(self) -> None:
        """The border says how the view stands."""
        self.watch(self.lines, "follow", self._say_state)
        self.watch(self.lines, "wrap", self._say_state)

    @property
    def has_log(self) -> bool:
        """Whether there is a log to show, be it empty."""
        return self.lines.log_shown is not None

    def show(self, log: StepLog | None, title: str, empty: str = NO_OUTPUT) -> None:
        """Show a log (again); `title` goes on the border, `empty` is shown while the log has no lines.

        A log that is shown already stays where it is.
        """
        self._title, self._empty = title, empty
        self.border_title = Content(visible(title))
        if log is None or log is not self.lines.log_shown:
            self.lines.show(log)
            if self.searching:
                self.restart_search()
        self.refresh_log()
        self._say_state()
        self.lines.redraw()

    def show_excerpt(self, text: str, *, whole: bool = False) -> None:
        """Show what failed above the log, or nothing; the `whole` of it, however little room that leaves."""
        self.query_one(".excerpt", Static).set_class(whole, "-whole")
        self._put(".excerpt", "\n".join(map(visible, text.split("\n"))) if text else "")

    def refresh_log(self) -> None:
        """Show what the log has gained since the last call; cheap when that is nothing."""
        if self.lines.refresh_log():
            self._say_state()

    def _put(self, selector: str, text: str) -> None:
        static = self.query_one(selector, Static)
        static.set_class(bool(text), "-shown")
        if static.content != text:
            # The note has one row whatever it says, and may change with every frame.
            static.update(text, layout=selector != ".note")

    def _say_state(self) -> None:
        log, lines = self.lines.log_shown, self.lines
        self._put(".note", log.note if log else "")
        if log is None or not log.line_count:
            lines.placeholder = GIVEN_UP if log and log.note else self._empty
            self.border_subtitle = ""
            return
        count = log.line_count
        words = ["following" if lines.follow else "f follows", f"{count:,} line{'s' * (count != 1)}"]
        if lines.wrap:
            words.append("wrap")
        self.border_subtitle = Content(" · ".join(words))

    def action_follow(self) -> None:
        """Go along with the end, or stay."""
        self.lines.follow = not self.lines.follow

    def action_copy(self) -> None:
        """Copy what is selected, or the whole log."""
        log = self.lines.log_shown
        selection = self.lines.text_selection
        copied = self.lines.get_selection(selection) if selection else None
        text = copied[0] if copied else log.plain_text() if log else ""
        if text:
            self.app.copy_to_clipboard(text)
            self.post_message(self.Copied(self._title, text.count("\n") + 1))


__all__ = ["FROM_CACHE", "NO_OUTPUT", "LogLines", "LogView"]
