"""The prune dialog on a real engine: what it announces is gone when it says so."""

from __future__ import annotations

import re

import pytest
from textual.widgets import Button

from hitmiss.docker.storage import Pruned, preview, prune, usage
from hitmiss.ui.screens.prune import PruneScreen
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.wait import wait_for_async
from tests.ui.shown import Host, sees, shown

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]


async def test_the_dialog_frees_what_it_announced(empty_cache: PrivateEngine, project: Project) -> None:
    project.dockerfile(
        "FROM busybox\nRUN --mount=type=cache,target=/c head -c 300000 /dev/urandom > /c/x\nRUN date > /d\n"
    )
    empty_cache.build(project.path)

    async def at_rest() -> bool:
        return not any(record.in_use for record in (await usage()).records)

    rested: bool = await wait_for_async(at_rest, 20)
    assert rested
    before = await usage()
    async with Host().run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, Host)
        screen = PruneScreen(lambda wanted: preview(None, wanted), lambda wanted: prune(None, wanted))
        app.push_screen(screen, app.given.append)
        await sees(pilot, "cache mount", "/c  RUN head")
        await pilot.click("#all")
        await sees(pilot, "[x] shared", f"in {len(before.records)} records would go", "of build cache")
        announced = re.search(r"(\S+ \S+) in (\d+) records would go", shown(app))
        assert announced
        button = screen.query_one("#delete", Button)
        await pilot.click("#delete")
        await sees(pilot, "Yes, delete")
        await wait_for_async(lambda: not button.has_class("-active"), 5)

        async def pressed() -> bool:
            """Press until the dialog takes it for a second press of its own."""
            await pilot.click("#delete")
            return "Freed" in shown(app)

        done: bool = await wait_for_async(pressed, 20)
        assert done
        assert f"Freed {announced[1]}: {announced[2]} records gone." in shown(app)
        await pilot.press("escape")
        await wait_for_async(lambda: app.given == [Pruned(before.total, len(before.records))], 5)
    assert not (await usage()).records
