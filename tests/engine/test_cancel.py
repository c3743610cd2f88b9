"""Cancelling: whatever the build is doing, it is over within a second, and nothing of it runs on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from hitmiss.build.model import Build, Status, Verdict
from hitmiss.docker import client
from hitmiss.runner import Job, Runner
from hitmiss.settings import BuildOptions
from tests.support import hitmiss
from tests.support.project import Project
from tests.support.wait import wait_for_async

pytestmark = pytest.mark.usefixtures("engine_env")

BOUND_S = 1.0
"""The promise. An unhurried client ends in 30 ms; one that does not is killed after 600 ms."""

SLACK_S = 0.5
"""What a machine that is busy with other tests may add."""


@pytest.fixture(autouse=True)
def found_anew() -> None:
    """The client is looked for in this test's own environment."""
    client.find_client.cache_clear()


@pytest.fixture
def marker() -> str:
    """A word that only the command of this test's step has."""
    return f"marker{uuid4().hex}"


class Cancelable:
    """A build that runs in the background."""

    def __init__(self, project: Project, **options: object) -> None:
        self.runner = Runner(Job(BuildOptions(**options)), cwd=project.path)  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.runner.run())

    async def until(self, condition: Callable[[Build], object], what: str) -> None:
        def so() -> object:
            assert not self.task.done(), f"the build ended before {what}: {self.runner.build().text}"
            return condition(self.runner.build())

        await wait_for_async(so, 30, what)

    async def cancel(self, times: int = 1) -> Build:
        began = time.monotonic()
        for _ in range(times):
            self.runner.cancel()
        build = (await self.task)[""]
        took = time.monotonic() - began
        assert took <= BOUND_S + SLACK_S
        assert build.status is Status.CANCELED
        assert hitmiss.clients() == []
        return build


Builds = Callable[..., Cancelable]


@pytest.fixture
async def start(project: Project) -> AsyncIterator[Builds]:
    """Starts builds, and ends those that a test has left."""
    begun: list[Cancelable] = []

    def begin(**options: object) -> Cancelable:
        begun.append(Cancelable(project, **options))
        return begun[-1]

    yield begin
    for each in begun:
        each.runner.abandon()
        await asyncio.wait({each.task}, timeout=10)


async def gone(marker: str) -> None:
    await wait_for_async(lambda: not hitmiss.steps_running(marker), 10, "the step's process to end")


def work(name: str) -> Callable[[Build], bool]:
    """Whether BuildKit's own work of that name is going on."""
    return lambda build: any(name in each.instruction and each.running_since is not None for each in build.internals)


async def test_while_a_step_sleeps(project: Project, marker: str, start: Builds) -> None:
    project.dockerfile(f"FROM busybox\nRUN echo begun; sleep 600; : {marker}\nRUN echo never")
    build = start()
    await build.until(lambda each: build.runner.log("stage-0:2"), "the step to write")
    assert hitmiss.steps_running(marker)
    ended = await build.cancel()
    assert [step.verdict for step in ended.steps] == [Verdict.HIT, Verdict.CANCELED, Verdict.SKIPPED]
    await gone(marker)


async def test_while_a_step_prints_at_full_speed(project: Project, marker: str, start: Builds) -> None:
    project.dockerfile(f"FROM busybox\nRUN while :; do echo {marker} {marker} {marker}; done")
    build = start()
    await build.until(
        lambda each: (log := build.runner.log("stage-0:2")) and log.line_count > 1000,
        "the step to write a lot",
    )
    assert hitmiss.steps_running(marker)
    ended = await build.cancel()
    assert ended.steps[1].verdict is Verdict.CANCELED
    await gone(marker)


async def test_while_several_steps_run(project: Project, marker: str, start: Builds) -> None:
    stages = [f"FROM busybox AS s{n}\nRUN sleep 600; : {marker}{n}\n" for n in range(3)]
    copies = "".join(f"COPY --from=s{n} / /{n}\n" for n in range(3))
    project.dockerfile("".join(stages) + "FROM scratch\n" + copies)
    build = start()
    await build.until(lambda each: len(hitmiss.steps_running(marker)) >= 3, "three steps to run")
    ended = await build.cancel()
    assert ended.count(Verdict.CANCELED) == 3
    await gone(marker)


async def test_while_a_big_context_is_sent(project: Project, start: Builds) -> None:
    size = 3 << 30
    project.dockerfile("FROM busybox\nCOPY big /")
    with (project.path / "big").open("wb") as file:
        file.truncate(size)
    build = start()
    await build.until(lambda each: each.context_bytes > 1 << 20, "the context to be on its way")
    ended = await build.cancel()
    assert ended.context_bytes < size


async def test_while_the_image_is_exported(project: Project, marker: str, start: Builds) -> None:
    project.dockerfile(f"FROM busybox\nRUN head -c 150000000 /dev/urandom > /big; : {marker}")
    build = start()
    await build.until(work("exporting to image"), "the export to begin")
    ended = await build.cancel()
    assert ended.image is None
    assert [step.verdict for step in ended.steps] == [Verdict.HIT, Verdict.MISS]


async def test_before_the_client_has_said_a_word(project: Project, marker: str, start: Builds) -> None:
    project.dockerfile(f"FROM busybox\nRUN sleep 600; : {marker}")
    build = start()
    await wait_for_async(hitmiss.clients, 10, "the client to be started")
    ended = await build.cancel()
    assert ended.ref == ""
    await gone(marker)


async def test_before_the_client_is_started(project: Project, marker: str, start: Builds) -> None:
    project.dockerfile(f"FROM busybox\nRUN sleep 600; : {marker}")
    build = start()
    await build.cancel()
    await gone(marker)


@pytest.mark.parametrize("moment", range(8))
async def test_at_any_moment_of_the_start(moment: int, project: Project, marker: str, start: Builds) -> None:
    """The stream's first lines come one after the other; the build is cancelled after each of them in turn."""
    project.dockerfile(f"FROM busybox\nRUN while sleep 0.2; do echo; done; : {marker}")
    build = start()
    heard = 0
    reached = asyncio.Event()

    def count() -> None:
        nonlocal heard
        heard += 1
        if heard > moment:
            reached.set()

    build.runner.on_progress = count
    await asyncio.wait_for(reached.wait(), 30)
    await build.cancel()
    await gone(marker)


async def test_twice_and_after_the_end(project: Project, marker: str, start: Builds) -> None:
    project.dockerfile(f"FROM busybox\nRUN sleep 600; : {marker}")
    build = start()
    await build.until(lambda each: hitmiss.steps_running(marker), "the step to run")
    await build.cancel(times=3)
    build.runner.cancel()
    build.runner.abandon()
    await gone(marker)


async def test_a_build_that_has_ended_stays_as_it_ended(project: Project, start: Builds) -> None:
    project.dockerfile("FROM busybox\nRUN true")
    build = start()
    ended = (await build.task)[""]
    build.runner.cancel()
    assert ended.status is build.runner.build().status is Status.SUCCEEDED


async def test_a_cancelled_task_leaves_nothing(project: Project, marker: str, start: Builds) -> None:
    """As when the program goes down in the middle: the task is cancelled, nobody waits for the client."""
    project.dockerfile(f"FROM busybox\nRUN sleep 600; : {marker}")
    build = start()
    await build.until(lambda each: hitmiss.steps_running(marker), "the step to run")
    build.task.cancel()
    await asyncio.wait({build.task})
    assert build.task.cancelled()
    await wait_for_async(lambda: not hitmiss.clients(), 10, "the client to end")
    await gone(marker)
