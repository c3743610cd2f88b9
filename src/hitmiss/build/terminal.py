"""One line of raw output as a terminal would show it: text, colours, and what goes back to overwrite.

Pure text work for `logs`; Rich is asked only for the width of characters beyond ASCII, and only when one turns up.

The terminal meant here has one row a line. Text, `\\r`, `\\b`, tabs, SGR colours and erase-in-line do what they do in
any terminal; every other escape sequence and control character is dropped. A sequence never reaches beyond its line,
so one that is not ended cannot swallow the rest of the log.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby, islice
from typing import NamedTuple

MARKS_PER_CELL = 32
"""Zero-width characters (accents, joiners) kept on one cell where cells are written one by one."""

MAX_PARAMETERS = 128
"""A colour sequence with more text than this between its brackets is dropped unread."""

Colour = int | str | None
"""A palette number (0 to 255), `#rrggbb`, or None for the terminal's own colour."""


class Pen(NamedTuple):
    """How a stretch of text is drawn; `attributes` are Rich's words for them, sorted (`bold`, `underline`, …)."""

    foreground: Colour = None
    background: Colour = None
    attributes: tuple[str, ...] = ()


PLAIN = Pen()


class Span(NamedTuple):
    """`text[start:end]` is drawn with `pen`."""

    start: int
    end: int
    pen: Pen


class LogLine(NamedTuple):
    """One row of a log. `continues` says that it was cut for its length and goes on in the next row."""

    text: str
    spans: tuple[Span, ...] = ()
    continues: bool = False


# Controls (line feed aside: text comes without), and what reorders or breaks a line in a terminal that knows Unicode:
# directional marks, line and paragraph separators.
_CONTROLS = r"\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_find_controls = re.compile(f"[{_CONTROLS}]").search
_split_at_colours = re.compile(r"\x1b\[([0-9;:]*)m").split

_OSC = r"(?:\x1b\]|\x9d)[^\x07\x18\x1a\x1b\x9c]*"
_OTHER_STRING = r"(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x18\x1a\x1b\x9c]*"
_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*"

_tokens = re.compile(
    rf"""(?P<text>[^{_CONTROLS}]+)
    | (?P<unfinished>\r+\Z | \x1b[ -/]*\Z | {_CSI}\Z | {_OSC}\x1b?\Z | {_OTHER_STRING}\x1b?\Z)
    | (?:\x1b\[|\x9b)(?P<parameters>[0-?]*)(?P<final>[mK])
    | {_OSC}(?:[\x07\x18\x1a\x9c] | \x1b\\ | (?=\x1b))
    | {_OTHER_STRING}(?:[\x18\x1a\x9c] | \x1b\\ | (?=\x1b))
    | {_CSI}[@-~]?
    | \x1b[ -/]*[0-~]?
    | (?P<control>.)""",
    re.VERBOSE | re.DOTALL,
).finditer

_ATTRIBUTES = {
    1: "bold",
    2: "dim",
    3: "italic",
    4: "underline",
    5: "blink",
    6: "blink",
    7: "reverse",
    9: "strike",
    21: "underline",
    53: "overline",
}
_ENDS = {
    22: ("bold", "dim"),
    23: ("italic",),
    24: ("underline",),
    25: ("blink",),
    27: ("reverse",),
    29: ("strike",),
    55: ("overline",),
}


def has_controls(text: str) -> bool:
    """Whether a line is more than plain text."""
    return _find_controls(text) is not None


def _colour(fields: list[str]) -> Colour:
    """The colour that follows 38 or 48: `5;N` or `2;R;G;B` (with colons also `2::R:G:B`)."""
    numbers = [int(field or 0) for field in fields]
    if numbers[:1] == [5] and len(numbers) > 1 and numbers[1] < 256:
        return numbers[1]
    red, green, blue = numbers[-3:] if numbers[:1] == [2] and len(numbers) > 3 else (256, 256, 256)
    return f"#{red:02x}{green:02x}{blue:02x}" if max(red, green, blue) < 256 else None


@lru_cache(maxsize=4096)
def repen(pen: Pen, parameters: str) -> Pen:
    """The pen after an SGR sequence; one that is not well formed changes nothing."""
    if len(parameters) > MAX_PARAMETERS or parameters.strip("0123456789;:"):
        return pen
    foreground, background, attributes = pen.foreground, pen.background, set(pen.attributes)
    fields = iter(parameters.split(";"))
    for field in fields:
        head, *tail = field.split(":")
        code = int(head or 0)
        if code in (38, 48):
            if not tail:
                mode = next(fields, "")
                tail = [mode, *islice(fields, {"5": 1, "2": 3}.get(mode, 0))]
            colour = _colour([part.split(":")[0] for part in tail])
            if colour is not None and code == 38:
                foreground = colour
            elif colour is not None:
                background = colour
        elif code == 0:
            foreground, background = None, None
            attributes.clear()
        elif code in _ENDS or (code == 4 and tail[:1] == ["0"]):
            attributes.difference_update(_ENDS.get(code, ("underline",)))
        elif code in _ATTRIBUTES:
            attributes.add(_ATTRIBUTES[code])
        elif 30 <= code <= 37 or 90 <= code <= 97:
            foreground = code - 30 if code < 90 else code - 82
        elif 40 <= code <= 47 or 100 <= code <= 107:
            background = code - 40 if code < 100 else code - 92
        elif code == 39:
            foreground = None
        elif code == 49:
            background = None
    return Pen(foreground, background, tuple(sorted(attributes)))


