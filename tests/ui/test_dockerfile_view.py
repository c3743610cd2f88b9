"""The Dockerfile view in a tiny app: gutter, colours, cursor, messages, and sources that mean harm."""

import pytest
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.widgets import Input

from hitmiss.ui import theme
from hitmiss.ui.widgets.dockerfile_view import MAX_COLOURED, DockerfileView, LineMark
from tests.support.wait import wait_for_async

SOURCE = """\
# syntax=docker/dockerfile:1
FROM python:3.12-slim AS base
COPY requirements.txt .
RUN pip install -r requirements.txt

ENV MODE="dev"
RUN <<EOT
\tmake
EOT
"""
MARKS = {
    2: LineMark("●", "hit"),
    3: LineMark("◆", "miss", "0.1 s"),
    4: LineMark("◈", "running", "12.3 s"),
    6: LineMark("!", "warning", "", "SecretsUsedInArgOrEnv: do not use ENV for secrets"),
    7: LineMark("✖", "failed", "3.2 s", "process did not complete successfully: exit code 2"),
}


class DockerfileApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.view = DockerfileView()
        self.chosen: list[int] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme.FALLBACK

    def compose(self) -> ComposeResult:
        with Container():
            yield self.view

    def on_dockerfile_view_line_chosen(self, event: DockerfileView.LineChosen) -> None:
        self.chosen.append(event.line)

    def rows(self) -> list[str]:
        lines = self.view.lines
        return [lines.render_line(y).text.rstrip() for y in range(lines.view_size.height)]

    def style_of(self, y: int, text: str) -> str:
        """The foreground of the first segment of a row that holds a text."""
        for segment in self.view.lines.render_line(y):
            if text in segment.text and segment.style and segment.style.color:
                return segment.style.color.get_truecolor().hex
        raise AssertionError(text)

    def colour(self, name: str) -> str:
        style = self.view.lines.get_component_rich_style(f"dockerfile--{name}")
        assert style.color
        return style.color.get_truecolor().hex


async def test_lines_with_their_verdicts_and_messages() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(90, 20)) as pilot:
        app.view.show(SOURCE, MARKS)
        await pilot.pause()
        assert app.rows()[:11] == [
            "1           # syntax=docker/dockerfile:1",
            "2 ●         FROM python:3.12-slim AS base",
            "3 ◆  0.1 s  COPY requirements.txt .",
            "4 ◈ 12.3 s  RUN pip install -r requirements.txt",
            "5",
            '6 !         ENV MODE="dev"',
            "            └ SecretsUsedInArgOrEnv: do not use ENV for secrets",
            "7 ✖  3.2 s  RUN <<EOT",
            "            └ process did not complete successfully: exit code 2",
            "8                   make",
            "9           EOT",
        ]
        for y, glyph, name in [
            (1, "●", "hit"),
            (2, "◆", "miss"),
            (3, "◈", "running"),
            (5, "!", "warning"),
            (7, "✖", "failed"),
        ]:
            assert app.style_of(y, glyph) == app.colour(name)
        assert app.style_of(8, "process") == app.colour("failed")
        failed = app.view.lines.get_component_rich_style("dockerfile--error").bgcolor
        for y, expected in [(7, True), (8, True), (9, False)]:
            drawn = {segment.style.bgcolor for segment in app.view.lines.render_line(y) if segment.style}
            assert (failed in drawn) is expected


@pytest.mark.parametrize("name", ["textual-dark", "textual-light", "nord", "gruvbox"])
async def test_syntax_colours_in_any_theme(name: str) -> None:
    app = DockerfileApp()
    async with app.run_test(size=(90, 20)) as pilot:
        app.theme = name
        app.view.show(SOURCE, MARKS)
        await pilot.pause()
        assert app.style_of(5, "dev") == app.colour("string")
        assert app.style_of(5, "MODE") == app.colour("variable")
        assert app.style_of(0, "syntax") == app.colour("comment")
        keyword = next(segment for segment in app.view.lines.render_line(1) if "FROM" in segment.text)
        assert keyword.style
        assert keyword.style.bold


async def test_new_marks_and_a_new_source_leave_the_view_where_it_is() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(60, 10)) as pilot:
        source = "".join(f"RUN echo {number}\n" for number in range(1, 101))
        app.view.show(source, {})
        await pilot.pause()
        app.view.go_to(50)
        await pilot.pause()
        top = app.rows()[0].split()[-1]
        app.view.show(source, {3: LineMark("!", "warning", "", "a message"), 50: LineMark("◆", "miss", "0.1 s")})
        await pilot.pause()
        assert app.rows()[0].split()[-1] == top
        assert app.view.lines.cursor == 50
        app.view.show("FROM scratch\n", {})
        await pilot.pause()
        assert app.rows()[0] == "1    FROM scratch"
        assert app.view.lines.cursor == 1
        app.view.show("", {})
        await pilot.pause()
        assert app.rows()[0] == " There is no Dockerfile to show."


