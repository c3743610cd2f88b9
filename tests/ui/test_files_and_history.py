"""The Files and the History panel."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hitmiss.build.model import Alteration, CauseKind, FileChange
from hitmiss.explain import text_of
from hitmiss.snapshot import FileRow, StepFiles
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.widgets import files_view, history_view
from hitmiss.ui.widgets.files_view import FileLines, FilesView
from hitmiss.ui.widgets.history_view import HistoryView, history_lines
from hitmiss.ui.widgets.step_tree import StepTree
from tests.support.subject import snapshot
from tests.support.wait import wait_for_async
from tests.ui.shown import scroll, sees, shown
from tests.ui.telling import Scripted, caused, remembered, step_files

NOW = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)
EVIL = "[red]x[/red] \x1b]0;owned\x07\u202e"


@asynccontextmanager
async def on(subject: Scripted, size: tuple[int, int], key: str) -> AsyncIterator[HitmissApp]:
    app = HitmissApp(subject)
    async with app.run_test(size=size) as pilot:
        await wait_for_async(subject.started.is_set, 10, "the subject to run")
        await pilot.pause()
        await pilot.press(key)
        yield app


def scene(**more: object) -> Scripted:
    return Scripted(snapshot(caused(CauseKind.FILES_CHANGED), **more))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_files_of_the_selected_step(size: tuple[int, int]) -> None:
    subject = scene()
    subject.known = {"assets:1": step_files(38), "final:2": step_files(1, changed=0, against=0), "base:2": StepFiles()}
    async with on(subject, size, "i") as app:
        await wait_for_async(lambda: "src/folder2/file2.py" in shown(app), 10, "the files")
        lines = app.query_one(FileLines)
        assert lines.render_line(0).text.rstrip() == "~  38.0 kB  src/folder0/file0.py   +5 B"
        assert lines.render_line(2).text.rstrip() == "   36.0 kB  src/folder2/file2.py"
        assert "38 files · 741.0 kB · 2 changed since build 11" in shown(app)
        for step_id, words in (
            ("final:2", "1 file · 1.0 kB"),
            ("base:2", files_view.NO_FILES),
            ("base:1", files_view.NOT_KNOWN),
        ):
            app.look_at(step_id)
            await wait_for_async(lambda wanted=words: wanted in shown(app), 10, words)  # type: ignore[misc]
        app.query_one(StepTree).action_edge(0)
        await wait_for_async(lambda: files_view.NOTHING_CHOSEN in shown(app), 10, "no step")


async def test_what_was_left_out_is_counted_and_a_file_can_be_found() -> None:
    subject = scene()
    known = step_files(30, changed=0)
    subject.known = {"assets:1": StepFiles(known.rows, 1264, known.size, 11)}
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("i")
        await sees(pilot, "1,264 files · 465.0 kB · none changed")
        lines = pilot.app.query_one(FileLines)
        assert lines.text_of(lines.end - 1) == "and 1,234 more"
        await pilot.press("/", *"file29")
        await sees(pilot, "1 of 1")
        await pilot.press("enter", "end")
        await sees(pilot, "and 1,234 more")


async def test_20_000_files() -> None:
    subject = scene()
    known = {"assets:1": step_files(20_000), "final:2": step_files(20_000, changed=5)}
    subject.known = known
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("i")
        await sees(pilot, "20,000 files")
        view = pilot.app.query_one(FilesView)
        took = []
        for step_id in ("final:2", "assets:1", "final:2"):
            began = time.process_time()
            view.show(step_id, known[step_id])
            took.append(time.process_time() - began)
        assert min(took) < 0.15
        began = time.process_time()
        for _ in range(20):
            view.show("final:2", known["final:2"])
        assert time.process_time() - began < 0.02, "what is shown already costs nothing"
        await pilot.press("end")
        await sees(pilot, "file19999.py")


async def test_foreign_names_are_data() -> None:
    subject = scene()
    changes = [FileChange(EVIL, each, EVIL, EVIL, 1, EVIL) for each in Alteration]
    rows = (*(FileRow(EVIL, 1, EVIL, change) for change in changes), FileRow(EVIL, 2, EVIL))
    subject.known = {"assets:1": StepFiles(rows, len(rows), 9, 3)}
    subject.past = tuple(
        type(each)(**{**{name: getattr(each, name) for name in each.__struct_fields__}, "why": EVIL, "status": EVIL,
                      "target": EVIL + str(n)})
        for n, each in enumerate(remembered(3))
    )  # fmt: skip
    async with HitmissApp(subject).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        for key in ("i", "h"):
            await pilot.press(key)
            await sees(pilot, "[red]x[/red] �]0;owned��")
            assert not {"\x1b", "\x07", "\u202e"} & set(pilot.app.export_screenshot())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_history(size: tuple[int, int]) -> None:
    subject = scene(plan_right=412, plan_steps=415)
    async with HitmissApp(subject).run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("h")
        await sees(pilot, history_view.NO_BUILDS)
        subject.past = remembered(30)
        subject.on_change()
        await sees(
            pilot, "✔ built", "⊘ canceled", "43.5 s  9 of 9 hit", "2 ran: src/main.py changed", "1 not as planned",
            "plan right for 412 of 415 steps",
        )  # fmt: skip
        lines = pilot.app.query_one(HistoryView).lines
        await scroll(lines, 4)
        subject.past = remembered(31)
        subject.on_change()
        await wait_for_async(lambda: lines.text_of(0).startswith("31"), 10, "the new build")
        assert lines.scroll_y == 4


def test_times_and_columns() -> None:
    builds = remembered(3, NOW)
    old = [
        type(builds[0])(each.number, NOW - ago, each.status, each.target, each.builder)
        for each, ago in zip(builds, (timedelta(minutes=1), timedelta(days=1), timedelta(days=400)), strict=True)
    ]
    lines = [text_of(line) for line in history_lines(old, NOW)]
    assert lines == [
        "3     14:59:00  ✔ built     0.0 s  0 of 0 hit",
        "2  05-03 15:00  ⊘ canceled  0.0 s  0 of 0 hit",
        "1   2025-03-30  ✖ failed    0.0 s  0 of 0 hit",
    ]
    assert history_lines((), NOW) == ()


def test_targets_and_builders_are_named_where_they_differ() -> None:
    one, two, _ = remembered(3, NOW)
    other = type(one)(2, one.started, "succeeded", "dev", "remote")
    assert "dev · remote" in text_of(history_lines((one, other), NOW)[-1])
    parts = [type(one)(2, one.started, "succeeded", "final", "default", bake_target=name) for name in ("app", "db")]
    assert ["app · default" in text_of(line) for line in history_lines(parts, NOW)] == [False, True, False, False]
    assert "db · default" in text_of(history_lines(parts, NOW)[-1])
    assert not any("default" in text_of(line) for line in history_lines((one, two), NOW))
