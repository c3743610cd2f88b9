"""The view of many lines: layout arithmetic against a plain model, then the widget in a tiny app."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import get_character_cell_size
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.selection import Selection

from hitmiss.ui.widgets.line_layout import Layout, Matches, part_starts, visible, window
from hitmiss.ui.widgets.lines_view import LinesView
from tests.support.wait import wait_for_async

TEXTS = st.lists(st.text("ab→é中😀\u0301", max_size=30), max_size=12)


def columns(text: str) -> int:
    return sum(map(get_character_cell_size, text))


# --- arithmetic --------------------------------------------------------------------------------------------------


@given(st.text("ab→é中😀\u0301", max_size=60), st.integers(2, 20))
def test_wrapped_parts_fit_and_are_as_long_as_they_can_be(text: str, width: int) -> None:
    starts = list(part_starts(text, width))
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    assert "".join(parts) == text
    assert all(columns(part) <= width for part in parts)
    for part, following in pairwise(parts):
        assert following
        assert columns(part) + get_character_cell_size(following[0]) > width


@given(st.text("ab→é中😀\u0301", max_size=60), st.integers(0, 70), st.integers(2, 20))
def test_a_window_shows_the_columns_it_stands_over(text: str, left: int, width: int) -> None:
    cells: list[str] = []
    for character in text:
        size = get_character_cell_size(character)
        cells.extend([character, ""][:size])
    seen = cells[left : left + width]
    if seen and seen[0] == "":
        seen[0] = " "
    if left + width < len(cells) and cells[left + width] == "":
        seen.pop()
    blanks, start, end = window(text, left, width)
    shown = " " * blanks + text[start:end]
    assert shown.replace("\u0301", "") == "".join(seen)
    assert columns(shown) <= width


@given(
    st.lists(st.tuples(st.integers(0, 12), TEXTS, st.integers(0, 14)), max_size=6),
    st.sampled_from([0, 7]),
    st.sampled_from(["a", "AB", "中"]),
)
def test_layout_and_matches_agree_with_a_plain_model(
    changes: list[tuple[int, list[str], int]], width: int, query: str
) -> None:
    first, lines = 0, list[str]()
    layout, matches = Layout(0, width), Matches(query)
    for at, texts, drop in changes:
        number = first + min(at, len(lines))
        lines[number - first :] = texts
        layout.replace(number, texts)
        matches.replace(number, texts)
        heights = [len(part_starts(text, width)) if width else 1 for text in lines]
        drop = min(drop, len(lines))
        assert layout.drop_before(first + drop) == sum(heights[:drop])
        matches.drop_before(first + drop)
        first, lines, heights = first + drop, lines[drop:], heights[drop:]
        assert (layout.first, layout.end, layout.height) == (first, first + len(lines), sum(heights))
        tops = [0, *accumulate(heights)]
        assert [layout.row(first + index) for index in range(len(lines))] == tops[:-1]
        rows = [(first + index, part) for index, height in enumerate(heights) for part in range(height)]
        assert [layout.place(row) for row in range(layout.height)] == rows
        found = [
            (first + index, which)
            for index, text in enumerate(lines)
            for which in range(text.lower().count(query.lower()))
        ]
        assert [matches.place(index) for index in range(matches.count)] == found
        for number in range(first, first + len(lines)):
            later = [index for index, (line, _) in enumerate(found) if line >= number]
            assert matches.index_from(number) == (later[0] if later else 0)


def test_controls_in_foreign_text_become_signs_of_the_same_length() -> None:
    hostile = "a\x1b]0;t\x07\x9b\u202e\x00\x7f\tb"
    shown = visible(hostile)
    assert len(shown) == len(hostile)
    assert shown == "a␛]0;t␇\ufffd\ufffd␀␡␉b"


def test_matching_leaves_letters_that_change_their_length_alone() -> None:
    matches = Matches("i")
    matches.replace(0, ["İi"])
    assert matches.spans("İi") == [(1, 2)]


# --- the widget -----------------------------------------------------------------------------------------------------


class Lines(LinesView):
    """Lines from a list; counts how many texts are asked for."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts
        self.gone = 0
        self.asked = 0
        self.placeholder = "nothing here, and that is a long story"

    def texts_from(self, number: int) -> Sequence[str]:
        return self.texts[number - self.gone :]

    def text_of(self, number: int) -> str:
        self.asked += 1
        return self.texts[number - self.gone]

    def rows(self) -> list[str]:
        return [self.render_line(y).text.rstrip() for y in range(self.view_size.height)]


