"""The tree of stages and steps: columns, folding, the cursor, the mouse, a thousand steps, narrow views."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.app import ComposeResult
from textual.pilot import Pilot

from hitmiss.build.model import Build, Stage, Status, Step, Verdict
from hitmiss.symbols import SYMBOLS
from hitmiss.ui.widgets.step_tree import StepTree
from tests.support.subject import LETTERS, step, tree, webapp
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, scroll, sees, shown

WIDE = (100, 30)
BUILD = webapp("hhhm mr r..")


class TreeHost(Host):
    """An app that is a tree; `said` are the tree's messages."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str, bool]] = []

    def compose(self) -> ComposeResult:
        yield StepTree()

    def on_step_tree_selected(self, event: StepTree.Selected) -> None:
        self.said.append(("selected", event.row.id, event.by_user))

    def on_step_tree_chosen(self, event: StepTree.Chosen) -> None:
        self.said.append(("chosen", event.row.id, True))


class On:
    """A tree on the screen."""

    def __init__(self, pilot: Pilot[Any], app: TreeHost) -> None:
        self.pilot, self.app, self.tree = pilot, app, app.query_one(StepTree)

    def lines(self) -> list[str]:
        return shown(self.app).splitlines()

    def line(self, text: str) -> str:
        return next((line for line in self.lines() if text in line), "")

    def strip(self, y: int) -> str:
        return self.tree.render_line(y).text

    @property
    def at(self) -> str:
        row = self.tree.selected
        return row.id if row else ""

    async def press(self, *keys: str) -> str:
        await self.pilot.press(*keys)
        return self.at


@asynccontextmanager
async def on(build: Build = BUILD, size: tuple[int, int] = WIDE, now: float = 6.5) -> AsyncIterator[On]:
    app = TreeHost()
    async with app.run_test(size=size) as pilot:
        host = On(pilot, app)
        host.tree.show(build, now)
        host.tree.focus()
        await pilot.pause()
        yield host


async def test_each_line_has_shape_instruction_line_word_and_time() -> None:
    async with on() as it:
        await sees(it.pilot, "▾ base", "▾ assets", "▾ final")
        assert it.line("FROM").split() == ["●", "FROM", "python:3.12-slim", "2", "hit", "saved", "4.0", "s"]
        assert it.line("COPY tools").split() == ["◆", "COPY", "tools/", "tools/", "9", "miss", "1.5", "s"]
        words = it.line("RUN sh").split()
        assert words[:3] + words[-6:] == ["◈", "RUN", "sh", "10", "runs", "4.5", "s", "│4.0", "s"]
        assert it.line("COPY src").split() == ["·", "COPY", "src/", "src/", "14", "~4.0", "s"]


@pytest.mark.parametrize("letter", list(LETTERS))
async def test_every_verdict_has_its_shape_and_word(letter: str) -> None:
    symbol = SYMBOLS[LETTERS[letter]]
    async with on(webapp(letter * 9, Status.FAILED)) as it:
        line = it.line("WORKDIR")
        assert line.strip().startswith(f"{symbol.glyph} WORKDIR /app")
        assert f" {symbol.word}" in line


@pytest.mark.parametrize("width", [100, 56, 55, 36, 35, 20, 12, 5, 2, 1])
async def test_lines_are_as_wide_as_the_view_however_narrow_that_is(width: int) -> None:
    odd = step("漢字 stage", 1, "RUN echo 漢字かな交じり文漢字かな交じり文漢字かな交じり文 👩‍👩‍👧 é", Verdict.MISS)
    build = msgspec.structs.replace(BUILD, stages=BUILD.stages + tree(odd))
    async with on(build, (width, 30)) as it:
        for y in range(20):
            strip = it.tree.render_line(y)
            assert strip.cell_length == sum(cell_len(segment.text) for segment in strip) == it.tree.size.width
        if width >= 12:
            assert "◆" in it.strip(13)
        if width >= 36:
            assert " miss " in it.strip(13)
            assert ("…" in it.strip(13)) is (width < 90)
        if width >= 5:
            assert it.strip(2).split()[0] == "●"


