"""The Why panel: every cause, what a click and a key do, and when the panel opens by itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from textual.pilot import Pilot

from hitmiss.build.model import Build, CauseKind, Piece, Status, Verdict
from hitmiss.explain import text_of
from hitmiss.ui import theme
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.widgets.log_view import LogLines
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.parts_view import PartsLines
from hitmiss.ui.widgets.step_tree import StepTree
from hitmiss.ui.widgets.why_view import NOTHING_CHOSEN, WhyView, why_lines
from tests.support.subject import snapshot, step, tree, webapp
from tests.support.wait import wait_for_async
from tests.ui.shown import scroll, sees, shown
from tests.ui.telling import CAUSES, Scripted, caused, chained, changed, noted, planned, remade

SIZES = [(80, 24), (120, 40)]


class On:
    """The screen and its session."""

    def __init__(self, pilot: Pilot[int], subject: Scripted) -> None:
        self.pilot, self.subject = pilot, subject
        app = pilot.app
        assert isinstance(app, HitmissApp)
        self.app = app
        self.tree, self.panels = app.query_one(StepTree), app.query_one(Panels)
        self.lines = app.query_one(WhyView).lines

    async def drawn(self, build: Build) -> None:
        before = self.subject.drawn
        self.subject.show(build)
        await wait_for_async(lambda: self.subject.drawn > before, 10, "a draw")
        await self.pilot.pause()

    def folded(self) -> bool:
        """Whether the lines of the panel are folded at its width."""
        texts = self.lines.texts_from(0)
        return all(len(text) <= self.lines.text_width for text in texts)

    async def says(self, *texts: str) -> None:
        """Wait until the panel says all of this, wherever it is folded."""

        def there() -> bool:
            said = " ".join(" ".join(self.lines.texts_from(0)).split())
            return all(" ".join(text.split()) in said for text in texts)

        await wait_for_async(there, 10, f"{texts!r} in {self.lines.texts_from(0)}")

    async def looks_at(self, step_id: str) -> None:
        def there() -> bool:
            return self.tree.selected is not None and self.tree.selected.id == step_id

        await wait_for_async(there, 10, f"{step_id} to be looked at")


@asynccontextmanager
async def on(
    build: Build, size: tuple[int, int] = (120, 40), *, look: str = theme.DARK.name, **more: object
) -> AsyncIterator[On]:
    subject = Scripted(snapshot(build, **more))
    async with HitmissApp(subject, theme_name=look).run_test(size=size, notifications=True) as pilot:
        app = pilot.app
        assert isinstance(app, HitmissApp)
        await wait_for_async(subject.started.is_set, 10, "the subject to run")
        await wait_for_async(lambda: app._painted and app._pending is None, 10, "the second frame")
        it = On(pilot, subject)
        if it.panels.current == "why":
            await wait_for_async(it.folded, 10, "long lines to be folded")
        yield it


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", list(CAUSES))
async def test_every_cause_is_read_on_the_screen(kind: CauseKind, size: tuple[int, int]) -> None:
    async with on(caused(kind), size) as it:
        assert it.panels.current == "why"
        await sees(it.pilot, "◆ MISS  COPY tools/ tools/", "Dockerfile:9", CAUSES[kind][1][0][:20])
        await it.says(*CAUSES[kind][1], "Because of it 2 steps below ran too:", "In plain words")
        it.lines.scroll_end(animate=False)
        await wait_for_async(it.folded, 10, "long lines to be folded")


@pytest.mark.parametrize("size", SIZES)
async def test_a_parent_that_missed(size: tuple[int, int]) -> None:
    async with on(caused(CauseKind.ARGUMENT_CHANGED), size) as it:
        it.app.look_at("final:1")
        await sees(it.pilot, "A step before it ran:", "◆ COPY tools/ tools/", "VER 1 → 2 since build 11")
        await it.says("and through it: ◆ RUN sh tools/bundle.sh static /out")


async def test_u_goes_to_the_root() -> None:
    async with on(caused(CauseKind.ARGUMENT_CHANGED)) as it:
        it.app.look_at("final:1")
        await it.pilot.press("u")
        await it.looks_at("assets:1")
        await sees(it.pilot, "The argument VER has another value than")
        await it.pilot.press("u")
        await sees(it.pilot, "It began with this step.")
        it.app.look_at("base:1")
        await it.pilot.press("u")
        await sees(it.pilot, "known where this began.")
        await it.looks_at("base:1")


async def test_sentences_are_always_wrapped() -> None:
    subject = Scripted(snapshot(caused(CauseKind.FILES_CHANGED)))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await wait_for_async(subject.started.is_set, 10, "the subject to run")
        await pilot.pause()
        await pilot.press("a", "z")
        assert pilot.app.query_one(WhyView).lines.wrap
        await pilot.press("l", "z")
        assert not pilot.app.query_one(LogLines).wrap


async def test_a_root_that_is_gone_is_no_place_to_go() -> None:
    build = caused(CauseKind.NO_CACHE)
    cause = msgspec.structs.replace(CAUSES[CauseKind.EVICTED][0], root="gone")
    async with on(changed(build, "final:1", cause=cause)) as it:
        it.app.look_at("final:1")
        await it.pilot.press("u")
        await sees(it.pilot, "known where this began.")


async def test_a_click_on_a_step_goes_there() -> None:
    async with on(caused(CauseKind.NO_CACHE)) as it:
        texts = it.lines.texts_from(0)
        row = next(n for n, text in enumerate(texts) if "COPY --from=assets" in text)
        await it.pilot.click(PartsLines, offset=(6, row))
        await it.looks_at("final:1")
        await it.pilot.click(PartsLines, offset=(6, 1))
        await it.looks_at("final:1")
        await it.pilot.click(PartsLines, offset=(6, 30))
        await it.looks_at("final:1")


async def test_the_log_while_it_builds_and_why_when_it_is_known() -> None:
    async with on(webapp("hhhh r. ...")) as it:
        assert it.panels.current == "log"
        done = webapp("hhhh mm mhh", Status.SUCCEEDED)
        await it.drawn(done)
        assert it.panels.current == "log", "nothing is known yet"
        await it.drawn(chained(done, "assets:1", CAUSES[CauseKind.NO_CACHE][0], "assets:2", "final:1"))
        assert it.panels.current == "why"
        await it.looks_at("assets:1")
        await it.drawn(webapp("hhhr .. ...", number=2))
        assert it.panels.current == "log"
        await it.drawn(webapp("hhhh hh hhh", Status.SUCCEEDED, number=2))
        assert it.panels.current == "why", "what hit, and what that saved"


def test_of_own_work_that_failed_the_good_sentence_is_told_first() -> None:
    raw = "rpc error: code = Internal desc = grpc: failed to unmarshal"
    work = step("", 1, "[internal] load build context", Verdict.FAILED, id="context", error=raw, pieces=(Piece("x"),))
    error = "The name of a\\xff.txt is not UTF-8. Rename it."
    build = webapp("." * 9, Status.FAILED, error=error, advice="Rename it.", internals=(work,))
    said = [text_of(line) for line in why_lines(work, build)]
    assert said.index("The name of a\\xff.txt is not UTF-8.") < said.index("Rename it.") < said.index(raw)


@pytest.mark.parametrize(("key", "panel"), [("l", "log"), ("d", "dockerfile"), ("i", "files"), ("a", "why")])
async def test_the_panel_that_the_user_chose_stays(key: str, panel: str) -> None:
    async with on(webapp("hhhh r. ...")) as it:
        await it.pilot.press(key)
        for build in (caused(CauseKind.NO_CACHE, 1), webapp("hhhr .. ...", number=2), caused(CauseKind.EVICTED, 2)):
            await it.drawn(build)
            assert it.panels.current == panel
        failed = webapp("hhhm mf sss", Status.FAILED, 3, error="exit code: 1")
        await it.drawn(failed)
        assert it.panels.current == "log", "a failure is shown whatever was chosen"
        await it.drawn(webapp("hhhr .. ...", number=4))
        assert it.panels.current == panel


async def test_a_failure_says_what_is_wrong_and_what_to_do() -> None:
    mend = "Install it: `RUN [b]apk[/b] add gcc`."
    failed = webapp("hhhm mf sss", Status.FAILED, 3, error=f"There is no gcc. {mend}", advice=mend)
    async with on(failed) as it:
        await it.pilot.press("a")
        assert failed.failed_step is not None
        await it.looks_at(failed.failed_step.id)
        await it.says("There is no gcc.", mend)
        await sees(it.pilot, "✖ failed at Dockerfile:", "There is no gcc.")
        told = why_lines(failed.steps[0], failed)
        assert "gcc" not in "".join(part.text for line in told for part in line), "another step's panel says its own"


async def test_enter_shows_the_log_and_chooses_nothing_for_good() -> None:
    async with on(caused(CauseKind.NO_CACHE)) as it:
        it.tree.focus()
        await it.pilot.press("down", "enter")
        await wait_for_async(lambda: it.panels.current == "log", 10)
        await it.drawn(msgspec.structs.replace(caused(CauseKind.NO_CACHE), context_bytes=5))
        assert it.panels.current == "log"
        await it.drawn(caused(CauseKind.EVICTED, 13))
        assert it.panels.current == "why"


async def test_it_follows_the_selected_step_and_stays_where_it_was_scrolled_to() -> None:
    build = caused(CauseKind.FILES_CHANGED)
    async with on(build, (80, 24)) as it:
        await scroll(it.lines, 5)
        await it.drawn(changed(build, "base:1", duration_s=1.0))
        assert it.lines.scroll_y == 5
        it.tree.focus()
        await it.pilot.press("home", "down")
        await sees(it.pilot, "● HIT  FROM python:3.12-slim", "Came from the cache")
        assert it.lines.scroll_y == 0
        await it.pilot.press("up")
        await sees(it.pilot, NOTHING_CHOSEN)


@pytest.mark.parametrize("size", SIZES)
async def test_the_plan_on_the_screen(size: tuple[int, int]) -> None:
    async with on(planned(), size, plan_s=41.3) as it:
        await sees(
            it.pilot, "○ FROM python:3.12-slim", "will hit", "◇ COPY tools/ tools/", "will run", "~41 s",
            "6 will hit", "2 will run", "1 depends", "◇ 2 will run: src/main.py and 8 more changed",
        )  # fmt: skip
        it.app.look_at("final:1")
        await it.pilot.press("a")
        await sees(it.pilot, "◌ DEPENDS  COPY --from=assets", "Depends on what `assets` writes")
        it.app.look_at("assets:1")
        await sees(it.pilot, "◇ WILL RUN  COPY tools/ tools/", "Will run, because:", "9 files changed since build 11")
        it.tree.focus()
        it.app.look_at("assets:1")
        await it.pilot.press("left")
        await sees(it.pilot, "▸ assets  ◇ 2")


async def test_the_plan_fills_as_the_build_goes() -> None:
    async with on(planned(), plan_s=41.3) as it:
        plan = {each.id: {"planned": each.planned, "expected_s": each.expected_s} for each in planned().steps}
        await it.drawn(remade(webapp("hhhh r. ...", number=12), plan))
        await sees(it.pilot, "● FROM", "◈ COPY tools/", "◇ RUN sh", "◌ COPY --from", "6.5 s of ~41 s", "│41.0 s")
        lines = [line for line in shown(it.app).splitlines() if "src/" in line]
        await it.drawn(remade(webapp("hhhh mm hhh", Status.SUCCEEDED, 12), plan))
        await sees(it.pilot, "6.5 s (plan 41.3 s)")
        after = [line for line in shown(it.app).splitlines() if "src/" in line]
        assert lines[0].index("COPY src/") == after[0].index("COPY src/"), "the tree does not jump"
        assert "!" not in "".join(after)


@pytest.mark.parametrize(("size", "mark"), [((80, 24), "! not planned"), ((120, 40), "!")])
async def test_stories_in_the_tree(size: tuple[int, int], mark: str) -> None:
    async with on(noted(), size) as it:
        lines = [it.tree.render_line(y).text for y in range(8)]
        assert "hit went back " in lines[2]
        assert "hit imported " in lines[3]
        assert "hit △ " in lines[4]
        assert f"miss {mark} " in lines[6]
        assert f"hit {mark} " in lines[7]
        it.app.look_at("base:4")
        await sees(it.pilot, "△ It fetched from the network")
        await it.says("40 days ago: [b]pip install[/b].")
        it.app.look_at("assets:2")
        await it.says("! Planned: will run; it hit.")


async def test_without_colours_and_in_the_light(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on(caused(CauseKind.INSTRUCTION_CHANGED), look=theme.LIGHT.name) as it:
        await sees(it.pilot, "was  RUN make -j4 all", "now  RUN make -j8 all")
    monkeypatch.setenv("NO_COLOR", "1")
    async with on(caused(CauseKind.INSTRUCTION_CHANGED)) as it:
        assert it.app.no_color
        await sees(it.pilot, "was  RUN make -j4 all", "now  RUN make -j8 all")
        row = next(n for n, text in enumerate(it.lines.texts_from(0)) if "was" in text)
        marked = [each.text for each in it.lines.render_line(row) if each.style and each.style.underline]
        assert marked == ["-j4"]


async def test_any_terminal_will_do() -> None:
    async with on(caused(CauseKind.FILES_CHANGED)) as it:
        for size in ((20, 40), (1, 1), (30, 20), (250, 70), (100, 30), (120, 40)):
            await it.pilot.resize_terminal(*size)
            await it.drawn(caused(CauseKind.FILES_CHANGED))
        await sees(it.pilot, "◆ MISS  COPY tools/ tools/", "~ src/main.py")


async def test_the_names_of_all_panels_fit() -> None:
    async with on(caused(CauseKind.NO_CACHE), (100, 30)) as it:
        await sees(it.pilot, "WhyLogSourceFilesImageHistory")  # a picture has no text for single blanks
        await it.pilot.resize_terminal(120, 40)
        await sees(it.pilot, "History", "Image", "Dockerfile")
        await it.pilot.resize_terminal(160, 40)
        await sees(it.pilot, "Why │ Log │ Dockerfile │ Files │ Image │ History")


async def test_nothing_is_computed_while_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def counted(*given: object) -> tuple[()]:
        told.append("")
        return ()

    monkeypatch.setattr("hitmiss.ui.widgets.why_view.why_lines", counted)
    build = caused(CauseKind.NO_CACHE)
    async with on(build) as it:
        assert len(told) == 1
        for _ in range(3):
            await it.drawn(msgspec.structs.replace(build, context_bytes=9))
        assert len(told) == 1, "the build is the same"
        await it.pilot.press("d")
        await it.drawn(caused(CauseKind.EVICTED))
        assert len(told) == 1, "another panel is shown"
        await it.pilot.press("h", "i")
        assert it.subject.asked[:1] == ["history"]


def test_200_steps_are_told_in_time() -> None:
    steps = [step("s", n, f"RUN step {n}", Verdict.MISS) for n in range(1, 201)]
    build = chained(webapp(stages=tree(*steps)), "s:1", CAUSES[CauseKind.FILES_CHANGED][0], *(s.id for s in steps[1:]))
    took = []
    for each in build.steps[::10]:
        began = time.process_time()
        why_lines(each, build)
        took.append(time.process_time() - began)
    assert sorted(took)[len(took) // 2] < 0.005
