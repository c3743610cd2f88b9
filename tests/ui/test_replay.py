"""Recordings played: the verdicts are those of the build, and nothing can be built or deleted."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

import hitmiss
from hitmiss.build.model import Build, Status, Verdict
from hitmiss.build.recording import SCHEMA, Header, Record, Writer, read
from hitmiss.docker.storage import PruneFilter
from hitmiss.errors import UsageError
from hitmiss.replay import Replay
from hitmiss.snapshot import Watch
from hitmiss.ui.app import HitmissApp
from hitmiss.ui.screens.prune import PruneScreen
from tests.support import streams
from tests.support.wait import wait_for_async
from tests.ui.shown import sees

DEMO = Path(hitmiss.__file__).parent / "examples" / "webapp.jsonl"


@asynccontextmanager
async def played(file: Path, speed: float = 0, notice: str = "") -> AsyncIterator[Replay]:
    replay = Replay(file, speed=speed, notice=notice)
    task = asyncio.create_task(replay.run())
    await wait_for_async(lambda: replay.snapshot().build.number, 10, "the first build to begin")
    yield replay
    await replay.close()
    await replay.close()
    await asyncio.wait_for(task, 10)


async def end(replay: Replay) -> Build:
    await wait_for_async(lambda: replay.snapshot().build.status.ended, 10, "the end")
    return replay.snapshot().build


def record(file: Path, name: str, times: float = 0.001) -> None:
    """A recording of one of the test streams."""
    writer = Writer(file)
    text = (streams.DATA / f"{name}.Dockerfile").read_text()
    platforms = streams.PLATFORMS.get(name, ())
    writer.begin(Header(SCHEMA, "shop", "", "default", platforms, "Dockerfile", text))
    lines = streams.raw(name).splitlines()
    for number, line in enumerate(lines):
        writer.line(number * times, line)
    writer.end(len(lines) * times, streams.ENDS.get(name, Status.SUCCEEDED), "", None, "")
    writer.close()


@pytest.mark.parametrize("name", streams.NAMES)
async def test_a_recording_gives_the_verdicts_of_its_build(name: str, tmp_path: Path) -> None:
    record(tmp_path / "file", name)
    async with played(tmp_path / "file") as replay:
        build, wanted = await end(replay), streams.folded(name)
        assert build.status is wanted.status
        assert streams.verdicts(build) == streams.verdicts(wanted)
        assert [(stage.name, stage.platform) for stage in build.stages] == [
            (stage.name, stage.platform) for stage in wanted.stages
        ]
        assert [step.place for step in build.steps] == [step.place for step in wanted.steps]
        assert [step.duration_s for step in build.steps] == [step.duration_s for step in wanted.steps]


@pytest.mark.parametrize("name", streams.NAMES)
async def test_a_stream_that_was_saved_as_it_came(name: str) -> None:
    async with played(streams.DATA / f"{name}.jsonl") as replay:
        build = await end(replay)
        simple = streams.simple_verdicts(streams.raw(name))
        assert sorted(streams.verdicts(build).values()) == sorted(simple.values())


async def test_the_demo_is_played_to_the_end_with_all_its_builds() -> None:
    records = read(DEMO)
    builds = sum(record.start is not None for record in records)
    async with played(DEMO) as replay:
        build = await end(replay)
        assert build.number == builds >= 2
        last = max(index for index, each in enumerate(records) if each.start)
        stream = b"\n".join(each.line.encode() for each in records[last:] if each.line is not None)
        assert sorted(streams.verdicts(build).values()) == sorted(streams.simple_verdicts(stream).values())
        assert all(step.place for step in build.steps), "every step has its line"
        snap = replay.snapshot()
        assert (snap.project, snap.target, snap.watch, snap.live) == ("webapp", "final", Watch.REPLAY, False)
        assert "FROM python" in snap.source.text


async def test_the_tree_is_there_before_the_first_event_and_never_moves() -> None:
    replay = Replay(DEMO, speed=0)
    before = [step.id for step in replay.snapshot().build.steps]
    assert before
    assert all(step.verdict is Verdict.PENDING for step in replay.snapshot().build.steps)
    task = asyncio.create_task(replay.run())
    await wait_for_async(lambda: replay.snapshot().build.status.ended, 10)
    assert [step.id for step in replay.snapshot().build.steps] == before
    await replay.close()
    await task


async def test_what_asks_for_a_build_says_that_a_recording_is_played() -> None:
    async with played(DEMO) as replay:
        await end(replay)
        heard = 0

        def count() -> None:
            nonlocal heard
            heard += 1

        replay.on_change = count
        asks: list[Callable[[], None]] = [replay.toggle_watch, replay.next_mode, partial(replay.set_target, "base")]
        for number, ask in enumerate(asks, 1):
            ask()
            assert "A recording is played" in replay.snapshot().message
            assert heard == number
        with pytest.raises(UsageError, match="A recording is played"):
            await replay.targets()
        assert (await replay.prune(PruneFilter())).freed == 0
        assert (await replay.prune_preview(PruneFilter())).records == ()
        assert replay.command() == f"hitmiss replay {shlex.quote(str(DEMO))}"
        replay.rebuild(no_cache=True)
        assert replay.snapshot().message == ""
        await end(replay)


async def test_on_the_screen() -> None:
    replay = Replay(DEMO, speed=0, notice="Start [b]docker[/b].")
    async with HitmissApp(replay).run_test(size=(120, 40), notifications=True) as pilot:
        await sees(pilot, "webapp ▸ final", "▶ recording", "! Start [b]docker[/b].")
        await pilot.press("t")
        await sees(pilot, "its target cannot be changed")
        await pilot.press("p")
        await sees(pilot, "there is no cache to prune")
        assert not isinstance(pilot.app.screen, PruneScreen)
        await pilot.press("w")
        await sees(pilot, "nothing can be built")
        await pilot.press("h")
        await sees(pilot, "A recording holds no earlier builds.")
        await pilot.press("m")
        await sees(pilot, "A recording holds no image")
        await pilot.press("q")
        await wait_for_async(lambda: pilot.app.return_value == 0, 10)


async def test_twice_the_speed_takes_half_the_time(tmp_path: Path) -> None:
    record(tmp_path / "file", "one-miss", times=2.0 / len(streams.raw("one-miss").splitlines()))
    took = {}
    for speed in (1.0, 4.0):
        began = time.monotonic()
        async with played(tmp_path / "file", speed) as replay:
            build = await end(replay)
        took[speed] = time.monotonic() - began
        assert build.duration_s == pytest.approx(2.0, abs=0.01), "the clock is the recording's, not ours"
    assert took[4.0] < took[1.0]
    assert took[1.0] >= 1.7


async def test_stopping_and_playing_again(tmp_path: Path) -> None:
    record(tmp_path / "file", "one-miss", times=60)
    async with played(tmp_path / "file", 1) as replay:
        replay.cancel()
        assert replay.snapshot().build.status is Status.CANCELED
        replay.cancel()
        replay.rebuild()
        await wait_for_async(lambda: replay.snapshot().build.status is Status.RUNNING, 10, "the second time")
        assert replay.snapshot().build.number == 1


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9, 0.999])
async def test_a_file_that_was_cut_off_is_played_up_to_the_cut(part: float, tmp_path: Path) -> None:
    record(tmp_path / "whole", "first")
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * part)])
    async with played(tmp_path / "cut") as replay:
        build = await end(replay)
        assert build.status is Status.CANCELED
        assert build.error == "The recording was cut off here."
        assert all(step.verdict.final for step in build.steps)


@pytest.mark.parametrize("dockerfile", ["", "NONSENSE\n", "FROM a AS b\n", "FROM $X\n"])
async def test_a_dockerfile_that_says_nothing_does_no_harm(dockerfile: str, tmp_path: Path) -> None:
    record(tmp_path / "file", "first")
    head, _, rest = (tmp_path / "file").read_bytes().partition(b"\n")
    start = json.loads(head)
    start["start"] |= {"dockerfile": dockerfile, "target": "no such"}
    (tmp_path / "file").write_bytes(json.dumps(start).encode() + b"\n" + rest)
    async with played(tmp_path / "file") as replay:
        build = await end(replay)
        wanted = streams.fold(streams.events(streams.raw("first")))
        assert sorted(streams.verdicts(build).values()) == sorted(streams.verdicts(wanted).values())


@pytest.mark.parametrize("content", [None, b"", b"not a recording\n", Record(t=1).__repr__().encode()])
def test_a_file_that_holds_no_build(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="file"):
        Replay(tmp_path / "file")
