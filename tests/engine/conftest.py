"""What the tests of a running session share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.docker import client
from tests.support import hitmiss, live
from tests.support.project import Project
from tests.support.wait import wait_for_async


@pytest.fixture
async def start(project: Project, tmp_path: Path) -> AsyncIterator[live.Starts]:
    """Starts sessions; ends them after the test, and sees that nothing of them runs on."""
    client.find_client.cache_clear()
    begun: list[live.Live] = []

    def begin(**more: Any) -> live.Live:
        begun.append(live.Live(project, tmp_path, **more))
        return begun[-1]

    yield begin
    for each in begun:
        await asyncio.wait_for(each.session.close(), 10)
        await asyncio.wait_for(each.session.close(), 10)
        await asyncio.wait({each.task}, timeout=10)
        assert each.task.done()
    await wait_for_async(lambda: hitmiss.clients() == [], 10, "the clients to end")


@pytest.fixture
def shop(project: Project) -> Project:
    """A project of three stages."""
    live.shop(project)
    return project
