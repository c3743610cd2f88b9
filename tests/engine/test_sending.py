"""A file that changes while BuildKit is sent it: that it is noticed, and that the next plan claims nothing of it."""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import uuid4

import psutil
import pytest

from hitmiss.snapshot import Snapshot, Watch
from tests.support import hitmiss
from tests.support.live import Starts
from tests.support.project import Project
from tests.support.wait import wait_for, wait_for_async

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

BIG = 150_000_000
"""It takes some half a second to be sent."""

SENTENCE = "src/main.txt changed while it was being sent: what this step read is not sure; the next build will tell."


@pytest.fixture
def slow(project: Project) -> Project:
    """A project with a context that takes a while to be sent."""
    project.dockerfile(f"""
        FROM busybox AS app
        COPY src/ /src/
        RUN cat /src/main.txt; : {uuid4().hex}
        FROM busybox AS other
        COPY other.txt /
        RUN sleep 1; : {uuid4().hex}
        FROM busybox AS all
        RUN --mount=source=a-big,target=/a-big true
        COPY --from=app /src /src
        COPY --from=other /other.txt /
    """)
    project.write("src/main.txt", "main one")
    project.write("src/nonce.txt", uuid4().hex)
    project.write("other.txt", "other")
    grow(project)
    return project


def grow(project: Project) -> None:
    """Let there be much to send."""
    project.write("a-big", os.urandom(1_000_000) * (BIG // 1_000_000))


def sending(project: Project) -> bool:
    """Whether the client is sending the big file."""
    big = str(project / "a-big")
    for process in hitmiss.clients():
        try:
            if any(each.path == big and each.position for each in process.open_files()):
                return True
        except psutil.Error:
            continue
    return False


def report(done: bytes) -> dict[str, dict[str, Any]]:
    """The steps of a report by stage and index."""
    return {f"{step['stage']}:{step['index']}": step for step in json.loads(done)["steps"]}


def built(project: Project, *words: str) -> dict[str, dict[str, Any]]:
    done = hitmiss.run(*words, "--json", cwd=project.path)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return report(done.stdout)


def right(plan: dict[str, dict[str, Any]], build: dict[str, dict[str, Any]]) -> None:
    """No step did what its plan said it would not."""
    ways = {"hit": "will hit", "miss": "will run"}
    for name, step in build.items():
        if step["verdict"] in ways:
            assert plan[name]["planned"] in (ways[step["verdict"]], "depends"), (name, plan[name], step)


def meanwhile(project: Project, text: str) -> dict[str, dict[str, Any]]:
    """A build; while the big file is sent, the small one is saved. The plan of the build has read both before."""
    grow(project)
    built(project, "plan")
    process = hitmiss.start("build", "--json", cwd=project.path)
    wait_for(lambda: sending(project), 30, "the client to send")
    project.save("src/main.txt", text)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()[-2000:]
    return report(out)


@pytest.mark.parametrize(("before", "text"), [("main one", "main, much longer than it was"), ("main 0ne", "main two")])
def test_the_next_plan_claims_nothing(slow: Project, text: str, before: str) -> None:
    built(slow, "build")
    slow.save("src/main.txt", before)
    build = meanwhile(slow, text)
    assert build["app:2"]["alarm"] == SENTENCE
    assert [name for name, step in build.items() if "alarm" in step] == ["app:2"]
    for now in (text, before, text):
        slow.save("src/main.txt", now)
        plan = built(slow, "plan")
        assert "alarm" not in plan["other:2"]
        right(plan, built(slow, "build"))
    again = built(slow, "plan")
    assert {step["planned"] for step in again.values()} == {"will hit"}, "what was not sure is known again"
    assert not any("alarm" in step for step in built(slow, "build").values())


def test_a_miss_that_the_plan_did_not_see_has_its_cause(slow: Project) -> None:
    built(slow, "build")
    build = meanwhile(slow, "main two")
    assert build["app:2"]["planned"] == "will hit", "the file was saved after the plan"
    if build["app:2"]["verdict"] == "miss":
        cause = build["app:2"]["cause"]
        assert (cause["kind"], [file["path"] for file in cause["files"]]) == ("files-changed", ["src/main.txt"])
        assert build["app:3"]["cause"]["kind"] == "parent-missed"


def test_what_changes_after_it_was_sent_is_no_race(slow: Project) -> None:
    built(slow, "build")
    grow(slow)
    slow.save("other.txt", "other two")
    process = hitmiss.start("build", "--json", cwd=slow.path)
    marker = slow.read("Dockerfile").split("sleep 1; : ")[1].split()[0]
    wait_for(lambda: hitmiss.steps_running(marker), 30, "the step after it")
    slow.save("other.txt", "other three")
    slow.save("src/main.txt", "main three")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()[-2000:]
    assert not any("alarm" in step for step in report(out).values())
    slow.save("other.txt", "other two")
    slow.save("src/main.txt", "main one")
    plan = built(slow, "plan")
    assert {step["planned"] for step in plan.values()} == {"will hit"}
    right(plan, built(slow, "build"))


async def test_while_the_files_are_watched(slow: Project, start: Starts) -> None:
    live = start(mode="manual")
    await live.built(1)
    await live.watching()
    grow(slow)
    await live.until(lambda snap: snap.watch is Watch.STALE, "the save to be seen")
    live.session.rebuild()
    await wait_for_async(lambda: sending(slow), 30, "the client to send")
    slow.save("src/main.txt", "main 2.1")

    def alarms(snap: Snapshot) -> set[str]:
        return {step.alarm for step in snap.build.steps}

    await live.built(2)
    await live.until(lambda snap: SENTENCE in alarms(snap), "the alarm")
    live.session.rebuild()
    build = await live.explained(3)
    assert all(step.planned for step in build.steps)
    assert not any(step.plan_was_wrong for step in build.steps)
    assert alarms(live.snapshot) == {""}
