"""A step's output compared, cell by cell and colour by colour, with what pyte's terminal shows of the same bytes."""

import pyte
import pyte.graphics
import pyte.modes
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from hitmiss.build.logs import LogLine, Pen, StepLog

Cell = tuple[str, str | None, str | None, frozenset[str]]


def rows(data: bytes, log: StepLog) -> list[LogLine]:
    log.feed(data)
    log.close()
    return [log.line(index) for index in range(log.line_count)]


TEXT = st.text("abXY9 .-é→ü", min_size=1, max_size=12)
WIDE = st.text("a中한 é😀", min_size=1, max_size=5)
MOVES = st.sampled_from(["\r", "\b", "\b\b\b", "\t", "\n", "\r\n", "\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K"])
SGR = st.lists(
    st.one_of(
        st.sampled_from(["", "0", "1", "3", "4", "5", "7", "9", "22", "23", "24", "25", "27", "29", "39", "49", "58x"]),
        st.integers(30, 37).map(str),
        st.integers(40, 47).map(str),
        st.integers(90, 97).map(str),
        st.integers(100, 107).map(str),
        st.integers(0, 255).map("38;5;{}".format),
        st.integers(0, 255).map("48;5;{}".format),
        st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: "38;2;{};{};{}".format(*rgb)),
    ),
    max_size=4,
).map(lambda codes: "\x1b[" + ";".join(code for code in codes if code != "58x") + "m")


class Oracle(pyte.Screen):
    """A terminal whose erased cells take no background: a log has no right edge to fill up to."""

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        attributes, self.cursor.attrs = self.cursor.attrs, self.default_char
        super().erase_in_line(how, private)
        self.cursor.attrs = attributes


def oracle_rows(data: bytes, columns: int) -> list[list[Cell]]:
    screen = Oracle(columns, data.count(b"\n") + len(data) // columns * 8 + 20)
    screen.set_mode(pyte.modes.LNM)
    pyte.ByteStream(screen).feed(data)
    return [oracle_cells(screen.buffer[y]) for y in range(screen.cursor.y + 1)]


def oracle_cells(line: dict[int, pyte.screens.Char]) -> list[Cell]:
    cells = [line[x] for x in range(max(line, default=-1) + 1)]
    shown: list[Cell] = []
    for x, cell in enumerate(cells):
        text = cell.data
        next_text = cells[x + 1].data if x + 1 < len(cells) else " "
        # pyte leaves the other half of a wide character that was overwritten; terminals blank it.
        if (text and cell_len(text) == 2 and next_text) or (not text and (not x or cell_len(cells[x - 1].data) != 2)):
            text = " "
        names = {"bold": "bold", "italics": "italic", "underscore": "underline", "strikethrough": "strike"}
        names |= {"blink": "blink", "reverse": "reverse"}
        attributes = frozenset(ours for theirs, ours in names.items() if getattr(cell, theirs))
        shown.append((text, oracle_colour(cell.fg), oracle_colour(cell.bg), attributes))
    return strip(shown)


NAMES = [*list(pyte.graphics.FG_ANSI.values())[:8], *pyte.graphics.FG_AIXTERM.values()]
BACKGROUNDS = [*NAMES[:8], *pyte.graphics.BG_AIXTERM.values()]


def oracle_colour(colour: str) -> str | None:
    for names in (NAMES, BACKGROUNDS):
        if colour in names:
            return str(pyte.graphics.FG_BG_256[names.index(colour)])
    return None if colour == "default" else colour


def our_cells(row: LogLine) -> list[Cell]:
    pens = [Pen()] * len(row.text)
    for start, end, pen in row.spans:
        pens[start:end] = [pen] * (end - start)
    shown: list[Cell] = []
    for character, pen in zip(row.text, pens, strict=True):
        drawn = (our_colour(pen.foreground), our_colour(pen.background), frozenset(pen.attributes))
        shown.append((character, *drawn))
        if get_character_cell_size(character) == 2:
            shown.append(("", *drawn))
    return strip(shown)


def our_colour(colour: int | str | None) -> str | None:
    if isinstance(colour, int):
        return str(pyte.graphics.FG_BG_256[colour])
    return colour and colour.removeprefix("#")


def strip(cells: list[Cell]) -> list[Cell]:
    while cells and cells[-1] == (" ", None, None, frozenset()):
        cells.pop()
    return cells


def strip_rows(lines: list[list[Cell]]) -> list[list[Cell]]:
    while lines and not lines[-1]:
        lines.pop()
    return lines


@given(st.lists(st.one_of(TEXT, WIDE, MOVES, SGR), max_size=40).map("".join))
def test_text_and_colours_are_what_a_wide_terminal_shows(text: str) -> None:
    data = text.encode()
    ours = strip_rows([our_cells(row) for row in rows(data, StepLog())])
    assert ours == strip_rows(oracle_rows(data, 4096))


@given(st.lists(st.one_of(TEXT, MOVES, SGR), max_size=40).map("".join))
def test_long_lines_are_cut_where_a_terminal_would_wrap_them(text: str) -> None:
    data = text.encode()
    shown = rows(data, StepLog(columns=16))
    assert strip_rows([our_cells(row) for row in shown]) == strip_rows(oracle_rows(data, 16))
