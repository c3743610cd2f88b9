"""What the screen looks at by itself, until the user looks elsewhere; logs and the Dockerfile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from hitmiss.build.model import Build, Status, Verdict
from hitmiss.snapshot import Source
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.widgets.dockerfile_view import DockerfileLines
from hitmiss.ui.widgets.log_view import FROM_CACHE, LogView
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.step_tree import StepTree
from tests.support.subject import DOCKERFILE, snapshot, step, webapp
from tests.support.wait import wait_for_async
from tests.ui.shown import scroll, sees, shown
from tests.ui.telling import Scripted

EXCERPT = (
    "Dockerfile:10",
    "--------------------",
    "  10 | >>> RUN sh tools/bundle.sh [b]static[/b] /out",
    "ERROR: failed",
)


class Watched:
    """The screen and its session."""

    def __init__(self, pilot: Pilot[int], subject: Scripted) -> None:
        self.pilot, self.subject = pilot, subject
        app = pilot.app
        assert isinstance(app, HitmissApp)
        self.app = app
        self.tree = app.query_one(StepTree)
        self.panels = app.query_one(Panels)
        self.log = app.query_one(LogView)

    async def drawn(self, build: Build) -> None:
        """Show a build, and wait until it is on the screen."""
        before = self.subject.drawn
        self.subject.show(build)
        await wait_for_async(lambda: self.subject.drawn > before, 10, "a draw")
        await self.pilot.pause()

    @property
    def selected(self) -> str:
        row = self.tree.selected
        return row.id if row else ""

    async def looks_at(self, step_id: str) -> None:
        await wait_for_async(lambda: self.selected == step_id, 10, f"{step_id} to be looked at")


@asynccontextmanager
async def watched(build: Build | None = None, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Watched]:
    subject = Scripted(snapshot(build or webapp()))
    async with HitmissApp(subject).run_test(size=size) as pilot:
        await wait_for_async(subject.started.is_set, 10, "the subject to run")
        await pilot.pause()
        yield Watched(pilot, subject)


async def test_it_follows_what_runs_and_ends_at_the_first_miss() -> None:
    async with watched() as on:
        await on.drawn(webapp("hhhr .. ..."))
        await on.looks_at("base:4")
        await on.drawn(webapp("hhhm r. ..."))
        await on.looks_at("assets:1")
        await on.drawn(webapp("hhhm mm mmr"))
        await on.looks_at("final:3")
        await on.drawn(webapp("hhhm mm mmm", Status.SUCCEEDED))
        await on.looks_at("base:4")


async def test_of_several_running_steps_it_follows_the_youngest() -> None:
    async with watched() as on:
        await on.drawn(webapp("hhhr .r ..."))
        await on.looks_at("base:4")
        await on.drawn(webapp("hhhm .r r.."))
        await on.looks_at("assets:2")


async def test_a_build_of_hits_leaves_the_view_alone() -> None:
    async with watched() as on:
        was = on.selected
        await on.drawn(webapp("hhhh hh hhh", Status.SUCCEEDED))
        assert on.selected == was


async def test_a_build_of_hits_ends_at_why() -> None:
    async with watched(webapp("hhhh .. ...")) as on:
        await on.drawn(webapp("hhhh hh hhh", Status.SUCCEEDED))
        await wait_for_async(lambda: on.panels.current == "why", 10, "the panel, by itself")
        on.tree.focus()
        await on.pilot.press("home")
        await sees(on.pilot, "All 9 steps came from the cache: nothing had to", "run.", "That saved 36.0 s.")


async def test_a_panel_that_was_chosen_stays_where_all_hits() -> None:
    async with watched(webapp("hhhh .. ...")) as on:
        await on.pilot.press("l")
        await on.drawn(webapp("hhhh hh hhh", Status.SUCCEEDED))
        assert on.panels.current == "log"


async def test_a_user_who_looks_elsewhere_is_left_there_until_the_next_build() -> None:
    async with watched() as on:
        await on.drawn(webapp("hhhr .. ..."))
        await on.looks_at("base:4")
        await on.pilot.press("up", "up")
        await on.looks_at("base:2")
        for build in (webapp("hhhm r. ..."), webapp("hhhm mr ..."), webapp("hhhm mm mmm", Status.SUCCEEDED)):
            await on.drawn(build)
            assert on.selected == "base:2"
        await on.drawn(webapp("hhhr .. ...", number=2))
        await on.looks_at("base:4")


async def test_a_click_is_looking_elsewhere_too() -> None:
    async with watched() as on:
        await on.drawn(webapp("hhhr .. ..."))
        await on.pilot.click(StepTree, offset=(10, 2))
        await on.looks_at("base:2")
        await on.drawn(webapp("hhhm r. ..."))
        assert on.selected == "base:2"


async def test_a_wheel_is_not_fought() -> None:
    async with watched(size=(120, 12)) as on:
        await on.drawn(webapp("rhhh hh hhh"))
        await on.looks_at("base:1")
        await scroll(on.tree, 3)
        await on.drawn(webapp("rhhh hh hhh", duration_s=7.0))
        await on.drawn(webapp("rhhh hh hhh", duration_s=8.0))
        assert on.tree.scroll_y == 3


async def test_what_failed_besides_the_steps_is_gone_to_and_can_be_read_whole() -> None:
    error = "The image registry:5000/app could not be pushed: registry:5000 could not be reached. " * 2
    error += "Is the registry up?"
    push = step("", 1, "pushing registry:5000/app with docker", Verdict.FAILED, id="push", error="refused")
    cache = step("", 1, "importing cache manifest from registry:5000/c", Verdict.FAILED, id="cache", error="refused")
    meta = step("", 1, "[internal] load metadata for registry:5000/base", Verdict.FAILED, id="meta", error="refused")
    async with watched(size=(80, 24)) as on:
        for number, work in enumerate((push, meta), 2):
            failed = webapp("hhhm mm mmm", Status.FAILED, number, error=error, internals=(cache, work))
            await on.drawn(failed)
            await on.looks_at(work.id)
            assert on.panels.current == "log"
            await sees(
                on.pilot,
                "The image registry:5000/app could not be pushed: registry:5000 could not be│",
                "Is the registry up?",
            )
            on.tree.focus()
            await on.pilot.press("home", "f")
            await on.looks_at(work.id)
        await on.drawn(webapp("hhhm mm mmm", Status.FAILED, 4, error=error, internals=(cache,)))
        await sees(on.pilot, "Is the registry up?")


async def test_a_failed_step_opens_its_log_with_the_excerpt() -> None:
    async with watched() as on:
        await on.pilot.press("d")
        await wait_for_async(lambda: on.panels.current == "dockerfile", 10)
        on.tree.focus()
        await on.pilot.press("home")
        on.subject.write("assets:2", b"bundling\nno such file [red]fonts[/red]\x1b]0;title\x07\n")
        await on.drawn(webapp("hhhm mf sss", Status.FAILED, error="exit code: 1", text=EXCERPT))
        await on.looks_at("assets:2")
        await sees(
            on.pilot,
            "no such file [red]fonts[/red]",
            ">>> RUN sh tools/bundle.sh [b]static[/b]",
            "✖ failed at Dockerfile:10",
        )
        assert on.panels.current == "log"
        await on.pilot.press("up")
        await on.looks_at("assets:1")
        await on.drawn(webapp("hhhm mf sss", Status.FAILED, error="exit code: 1", text=EXCERPT, context_bytes=9))
        assert on.selected == "assets:1"
        assert ">>> RUN" not in shown(on.app)
        await on.pilot.press("f")
        await on.looks_at("assets:2")
        await sees(on.pilot, ">>> RUN")


async def test_each_failure_is_opened_again() -> None:
    async with watched() as on:
        for number in (1, 2):
            await on.drawn(webapp("hhhm mf sss", Status.FAILED, number=number, error="exit code: 1"))
            await on.looks_at("assets:2")
            on.tree.focus()
            await on.pilot.press("home")
            await on.looks_at("stage base")


async def test_the_log_of_the_selected_step() -> None:
    async with watched(webapp("hmmr .. ...")) as on:
        on.subject.write("base:2", b"of two\n")
        on.subject.write("base:3", b"of three\n")
        on.tree.focus()
        await on.pilot.press("home", "down", "down")
        await sees(on.pilot, "of two")
        assert "of three" not in shown(on.app)
        await on.pilot.press("down")
        await sees(on.pilot, "of three")
        assert "of two" not in shown(on.app)
        await on.pilot.press("up", "up")
        await sees(on.pilot, FROM_CACHE.split(":")[0])
        await on.pilot.press("end")
        await sees(on.pilot, "has not been looked at")


async def test_a_running_steps_log_grows_as_it_writes() -> None:
    async with watched(webapp("hhhr .. ...")) as on:
        await sees(on.pilot, "No output yet.")
        on.subject.write("base:4", b"first words\n")
        await sees(on.pilot, "first words")
        on.subject.write("base:4", b"and more\n")
        await sees(on.pilot, "first words", "and more")
        await on.drawn(webapp("hhhm hh hhh", Status.SUCCEEDED))
        await sees(on.pilot, "first words", "and more")


async def test_a_new_build_shows_its_own_log() -> None:
    async with watched(webapp("hhhm .. ...")) as on:
        on.tree.select("base:4")
        on.subject.write("base:4", b"of build one\n")
        await sees(on.pilot, "of build one")
        on.subject.logs.clear()
        await on.drawn(webapp("hhhr .. ...", number=2))
        await wait_for_async(lambda: "of build one" not in shown(on.app), 10, "the old log to go")
        on.subject.write("base:4", b"of build two\n")
        await sees(on.pilot, "of build two")


async def test_the_dockerfile_tab_goes_to_the_step_and_back() -> None:
    async with watched(webapp("hhhm hh hhh", Status.SUCCEEDED)) as on:
        on.tree.select("final:2")
        await on.pilot.press("d")
        lines = on.app.query_one(DockerfileLines)
        await wait_for_async(lambda: lines.cursor == 14, 10, f"line 14, not {lines.cursor}")
        await sees(on.pilot, "# A web app in three stages.", "COPY src/ src/")
        on.tree.focus()
        await on.pilot.press("up")
        await wait_for_async(lambda: lines.cursor == 13, 10, "the line of the step above")
        lines.focus()
        for _ in range(7):
            await on.pilot.press("up")
        await wait_for_async(lambda: lines.cursor == 6, 10)
        await on.pilot.press("enter")
        await on.looks_at("base:4")  # its second line chooses it, too
        await on.drawn(webapp("rhhm hh hhh"))
        assert on.selected == "base:4", "choosing a line is looking elsewhere"


async def test_a_click_on_a_line_chooses_its_step() -> None:
    async with watched(webapp("hhhm hh hhh", Status.SUCCEEDED)) as on:
        await on.pilot.press("d")
        await sees(on.pilot, "# A web app in three stages.")
        await on.pilot.click(DockerfileLines, offset=(15, 13))
        await on.looks_at("final:2")


async def test_a_dockerfile_that_does_not_parse_is_shown_where_it_is_wrong() -> None:
    async with watched() as on:
        source = Source("Dockerfile", "/project/Dockerfile", DOCKERFILE, "unknown instruction: [b]RNU[/b]", 15)
        on.subject.show(webapp(status=Status.IDLE, stages=()), source=source, problem=source.error)
        await sees(on.pilot, "✖ unknown instruction: [b]RNU[/b]")
        await wait_for_async(lambda: on.app.query_one(Panels).current == "dockerfile", 10, "the panel, by itself")
        lines = on.app.query_one(DockerfileLines)
        await wait_for_async(lambda: lines.cursor == 15, 10, "the line at fault")
        await sees(on.pilot, "└ unknown instruction: [b]RNU[/b]")


async def test_the_panels_names_are_clicked() -> None:
    async with watched() as on:
        names = ((15, "dockerfile"), (9, "log"), (4, "why"), (26, "files"), (33, "image"), (41, "history"))
        for column, name in names:
            await on.pilot.click(Panels, offset=(column, 0))
            await wait_for_async(lambda wanted=name: on.panels.current == wanted, 10, name)  # type: ignore[misc]


async def test_the_panel_that_is_shown_is_marked_from_the_start() -> None:
    async with watched() as on:
        for key, name, other in (("", "Log", "Dockerfile"), ("d", "Dockerfile", "Log"), ("l", "Log", "Dockerfile")):
            await on.pilot.press(*([key] if key else []))
            await on.pilot.pause()
            looks = {
                segment.text.strip(): segment.style
                for strip in on.app.screen._compositor.render_strips()
                for segment in strip
            }
            marked, plain = looks[name], looks[other]
            assert marked is not None
            assert plain is not None
            assert (marked.underline, plain.underline or False) == (True, False)
