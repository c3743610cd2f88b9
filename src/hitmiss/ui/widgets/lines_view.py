"""A view of many lines, drawn one visible row at a time: wrapping, scrolling, search, selection, a gutter.

The base of the log and the Dockerfile. It holds no lines: a subclass says what they are and when they change.
"""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.reactive import var
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from hitmiss.ui.widgets.line_layout import Layout, Matches, part_starts, width_of, window
from hitmiss.ui.widgets.quick_scroll import QuickScroll

StyledSpan = tuple[int, int, Style]


class LinesView(QuickScroll):
    """Lines with numbers of their own; numbers stay theirs when older lines are dropped."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--match", "lines--current-match", "lines--placeholder"}
    DEFAULT_CSS = """
    LinesView {
        overflow: auto auto;
        scrollbar-gutter: stable;
        scrollbar-size: 1 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        scrollbar-corner-color: $background;
        background: $background;
        .lines--match { background: $warning 40%; }
        .lines--current-match { background: $warning; color: auto; text-style: bold; }
        .lines--placeholder { color: $text-muted; }
    }
    """

    wrap: var[bool] = var(True)
    found: var[tuple[int, int]] = var((0, 0))
    """Which match is the current one (from 1), and of how many; (0, 0) without a search."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.placeholder = ""
        """Shown while there are no lines."""
        self.gutter_width = 0
        self._layout_of_lines = Layout()
        self._matches: Matches | None = None
        self._current = 0
        self._base = Style()
        self._strips: LRUCache[tuple[int, int, int], Strip] = LRUCache(2048)

    # What a subclass says of its lines

    def texts_from(self, number: int) -> Sequence[str]:
        """The plain text of all lines from `number` on."""
        raise NotImplementedError

    def text_of(self, number: int) -> str:
        """The plain text of one line: no control characters, no tabs."""
        raise NotImplementedError

    def spans_of(self, number: int, start: int, end: int) -> Iterable[StyledSpan]:
        """The colours of a line, at least those that touch its characters `start` to `end`."""
        return ()

    def gutter_of(self, number: int, part: int, style: Style) -> Iterable[Segment]:
        """What stands left of a row, `gutter_width` columns wide; `part` counts the rows of a wrapped line.

        `style` is the row's own.
        """
        return ()

    def background_of(self, number: int) -> Style | None:
        """A style for all of a line's rows."""
        return None

    def ending_of(self, number: int) -> str:
        """What comes after a line when it is copied."""
        return "\n"

    def is_settled(self, number: int) -> bool:
        """Whether a line will stay as it is."""
        return True

    # What a subclass reports

    def reset_lines(self, first: int = 0) -> None:
        """These are other lines now, numbered from `first`."""
        if self.text_selection is not None:
            self.screen.clear_selection()
        self._matches = None
        self.found = (0, 0)
        self._lay_out(first)
        self.scroll_to(0, 0, animate=False, force=True)

    def lines_changed(self, number: int, first: int) -> None:
        """The lines from `number` on are new or different; those before `first` are gone."""
        layout, removed = self._layout_of_lines, 0
        if first > layout.first:
            removed = layout.drop_before(first)
            if self._matches:
                before = self._matches.count
                self._matches.drop_before(first)
                self._current = max(0, self._current - before + self._matches.count)
        number = min(max(number, first), layout.end)
        texts = self.texts_from(number)
        layout.replace(number, texts)
        if self._matches:
            self._matches.replace(number, texts)
            self._say_found()
        top = self.scroll_offset.y
        self._measure()
        if removed:
            self.scroll_to(y=top - removed, animate=False, force=True)
        self.refresh()

    def replace_lines(self) -> None:
        """These are other lines now, but they are about the same; view and search stay where they are."""
        self._lay_out(self.first)
        if self._matches:
            self._matches.replace(self.first, self.texts_from(self.first))
            self._say_found()

    def redraw(self) -> None:
        """Colours changed, but no text."""
        self._strips.clear()
        self.refresh()

    # Layout

    @property
    def first(self) -> int:
        """The number of the first line."""
        return self._layout_of_lines.first

    @property
    def end(self) -> int:
        """The number after the last line's."""
        return self._layout_of_lines.end

    @property
    def text_width(self) -> int:
        """Columns for text."""
        return max(1, self.view_size.width - self.gutter_width)

    def _lay_out(self, first: int) -> None:
        # Without a size there is nothing to wrap at yet; `fit` does it when there is one.
        self._layout_of_lines = Layout(first, self.text_width if self.wrap and self.view_size.width else 0)
        self._layout_of_lines.replace(first, self.texts_from(first))
        self._strips.clear()
        self._measure()
        self.refresh()

    def _measure(self) -> None:
        layout = self._layout_of_lines
        width = 0 if self.wrap else layout.widest + self.gutter_width
        size = Size(width or self.view_size.width, layout.height)
        scrolls = self.show_vertical_scrollbar and size.height > self.outer_size.height
        if scrolls and size.width == self.virtual_size.width:
            # Only more or fewer rows to scroll through: another layout, and a repaint of the screen, can be spared.
            self.set_reactive(Widget.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height
        else:
            self.virtual_size = size

    def lay_out_again(self) -> None:
        """The width changed: the line at the top stays there."""
        top, _ = self._layout_of_lines.place(self.scroll_offset.y)
        self._lay_out(self.first)
        self.scroll_to(y=self._layout_of_lines.row(top), animate=False, force=True)

    def on_resize(self) -> None:
        """Textual calls this when the widget has another size."""
        self.fit()

    def watch_show_horizontal_scrollbar(self) -> None:
        """Textual calls this when the scrollbar takes the last row, or gives it back."""
        if self.is_attached:
            self.fit()

    def fit(self) -> None:
        """Wrapped rows depend on the width; what was cached has the old one."""
        if self.wrap and self._layout_of_lines.width != self.text_width:
            self.lay_out_again()
        else:
            self.redraw()

    def watch_wrap(self) -> None:
        """Textual calls this when wrapping is switched."""
        if self.is_attached:
            self.scroll_to(x=0, animate=False, force=True)
            self.lay_out_again()

    def row_of(self, number: int) -> int:
        """The first row of a line."""
        return self._layout_of_lines.row(number)

    def line_at(self, y: int) -> int | None:
        """The line shown at a row of the widget."""
        row = self.scroll_offset.y + y
        return self._layout_of_lines.place(row)[0] if 0 <= row < self._layout_of_lines.height else None

    def reveal(self, number: int, start: int = 0, end: int = 0) -> None:
        """Scroll as little as is needed to show a line, and of it the characters `start` to `end`."""
        layout, text = self._layout_of_lines, self.text_of(number)
        row, height = layout.row(number), self.view_size.height
        x = None
        if self.wrap:
            row += bisect_left(part_starts(text, self.text_width), start + 1) - 1
        else:
            left, right = width_of(text[:start]), width_of(text[:end])
            if left < self.scroll_offset.x or right > self.scroll_offset.x + self.text_width:
                x = max(0, right - self.text_width + 8) if right > self.text_width else 0
        top = self.scroll_offset.y
        y = row - height // 3 if not top <= row < top + height else None
        self.scroll_to(x, y, animate=False, force=True)

    # Search

    def search(self, query: str) -> None:
        """Find a text; the first match from the current one, or from the top of the screen, is the current one."""
        start = self._layout_of_lines.place(self.scroll_offset.y)[0]
        if self._matches and self._matches.count:
            start = self._matches.place(self._current)[0]
        self._matches = None
        if query:
            self._matches = Matches(query)
            self._matches.replace(self.first, self.texts_from(self.first))
            self._current = self._matches.index_from(start)
            self._reveal_current()
        self._say_found()
        self.redraw()

    def next_match(self, step: int = 1) -> None:
        """Go to the next match, after the last one to the first."""
        if self._matches and self._matches.count:
            self._current = (self._current + step) % self._matches.count
            self._reveal_current()
            self._say_found()
            self.redraw()

    def previous_match(self) -> None:
        """Go to the match before, from the first one to the last."""
        self.next_match(-1)

    def _reveal_current(self) -> None:
        if self._matches and self._matches.count:
            number, which = self._matches.place(self._current)
            self.reveal(number, *self._matches.spans(self.text_of(number))[which])

    def _say_found(self) -> None:
        count = self._matches.count if self._matches else 0
        self._current = min(self._current, max(0, count - 1))
        self.found = (self._current + 1 if count else 0, count)

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual calls this for each frame: what all rows share is looked up once."""
        base = self.rich_style
        if base != self._base:
            self._base = base
            self._strips.clear()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        row, height = self.scroll_offset.y + y, self._layout_of_lines.height
        if not 0 <= row < height:
            return Strip.blank(self.size.width, self._base) if height else self._draw_placeholder(y)
        number, part = self._layout_of_lines.place(row)
        key = (number, part, self.scroll_offset.x)
        selected = self.text_selection is not None
        strip = None if selected else self._strips.get(key)
        if strip is None:
            strip = self._draw(number, part)
            if self.is_settled(number) and not selected:
                self._strips[key] = strip
        return strip

    def _draw(self, number: int, part: int) -> Strip:
        text, width = self.text_of(number), self.text_width
        if self.wrap:
            starts = part_starts(text, width)
            blanks, start = 0, starts[part] if part < len(starts) else len(text)
            end = starts[part + 1] if part + 1 < len(starts) else len(text)
        else:
            blanks, start, end = window(text, self.scroll_offset.x, width)
        background = self.background_of(number)
        style = self._base + background if background else self._base
        shown = " " * blanks + text[start:end]
        segments = [Segment(shown, style)]
        if layers := list(self._layers(number, text, start, end)):
            line = Text(shown, end="", no_wrap=True)
            line.stylize(style)
            for left, right, colour in layers:
                line.stylize(colour, max(left - start, 0) + blanks, min(right, end) - start + blanks)
            segments = list(line.render(self.app.console))
        if (rest := self.size.width - self.gutter_width - width_of(shown)) > 0:
            segments.append(Segment(" " * rest, style))
        strip = Strip(segments).apply_offsets(start - blanks, number)
        if self.gutter_width:
            strip = Strip([*self.gutter_of(number, part, style), *strip])
        return strip.adjust_cell_length(self.size.width)

    def _layers(self, number: int, text: str, start: int, end: int) -> Iterable[StyledSpan]:
        """The colours of `text[start:end]`: the line's own, then matches, then what is selected."""
        for span in self.spans_of(number, start, end):
            if span[0] < end and span[1] > start:
                yield span
        if self._matches and self._matches.count:
            current, which = self._matches.place(self._current)
            for index, (left, right) in enumerate(self._matches.spans(text)):
                name = "lines--current-match" if (number, index) == (current, which) else "lines--match"
                if left < end and right > start:
                    yield left, right, self.get_component_rich_style(name)
        selection = self.text_selection
        if selection is not None and (span_of_line := selection.get_span(number)) is not None:
            left, right = span_of_line
            right = len(text) if right < 0 else right
            if left < end and right > start:
                yield left, right, self.screen.get_component_rich_style("screen--selection")

    def _draw_placeholder(self, y: int) -> Strip:
        width = self.size.width
        lines = textwrap.wrap(self.placeholder, max(1, width - 2))
        text = f" {lines[y]}" if y < len(lines) else ""
        style = self.get_component_rich_style("lines--placeholder")
        return Strip([Segment(text, style)]).adjust_cell_length(width, self._base)

    def notify_style_update(self) -> None:
        """Textual calls this when theme or classes change."""
        super().notify_style_update()
        self._strips.clear()

    # Selection with the mouse

    @property
    def allow_select(self) -> bool:
        """Whether text can be selected."""
        return True

    def selection_updated(self, selection: Selection | None) -> None:
        """Textual calls this when the mouse selects."""
        self.redraw()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, which has whole lines where they were cut or wrapped."""
        first, last = self.first, self.end - 1
        start = max(first, selection.start.y) if selection.start else first
        stop = min(last, selection.end.y) if selection.end else last
        parts: list[str] = []
        for number in range(start, stop + 1):
            if (span := selection.get_span(number)) is not None:
                parts.append(self.text_of(number)[span[0] : None if span[1] < 0 else span[1]])
                parts.append(self.ending_of(number) if number < stop else "")
        return ("".join(parts), "\n") if parts else None
