"""A failure of the engine that is over by itself is built again, once."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from hitmiss.build.model import Status
from hitmiss.docker import client
from hitmiss.history.store import Store
from hitmiss.session import Session
from hitmiss.settings import BuildOptions
from tests.support.stand_in import install
from tests.support.wait import wait_for_async

LOST = (
    'ERROR: failed to solve: failed to prepare extraction snapshot "extract-1 sha256:4": '
    "parent snapshot sha256:5 does not exist: not found"
)
LET_GO = (
    "ERROR: failed to build: failed to solve: failed to commit u1 to p2 during finalize: "
    "failed to stat active key during commit: snapshot u1 does not exist: not found"
)


@pytest.fixture(autouse=True)
def forget_the_stand_in() -> Any:
    yield
    client.find_client.cache_clear()


async def _numbers(folder: Path, last: Status) -> list[Status]:
    """How each build ended, until one ends like that."""
    project = folder / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    session = Session(BuildOptions(), cwd=project, store=Store(folder / "history.sqlite"))
    ended: dict[int, Status] = {}

    def note() -> None:
        build = session.snapshot().build
        if build.status.ended:
            ended[build.number] = build.status

    session.on_change = note
    running = asyncio.create_task(session.run())
    try:
        await wait_for_async(lambda: last in ended.values() and not session._schedule.building, 20)
    finally:
        await session.close()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return [ended[number] for number in sorted(ended)]


def _script(folder: Path, fails: int, error: str = LOST) -> str:
    return f"""
        test "$1" = build || exit 1
        echo x >> '{folder}/builds'
        test "$(wc -l < '{folder}/builds')" -gt {fails} && exit 0
        echo '{error}' >&2; exit 1
    """


@pytest.mark.parametrize("error", [LOST, LET_GO])
async def test_it_is_built_again_by_itself(error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(_script(tmp_path, 1, error), tmp_path, monkeypatch)
    assert await _numbers(tmp_path, Status.SUCCEEDED) == [Status.FAILED, Status.SUCCEEDED]


async def test_but_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(_script(tmp_path, 9), tmp_path, monkeypatch)
    await _numbers(tmp_path, Status.FAILED)
    assert (tmp_path / "builds").read_text().count("x") == 2
