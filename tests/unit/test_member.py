"""What a target's next build is told of the one before."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from hitmiss.build.model import Status
from hitmiss.docker import client
from hitmiss.history.store import Store
from hitmiss.member import Member
from hitmiss.runner import Runner, nothing, ran
from hitmiss.session import Session
from hitmiss.settings import BuildOptions
from hitmiss.workspace import alone
from tests.support import streams
from tests.support.stand_in import install


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    return folder


def test_what_the_steps_took_just_now_is_known_before_it_is_kept(project: Path) -> None:
    store = Store(project.with_name("history.sqlite"))
    (unit,) = alone(BuildOptions(), project).wanted()
    member = Member(unit, project, store=store, builder="b", cwd=project, notice=lambda *_: nothing())
    build = msgspec.structs.replace(streams.folded("first"), builder="b")
    took = dict(ran(build))
    store.remember_durations(member.key, "b", [(name, 1000.0) for name in took])

    def told(status: Status, builder: str) -> dict[Any, float]:
        member.ended(msgspec.structs.replace(build, status=status), cast(Runner, None))
        return dict(member.job(2, builder, (), None, frozenset()).durations)

    assert told(Status.SUCCEEDED, "b") == took
    assert told(Status.CANCELED, "b") == dict.fromkeys(took, 1000.0)
    assert told(Status.SUCCEEDED, "other") == {}
    store.close()


async def test_nobody_waits_until_what_the_steps_took_is_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install('test "$1" = build', tmp_path, monkeypatch)
    threads: list[threading.Thread] = []
    monkeypatch.setattr(Store, "remember_durations", lambda *_: threads.append(threading.current_thread()))
    session = Session(BuildOptions(), cwd=project, store=Store(project.with_name("history.sqlite")))
    ended = asyncio.Event()
    session.on_change = lambda: ended.set() if session.snapshot().build.status is Status.SUCCEEDED else None
    running = asyncio.create_task(session.run())
    try:
        await asyncio.wait_for(ended.wait(), 20)
        await asyncio.wait_for(session._crew.remembered(""), 20)
    finally:
        await session.close()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        client.find_client.cache_clear()
    assert threads
    assert threading.main_thread() not in threads
