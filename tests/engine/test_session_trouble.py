"""A session when something is wrong, or goes away and comes back; secrets; recordings; leaving."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import msgspec
import psutil
import pytest

from hitmiss.build.model import Status, Verdict
from hitmiss.build.progress import Progress, decode
from hitmiss.build.recording import Writer, read
from hitmiss.docker import client
from hitmiss.replay import Replay
from hitmiss.snapshot import Watch
from tests.conftest import use_engine
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.live import Starts
from tests.support.project import Project
from tests.support.wait import wait_for_async

FINAL = {"target": "final"}
real = pytest.mark.usefixtures("engine_env")


@real
async def test_a_dockerfile_that_is_mended_before_the_watch_begins(shop: Project, start: Starts) -> None:
    good = shop.read("Dockerfile")
    shop.dockerfile(good.replace("COPY a.txt", "COPPY a.txt"))
    live = start()
    watch = live.session._watch
    follow = watch.run

    async def late() -> None:
        assert live.snapshot.problem
        shop.dockerfile(good)
        await follow()

    watch.run = late  # type: ignore[method-assign]
    await live.built(1)


@real
async def test_a_source_that_is_saved_before_the_watch_begins(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    watch = live.session._watch
    follow = watch.run

    async def late() -> None:
        await live.built(1)
        shop.save("src/main.txt", "saved while nobody watched")
        await follow()

    watch.run = late  # type: ignore[method-assign]
    await live.built(2)
    build = await live.explained(2)
    copy, run = (step for step in build.steps if step.verdict is Verdict.MISS)
    assert (copy.instruction, run.instruction[:4]) == ("COPY src/ /src/", "RUN ")
    assert copy.cause is not None
    assert [change.path for change in copy.cause.files] == ["src/main.txt"]


@real
async def test_a_dockerfile_that_does_not_parse_is_mended(shop: Project, start: Starts) -> None:
    good = shop.read("Dockerfile")
    live = start(**FINAL)
    await live.built(1)
    await live.watching()
    shop.save("Dockerfile", good + "RNU true\n")
    snap = await live.until(lambda snap: snap.source.error, "the error")
    assert snap.source.error_line == len(good.splitlines()) + 1
    assert snap.source.text.endswith("RNU true\n")
    assert "RNU" in snap.problem
    live.session.rebuild()
    assert live.session._crew.number == 1
    shop.save("Dockerfile", good)
    await live.built(2)
    assert not live.snapshot.problem


@real
async def test_a_dockerfile_that_is_wrong_from_the_start(shop: Project, start: Starts) -> None:
    good = shop.read("Dockerfile")
    shop.dockerfile("FORM busybox")
    live = start(**FINAL)
    await live.watching()
    assert live.snapshot.source.error_line == 1
    shop.save("Dockerfile", good)
    await live.built(1)


@real
async def test_the_context_is_deleted_and_comes_back(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    await live.built(1)
    await live.watching()
    away = shop.path.with_name("away")
    shop.path.rename(away)
    await live.until(lambda snap: snap.watch is Watch.GONE, "the context to be missed")
    live.session.rebuild()
    assert live.snapshot.message.startswith("The context folder is gone")
    assert not live.snapshot.problem
    away.rename(shop.path)
    await live.until(lambda snap: snap.watch is Watch.WATCHING and not snap.problem, "the context to be back")
    await live.built(2)
    await live.idle()
    number = live.session._crew.number
    shop.save("src/main.txt", "after")
    await live.built(number + 1)


@real
async def test_secrets_reach_nothing(shop: Project, start: Starts, tmp_path: Path) -> None:
    token, password = f"tok-{uuid4().hex}", f'pa$s"{uuid4().hex}'
    (tmp_path / "password").write_text(f"{password}\n")
    shop.dockerfile("""
        FROM busybox
        ARG TOKEN
        RUN echo "the token is $TOKEN"
        RUN --mount=type=secret,id=pw cat /run/secrets/pw; echo; exit 3
    """)
    file = tmp_path / "recording.jsonl"
    secret = f"id=pw,src={tmp_path / 'password'}"
    live = start(build_args=(f"TOKEN={token}",), secrets=(secret,), writer=Writer(file))
    await live.built(1, Status.FAILED)
    await live.idle()
    await live.session._crew.explained()
    logs = [live.session.log(f"stage-0:{index}") for index in (2, 3)]
    texts = [log.plain_text() for log in logs if log]
    assert texts[0] == "the token is •••"
    assert "•••" in texts[1]
    snap = msgspec.json.encode(live.snapshot).decode()
    everything = [*texts, snap, live.session.command(), file.read_text(), repr(live.snapshot)]
    everything += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("history*")]
    for text in everything:
        for value in (token, password, password[5:]):
            assert value not in text


@real
async def test_a_secret_in_pieces_reaches_nothing(shop: Project, start: Starts, tmp_path: Path) -> None:
    password = f"pass{uuid4().hex}"
    (tmp_path / "password").write_text(password)
    shop.dockerfile("""
        FROM busybox
        RUN --mount=type=secret,id=pw (head -c 32760 /dev/zero | tr '\\0' a; cat /run/secrets/pw; echo; echo over) | \
            dd bs=65536 iflag=fullblock status=none
    """)
    file = tmp_path / "recording.jsonl"
    live = start(secrets=(f"id=pw,src={tmp_path / 'password'}",), writer=Writer(file))
    await live.built(1)
    log = live.session.log("stage-0:2")
    assert log is not None
    told = f"{'a' * 32760}•••\nover"
    assert log.plain_text() == told
    events = [decode(record.line.encode()) for record in read(file) if record.line]
    logs = [entry for event in events if isinstance(event, Progress) for entry in event.logs or ()]
    assert len(logs) > 1
    assert b"".join(entry.data for entry in logs).decode() == f"{told}\n"


@real
async def test_what_was_recorded_plays_the_same(shop: Project, start: Starts, tmp_path: Path) -> None:
    file = tmp_path / "recording.jsonl"
    live = start(writer=Writer(file), **FINAL)
    await live.built(1)
    await live.watching()
    shop.save("src/main.txt", "changed")
    build = await live.built(2)
    await live.session.close()
    replay = Replay(file, speed=0)
    task = asyncio.create_task(replay.run())
    await wait_for_async(lambda: replay.snapshot().build.number == 2 and replay.snapshot().build.status.ended, 10)
    played = replay.snapshot().build
    assert [(step.id, step.verdict, step.place) for step in played.steps] == [
        (step.id, step.verdict, step.place) for step in build.steps
    ]
    assert played.status is build.status
    assert played.context_bytes == build.context_bytes
    await replay.close()
    await task


def words_of(client: psutil.Process) -> list[str]:
    """The command line of a process; none of one that has just ended."""
    try:
        return list(client.cmdline())
    except psutil.NoSuchProcess:
        return []


@real
async def test_closing_ends_a_build_that_runs(shop: Project, start: Starts) -> None:
    marker = f"marker{uuid4().hex}"
    shop.dockerfile(f"FROM busybox\nRUN sleep 600; : {marker}")
    live = start()
    await live.until(lambda snap: hitmiss.steps_running(marker), "the step to run")
    await live.session.close()
    assert not [client for client in hitmiss.clients() if "build" in words_of(client)], (
        "questions may end by themselves"
    )
    await wait_for_async(lambda: not hitmiss.steps_running(marker), 10, "the step to end")


async def test_an_engine_that_dies_and_comes_back(
    shop: Project, start: Starts, mortal_engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(mortal_engine, monkeypatch)
    client.find_client.cache_clear()
    shop.dockerfile("FROM busybox\nCOPY src /src\nRUN sleep $(cat /src/main.txt)")
    shop.write("src/main.txt", "600")
    live = start()
    await live.until(lambda snap: snap.build.steps[-1].verdict is Verdict.RUNNING, "the step to run")
    mortal_engine.kill_hard()
    cut_off = (await live.built(1, Status.FAILED)).steps[-1]
    assert (cut_off.verdict, cut_off.duration_s > 0) == (Verdict.CANCELED, True)
    await live.until(lambda snap: snap.problem, "the word that the engine is gone")
    shop.save("src/main.txt", "0")
    mortal_engine.restart()
    await live.until(lambda snap: snap.build.status is Status.SUCCEEDED, "the build to be made when it is back", 60)
    assert not live.snapshot.problem
