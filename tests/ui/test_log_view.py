"""The log view in a tiny app: following, searching, copying, and logs that mean harm."""

import re

import pytest
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Input, Static

from hitmiss.build.logs import StepLog
from hitmiss.ui import theme
from hitmiss.ui.typed import InTurn
from hitmiss.ui.widgets.lines_view import LinesView
from hitmiss.ui.widgets.log_view import FROM_CACHE, GIVEN_UP, LogView
from tests.support.wait import wait_for_async
from tests.ui.shown import type_at_once


class LogApp(InTurn):
    """The view, with keys of the app's own behind it."""

    BINDINGS = [("n", "app_key('n')"), ("x", "app_key('x')"), ("escape", "app_key('escape')")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.view = LogView()
        self.copies: list[tuple[str, int]] = []
        self.keys: list[str] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme.FALLBACK

    def compose(self) -> ComposeResult:
        with Container():
            yield self.view

    def on_log_view_copied(self, event: LogView.Copied) -> None:
        self.copies.append((event.title, event.lines))

    def action_app_key(self, key: str) -> None:
        self.keys.append(key)

    def rows(self) -> list[str]:
        lines = self.view.lines
        return [lines.render_line(y).text.rstrip() for y in range(lines.view_size.height)]

    @property
    def state(self) -> str:
        return str(self.view.border_subtitle)


def log_of(*texts: str, **bounds: int) -> StepLog:
    log = StepLog(**bounds)
    log.feed("".join(texts).encode())
    return log


def numbered(start: int, end: int) -> str:
    return "".join(f"line {number}\n" for number in range(start, end))


async def test_it_follows_the_output_until_it_is_scrolled_up() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        log = log_of(numbered(0, 100))
        app.view.show(log, "RUN make")
        app.view.focus_lines()
        await pilot.pause()
        assert app.rows()[-1] == "line 99"
        assert app.state == "following · 100 lines · wrap"

        log.feed(numbered(100, 200).encode())
        app.view.refresh_log()
        await pilot.pause()
        assert app.rows()[-1] == "line 199"

        await pilot.press("up")
        assert app.state == "f follows · 200 lines · wrap"
        log.feed(numbered(200, 300).encode())
        app.view.refresh_log()
        await pilot.pause()
        assert app.rows()[-1] == "line 198"

        assert app.view.lines.vertical_scrollbar.window_virtual_size == 300

        await pilot.press("f")
        assert app.rows()[-1] == "line 299"
        await pilot.press("home")
        assert app.rows()[0] == "line 0"
        assert not app.view.lines.follow
        await pilot.press("end")
        assert app.view.lines.follow
        await pilot.press("f")
        assert app.state == "f follows · 300 lines · wrap"
        log.feed(numbered(300, 400).encode())
        app.view.refresh_log()
        assert app.rows()[-1] == "line 299"


async def test_scrolling_down_to_the_end_follows_again() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.view.show(log_of(numbered(0, 100)), "RUN make")
        app.view.focus_lines()
        await pilot.press("pageup", "pageup", "pagedown")
        assert not app.view.lines.follow
        await pilot.press("pagedown", "pagedown")
        assert app.view.lines.follow


async def test_the_end_stays_in_view_when_the_size_or_wrapping_changes() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        log = log_of("".join(f"{number:03} {'x' * 70}\n" for number in range(100)), "the end")
        app.view.show(log, "RUN make")
        app.view.focus_lines()
        for size in [(36, 10), (20, 5), (250, 70), (80, 24)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert app.rows()[-1] == "the end"
            assert app.view.lines.follow
            await pilot.press("z")
            await pilot.pause()
            assert app.rows()[-1] == "the end"
            assert app.view.lines.follow


async def test_a_progress_bar_changes_its_line_in_place() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        log = log_of("start\n", "10%")
        app.view.show(log, "RUN make")
        await pilot.pause()
        for percent in (20, 30, 100):
            log.feed(f"\r{percent}%".encode())
            app.view.refresh_log()
            assert app.rows()[:2] == ["start", f"{percent}%"]
        log.feed(b"\r\x1b[Kdone\n")
        app.view.refresh_log()
        assert app.rows()[:3] == ["start", "done", ""]


async def test_it_says_why_there_is_nothing() -> None:
    app = LogApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.view.show(None, "RUN make", FROM_CACHE)
        await pilot.pause()
        assert app.rows()[0] == f" {FROM_CACHE}"
        assert not app.view.has_log
        log = StepLog()
        app.view.show(log, "RUN make")
        assert app.view.has_log
        assert app.rows()[0] == " No output yet."
        log.feed(b"first\n")
        app.view.refresh_log()
        await pilot.pause()
        assert app.rows()[0] == "first"
        app.view.show(None, "", FROM_CACHE)
        assert app.rows()[0] == f" {FROM_CACHE}"
        assert app.state == ""


async def test_showing_the_same_log_again_moves_nothing() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        log = log_of(numbered(0, 100))
        app.view.show(log, "RUN make")
        app.view.focus_lines()
        await pilot.press("home", "down", "down")
        app.view.show(log, "RUN make (again)")
        assert app.rows()[0] == "line 2"
        assert str(app.view.border_title) == "RUN make (again)"
        app.view.show(log_of(numbered(0, 50)), "RUN other")
        assert app.rows()[-1] == "line 49"


async def test_what_was_dropped_is_said_and_the_view_stays() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        log = log_of(numbered(0, 100), max_rows=100)
        app.view.show(log, "RUN make")
        app.view.focus_lines()
        await pilot.press("pageup", "pageup")
        top = app.rows()[0]
        log.feed(numbered(100, 120).encode())
        app.view.refresh_log()
        await pilot.pause()
        assert app.rows()[0] == top
        assert app.view.query_one(".note", Static).content == "… 20 earlier lines dropped"
        log.feed(numbered(120, 5000).encode())
        app.view.refresh_log()
        await pilot.pause()
        assert app.rows()[0] == "line 4900"
        await pilot.press("end")
        assert app.rows()[-1] == "line 4999"


async def test_a_log_that_was_given_up_says_so() -> None:
    app = LogApp()
    async with app.run_test(size=(90, 12)) as pilot:
        log = log_of(numbered(0, 100))
        app.view.show(log, "RUN make")
        await pilot.pause()
        log.forget()
        app.view.refresh_log()
        await pilot.pause()
        assert app.rows()[0] == f" {GIVEN_UP}"
        assert app.view.query_one(".note", Static).content == "… 100 earlier lines dropped"


async def test_without_colours_the_current_match_is_still_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.view.show(log_of("\x1b[31mred\x1b[0m one one\n"), "RUN make")
        app.view.focus_lines()
        await pilot.press("slash", *"one")
        strip = app.view.lines.render_line(0)
        assert [segment.text for segment in strip if segment.style and segment.style.bold] == ["one"]
        assert app.rows()[0] == "red one one"
        svg = app.export_screenshot()
        colours = {found.lower() for found in re.findall("#[0-9a-fA-F]{6}", svg.split("<style>")[1])}
        frame_of_the_picture = {"#ff5f57", "#febc2e", "#28c840", "#c5c8c6"}
        assert all(len({colour[1:3], colour[3:5], colour[5:7]}) == 1 for colour in colours - frame_of_the_picture)


async def test_searching() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        log = log_of(numbered(0, 200))
        app.view.show(log, "RUN make")
        app.view.focus_lines()
        await pilot.press("n")
        assert app.keys == ["n"]
        await pilot.press("home", "slash", *"LINE 19")
        assert app.view.lines.found == (1, 11)
        found = app.view.query_one(".found", Static)
        assert str(found.content) == "1 of 11"
        await pilot.press("enter", "n", "enter")
        assert app.view.lines.found == (4, 11)
        assert "line 192" in app.rows()
        await pilot.press("N")
        assert app.view.lines.found == (3, 11)
        log.feed(b"line 199\n")
        app.view.refresh_log()
        await pilot.pause()
        assert str(found.content) == "3 of 12"
        await pilot.press("slash", *"nothing")
        assert str(found.content) == "no match"
        await pilot.press("escape")
        assert not app.view.searching
        assert app.view.lines.has_focus
        assert app.view.lines.found == (0, 0)
        assert app.keys == ["n"]
        await pilot.press("escape")
        assert app.keys == ["n", "escape"]


async def test_n_repeats_a_search_that_was_closed() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show(log_of(numbered(0, 20)), "RUN make")
        app.view.focus_lines()
        await pilot.press("home")
        for key in ("n", "N"):
            await pilot.press("slash", *"line 1", "enter", "escape")
            assert not app.view.searching
            await pilot.press(key)
            assert app.view.searching
            assert app.view.lines.found[1] == 11
            await pilot.press("n")
            await wait_for_async(lambda: app.view.lines.found == (2, 11), 10, "the next match")
            await pilot.press("escape")
        assert app.keys == [], "no key went on to the screen"
        await pilot.press("slash", "delete", "escape", "n")
        assert app.keys == ["n"], "nothing is searched any more"


async def test_keys_that_come_all_at_once_reach_the_search_and_then_the_lines() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show(log_of(numbered(0, 20)), "RUN make")
        app.view.focus_lines()
        await pilot.pause()
        type_at_once(app, "slash", "n", "e")
        await wait_for_async(lambda: [each.value for each in app.view.query(Input)] == ["ne"], 10, "what is searched")
        type_at_once(app, "escape", "x", "escape")
        await wait_for_async(lambda: app.keys == ["x", "escape"], 10, "the keys after the search")
        assert app.view.lines.has_focus


async def test_a_search_goes_on_in_the_next_log() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show(log_of(numbered(0, 20)), "RUN make")
        app.view.focus_lines()
        await pilot.press("slash", *"line 1", "enter")
        app.view.show(log_of("line 1\nline 2\n"), "RUN other")
        assert app.view.lines.found == (1, 1)
        app.view.show(None, "COPY . .")
        assert app.view.lines.found == (0, 0)
        assert app.view.query_one(Input).value == "line 1"


async def test_copying_all_or_what_is_selected() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        long = "x" * 20_000
        app.view.show(log_of(f"first [b]\n\x1b[31m{long}\x1b[0m\nlast\n"), "RUN make")
        app.view.focus_lines()
        await pilot.press("y")
        assert app.clipboard == f"first [b]\n{long}\nlast"
        await pilot.press("home")
        await pilot.mouse_down(app.view.lines, (0, 0))
        await pilot.hover(app.view.lines, (4, 0))
        await pilot.mouse_up(app.view.lines, (4, 0))
        await pilot.press("y")
        assert app.clipboard == "first"
        assert app.copies == [("RUN make", 3), ("RUN make", 1)]
        app.screen.clear_selection()
        app.view.lines.text_select_all()
        await pilot.press("y")
        assert app.clipboard == f"first [b]\n{long}\nlast"
        app.view.show(None, "")
        await pilot.press("y")
        assert len(app.copies) == 3


async def test_hostile_output_is_text() -> None:
    app = LogApp()
    async with app.run_test(size=(90, 14)) as pilot:
        escapes = "\x1b]0;title\x07\x1b[2J\x1b[H\x1b]52;c;AAAA\x07"
        hostile = f"{escapes}[bold]x[/bold] [/] [@click=app.quit]y[/] \x1b[31mred\x1b[0m \x9b31m"
        app.view.show(log_of(hostile), hostile)
        app.view.show_excerpt(hostile)
        await pilot.pause()
        assert app.rows()[0] == "[bold]x[/bold] [/] [@click=app.quit]y[/] red"
        assert all(character.isprintable() or character == "\n" for character in app.export_screenshot())


async def test_the_excerpt_stands_above_the_log() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show(log_of(numbered(0, 100)), "RUN make")
        await pilot.pause()
        height = app.view.lines.size.height
        app.view.show_excerpt("  12 | set -e\n  13 | >>> make")
        await pilot.pause()
        assert app.view.lines.size.height == height - 2
        assert app.rows()[-1] == "line 99"
        app.view.show_excerpt("")
        await pilot.pause()
        assert app.view.lines.size.height == height


async def test_a_log_that_grows_while_it_is_hidden() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        log = log_of(numbered(0, 10))
        app.view.show(log, "RUN make")
        await pilot.pause()
        app.query_one(Container).display = False
        await pilot.pause()
        log.feed(numbered(10, 400).encode() + b"y" * 150)
        app.view.refresh_log()
        await pilot.resize_terminal(40, 10)
        app.query_one(Container).display = True
        await pilot.pause()
        assert app.rows()[-4:] == ["y" * 39, "y" * 39, "y" * 39, "y" * 33]


async def test_fifty_thousand_long_lines_stay_lazy() -> None:
    app = LogApp()
    async with app.run_test(size=(60, 14)) as pilot:
        log = StepLog()
        log.feed(b"".join(b"\x1b[32m%6d\x1b[0m %s\n" % (number, b"x" * (number % 60)) for number in range(50_000)))
        app.view.show(log, "RUN make")
        drawn = []
        draw = LinesView.render_line
        app.view.lines.render_line = lambda y: drawn.append(y) or draw(app.view.lines, y)  # type: ignore[method-assign, func-returns-value]
        await pilot.pause()
        app.view.focus_lines()
        await pilot.press("home", "pagedown", "end")
        assert len(drawn) < 20 * 14
