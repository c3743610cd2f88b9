"""The full screen in every size and colour, with foreign text on it, and how often it draws."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from textual.pilot import Pilot

from hitmiss.build.model import Check, Place, Status, Verdict
from hitmiss.snapshot import Source, Watch
from hitmiss.symbols import SYMBOLS
from hitmiss.ui import theme
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.screens.targets import TargetScreen
from hitmiss.ui.widgets.panels import Panels
from hitmiss.ui.widgets.status import Notices
from hitmiss.ui.widgets.step_tree import StepTree
from tests.support.subject import LETTERS, snapshot, step, tree, webapp
from tests.support.wait import wait_for_async
from tests.ui.shown import all_inside, sees, shown
from tests.ui.telling import Scripted, changed

BUILDING = webapp("hhhm mr r..")
FAILED = webapp("hhhm mf sss", Status.FAILED, error="exit code: 1")
EVIL = "[red]x[/red] [/] [@click=app.act('quit')]q[/] \x1b]0;owned\x07\x1b[2J\u202e\x9b31m\r\n$dim"


async def ready(pilot: Pilot[int], subject: Scripted) -> HitmissApp:
    app = pilot.app
    assert isinstance(app, HitmissApp)
    await wait_for_async(subject.started.is_set, 10, "the subject to run")
    await pilot.pause()
    return app


def is_shown(app: HitmissApp, selector: str) -> bool:
    widget = app.screen.query_one(selector)
    return widget.display and bool(widget.region.area)


async def laid_out(pilot: Pilot[int], size: tuple[int, int], *, panels: bool, summary: bool) -> None:
    app = pilot.app
    assert isinstance(app, HitmissApp)
    await pilot.resize_terminal(*size)
    await wait_for_async(
        lambda: (
            app.screen.query_one("#header").region.width == size[0]
            and is_shown(app, "#panels") is panels
            and is_shown(app, "#summary") is summary
        ),
        10,
        f"the layout for {size}",
    )
    if size[1] >= 5:
        assert all_inside(app, "#header", "#progress", "#steps-frame", *(["#panels"] if panels else []))
        assert app.query_one(StepTree).region.height > 0


async def test_every_size_and_back() -> None:
    subject = Scripted(snapshot(BUILDING))
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        app = await ready(pilot, subject)
        panels = app.query_one(Panels)
        steps = app.query_one("#steps-frame")
        for size in ((80, 24), (120, 40), (250, 70), (20, 5), (1, 1), (80, 14), (250, 5), (20, 40), (120, 40)):
            low, flat = size[1] < 18, size[1] < 12
            if size == (1, 1):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                subject.show(FAILED)
                await pilot.press("down", "l", "d", "t")
                await wait_for_async(lambda: isinstance(app.screen, TargetScreen), 10, "the list of targets")
                await pilot.press("escape")
                await wait_for_async(lambda: len(app.screen_stack) == 1, 10, "the list to be closed")
                await pilot.press("escape")  # from the panel that was opened
                continue
            await laid_out(pilot, size, panels=not low, summary=not flat)
            if not low:
                beside = panels.region.y == steps.region.y
                assert beside is (size[0] >= 100)
            drawn = subject.drawn
            subject.show(BUILDING)
            await wait_for_async(lambda before=drawn: subject.drawn > before, 10)  # type: ignore[misc]
        await sees(pilot, "RUN sh tools/bundle.sh", "webapp ▸ final", "build 1")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (250, 70)])
async def test_what_must_be_read_at_every_usual_size(size: tuple[int, int]) -> None:
    subject = Scripted(snapshot(BUILDING))
    async with HitmissApp(subject).run_test(size=size) as pilot:
        await sees(
            pilot, "hitmiss", "webapp ▸ final", "watching 214 files", "build 1", " hit", "2 miss", "6.5 s", "▾ base",
            "● FROM python", "◆ COPY tools/", "◈ RUN sh", " r ", " rebuild", "Dockerfile", "History",
        )  # fmt: skip


@pytest.mark.parametrize("name", [theme.DARK.name, theme.LIGHT.name, "nord", "ansi-dark", "textual-light", "gruvbox"])
async def test_verdicts_have_colours_of_their_own_in_every_theme(name: str) -> None:
    subject = Scripted(snapshot(FAILED))
    async with HitmissApp(subject, theme_name=name).run_test(size=(120, 40)) as pilot:
        app = await ready(pilot, subject)
        assert app.theme == name
        await sees(pilot, "● FROM python", "◆ RUN pip", "✖ RUN sh", "– COPY src/")
        tree_ = app.query_one(StepTree)
        background = tree_.rich_style.bgcolor
        colours = {each: tree_.get_component_rich_style(f"steps--{each}").color for each in ("hit", "miss", "failed")}
        assert len(set(colours.values())) == 3
        assert background not in colours.values()


async def test_the_theme_goes_to_the_other_side_and_a_theme_that_there_is_not_does_no_harm() -> None:
    subject = Scripted(snapshot(FAILED))
    async with HitmissApp(subject, theme_name="no such theme").run_test(size=(120, 40)) as pilot:
        app = await ready(pilot, subject)
        assert app.theme == theme.DARK.name
        for wanted in (theme.LIGHT.name, theme.DARK.name):
            await pilot.press("T")
            await wait_for_async(lambda name=wanted: app.theme == name, 10)  # type: ignore[misc]
            await sees(pilot, "✖ RUN sh")


async def test_without_colours_shape_and_word_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    subject = Scripted(snapshot(webapp("hmrf cs .hh")))
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        app = await ready(pilot, subject)
        assert app.no_color
        lines = shown(app).splitlines()
        texts = ("FROM", "WORKDIR", "COPY req", "RUN pip", "COPY tools", "RUN sh")
        for letter, words in zip("hmrfcs", texts, strict=True):
            symbol = SYMBOLS[LETTERS[letter]]
            line = next(each for each in lines if words in each and each.startswith("│"))
            assert symbol.glyph in line
            assert f" {symbol.word} " in line


@pytest.mark.parametrize("size", [(80, 24), (250, 70)])
async def test_foreign_text_is_data(size: tuple[int, int]) -> None:
    odd = step("[b]s[/b]\x1b", 1, f"RUN {EVIL}", Verdict.FAILED, error=EVIL, place=Place(EVIL, 1, 1))
    other = step("[b]s[/b]\x1b", 2, f"COPY {EVIL}", Verdict.RUNNING, activity=EVIL)
    own = step("", 0, f"[internal] {EVIL}", Verdict.INTERNAL, id="i", running_since=0.0, activity=EVIL)
    check = Check(EVIL, EVIL, EVIL, EVIL, 1)
    build = webapp(stages=tree(odd, other), internals=(own,), checks=(check,), error=EVIL, text=(EVIL,), target=EVIL)
    subject = Scripted(
        snapshot(
            build, project=EVIL, target=EVIL, builder=EVIL, platforms=(EVIL,), message=EVIL, notices=(EVIL,),
            source=Source(EVIL, EVIL, f"RUN {EVIL}\n", EVIL, 1),
        )
    )  # fmt: skip
    subject.write(odd.id, EVIL.encode())
    async with HitmissApp(subject).run_test(size=size) as pilot:
        app = await ready(pilot, subject)
        for press in ("", "d", "?", "escape", "ctrl+p", "escape"):
            await pilot.press(*([press] if press else []))
            for status in (Status.RUNNING, Status.FAILED, Status.CANCELED, Status.SUCCEEDED, Status.IDLE):
                for problem in ("", EVIL):
                    drawn = subject.drawn
                    subject.show(msgspec.structs.replace(build, status=status), problem=problem)
                    await wait_for_async(lambda before=drawn: subject.drawn > before, 10)  # type: ignore[misc]
            svg = app.export_screenshot()
            assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(svg)
        await sees(pilot, "[red]x[/red]")
        assert app.is_running
        assert subject.calls == []


@pytest.mark.parametrize("status", [Status.RUNNING, Status.IDLE])
async def test_it_draws_at_most_30_times_a_second(status: Status) -> None:
    subject = Scripted(snapshot(webapp(status=status)))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await ready(pilot, subject)
        began, before = time.monotonic(), subject.drawn
        changes = 0
        while time.monotonic() - began < 1.0 or (subject.drawn - before <= 5 and time.monotonic() - began < 10):
            subject.on_change()
            changes += 1
            await asyncio.sleep(0)
        took, drawn = time.monotonic() - began, subject.drawn - before
        assert changes > 10 * drawn, "a storm"
        assert 5 < drawn <= 30 * took + 2


async def test_a_change_waits_for_a_frame_not_for_the_clock() -> None:
    """While a build runs the clock draws ten times a second; what is heard is shown sooner."""
    subject = Scripted(snapshot(BUILDING))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await ready(pilot, subject)
        waits = []
        for _ in range(12):
            drawn, began = subject.drawn, time.monotonic()
            subject.on_change()
            await wait_for_async(lambda before=drawn: subject.drawn > before, 10, pause=0.001)  # type: ignore[misc]
            waits.append(time.monotonic() - began)
        assert min(waits[1:]) < 0.09


async def test_the_clock_goes_on_by_itself_and_rests_when_nothing_runs() -> None:
    subject = Scripted(snapshot(BUILDING))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        app = await ready(pilot, subject)
        drawn = subject.drawn
        await wait_for_async(lambda: subject.drawn > drawn + 2, 10, "the clock")
        subject.show(webapp("hhhh hh hhh", Status.SUCCEEDED))
        await wait_for_async(lambda: app._clock is None and app._pending is None, 10, "rest")


@pytest.mark.parametrize("state", list(Watch))
async def test_the_header_says_how_the_watch_stands(state: Watch) -> None:
    subject = Scripted(snapshot(watch=state))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await sees(pilot, state.value)


async def test_a_notice_does_not_hide_how_the_build_ended() -> None:
    failed = webapp("hhhm hf sss", Status.FAILED, error="exit code: 1")
    subject = Scripted(snapshot(failed, notices=("Polling, for inotify is full.",)))
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await sees(pilot, "! Polling, for inotify is full.", "✖ failed")


async def test_how_a_command_ended_is_said_before_the_command() -> None:
    error = f'process "/bin/sh -c {"sh tools/bundle.sh static /out " * 9}" did not complete successfully: exit code: 3'
    subject = Scripted(snapshot(webapp("hhhm hf sss", Status.FAILED, error=error)))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "✖ failed at Dockerfile:10: exit code: 3 · RUN sh tools/bundle.sh")


async def test_what_a_command_said_last_is_said_before_how_it_ended() -> None:
    error = 'process "/bin/sh -c x" did not complete successfully: exit code: 1'
    failed = changed(webapp("hhhm hf sss", Status.FAILED, error=error), "assets:2", said="cat: can't open '[b]x'")
    subject = Scripted(snapshot(failed))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "✖ failed at Dockerfile:10: cat: can't open '[b]x'")
        subject.show(msgspec.structs.replace(failed, error="There is no gcc. Install it.", advice="Install it."))
        await sees(pilot, "✖ failed at Dockerfile:10: There is no gcc. Install it.")


async def test_the_figures_of_the_build_before_a_problem_are_told_as_such() -> None:
    subject = Scripted(snapshot(webapp("hhhm hh hhh", Status.SUCCEEDED, checks=(Check("x", "", "", "", 1),))))
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        app = await ready(pilot, subject)
        await sees(pilot, "8 hit  1 miss", "saved 32.0 s", "1 warning")
        subject.show(problem="Dockerfile:3: unknown instruction.")
        await sees(pilot, "the build before:  8 hit  1 miss", "cache 3.4 GB")
        assert "saved 32.0 s" not in shown(app).split("Steps")[0]
        assert "1 warning" not in shown(app)
        subject.show(BUILDING)
        await sees(pilot, "3 hit  2 miss  2 runs")
        assert "the build before" not in shown(app)


async def test_rows_of_a_notice_are_joined_by_one_blank() -> None:
    subject = Scripted(snapshot(notices=(" ".join(("x" * 75, "word", "y" * 76)),)))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        app = await ready(pilot, subject)
        assert "\nword yyy" in app.query_one(Notices).text(subject.now, 78).plain


async def test_long_notices_have_two_rows_and_say_that_there_is_more() -> None:
    first = "docker-bake.hcl: Unclosed configuration block, there is no closing brace for this block."
    subject = Scripted(snapshot(FAILED, notices=(first, *["The cache was not found."] * 9)))
    async with HitmissApp(subject).run_test(size=(80, 24)) as pilot:
        app = await ready(pilot, subject)
        await sees(pilot, "! docker-bake.hcl: Unclosed configuration block,", "! The cache was not", "…")
        assert app.query_one("#notices").size.height == 2
        subject.show(notices=("Short.",))
        await wait_for_async(lambda: app.query_one("#notices").size.height == 1, 10, "one row")
        assert "! Short." in shown(app)
        subject.show(notices=())
        await wait_for_async(lambda: not is_shown(app, "#notices"), 10, "none")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize(
    ("status", "mark"),
    [
        (Status.FAILED, "✖ failed at Dockerfile:10"),
        (Status.SUCCEEDED, "✔ built"),
        (Status.CANCELED, "⊘ canceled"),
        (Status.RUNNING, "◈ "),
    ],
)
async def test_a_message_stands_beside_how_the_build_stands(status: Status, mark: str, size: tuple[int, int]) -> None:
    build = webapp("hhhm hf sss", status, error="exit code: 1 " * 20)
    message = "NOTES.txt: no step of final reads it"
    subject = Scripted(snapshot(build, message=message))
    async with HitmissApp(subject).run_test(size=size) as pilot:
        await sees(pilot, mark, message)
        subject.show(problem="There is no engine.")
        await sees(pilot, "✖ There is no engine.")


@pytest.mark.parametrize("size", [(60, 15), (250, 14), (20, 5)])
async def test_in_a_low_window_a_panel_that_is_opened_takes_the_place_of_the_steps(size: tuple[int, int]) -> None:
    subject = Scripted(snapshot(FAILED, notices=("Polling.",)))
    subject.write("assets:2", b"the last words\n")
    async with HitmissApp(subject).run_test(size=size) as pilot:
        app = await ready(pilot, subject)
        await laid_out(pilot, size, panels=False, summary=size[1] >= 12)
        assert is_shown(app, "#notices") is (size[1] >= 12)
        for key, words in (("l", "the last words"), ("enter", "the last words"), ("d", "bundle.sh"), ("h", "No build")):
            await pilot.press(key)
            await sees(pilot, words)
            await wait_for_async(lambda: not is_shown(app, "#steps-frame"), 10, "the steps to give way")
            assert app.focused
            assert app.query_one(Panels) in app.focused.ancestors
            if size[1] >= 12:
                await sees(pilot, " esc ", " steps")
            await pilot.press("escape")
            await laid_out(pilot, size, panels=False, summary=size[1] >= 12)
            await wait_for_async(lambda: app.focused is app.query_one(StepTree), 10, "the focus")
        await pilot.press("d")
        await laid_out(pilot, (120, 40), panels=True, summary=True)
        await pilot.press("escape", "tab")
        await laid_out(pilot, size, panels=False, summary=size[1] >= 12)
