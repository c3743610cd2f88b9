"""A base tag that moves on its registry while the engine goes on with the image that it pulled before."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from hitmiss.build.model import Verdict
from hitmiss.docker import client, registry
from hitmiss.explain import text_of
from hitmiss.explain.reasons import reason
from hitmiss.history.store import Store
from hitmiss.inquiry import moved
from hitmiss.snapshot import Snapshot
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.live import Live, Starts
from tests.support.project import Project
from tests.support.registry import Registry

pytestmark = pytest.mark.usefixtures("engine_env")


class Base:
    """An image on a registry, pulled by the engine."""

    def __init__(self, engine: PrivateEngine, server: Registry) -> None:
        self.engine = engine
        self.server = server
        self.name = server.ref(f"base-{uuid4().hex[:8]}:1")
        self.move()
        engine.docker("pull", self.name)

    @property
    def alarm(self) -> str:
        return f"{self.name} has moved on its registry: `docker pull {self.name}` takes the new image."

    def move(self) -> None:
        """Let the tag point to a new image, and leave the engine's own alone."""
        other = f"{self.name}-{uuid4().hex[:8]}"
        self.engine.import_base(other, marker=other)
        self.engine.docker("push", other)
        self.engine.docker("buildx", "imagetools", "create", "-t", self.name, other)
        self.engine.docker("rmi", other)


@pytest.fixture
def base(engine: PrivateEngine, registry: Registry) -> Base:
    client.find_client.cache_clear()
    return Base(engine, registry)


@pytest.fixture
def lost(engine: PrivateEngine) -> Iterator[Base]:
    """One whose registry went away; who asks now gets no answer."""
    client.find_client.cache_clear()
    with Registry() as server:
        base = Base(engine, server)
        base.move()
    with closing(socket.create_server(("127.0.0.1", server.port))):
        yield base


def alarms(snap: Snapshot) -> dict[str, str]:
    return {step.id: step.alarm for step in snap.build.steps if step.alarm}


async def asked(live: Live, name: str) -> None:
    await live.until(lambda _: live.store.tag("default", name) is not None, "the registry to be asked")


async def test_the_alarm_comes_after_the_build_and_goes_with_a_pull(
    project: Project, start: Starts, base: Base, engine: PrivateEngine
) -> None:
    project.dockerfile(f"FROM {base.name} AS a\nCOPY f /f\nRUN cat /f; : {uuid4().hex}")
    project.write("f", "1")
    live = start()
    await live.built(1)
    await asked(live, base.name)
    await live.watching()
    base.move()
    project.save("f", "2")
    await live.built(2)
    assert not alarms(live.snapshot), "it was asked within the hour"
    live.store.remember_tag("default", base.name, await registry.there(base.name))
    project.save("f", "3")
    build = await live.built(3)
    assert not any(step.alarm for step in build.steps), "the build is there before it"
    snap = await live.until(alarms, "the alarm")
    assert alarms(snap) == {"a:1": base.alarm}
    step = snap.build.steps[0]
    assert (snap.build.number, step.verdict) == (3, Verdict.HIT)
    assert f"△ {base.alarm}" in [text_of(line) for line in reason(step, snap.build)]
    kept = live.store.build(project.path.resolve(), 3)
    assert kept is not None
    assert kept.steps[0].alarm == base.alarm, "it is remembered"
    engine.docker("pull", base.name)
    project.save("f", "4")
    await live.built(4)
    await live.until(lambda _: not live.session._crew._errands.busy, "nothing to be under way")
    assert not alarms(live.snapshot)


async def test_with_pull_nobody_is_asked(project: Project, start: Starts, base: Base) -> None:
    base.move()
    project.dockerfile(f"FROM {base.name}\nRUN echo {uuid4().hex}")
    live = start(pull=True)
    await live.built(1)
    await live.until(
        lambda snap: any(step.cause for step in snap.build.steps) and not live.session._crew._errands.busy, "the causes"
    )
    assert not alarms(live.snapshot)
    assert live.store.tag("default", base.name) is None


async def test_a_registry_that_gives_no_answer_is_waited_for_by_nobody(
    project: Project, start: Starts, lost: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_ASK_S", 60.0)
    project.dockerfile(f"FROM {lost.name}\nCOPY f /f\nRUN cat /f; : {uuid4().hex}")
    project.write("f", "1")
    live = start()
    await live.built(1)
    await live.until(lambda _: live.session._crew.members[""].foresight._asking.locked(), "the question to be asked")
    await live.watching()
    saved = time.monotonic()
    project.save("f", "2")
    await live.built(2)
    assert live.ended_at[2] - saved < 30
    assert live.store.tag("default", lost.name) is None, "it is still open"
    await live.until(lambda snap: any(step.cause for step in snap.build.steps), "the causes, in spite of it")
    assert not alarms(live.snapshot)
    closing_began = time.monotonic()
    await live.session.close()
    assert time.monotonic() - closing_began < 30


async def test_what_never_came_from_a_registry_is_not_asked_about(
    project: Project, tmp_path: Path, engine: PrivateEngine, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.dockerfile("FROM busybox\nRUN echo 1")
    engine.build(project.path, "-t", "mine:1", "--provenance=false")
    engine.docker("tag", base.name, "renamed:1")
    (digest,) = await registry.here(base.name)
    assert await registry.there(base.name) == digest
    asked: list[str] = []

    async def there(name: str, builder: str | None = None) -> str:
        asked.append(name)
        return "sha256:other"

    monkeypatch.setattr(registry, "there", there)
    with closing(Store(tmp_path / "tags.sqlite")) as store:
        by_digest = f"{base.name.rpartition(':')[0]}@{digest}"
        names = ("busybox", "mine:1", "no-such-image", by_digest, base.name)
        for _ in range(2):
            assert await moved(dict.fromkeys(names), "", store) == {base.name}  # type: ignore[arg-type]
    assert asked == [base.name], "and once an hour"


async def test_a_registry_that_refuses_or_does_not_know(lost: Base, base: Base) -> None:
    assert await registry.there(f"{base.name}-no") == ""
    task = asyncio.create_task(registry.there(lost.name))
    began = time.monotonic()
    assert await task == ""
    assert time.monotonic() - began < 20


def test_without_the_screen_the_answer_is_taken_that_is_there(project: Project, base: Base) -> None:
    base.move()
    project.dockerfile(f"FROM {base.name} AS a\nFROM a\nRUN sleep 6; : {uuid4().hex}")
    steps = hitmiss.report(".", cwd=project.path)["steps"]
    assert [step.get("alarm") for step in steps] == [base.alarm, None]
    told = hitmiss.run("why", "a:1", "--json", cwd=project.path)
    assert base.alarm.encode() in told.stdout
    assert not any("alarm" in step for step in hitmiss.report("--pull", ".", cwd=project.path)["steps"])


def test_without_the_screen_nobody_waits(project: Project, lost: Base) -> None:
    project.dockerfile(f"FROM {lost.name}\nRUN sleep 2; : {uuid4().hex}")
    report = hitmiss.report(".", cwd=project.path)
    assert not any("alarm" in step for step in report["steps"])
    began = time.monotonic()
    hitmiss.report(".", cwd=project.path)
    assert time.monotonic() - began < 5.5