def coloured_line(text: str, pen: Pen, longest: int) -> tuple[LogLine, Pen] | None:
    """A whole line that holds nothing but ASCII text and colours, and the pen after it; None for any other line."""
    pieces = _split_at_colours(text)
    shown = "".join(pieces[::2])
    if len(shown) > longest or not shown.isascii() or has_controls(shown):
        return None
    spans: list[Span] = []
    start = end = 0
    for index, piece in enumerate(pieces):
        if not index % 2:
            end += len(piece)
        elif (new := repen(pen, piece)) != pen:
            if end > start and pen != PLAIN:
                spans.append(Span(start, end, pen))
            # Between two changes of pen without text nothing is drawn: the next stretch may go on with the pen before.
            if end == start and spans and spans[-1].end == start and spans[-1].pen == new:
                start = spans.pop().start
            else:
                start = end
            pen = new
    if end > start and pen != PLAIN:
        spans.append(Span(start, end, pen))
    return LogLine(shown, tuple(spans)), pen


@lru_cache(maxsize=4096)
def _width(character: str) -> int:
    """Cells that a character takes: 0, 1 or 2."""
    if " " <= character <= "~":
        return 1
    from rich.cells import get_character_cell_size

    return get_character_cell_size(character)


class Row:
    """The row that is being written.

    As long as text is only added at its end, it is a list of runs. The first thing that goes back into it (`\\r`,
    `\\b`, an erase) or nears its end turns it into cells, one a column; the second half of a wide character is "".
    """

    __slots__ = ("_ascii", "_chars", "_column", "_columns", "_length", "_measured", "_pens", "_runs", "touched")

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self.touched = False
        self._runs: list[tuple[str, Pen]] = []
        self._length = 0
        self._ascii = True
        self._measured = 0
        self._column = 0
        self._chars: list[str] | None = None
        self._pens: list[Pen] = []

    def put(self, text: str, pen: Pen) -> str:
        """Write text at the cursor and return what found no room in the row."""
        ascii_only = text.isascii()
        if self._chars is None:
            if not self._length and not ascii_only:
                while text and not _width(text[0]):
                    text = text[1:]
            # A character takes two columns at most, so half as many characters as columns fit for certain.
            all_ascii = self._ascii and ascii_only
            if all_ascii or self._length + len(text) <= self._columns // 2:
                room = self._columns - self._length
                self._append(text[:room], pen)
                return text[room:]
            self._to_cells()
        return self._write(text, pen, ascii_only)

    def _append(self, text: str, pen: Pen) -> None:
        if text:
            self._runs.append((text, pen))
            self._length += len(text)
            self._ascii = self._ascii and text.isascii()
            self.touched = True

    def _write(self, text: str, pen: Pen, ascii_only: bool) -> str:
        """Write into cells: in one go where every character takes one column, else one by one."""
        if ascii_only:
            room = self._columns - self._column
            self._overwrite(list(text[:room]), pen)
            return text[room:]
        new: list[str] = []
        for index, character in enumerate(text):
            width = _width(character)
            if not width:
                self._overwrite(new, pen)
                self._add_mark(character)
                new = []
            elif self._column + len(new) + width > self._columns:
                self._overwrite(new, pen)
                return text[index:]
            else:
                new += (character, "") if width == 2 else (character,)
        self._overwrite(new, pen)
        return ""

    def _add_mark(self, mark: str) -> None:
        """Put a zero-width character on the cell before the cursor."""
        assert self._chars is not None
        at = self._column - 1
        if 0 <= at < len(self._chars):
            at -= not self._chars[at]
            if len(self._chars[at]) <= MARKS_PER_CELL:
                self._chars[at] += mark

    def _overwrite(self, new: list[str], pen: Pen) -> None:
        """Put cells at the cursor and move it; a wide character that loses one half leaves a blank."""
        assert self._chars is not None
        chars, pens, start = self._chars, self._pens, self._column
        if not new:
            return
        if start > len(chars):
            pens.extend([PLAIN] * (start - len(chars)))
            chars.extend(" " * (start - len(chars)))
        end = start + len(new)
        if 0 < start < len(chars) and not chars[start]:
            chars[start - 1] = " "
        if end < len(chars) and not chars[end]:
            chars[end] = " "
        chars[start:end] = new
        pens[start:end] = [pen] * len(new)
        self._column = end

    def _to_cells(self) -> None:
        if self._chars is None:
            self._chars, self._column = [], 0
            self.touched = True
            for text, pen in self._runs:
                self._write(text, pen, text.isascii())

    def control(self, control: str) -> None:
        """Move the cursor by `\\r`, `\\b` or a tab; any other control does nothing."""
        if control == "\t":
            self._tab()
        elif control == "\r":
            self._to_cells()
            self._column = 0
        elif control == "\b":
            self._to_cells()
            self._column = max(0, min(self._column, self._columns - 1) - 1)

    def _tab(self) -> None:
        """Go to the next multiple of eight; at the end of a row that means to add blanks."""
        if self._chars is None:
            for text, _ in self._runs[self._measured :]:
                self._column += len(text) if text.isascii() else sum(map(_width, text))
            self._measured = len(self._runs)
            stop = (self._column // 8 + 1) * 8
            if self._length + 8 <= self._columns // 2 and stop < self._columns:
                self._append(" " * (stop - self._column), PLAIN)
                return
            self._to_cells()
        self._column = min((self._column // 8 + 1) * 8, self._columns - 1)

    def erase(self, mode: str) -> None:
        """Erase in line: from the cursor to the end (0), from the start to the cursor (1), or all of it (2)."""
        if mode not in ("", "0", "1", "2") or (self._chars is None and mode in ("", "0")):
            return
        self._to_cells()
        assert self._chars is not None
        column = self._column
        if mode == "1":
            self._column = 0
            self._overwrite([" "] * min(column + 1, len(self._chars)), PLAIN)
        else:
            keep = 0 if mode == "2" else column
            if 0 < keep < len(self._chars) and not self._chars[keep]:
                self._chars[keep - 1] = " "
            del self._chars[keep:], self._pens[keep:]
        self._column = column

    def line(self, continues: bool = False) -> LogLine:
        """The row as it stands."""
        runs = self._runs if self._chars is None else zip(self._chars, self._pens, strict=True)
        text, spans, start = [], [], 0
        for pen, group in groupby(runs, key=lambda run: run[1]):
            stretch = "".join(part for part, _ in group)
            if pen != PLAIN and stretch:
                spans.append(Span(start, start + len(stretch), pen))
            text.append(stretch)
            start += len(stretch)
        return LogLine("".join(text), tuple(spans), continues)


class Writer:
    """Writes lines of output into rows; knows the pen, which lives on from line to line."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.row = Row(columns)
        self._pen = PLAIN

    @property
    def fresh(self) -> bool:
        """At the start of a row, with nothing that would colour what comes."""
        return not self.row.touched and self._pen is PLAIN

    def write_line(self, text: str) -> list[LogLine]:
        """Write all of a line, or what was still missing of it; returns its rows."""
        if not self.row.touched and (coloured := coloured_line(text, self._pen, self.columns)) is not None:
            line, pen = coloured
            self._set_pen(pen)
            return [line]
        rows: list[LogLine] = []
        self.write(text, rows)
        return [*rows, self.end_row()]

    def write(self, text: str, rows: list[LogLine]) -> str:
        """Write part of a line, adding each row that is full to `rows`; returns the sequence that its end cut off."""
        for token in _tokens(text):
            kind = token.lastgroup
            if kind == "text":
                rest = self.row.put(token[0], self._pen)
                while rest:
                    rows.append(self.end_row(continues=True))
                    rest = self.row.put(rest, self._pen)
            elif kind == "final" and token["final"] == "m":
                self._set_pen(repen(self._pen, token["parameters"]))
            elif kind == "final":
                self.row.erase(token["parameters"])
            elif kind == "control":
                self.row.control(token[0])
            elif kind == "unfinished":
                return _stub(token[0])
        return ""

    def end_row(self, continues: bool = False) -> LogLine:
        """The row that was being written; a new one is begun."""
        line = self.row.line(continues)
        self.row = Row(self.columns)
        return line

    def _set_pen(self, pen: Pen) -> None:
        self._pen = PLAIN if pen == PLAIN else pen


def _stub(unfinished: str) -> str:
    """Keep of a sequence that a chunk cut off what its meaning depends on: so it cannot grow without end."""
    if unfinished[0] == "\r":
        return "\r"
    start = 2 if unfinished[0] == "\x1b" else 1
    if unfinished[:start] in ("\x1b[", "\x9b"):
        return unfinished[: start + MAX_PARAMETERS + 1]
    is_string = start == 1 or unfinished[1:2] in tuple("]PX^_")
    ends_in_escape = is_string and len(unfinished) > start and unfinished[-1] == "\x1b"
    return unfinished[:start] + "\x1b" * ends_in_escape
