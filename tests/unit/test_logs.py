"""A step's output as a terminal would show it, every kind of bad input, and memory within bounds."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from hitmiss.build.logs import COLUMNS, ROW_SIZE, SPAN_SIZE, LogBook, LogLine, Pen, Span, StepLog


def rows(*chunks: bytes, close: bool = True, log: StepLog | None = None) -> list[LogLine]:
    log = log or StepLog()
    for chunk in chunks:
        log.feed(chunk)
    if close:
        log.close()
    return [log.line(index) for index in range(log.line_count)]


def texts(*chunks: bytes) -> list[str]:
    return [row.text for row in rows(*chunks)]


# --- what a terminal shows ----------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"no end", ["no end"]),
        (b"\n\n", ["", ""]),
        (b"abcdef\rxy", ["xycdef"]),
        (b"abc\r\r\n", ["abc"]),
        (b"abc\bX", ["abX"]),
        (b"\b\babc", ["abc"]),
        (b"a\tb\n", ["a       b"]),
        (b"abcdefghij\r\tX", ["abcdefghXj"]),
        (b"12345678\t|", ["12345678        |"]),
        (b"downloading 10%\rdownloading 100%\rdone\x1b[K\n", ["done"]),
        (b"old text\x1b[2K\rnew", ["new"]),
        (b"abcdef\b\b\x1b[1K!", ["    !f"]),
        ("中文\rab".encode(), ["ab文"]),
        ("中文\ra".encode(), ["a 文"]),
        ("中文\r\x1b[Kx".encode(), ["x"]),
        ("e\u0301\u0301x".encode(), ["e\u0301\u0301x"]),
        ("\u0301abc".encode(), ["abc"]),
    ],
)
def test_plain_text(data: bytes, shown: list[str]) -> None:
    assert texts(data) == shown
    assert texts(*(data[at : at + 1] for at in range(len(data)))) == shown


def test_colours_live_on_over_lines_and_end_where_they_are_ended() -> None:
    assert rows(b"\x1b[1;31mred\nstill\x1b[0m plain\x1b[m\n\x1b[38;5;200ma\x1b[48;2;1;2;3mb\x1b[22;39;49mc") == [
        LogLine("red", (Span(0, 3, Pen(1, None, ("bold",))),)),
        LogLine("still plain", (Span(0, 5, Pen(1, None, ("bold",))),)),
        LogLine("abc", (Span(0, 1, Pen(200)), Span(1, 2, Pen(200, "#010203")))),
    ]


@pytest.mark.parametrize(
    ("parameters", "pen"),
    [
        ("91", Pen(9)),
        ("107", Pen(None, 15)),
        ("38:2::10:20:30", Pen("#0a141e")),
        ("38:2:10:20:30", Pen("#0a141e")),
        ("48:5:7", Pen(None, 7)),
        ("4:3", Pen(attributes=("underline",))),
        ("4;4:0", Pen()),
        (
            "1;2;3;4;5;7;9;53",
            Pen(None, None, ("blink", "bold", "dim", "italic", "overline", "reverse", "strike", "underline")),
        ),
        ("1;2;22", Pen()),
        ("38;5;256", Pen()),
        ("38;2;1;2", Pen()),
        ("38", Pen()),
        ("38;5", Pen()),
        ("38;9;31", Pen(1)),
        (";31", Pen(1)),
        ("31;", Pen()),
        ("12345678901234567890", Pen()),
        (">4;1", Pen()),
        ("?31", Pen()),
        ("31" + ";1" * 200, Pen()),
    ],
)
def test_colour_sequences(parameters: str, pen: Pen) -> None:
    data = f"\x1b[{parameters}mx".encode()
    (row,) = rows(data)
    assert row == LogLine("x", (Span(0, 1, pen),) if pen != Pen() else ())
    assert rows(*(data[at : at + 1] for at in range(len(data)))) == [row]


def test_overwriting_keeps_the_colours_of_what_is_left() -> None:
    (row,) = rows(b"\x1b[31mabcd\x1b[0m\rxy")
    assert row == LogLine("xycd", (Span(2, 4, Pen(1)),))


# --- bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "escape",
    [
        b"\x1b]0;a title\x07",
        b"\x1b]2;a title\x1b\\",
        b"\x1b]52;c;aGVsbG8=\x07",
        b"\x1b]52;c;?\x1b\\",
        b"\x1b]8;;https://example.com\x1b\\",
        b"\x1b]8;;\x07",
        b"\x1b]1337;File=inline=1:AAAA\x07",
        b"\x1b[2J",
        b"\x1b[H",
        b"\x1b[12;40H",
        b"\x1b[5A",
        b"\x1b[3D",
        b"\x1b[?1049h",
        b"\x1b[?25l",
        b"\x1b[6n",
        b"\x1b[>c",
        b"\x1b[1 q",
        b"\x1b[31 m",
        b"\x1b[!p",
        b"\x1b[5K",
        b"\x1bc",
        b"\x1b7",
        b"\x1b(0",
        b"\x1b#8",
        b"\x1bP1$r0m\x1b\\",
        b"\x1bPq#0;2;0;0;0~-\x07~\x1b\\",
        b"\x1b_apc\x1b\\",
        b"\x1b^pm\x1b\\",
        b"\x1bXsos\x1b\\",
        b"\x1bPtmux;\x1b\x1b]52;c;AAAA\x07\x1b\\",
        "\x9b31m\x9bm".encode(),
        "\x9d0;title\x9c".encode(),
        "\x90q\x9c".encode(),
        "\x85\x84\x8d".encode(),
        b"\x1b]0;aborted\x1b[2J",
        b"\x1b]0;aborted\x18",
        b"\x07\x00\x0b\x0c\x0e\x0f\x7f",
        "\u202e\u2066\u200f\u2028\u2029".encode(),
        b"\x1b\x1b\x1bc",
        b"\x1b[\x1b[2J",
    ],
)
def test_every_other_escape_is_dropped_entirely(escape: bytes) -> None:
    data = b"before" + escape + b"[after]\n"
    assert texts(data) == ["before[after]"]
    assert texts(*(data[at : at + 1] for at in range(len(data)))) == ["before[after]"]


@pytest.mark.parametrize("opened", [b"\x1b]0;", b"\x1bP", b"\x1b[", b"\x1b", "\x9d".encode(), b"\x1b[31"])
def test_an_escape_without_end_takes_no_more_than_its_line(opened: bytes) -> None:
    assert texts(b"a" + opened + b"\nb\n") == ["a", "b"]
    assert texts(b"a", opened, b"\nb\n") == ["a", "b"]
    assert texts(b"a" + opened) == ["a"]


def test_an_endless_title_keeps_nothing_in_memory() -> None:
    log = StepLog()
    for _ in range(2000):
        log.feed(b"\x1b]0;" + b"x" * 1000)
    assert log.line_count == 0
    log.feed(b"\x07shown\n")
    assert [log.line(0).text, log.line_count] == ["shown", 1]


@pytest.mark.parametrize(
    "text", ["[bold red]not markup[/]", "[/nothing", "[@click=app.quit]x[/]", "$primary {0} %s :smile:"]
)
def test_markup_is_plain_data(text: str) -> None:
    assert rows(text.encode()) == [LogLine(text)]


def test_bytes_that_are_not_utf_8() -> None:
    assert texts(b"caf\xe9 \xff\xfe ok\n") == ["caf\ufffd \ufffd\ufffd ok"]
    assert texts(b"half \xe4\xb8") == ["half \ufffd"]
    assert texts(b"half \xe4", b"\xb8", b"\xad whole\n") == ["half 中 whole"]


@pytest.mark.parametrize("character", ["x", "中", "é"])
def test_two_megabytes_in_one_line(character: str) -> None:
    line = character * (2_000_000 // len(character.encode()))
    log = StepLog()
    shown = rows(line.encode() + b"\nnext\n", log=log)
    assert shown[-1] == LogLine("next")
    assert all(cell_len(row.text) == COLUMNS and row.continues for row in shown[:-2])
    assert not shown[-2].continues
    assert log.plain_text() == f"{line}\nnext"


def test_a_long_line_among_short_ones_is_cut() -> None:
    shown = rows(b"short\n" + b"x" * (COLUMNS + 3) + b"\nshort\n")
    assert [len(row.text) for row in shown] == [5, COLUMNS, 3, 5]


def test_two_megabytes_of_accents_on_one_letter_stay_small() -> None:
    log = StepLog()
    log.feed(b"e" + "\u0301".encode() * 1_000_000)
    assert len(log.line(0).text) < 100


# --- numbers, changes, bounds -------------------------------------------------------


def test_only_the_last_row_changes() -> None:
    log = StepLog()
    log.feed(b"one\ntwo")
    assert (log.line_count, log.settled) == (2, 1)
    before = log.revision
    log.feed(b"\rTW")
    assert log.revision > before
    assert (log.line(1).text, log.settled) == ("TWo", 1)
    log.feed(b"\n")
    assert (log.line_count, log.settled) == (2, 2)
    with pytest.raises(IndexError):
        log.line(2)
    with pytest.raises(IndexError):
        log.line(-1)


def test_the_oldest_lines_are_dropped_and_counted() -> None:
    log = StepLog(max_rows=10)
    log.feed(b"".join(b"line %d\n" % number for number in range(12_355)))
    assert (log.line_count, log.dropped_rows, log.note) == (10, 12_345, "… 12,345 earlier lines dropped")
    assert log.line(0).text == "line 12345"
    assert log.settled == 12_355
    assert log.plain_text(8) == "line 12353\nline 12354"
    assert log.texts(8) == ["line 12353", "line 12354"]


def test_text_is_bounded_too_and_colours_count() -> None:
    log = StepLog(max_size=1000)
    log.feed(b"x" * 600 + b"\n" + b"y" * 600 + b"\n")
    assert (log.line_count, log.size, log.note) == (1, 600 + ROW_SIZE, "… 1 earlier line dropped")
    log.feed(b"\x1b[31mred\x1b[32mgreen\x1b[0m\n" * 50)
    assert log.size <= 1000
    assert log.line_count == 1000 // (len("redgreen") + ROW_SIZE + 2 * SPAN_SIZE)


def test_a_long_line_is_one_line_in_the_count_of_dropped_ones() -> None:
    log = StepLog(columns=10, max_rows=1)
    log.feed(b"0123456789" * 3 + b"\nlast\n")
    assert (log.dropped_rows, log.dropped_lines) == (3, 1)


def test_close_is_harmless_twice_and_adds_no_line() -> None:
    log = StepLog()
    log.feed(b"a\n")
    log.close()
    log.close()
    assert log.line_count == 1


def test_a_book_forgets_finished_logs_first() -> None:
    book = LogBook(max_size=3 * (300 + ROW_SIZE))
    book.feed("running", b"x" * 300 + b"\n")
    book.feed("old", b"x" * 300 + b"\n")
    book.finish("old")
    book.feed("young", b"x" * 300 + b"\n")
    book.finish("young")
    book.finish("silent")
    assert book.size == book.max_size
    book.feed("new", b"x" * 300 + b"\n")
    logs = {name: book.get(name) for name in ("running", "old", "young", "new")}
    assert {name: log.line_count for name, log in logs.items() if log} == {"running": 1, "old": 0, "young": 1, "new": 1}
    old = logs["old"]
    assert old is not None
    assert old.note == "… 1 earlier line dropped"
    assert book.get("silent") is None
    assert book.size == book.max_size


def test_a_book_of_running_logs_only_stays_within_its_bound() -> None:
    book = LogBook(max_size=1000)
    for number in range(20):
        book.feed(f"step {number}", b"x" * 300 + b"\n")
        assert book.size <= 1000
    log = book.get("step 19")
    assert log is not None
    assert log.line_count == 1


def test_a_book_keeps_the_log_that_is_being_written_however_long() -> None:
    book = LogBook(max_size=1000)
    for _ in range(5):
        book.feed("only", b"x" * 300 + b"\n")
    log = book.get("only")
    assert log is not None
    assert log.line_count == 5


# --- properties ---------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    rb"\x1b [ ] P \x5c _ \x07 \x18 ; 1 31m 0m K ? \x20 \r \n \b \t \xc2 \x9b \x9d \x9c \x90 \xe4\xb8\xad \xe4 \xcc\x81 "
    rb"\xe2\x80\xae abcdefgh \x1b[31m \x1b[0m \x1b]0;t \r\n \x00 \xff 0123456789012345678901234567890123456789".split()
).map(lambda fragment: fragment.decode("unicode_escape").encode("latin-1"))
LONG = st.sampled_from([b"1" * 140, b"\xcc\x81" * 40, b"x" * 50, b" " * 140])
STREAMS = st.lists(st.one_of(FRAGMENTS, FRAGMENTS, LONG, st.binary(max_size=6)), max_size=60).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 400), max_size=12), st.sampled_from([16, 40, COLUMNS]))
def test_no_control_survives_however_the_stream_is_cut(data: bytes, cuts: list[int], columns: int) -> None:
    whole = rows(data, log=StepLog(columns=columns))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert rows(*(data[start:end] for start, end in pairwise(edges)), log=StepLog(columns=columns)) == whole
    for row in whole:
        assert not [character for character in row.text if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")]
        assert not set(row.text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
        assert sum(map(get_character_cell_size, row.text)) <= columns


@given(STREAMS, st.integers(1, 6), st.integers(40, 600), st.integers(1, 50))
def test_bounds_hold_however_the_stream_is_cut(data: bytes, max_rows: int, max_size: int, step: int) -> None:
    logs = [StepLog(columns=16, max_rows=max_rows, max_size=max_size) for _ in range(2)]
    logs[0].feed(data)
    for at in range(0, len(data), step):
        logs[1].feed(data[at : at + step])
        assert logs[1].settled - logs[1].dropped_rows <= max_rows
        assert logs[1].size <= max_size
    kept = [rows(log=log) for log in logs]
    assert kept[0] == kept[1]
    assert logs[0].dropped_rows == logs[1].dropped_rows
    assert logs[0].dropped_lines == logs[1].dropped_lines
    assert logs[0].size == sum(len(row.text) + ROW_SIZE + SPAN_SIZE * len(row.spans) for row in kept[0])
    assert logs[0].texts() == [row.text for row in kept[0]]