class LinesApp(App[None]):
    def __init__(self, texts: list[str], wrap: bool = False) -> None:
        super().__init__()
        self.lines = Lines(texts)
        self.lines.set_reactive(LinesView.wrap, wrap)

    def compose(self) -> ComposeResult:
        yield self.lines

    def on_mount(self) -> None:
        self.lines.reset_lines()
        self.lines.focus()


NUMBERED = [f"line {number}" for number in range(50_000)]


async def test_only_what_is_seen_is_drawn() -> None:
    app = LinesApp(NUMBERED, wrap=True)
    async with app.run_test(size=(40, 10)) as pilot:
        assert app.lines.rows() == NUMBERED[:10]
        app.lines.asked = 0
        await pilot.press("end")
        assert app.lines.rows() == NUMBERED[-10:]
        assert app.lines.asked <= 10
        app.lines.asked = 0
        app.lines.rows()
        assert app.lines.asked == 0


async def test_keys_and_wheel_scroll() -> None:
    app = LinesApp(NUMBERED)
    async with app.run_test(size=(40, 10)) as pilot:
        for keys, top in [
            (("down", "down"), 2),
            (("up",), 1),
            (("pagedown",), 10),
            (("space", "pageup"), 10),
            (("end",), 49_990),
            (("down",), 49_990),
            (("home", "up"), 0),
        ]:
            await pilot.press(*keys)
            assert app.lines.scroll_offset.y == top
        wheel = events.MouseScrollDown(app.lines, 5, 5, 0, 1, 0, False, False, False, 5, 5)
        app.lines.post_message(wheel)
        await pilot.pause()
        assert app.lines.scroll_offset.y > 0


async def test_long_lines_scroll_sideways_or_wrap() -> None:
    long = "0123456789" * 819
    app = LinesApp(["short", long, "中文中文中文", "last"])
    async with app.run_test(size=(21, 8)) as pilot:
        lines = app.lines
        assert lines.rows()[:4] == ["short", long[:20], "中文中文中文", "last"]
        await pilot.press("right")
        assert lines.rows()[:4] == ["", long[8:28], "中文", ""]
        lines.scroll_to(x=9, animate=False)
        assert lines.rows()[:4] == ["", long[9:29], " 文", ""]
        lines.wrap = True
        await pilot.pause()
        assert lines.scroll_offset == (0, 0)
        assert lines.virtual_size.height == 3 + 410
        assert lines.rows()[:3] == ["short", long[:20], long[20:40]]
        await pilot.press("end")
        assert lines.rows()[-3:] == [long[-10:], "中文中文中文", "last"]


async def test_another_width_or_wrapping_keeps_the_top_line() -> None:
    app = LinesApp([f"{number:03} " + "x" * 50 for number in range(200)], wrap=True)
    async with app.run_test(size=(41, 10)) as pilot:
        app.lines.scroll_to(y=200, animate=False)
        assert app.lines.rows()[0].startswith("100 ")
        await pilot.resize_terminal(20, 5)
        assert app.lines.rows()[0].startswith("100 ")
        await pilot.resize_terminal(100, 10)
        await wait_for_async(lambda: app.lines.size.width == 100, 10, "the new size")
        assert app.lines.rows()[:2] == [f"{number} " + "x" * 50 for number in (100, 101)]
        app.lines.wrap = False
        await pilot.pause()
        assert app.lines.rows()[0].startswith("100 ")