async def test_cursor_keys_choose_a_line() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.view.show(SOURCE * 20, {})
        app.view.focus_lines()
        await pilot.press("down", "down", "enter")
        await pilot.press("up", "enter", "end", "enter", "home", "enter", "pagedown", "enter", "pageup", "enter")
        assert app.chosen == [3, 2, 180, 1, 10, 1]
        cursor = app.view.lines.get_component_rich_style("dockerfile--cursor").bgcolor
        assert {segment.style.bgcolor for segment in app.view.lines.render_line(0) if segment.style} == {cursor}


async def test_a_click_chooses_a_line_on_its_message_too() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(90, 20)) as pilot:
        app.view.show(SOURCE, MARKS)
        await pilot.pause()
        for y in (2, 8, 0, 15):
            await pilot.click(app.view.lines, (2, y))
        assert app.chosen == [3, 7, 1]
        await pilot.mouse_down(app.view.lines, (12, 1))
        await pilot.hover(app.view.lines, (15, 1))
        await pilot.mouse_up(app.view.lines, (15, 1))
        assert app.screen.get_selected_text() == "FROM"
        assert app.chosen == [3, 7, 1]


async def test_go_to_shows_the_line_also_before_it_is_on_the_screen() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.query_one(Container).display = False
        await pilot.pause()
        app.view.show(SOURCE * 20, MARKS)
        app.view.go_to(100)
        app.query_one(Container).display = True
        await pilot.pause()
        assert any(row.startswith("100 ") for row in app.rows())
        app.view.go_to(10_000)
        await pilot.pause()
        assert app.view.lines.cursor == 180


async def test_a_narrow_view_keeps_glyphs_and_wraps_messages() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(36, 20)) as pilot:
        app.view.show(SOURCE, MARKS)
        await pilot.pause()
        assert app.rows()[2] == "3 ◆  COPY requirements.txt ."
        assert app.rows()[3:5] == ["4 ◈  RUN pip install -r requirement", "     s.txt"]
        assert app.rows()[7:9] == ["     └ SecretsUsedInArgOrEnv: do", "       not use ENV for secrets"]
        await pilot.resize_terminal(90, 20)
        await wait_for_async(lambda: app.rows()[2] == "3 ◆  0.1 s  COPY requirements.txt .", 10, "the new size")
        assert app.rows()[6] == "            └ SecretsUsedInArgOrEnv: do not use ENV for secrets"


async def test_searching_the_source() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.view.show(SOURCE, MARKS)
        app.view.focus_lines()
        await pilot.press("slash", *"requirements", "enter")
        assert app.view.lines.found == (2, 2)
        app.view.show(SOURCE, {})
        assert app.view.lines.found == (2, 2)
        await pilot.press("slash", "escape")
        assert app.view.query_one(Input).value == ""
        assert app.chosen == []


HOSTILE = "RUN echo '\x1b]0;t\x07 \x9b31m [bold]x[/] \u202e' \x00\nRUN \udcff [/]\r\n\x0cFROM x\x85y\u2028z\n"


async def test_hostile_sources_are_text() -> None:
    app = DockerfileApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.view.show(HOSTILE, {1: LineMark("\x1b", "no such style", "\x1b[2J", "\x1b[2J[/bold]")})
        await pilot.pause()
        assert len([row for row in app.rows() if row]) == 4
        for row in app.rows():
            assert row.isprintable()
            row.encode()


@pytest.mark.parametrize(
    "source", ["RUN <<EOT\n" * 50, "FROM \\\n" * 50, 'CMD ["', "'" * 500, "# x" * (MAX_COLOURED // 2)]
)
async def test_sources_that_do_not_parse_are_shown(source: str) -> None:
    app = DockerfileApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.view.show(source, {1: LineMark("✖", "failed", "", "dockerfile parse error")})
        await pilot.pause()
        first = source.split("\n")[0]
        assert first[:20] in app.rows()[0]


@pytest.mark.parametrize("size", [(120, 40), (20, 5), (5, 3), (1, 1)])
async def test_any_size(size: tuple[int, int]) -> None:
    app = DockerfileApp()
    async with app.run_test(size=size) as pilot:
        app.view.show(SOURCE, MARKS)
        app.view.focus_lines()
        await pilot.press("end", "z", "right", "home")
        assert {app.view.lines.render_line(y).cell_length for y in range(size[1])} == {app.view.lines.size.width}
