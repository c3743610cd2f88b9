"""A project that is watched and built on a real engine, without a screen: what a save starts, and what not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from hitmiss.build.model import Planned, Status, Verdict
from hitmiss.schedule import OnChange
from hitmiss.settings import Settings
from hitmiss.snapshot import Snapshot, Watch
from tests.support import hitmiss
from tests.support.live import Starts, verdicts
from tests.support.project import Project
from tests.support.wait import wait_for_async

SETTLE_S = 8.0
"""Much longer than a build takes that has one quick step to run."""

FINAL = {"target": "final"}
real = pytest.mark.usefixtures("engine_env")


@real
async def test_a_lone_save_starts_a_build_at_once(shop: Project, start: Starts) -> None:
    live = start(settle_s=SETTLE_S, **FINAL)
    assert verdicts(await live.built(1)) == "hmmmm"
    await live.watching()
    saved = time.monotonic()
    shop.save("src/main.txt", "changed")
    build = await live.built(2)
    assert live.began[2] - saved < SETTLE_S / 2, "the start waits for nothing"
    assert live.ended_at[2] - saved < SETTLE_S, "it is over before it would have been quiet"
    assert verdicts(build) == "hhhmm"
    await wait_for_async(lambda: live.session._timer is None, 30, "the quiet period to pass")
    assert live.session._crew.number == 2


@real
async def test_a_burst_costs_one_start_and_the_last_build_sees_all(shop: Project, start: Starts) -> None:
    live = start(settle_s=0.3, **FINAL)
    await live.built(1)
    await live.watching()
    (member,) = live.session._crew.members.values()
    for number in range(200):
        shop.write(f"src/more/{number}.txt", str(number))
        if number % 10 == 0:
            await asyncio.sleep(0)

    def over(snap: Snapshot) -> bool:
        told = {path for _, _, path in member.sources._told if path.startswith("src/more/")}
        return len(told) == 200 and snap.build.status is Status.SUCCEEDED and snap.watch is Watch.WATCHING

    await live.until(over, "the burst to be over")
    await live.idle()
    last = live.session._crew.number
    assert last <= 3, "one wasted start at most"
    live.session.rebuild()
    assert verdicts(await live.built(last + 1)) == "hhhhh", "the last build had all of them"


@real
async def test_a_file_that_no_step_reads_starts_nothing_and_it_is_said(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    await live.built(1)
    await live.watching()
    shop.write("notes.md", "changed")
    await live.until(lambda snap: snap.message == "notes.md: no step of final reads it", "the message")
    shop.write("b.txt", "only the other target reads it")
    await live.until(lambda snap: snap.message == "b.txt: no step of final reads it", "the message")
    shop.write("secret.log", "ignored")
    shop.write("new.log", "ignored")
    shop.write("src/after.txt", "read")
    await live.built(2)
    assert live.session._crew.number == 2
    assert not any("log" in said for said in live.said)


@real
async def test_new_nested_folders_and_deleted_files(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    await live.built(1)
    await live.watching()
    shop.write("src/deep/deeper/deepest/file.txt", "x")
    assert verdicts(await live.built(2)) == "hhhmm"
    await live.idle()
    number = live.session._crew.number
    shop.remove("src/deep/deeper/deepest/file.txt")
    await live.built(number + 1)


@real
async def test_a_secret_that_is_saved_starts_nothing_and_it_is_said_why(shop: Project, start: Starts) -> None:
    shop.write("tok", "one")
    live = start(secrets=("id=tok,src=tok",), settings=Settings(keys={"no-cache": "F6"}), **FINAL)
    await live.built(1)
    await live.watching()
    shop.write("tok", "two")
    words = "tok: BuildKit does not count a secret's value, so no step runs; F6 builds with it"
    await live.until(lambda snap: snap.message == words, "the message")
    assert live.session._crew.number == 1


@real
async def test_queue_and_restart(shop: Project, start: Starts) -> None:
    shop.dockerfile("FROM busybox\nCOPY src /src\nRUN sleep $(cat /src/main.txt)")
    shop.write("src/main.txt", f"0 # {uuid4().hex}".split(" #")[0])
    live = start(mode="queue", settings=Settings(keys={"rebuild": "F5"}))
    await live.built(1)
    await live.watching()
    running = "RUN sleep"

    def sleeps(number: int) -> Callable[[Snapshot], object]:
        return lambda snap: (
            snap.build.number == number
            and any(step.verdict is Verdict.RUNNING and running in step.instruction for step in snap.build.steps)
        )

    shop.save("src/main.txt", "1")
    await live.until(sleeps(2), "the second build to sleep")
    assert live.snapshot.watch is Watch.WATCHING
    shop.save("src/main.txt", "0.01")
    await live.until(lambda snap: snap.watch is Watch.QUEUED, "the screen to say that a save waits")
    await live.built(2)
    await live.built(3)
    live.session.next_mode()
    assert live.snapshot.on_change is OnChange.MANUAL
    assert live.snapshot.message == "Saves start nothing; F5 builds."
    shop.save("src/main.txt", "600")
    await live.until(lambda snap: snap.watch is Watch.STALE, "the screen to say that the image is old")
    assert not live.snapshot.message, "the save is newer than what was said of the mode"
    assert live.session._crew.number == 3
    live.session.next_mode()
    await live.until(sleeps(4), "leaving manual to build")
    shop.save("src/main.txt", "0.02")
    await live.built(4, Status.CANCELED)
    await live.built(5)


@real
async def test_pause_and_resume(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    await live.built(1)
    await live.watching()
    live.session.next_mode()
    live.session.toggle_watch()
    assert live.snapshot.watch is Watch.PAUSED
    assert not live.snapshot.message, "the pause is newer than what was said of the mode"
    shop.save("src/main.txt", "paused")
    await live.until(lambda snap: snap.watch is Watch.PAUSED_STALE, "the save to be seen")
    assert live.session._crew.number == 1
    live.session.toggle_watch()
    await live.built(2)


@real
async def test_cancel_and_build_again(shop: Project, start: Starts) -> None:
    shop.dockerfile(f"FROM busybox\nRUN sleep 600; : {uuid4().hex}")
    live = start()
    await live.until(lambda snap: snap.build.count(Verdict.RUNNING), "the step to run")
    live.session.cancel()
    live.session.cancel()
    await live.built(1, Status.CANCELED)
    live.session.rebuild()
    await live.until(lambda snap: snap.build.number == 2 and snap.build.count(Verdict.RUNNING), "the step to run again")
    assert live.snapshot.previous is not None
    assert (live.snapshot.previous.number, live.snapshot.previous.status) == (1, Status.CANCELED)


@real
async def test_the_history_tells_of_what_was_built_elsewhere(shop: Project, start: Starts) -> None:
    live = start(remembering=True)
    await live.built(1)
    await live.until(lambda snap: [past.number for past in live.session.history()] == [1], "the first build")
    assert hitmiss.report(cwd=shop.path)["build"]["hits"]
    await live.until(lambda snap: [past.number for past in live.session.history()] == [2, 1], "the second build")


@real
async def test_without_cache_and_without_the_cache_of_a_stage(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    await live.built(1)
    live.session.rebuild()
    build = await live.built(2)
    assert verdicts(build) == "hhhhh"
    assert build.saved_s == pytest.approx(sum(step.last_s or 0 for step in build.steps))
    assert build.saved_s > 0, "the history knows how long they took"
    live.session.rebuild(no_cache_stages=["final"])
    assert verdicts(await live.built(3)) == "hhhmm"
    live.session.rebuild(no_cache=True)
    assert verdicts(await live.built(4)) == "hmmmm"
    live.session.rebuild()
    assert verdicts(await live.built(5)) == "hhhhh"


@real
async def test_a_stage_without_a_name_cannot_be_built_without_its_cache(shop: Project, start: Starts) -> None:
    """BuildKit takes names alone, and passes over `stage-0` without a word (`tests/matrix/cases_cache.py`)."""
    shop.dockerfile("FROM busybox\nCOPY a.txt /\n")
    live = start()
    await live.built(1)
    live.session.rebuild(no_cache_stages=["stage-0"])
    assert live.snapshot.message.startswith("stage-0 has no name")
    assert live.session._crew.number == 1


@real
async def test_the_target_is_switched_and_remembered(shop: Project, start: Starts) -> None:
    live = start()
    await live.built(1)
    assert live.snapshot.target == "other"
    live.session.set_target("final")
    build = await live.explained(2)
    assert (build.target, live.snapshot.target) == ("final", "final")
    assert [target.name for target in await live.session.targets()] == ["base", "final", "other"]
    await live.session.close()
    again = start()
    assert again.snapshot.target == "final"
    assert (await again.built(3)).target == "final"
    given = start(target="base")
    assert given.snapshot.target == "base"


@real
async def test_a_build_is_remembered_though_hitmiss_is_left_the_moment_it_ends(
    shop: Project, start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitmiss.crew._REMEMBER_S", 20.0)
    live = start(**FINAL)
    await live.built(1)
    await live.session.close()
    build = await start(**FINAL).explained(2)
    assert {step.planned for step in build.steps} == {Planned.HIT}


@real
async def test_what_a_build_did_that_was_left_in_the_middle_is_remembered(
    shop: Project, start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitmiss.crew._REMEMBER_S", 20.0)
    shop.dockerfile(f"FROM busybox\nCOPY src /src\nRUN sleep 600; : {uuid4().hex}")
    live = start()
    await live.until(lambda snap: snap.build.count(Verdict.RUNNING) and snap.build.misses, "the last step to run")
    await live.session.close()
    again = start()
    await again.until(lambda snap: snap.build.count(Verdict.RUNNING), "it to run again")
    await again.session._crew.planned()
    assert [step.planned for step in again.snapshot.build.steps] == [Planned.HIT, Planned.HIT, Planned.RUN]
    assert again.snapshot.build.number > 1


@real
async def test_a_build_right_after_another_knows_what_that_one_left(shop: Project, start: Starts) -> None:
    live = start(**FINAL)
    await live.built(1)
    live.session.rebuild()  # the first one is not remembered yet
    build = await live.explained(2)
    assert verdicts(build) == "hhhhh"
    assert {step.planned for step in build.steps} == {Planned.HIT}