async def test_lines_dropped_from_the_front_leave_the_view_where_it_is() -> None:
    app = LinesApp(NUMBERED[:100])
    async with app.run_test(size=(40, 10)) as pilot:
        lines = app.lines
        lines.scroll_to(y=50, animate=False)
        lines.search("line 5")
        assert lines.found == (2, 11)
        lines.texts, lines.gone = [*NUMBERED[20:100], "new"], 20
        lines.lines_changed(100, 20)
        await pilot.pause()
        assert (lines.first, lines.end) == (20, 101)
        assert lines.rows()[0] == "line 50"
        assert lines.found == (1, 10)
        lines.texts, lines.gone = [], 101
        lines.lines_changed(101, 101)
        await pilot.pause()
        assert lines.rows()[0] == " nothing here, and that is a long story"[:39]
        assert lines.found == (0, 0)


async def test_search_goes_round_and_shows_each_match() -> None:
    texts = [*NUMBERED[:300], "x" * 8000 + "Needle" + "x" * 100, *NUMBERED[:100], "a needle, needle"]
    app = LinesApp(texts)
    async with app.run_test(size=(40, 10)) as pilot:
        lines = app.lines
        lines.search("needle")
        assert lines.found == (1, 3)
        assert any("Needle" in row for row in lines.rows())
        lines.next_match()
        lines.next_match()
        assert lines.found == (3, 3)
        assert "a needle, needle" in lines.rows()
        lines.next_match()
        assert lines.found == (1, 3)
        lines.previous_match()
        assert lines.found == (3, 3)
        lines.wrap = True
        await pilot.pause()
        lines.next_match()
        assert any("Needle" in row for row in lines.rows())
        lines.search("needle,")
        lines.search("no such thing")
        assert lines.found == (0, 0)
        lines.next_match()


async def test_matches_are_highlighted() -> None:
    app = LinesApp(["one two one"])
    async with app.run_test(size=(40, 4)):
        lines = app.lines
        lines.search("one")
        current = lines.get_component_rich_style("lines--current-match").bgcolor
        other = lines.get_component_rich_style("lines--match").bgcolor
        assert current != other
        drawn = [(segment.text, segment.style and segment.style.bgcolor) for segment in lines.render_line(0)]
        assert drawn[0] == ("one", current)
        assert drawn[2] == ("one", other)
        lines.search("")
        assert all(segment.style and segment.style.bgcolor not in (current, other) for segment in lines.render_line(0))


async def test_text_is_selected_with_the_mouse() -> None:
    app = LinesApp(["first line", "second 中文 line", "x" * 60, "last"], wrap=True)
    async with app.run_test(size=(41, 8)) as pilot:
        await pilot.mouse_down(app.lines, (6, 0))
        await pilot.hover(app.lines, (9, 1))
        await pilot.mouse_up(app.lines, (9, 1))
        assert app.screen.get_selected_text() == "line\nsecond 中文"
        selected = app.screen.get_component_rich_style("screen--selection").bgcolor
        assert [s.text for s in app.lines.render_line(0) if s.style and s.style.bgcolor == selected] == ["line"]


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (None, None, "first\nsecond\nthird"),
        (Offset(2, 0), Offset(3, 0), "r"),
        (Offset(4, 0), None, "t\nsecond\nthird"),
        (None, Offset(2, 1), "first\nse"),
        (Offset(0, 5), Offset(3, 9), None),
    ],
)
async def test_what_a_selection_holds(start: Offset | None, end: Offset | None, text: str | None) -> None:
    app = LinesApp(["first", "second", "third"])
    async with app.run_test(size=(40, 8)):
        found = app.lines.get_selection(Selection(start, end))
        assert (found and found[0]) == text


async def test_markup_and_brackets_are_drawn_as_they_are() -> None:
    text = "[bold red]x[/] [/oops [@click=app.bell]y[/] $primary"
    app = LinesApp([text])
    async with app.run_test(size=(80, 4)):
        assert app.lines.rows()[0] == text


@pytest.mark.parametrize("size", [(120, 40), (36, 10), (20, 5), (2, 2), (1, 1)])
async def test_every_row_fills_the_widget(size: tuple[int, int]) -> None:
    app = LinesApp(["中文" * 30, "", "x" * 200, "e\u0301 👨‍👩‍👧 ok"], wrap=True)
    async with app.run_test(size=size) as pilot:
        for wrap in (True, False):
            app.lines.wrap = wrap
            await pilot.pause()
            assert {app.lines.render_line(y).cell_length for y in range(size[1])} == {app.lines.size.width}