async def test_a_wide_character_does_not_move_the_columns() -> None:
    steps = [step("s", n, f"RUN {'漢' * n}{'x' * 200}", Verdict.MISS) for n in range(1, 6)]
    async with on(webapp(stages=tree(*steps))) as it:
        ends = {cell_len(it.strip(y).partition(" miss ")[0]) for y in range(1, 6)}
        assert len(ends) == 1


async def test_folding() -> None:
    async with on() as it:
        it.tree.select("base:4")
        assert await it.press("left") == "stage base"
        await sees(it.pilot, "▸ base  ● 3  ◆ 1")
        assert not it.line("WORKDIR")
        assert await it.press("right") == "stage base"
        await sees(it.pilot, "▾ base", "WORKDIR")
        assert await it.press("space") == "stage base"
        await sees(it.pilot, "▸ base")
        assert await it.press("down") == "stage assets"
        assert await it.press("enter") == "stage assets"
        await sees(it.pilot, "▸ assets  ◆ 1  ◈ 1")
        it.tree.show(webapp("hhhm mm r.."), 7.0)
        await sees(it.pilot, "▸ assets  ◆ 2")
        it.tree.select("assets:2")
        await sees(it.pilot, "▾ assets", "RUN sh")
        assert it.at == "assets:2"
        it.tree.select("nobody")
        assert it.at == "assets:2"


async def test_moving() -> None:
    async with on(size=(100, 6)) as it:
        assert it.at == "base:1"
        assert await it.press("down", "j", "k") == "base:2"
        assert await it.press("end") == "final:3"
        assert await it.press("down", "down") == "final:3"
        assert it.tree.scroll_y == it.tree.max_scroll_y == 6
        assert await it.press("home", "up") == "stage base"
        assert it.tree.scroll_y == 0
        assert await it.press("pagedown") == "stage assets"
        assert await it.press("pageup", "G", "g") == "stage base"
        assert ("selected", "base:2", True) in it.app.said


async def test_an_empty_tree() -> None:
    async with on(Build()) as it:
        assert it.at == ""
        await it.press("up", "down", "end", "home", "pagedown", "space", "enter", "left", "right")
        await it.pilot.click(StepTree, offset=(3, 3))
        it.tree.select("nobody")
        assert it.app.said == []


async def test_the_cursor_stays_on_its_step_when_the_tree_changes() -> None:
    async with on() as it:
        it.tree.select("final:2")
        first = (step("early", 1, "RUN early"), step("early", 2, "RUN more"))
        it.tree.show(msgspec.structs.replace(BUILD, stages=tree(*first) + BUILD.stages), 7.0)
        assert it.at == "final:2"
        it.tree.show(webapp(stages=BUILD.stages[2:]), 7.0)
        assert it.at == "final:2"
        it.tree.show(webapp(stages=BUILD.stages[:1]), 7.0)
        assert it.tree.selected is not None, "on something, when its step is gone"
        it.tree.show(BUILD, 7.0)
        assert it.at in ("final:2", "base:2", "base:3")
        it.tree.show(webapp(stages=()), 7.0)
        assert it.tree.selected is None


async def test_the_mouse() -> None:
    async with on() as it:
        await it.pilot.click(StepTree, offset=(10, 3))
        assert it.at == "base:3"
        assert it.app.said[-1] == ("selected", "base:3", True)
        await it.pilot.double_click(StepTree, offset=(10, 4))
        await wait_for_async(lambda: ("chosen", "base:4", True) in it.app.said, 10, "the double click")
        await it.pilot.click(StepTree, offset=(2, 0))
        await sees(it.pilot, "▸ base")
        assert it.at == "stage base"
        said = len(it.app.said)
        await it.pilot.click(StepTree, offset=(2, 25))
        assert len(it.app.said) == said, "below the tree there is nothing"


