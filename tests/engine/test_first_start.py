"""The first start in a project that was built without hitmiss: what the engine's own records tell of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from hitmiss.build.model import Planned, Status, Step, Verdict
from hitmiss.docker import client
from hitmiss.snapshot import Snapshot
from hitmiss.ui.widgets.history_view import history_lines
from tests.support.engine import PrivateEngine
from tests.support.live import Starts
from tests.support.project import Project

pytestmark = pytest.mark.usefixtures("engine_env")
PAUSE = "2"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the engine's answers are waited for."""
    monkeypatch.setattr("hitmiss.docker.past._ALL_S", 30.0)


@pytest.fixture
def built(project: Project, engine: PrivateEngine) -> Project:
    """A project that was built with docker, and of which hitmiss knows nothing."""
    client.find_client.cache_clear()
    project.dockerfile(f"""
        FROM busybox AS base
        RUN sleep {PAUSE}; : {uuid4().hex}
        FROM base AS final
        COPY f /f
        RUN cat /f && sleep {PAUSE}
    """)
    project.write("f", uuid4().hex)
    engine.build(project.path)
    return project


def outlined(snap: Snapshot) -> list[tuple[str, Verdict]]:
    return [(step.id, step.verdict) for step in snap.build.steps]


async def test_the_tree_is_there_where_nothing_can_be_built_yet(built: Project, start: Starts) -> None:
    built.dockerfile("FROM busybox\nRUN <<EOF\n")
    live = start()
    snap = await live.until(lambda snap: snap.build.steps, "the tree")
    assert snap.problem, "the Dockerfile does not parse: no build begins by itself"
    assert (snap.build.number, snap.build.status) == (0, Status.SUCCEEDED)
    assert outlined(snap) == [
        ("base:1", Verdict.HIT),
        ("base:2", Verdict.MISS),
        ("final:1", Verdict.MISS),
        ("final:2", Verdict.MISS),
    ]
    assert snap.build.steps[1].duration_s >= float(PAUSE)
    assert snap.build.duration_s >= 2 * float(PAUSE)
    assert snap.message.startswith("Built outside hitmiss in ")
    (before,) = live.session.history()
    assert (before.number, before.status, before.steps, before.misses) == (0, "succeeded", 4, 3)
    (line, why) = history_lines([before], datetime.now(UTC))
    assert line[0].text.strip() == "–"
    assert "built outside hitmiss" in why[1].text


async def test_the_first_build_has_the_durations_and_the_build_before_it(built: Project, start: Starts) -> None:
    built.write("f", uuid4().hex)
    live = start()
    began = time.monotonic()

    def timed(snap: Snapshot) -> Step | None:
        running = snap.build.status is Status.RUNNING and snap.plan_s is not None
        return next((step for step in snap.build.steps if running and step.id == "final:2" and step.expected_s), None)

    snap = await live.until(timed, "the durations to come while the first build runs")
    step = timed(snap)
    assert step is not None
    assert (step.planned, step.cause is not None) == (Planned.RUN, True)
    assert float(PAUSE) <= (step.expected_s or 0) < 5 * float(PAUSE)
    assert snap.plan_s is not None
    assert 2 * float(PAUSE) <= snap.plan_s < 10 * float(PAUSE)
    assert live.began[1] - began < 0.3, "the build waited for none of it"
    snap = await live.until(lambda snap: snap.previous and snap.previous.steps[1].verdict.final, "the build before")
    assert snap.previous is not None
    assert [each.verdict.value[0] for each in snap.previous.steps] == [*"hmmm"]
    build = await live.built(1)
    assert [each.verdict.value[0] for each in build.steps] == [*"hhmm"]
    assert build.steps[1].saved_s >= float(PAUSE), "what the hit saved is known from the record"
    await live.until(lambda _: len(live.session.history()) == 2, "the build to be remembered")
    assert [each.number for each in live.session.history()] == [1, 0]
    kept = live.store.build(built.path.resolve(), 1)
    assert kept is not None
    assert float(PAUSE) <= (kept.steps[1].expected_s or 0) < 5 * float(PAUSE)


async def test_what_a_quick_first_build_saved_is_told_after_it(built: Project, start: Starts) -> None:
    live = start()
    build = await live.built(1)
    assert [each.verdict.value[0] for each in build.steps] == [*"hhhh"]
    snap = await live.until(lambda snap: snap.build.saved_s, "the seconds saved")
    assert snap.build.saved_s >= 2 * float(PAUSE)
    await live.until(lambda _: len(live.session._crew.history()) == 2 and not live.session._errands.busy, "it to rest")
    assert live.snapshot.build.saved_s == snap.build.saved_s, "and stays"


async def test_of_another_target_only_the_history_tells(built: Project, start: Starts) -> None:
    built.dockerfile("FROM busybox AS base\nFROM no/such:image AS other\nRUN <<EOF\n")
    live = start(target="base")
    await live.until(lambda _: live.session.history(), "the history")
    assert live.snapshot.build.status is Status.IDLE


async def test_who_has_builds_of_his_own_is_told_of_no_others(built: Project, start: Starts) -> None:
    first = start()
    await first.built(1)
    await first.until(lambda _: first.session.history()[:1] and first.session.history()[0].number == 1, "the build")
    await first.session.close()
    again = start()
    await again.built(2)
    await again.until(lambda _: len(again.session.history()) == 2, "the history")
    assert [each.number for each in again.session.history()] == [2, 1]
