"""Where lines stand on the screen and where a text is found in them: arithmetic for `lines_view`, without a screen.

Lines have numbers that stay theirs when older lines are dropped; rows are counted from the first line kept.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

# All characters but those that take one column, whatever stands beside them.
_uneven = re.compile(
    "[^ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u2010-\u2027\u2190-\u21ff\u2500-\u25fc\u2800-\u28ff]"
)

_VISIBLE = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_UNSEEN = [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
# Lone surrogates stand for bytes that were not UTF-8; no terminal can be sent one.
_VISIBLE |= dict.fromkeys([*_UNSEEN, *range(0xD800, 0xE000)], 0xFFFD)


def visible(text: str) -> str:
    """One line of foreign text, with every control made a sign that stands for it; its length stays the same."""
    return text if text.isascii() and text.isprintable() else text.translate(_VISIBLE)


def is_uniform(text: str) -> bool:
    """Whether every character takes one column."""
    return text.isascii() or _uneven.search(text) is None


def width_at_most(text: str) -> int:
    """A bound for the columns of a text, in a fraction of the time that `width_of` takes."""
    return len(text) if text.isascii() else len(text) + len(_uneven.findall(text))


def width_of(text: str) -> int:
    """Columns that a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def part_starts(text: str, width: int) -> Sequence[int]:
    """Where the rows of a wrapped line begin: as many characters a row as fit."""
    if is_uniform(text):
        return range(0, max(1, len(text)), width)
    return _uneven_starts(text, width)


@lru_cache(maxsize=64)
def _uneven_starts(text: str, width: int) -> Sequence[int]:
    starts, room = [0], width
    for index, character in enumerate(text):
        size = get_character_cell_size(character)
        if size > room and index > starts[-1]:
            starts.append(index)
            room = width
        room -= size
    return starts


def window(text: str, left: int, width: int) -> tuple[int, int, int]:
    """The characters to be seen in columns `left` to `left + width`, and the blanks before them.

    A wide character that begins left of the window is a blank there; one that ends right of it is left out.
    """
    if is_uniform(text):
        return 0, min(left, len(text)), min(left + width, len(text))
    column = start = 0
    while start < len(text) and column < left:
        column += get_character_cell_size(text[start])
        start += 1
    while start and start < len(text) and not get_character_cell_size(text[start]):
        start += 1
    blanks = max(0, column - left)
    end, room = start, width - blanks
    while end < len(text) and (size := get_character_cell_size(text[end])) <= room:
        room -= size
        end += 1
    return blanks, start, end


class Layout:
    """The rows of all lines, wrapped at `width` columns, or one row a line where that is 0."""

    def __init__(self, first: int = 0, width: int = 0) -> None:
        self.first = first
        self.width = width
        self.widest = 0
        """Columns of the widest line so far; not counted while wrapping."""
        self._count = 0
        self._ends: list[int] = []
        self._gone = 0

    @property
    def end(self) -> int:
        """The number after the last line's."""
        return self.first + self._count

    @property
    def height(self) -> int:
        """Rows of all lines."""
        if not self.width:
            return self._count
        return self._ends[-1] - self._gone if self._ends else 0

    def replace(self, number: int, texts: Sequence[str]) -> None:
        """The lines from `number` on are these now."""
        keep = number - self.first
        self._count = keep + len(texts)
        if not self.width:
            for text in texts:
                if width_at_most(text) > self.widest:
                    self.widest = max(self.widest, width_of(text))
            return
        width = self.width
        del self._ends[keep:]
        end = self._ends[-1] if self._ends else self._gone
        for text in texts:
            end += 1 if width_at_most(text) <= width else len(part_starts(text, width))
            self._ends.append(end)

    def drop_before(self, number: int) -> int:
        """Lines before `number` are gone; returns how many rows went."""
        lines = min(number - self.first, self._count)
        self.first = number
        self._count -= lines
        if not self.width:
            return lines
        gone = self._ends[lines - 1] if lines else self._gone
        rows, self._gone = gone - self._gone, gone
        del self._ends[:lines]
        return rows

    def place(self, row: int) -> tuple[int, int]:
        """The line that a row belongs to, and which of that line's rows it is."""
        if not self.width or not self._ends:
            return self.first + row, 0
        index = bisect_right(self._ends, row + self._gone)
        before = self._ends[index - 1] if index else self._gone
        return self.first + index, row + self._gone - before

    def row(self, number: int) -> int:
        """The first row of a line; of a line that is gone, the first row of all."""
        index = min(max(number - self.first, 0), self._count)
        if not self.width:
            return index
        return (self._ends[index - 1] if index else self._gone) - self._gone


class Matches:
    """Where a text is found, upper and lower case alike. Kept as a count per line: a letter may be found everywhere."""

    def __init__(self, query: str) -> None:
        self._query = query.lower()
        self._lines: list[int] = []
        self._totals: list[int] = []
        self._gone = 0

    @property
    def count(self) -> int:
        """How often the text is found in all lines."""
        return self._totals[-1] - self._gone if self._totals else 0

    def replace(self, number: int, texts: Sequence[str]) -> None:
        """The lines from `number` on are these now."""
        keep = bisect_left(self._lines, number)
        del self._lines[keep:], self._totals[keep:]
        total = self._totals[-1] if self._totals else self._gone
        query = self._query
        for line, text in enumerate(texts, number):
            if found := _fold(text).count(query):
                total += found
                self._lines.append(line)
                self._totals.append(total)

    def drop_before(self, number: int) -> None:
        """Lines before `number` are gone."""
        lines = bisect_left(self._lines, number)
        if lines:
            self._gone = self._totals[lines - 1]
            del self._lines[:lines], self._totals[:lines]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the text is found in one line."""
        folded, size, spans = _fold(text), len(self._query), []
        start = folded.find(self._query)
        while start >= 0:
            spans.append((start, start + size))
            start = folded.find(self._query, start + size)
        return spans

    def index_from(self, number: int) -> int:
        """The first match at or after a line, round to the first of all."""
        index = bisect_left(self._lines, number)
        if index == len(self._lines):
            return 0
        return (self._totals[index - 1] if index else self._gone) - self._gone

    def place(self, index: int) -> tuple[int, int]:
        """The line of a match, and which match of that line it is."""
        line = bisect_right(self._totals, index + self._gone)
        before = self._totals[line - 1] if line else self._gone
        return self._lines[line], index + self._gone - before


def _fold(text: str) -> str:
    """Lower case, where that leaves every character in its place."""
    folded = text.lower()
    return folded if len(folded) == len(text) else text