async def test_a_click_in_a_tree_that_was_scrolled() -> None:
    async with on(size=(100, 6)) as it:
        await scroll(it.tree, 4)
        await it.pilot.click(StepTree, offset=(10, 2))
        assert it.at == "assets:1"


async def test_of_a_thousand_steps_only_those_on_the_screen_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [step(f"stage{n // 100}", n % 100 + 1, f"RUN step {n}", Verdict.HIT, id=str(n)) for n in range(1000)]
    drawn: list[str] = []
    original = StepTree._step

    def counted(self: StepTree, each: Step, width: int) -> list[tuple[str, Style]]:
        drawn.append(each.id)
        return original(self, each, width)

    monkeypatch.setattr(StepTree, "_step", counted)
    async with on(webapp(stages=tree(*steps))) as it:
        await it.press("end")
        assert it.at == "999"
        await sees(it.pilot, "RUN step 999")
        assert len(drawn) <= 3 * WIDE[1]
        drawn.clear()
        steps[998] = step("stage9", 99, "RUN step 998", Verdict.FAILED, id="998")
        it.tree.show(webapp(stages=tree(*steps)), 7.0)
        await sees(it.pilot, "✖ RUN step 998")
        assert set(drawn) == {"998"}, "what has not changed is not drawn again"
        it.tree.select("500")
        await sees(it.pilot, "RUN step 500")
        assert len(drawn) <= 5 + 2 * WIDE[1]


async def test_clocks_run_on() -> None:
    async with on() as it:
        await sees(it.pilot, "4.5 s │4.0 s")
        it.tree.show(BUILD, 8.0)
        await sees(it.pilot, "6.0 s │4.0 s")
        it.tree.show(BUILD, 128.0)
        await sees(it.pilot, "2 min 06 s │4.0 s")
        it.tree.show(webapp("hhhm mm mmm", Status.SUCCEEDED), 130.0)
        await wait_for_async(lambda: "min" not in shown(it.app), 10, "the clock to go")


async def test_buildkits_own_work_is_a_group_that_is_folded_at_first() -> None:
    own = [
        step("", 0, "[internal] load build context", Verdict.INTERNAL, id="c", running_since=1.0, activity="1.2 MB"),
        step("", 0, "exporting to image", Verdict.INTERNAL, id="x", duration_s=0.4),
    ]
    async with on(msgspec.structs.replace(BUILD, internals=tuple(own))) as it:
        await sees(it.pilot, "▸ BuildKit's own work", "load build context 1.2 MB")
        assert not it.line("exporting")
        await it.press("end", "space")
        await sees(it.pilot, "▾ BuildKit's own work", "▪ exporting to image", "0.4 s", "5.5 s")
        done = tuple(msgspec.structs.replace(each, running_since=None, activity="") for each in own)
        it.tree.show(msgspec.structs.replace(BUILD, internals=done), 9.0)
        await wait_for_async(lambda: "1.2 MB" not in shown(it.app), 10, "the activity to go")


async def test_platforms_are_named_and_foreign_text_is_plain() -> None:
    evil = "[b]x[/b]\x1b[31m\x9b\u202e"
    stage = Stage("a", evil, "linux/arm64", (step("a", 1, f"RUN {evil}", Verdict.MISS),))
    async with on(webapp(stages=(stage,))) as it:
        await sees(it.pilot, "▾ [b]x[/b]�[31m�� · linux/arm64", "◆ RUN [b]x[/b]�[31m��")


async def test_the_cursor_says_whether_the_tree_has_the_focus() -> None:
    async with on() as it:
        focused = {segment.style.bgcolor for segment in it.tree.render_line(1) if segment.style}
        it.app.set_focus(None)
        await it.pilot.pause()
        blurred = {segment.style.bgcolor for segment in it.tree.render_line(1) if segment.style}
        other = {segment.style.bgcolor for segment in it.tree.render_line(2) if segment.style}
        assert len({frozenset(focused), frozenset(blurred), frozenset(other)}) == 3
