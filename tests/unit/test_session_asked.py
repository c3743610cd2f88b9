"""What is asked of a session while a build is being cancelled: the next build does all of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.docker import client
from hitmiss.history.store import Store
from hitmiss.session import Session
from hitmiss.settings import BuildOptions
from tests.support.stand_in import install
from tests.support.wait import wait_for_async


@pytest.fixture(autouse=True)
def forget_the_stand_in() -> Any:
    yield
    client.find_client.cache_clear()


@contextlib.asynccontextmanager
async def building(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    """A session whose builds take for ever; what clients are told is written to `words`."""
    script = f"""
        test "$1" = build || exit 1
        echo "$*" >> '{folder}/words'
        exec sleep 600
    """
    install(script, folder, monkeypatch)
    project = folder / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch AS one\nARG A=1\nCOPY . /$A\n")
    session = Session(BuildOptions(), cwd=project, store=Store(folder / "history.sqlite"))
    running = asyncio.create_task(session.run())
    try:
        await wait_for_async(lambda: told(folder), 20, "the first build")
        yield session
    finally:
        await session.close()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def told(folder: Path) -> list[str]:
    words = folder / "words"
    return words.read_text().splitlines() if words.exists() else []


@pytest.mark.parametrize(
    ("asked", "word"), [({"no_cache": True}, "--no-cache"), ({"no_cache_stages": ["one"]}, "--no-cache-filter")]
)
async def test_arguments_set_before_a_build_without_cache_begins(
    asked: dict[str, Any], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with building(tmp_path, monkeypatch) as session:
        session.rebuild(**asked)
        session.set_arguments({"": {"A": "7"}})
        await wait_for_async(lambda: len(told(tmp_path)) > 1, 20, "the second build")
        words = told(tmp_path)[1].split()
        assert any(each.startswith(word) for each in words), words
        assert any(each.endswith("A=7") for each in words), words
        assert session._schedule._whole, "no save cancels it"


async def test_a_build_without_cache_that_was_canceled_before_it_began_is_not_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with building(tmp_path, monkeypatch) as session:
        session.rebuild(no_cache=True)
        session.cancel()
        await wait_for_async(lambda: not session._schedule.building, 20, "the end of the first build")
        session.set_arguments({"": {"A": "7"}})
        await wait_for_async(lambda: len(told(tmp_path)) > 1, 20, "the second build")
        assert "--no-cache" not in told(tmp_path)[1]
