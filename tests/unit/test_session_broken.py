"""A session in which something goes wrong that no room expected: it says so, and the next save or request builds."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.build.model import Status
from hitmiss.docker import client
from hitmiss.foresight import Foresight
from hitmiss.history.store import Store
from hitmiss.project.watcher import Watcher
from hitmiss.runner import Runner
from hitmiss.session import Session
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Watch
from tests.support.stand_in import install
from tests.support.wait import wait_for_async


@pytest.fixture(autouse=True)
def forget_the_stand_in() -> Any:
    yield
    client.find_client.cache_clear()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose client builds whatever it is told to; what is kept of a crash is kept here."""
    install('test "$1" = build', tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    return folder


@contextlib.asynccontextmanager
async def running(project: Path) -> AsyncIterator[Session]:
    session = Session(BuildOptions(), cwd=project, store=Store(project.with_name("history.sqlite")))
    task = asyncio.create_task(session.run())
    try:
        yield session
        assert not task.done()
    finally:
        await session.close()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def ended(session: Session, number: int, status: Status) -> None:
    def so() -> bool:
        build = session.snapshot().build
        return (build.number, build.status) == (number, status) and not session._schedule.building

    await wait_for_async(so, 20, f"build {number} to be {status}")


async def test_a_build_that_finds_no_temporary_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(project / "gone"))
        async with running(project) as session:
            await ended(session, 1, Status.FAILED)
            assert session.snapshot().build.error.startswith(
                "A build needs temporary files, and they cannot be written: "
            )
            patch.undo()
            session.rebuild()
            await ended(session, 2, Status.SUCCEEDED)


async def test_an_error_that_nobody_expected_ends_a_build_and_not_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Runner) -> None:
        raise LookupError("what nobody expected")

    async with running(project) as session:
        await ended(session, 1, Status.SUCCEEDED)
        with monkeypatch.context() as patch:
            patch.setattr(Runner, "run", broken)
            session.rebuild()
            await wait_for_async(lambda: not session._schedule.building, 20, "the end of it")
        (notice,) = session.snapshot().notices
        assert notice.startswith("hitmiss met an error of its own (LookupError: what nobody expected).")
        assert session.snapshot().build.status is not Status.RUNNING
        session.rebuild()
        await ended(session, 3, Status.SUCCEEDED)
        assert not session.snapshot().notices


async def test_a_refused_ignore_pattern_is_told_for_as_long_as_it_is_there(project: Path) -> None:
    (project / ".dockerignore").write_text("a[\n")
    async with running(project) as session:
        await wait_for_async(lambda: "'a['" in " ".join(session.snapshot().notices), 20, "the notice")
        assert session.snapshot().files == 0
        (project / ".dockerignore").write_text("a\n")
        await wait_for_async(lambda: not session.snapshot().notices, 20, "the end of it")
        await wait_for_async(lambda: session.snapshot().files, 20, "the files to be counted")


async def test_a_save_that_nobody_can_take_in_does_not_end_the_watch(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Session) -> None:
        raise LookupError("what nobody expected")

    async with running(project) as session:
        await ended(session, 1, Status.SUCCEEDED)
        await wait_for_async(lambda: session.snapshot().watch is Watch.WATCHING, 20, "the watch")
        with monkeypatch.context() as patch:
            patch.setattr(Session, "_reload", broken)
            (project / "Dockerfile").write_text("FROM scratch\n")
            await wait_for_async(lambda: session.snapshot().notices, 20, "the notice")
        assert session.snapshot().notices[0].startswith("hitmiss met an error of its own (LookupError: what nobody")
        (project / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
        await ended(session, 2, Status.SUCCEEDED)
        assert not session.snapshot().notices


async def test_a_dockerfile_with_a_byte_that_no_path_has_is_built_as_any_other(project: Path) -> None:
    async with running(project) as session:
        await ended(session, 1, Status.SUCCEEDED)
        await wait_for_async(lambda: session.snapshot().watch is Watch.WATCHING, 20, "the watch")
        (project / "Dockerfile").write_text("FROM scratch\nCOPY f\0 /\n")
        await ended(session, 2, Status.SUCCEEDED)
        assert not session.snapshot().notices


async def test_a_watch_that_breaks_off_is_begun_anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LookupError("what nobody expected")

    async with running(project) as session:
        await ended(session, 1, Status.SUCCEEDED)
        await wait_for_async(lambda: session.snapshot().watch is Watch.WATCHING, 20, "the watch")
        with monkeypatch.context() as patch:
            patch.setattr(Watcher, "changes_at", broken)
            (project / "file").write_text("saved while the watch breaks off")
            await wait_for_async(lambda: session.snapshot().notices, 20, "the notice")
        (notice,) = session.snapshot().notices
        assert notice.startswith("hitmiss met an error of its own (LookupError: what nobody expected).")
        assert notice.endswith(" The watch is begun anew.")
        await ended(session, 2, Status.SUCCEEDED)
        await wait_for_async(lambda: session.snapshot().watch is Watch.WATCHING, 20, "the watch")
        (project / "file").write_text("saved later")
        await ended(session, 3, Status.SUCCEEDED)
        assert not session.snapshot().notices


async def test_a_plan_that_breaks_off_does_not_keep_the_next_one_waiting(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise LookupError("what nobody expected")

    with monkeypatch.context() as patch:
        patch.setattr(Foresight, "begin", broken)
        async with running(project) as session:
            await ended(session, 1, Status.SUCCEEDED)
            patch.undo()
            await asyncio.wait_for(session._crew.remembered(""), 20)
            session.rebuild()
            await ended(session, 2, Status.SUCCEEDED)
            await asyncio.wait_for(session._crew.remembered(""), 20)
