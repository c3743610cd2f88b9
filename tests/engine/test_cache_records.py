"""The engine's cache records, and which of them a build's steps left behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hitmiss.build.model import Build, Status, Verdict
from hitmiss.docker import client, endpoint, past
from hitmiss.docker.cache_records import records, time_of
from hitmiss.docker.gone import lost
from hitmiss.docker.listing import Listing
from hitmiss.docker.tied import tie
from hitmiss.errors import HitmissError
from hitmiss.runner import Job, Runner
from hitmiss.settings import BuildOptions
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.rest import settled

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

ALL_KINDS = """
    FROM busybox AS base
    ARG WHERE=/arg
    WORKDIR /w
    RUN echo a \\
        > /a && \\
      true
    RUN ["echo","json"]
    RUN <<EOF
    echo here
    echo there > /there
    EOF
    RUN <<EOF cat > /xx
    inner
    EOF
    COPY <<EOF /hd
    hello
    EOF
    COPY f g $WHERE/
    COPY --link f /l
    COPY --chmod=600 d /d
    ADD --link g /adl
    SHELL ["/bin/sh","-ec"]
    RUN --mount=type=bind,source=f,target=/m --mount=type=cache,target=/c,id=cc cat /m > /mm
    RUN --mount=type=bind,rw,source=d,target=/m echo 1 > /m/n
    FROM scratch AS s
    COPY --from=base /a /a
    FROM base AS again
    RUN echo twice >> /a2
    RUN echo twice >> /a2
    FROM again
    COPY --from=s /a /aa
    COPY --link --from=s /a /aal
    RUN exit 0
"""


async def build(project: Project, *platforms: str) -> tuple[Build, set[str], Listing]:
    """A build, the ids of the records before it, and the records after it."""
    before = {each.id for each in await records()}
    options = BuildOptions(outputs=("type=cacheonly",), platforms=platforms)
    done = (await Runner(Job(options), cwd=project.path).run())[""]
    assert done.status is Status.SUCCEEDED, done.text
    return done, before, await settled()


@pytest.fixture
def kinds(empty_cache: PrivateEngine, project: Project) -> Project:
    client.find_client.cache_clear()
    for name in ("f", "g", "d/x"):
        project.write(name, name)
    project.dockerfile(ALL_KINDS)
    return project


async def test_every_step_has_its_own_record_and_what_hits_the_only_one_of_its_text(kinds: Project) -> None:
    done, before, after = await build(kinds)
    tied = tie(before, after, done)
    by_id = {each.id: each for each in after}
    steps = [step for step in done.steps if not step.instruction.startswith("FROM")]
    assert {step.id for step in steps} == set(tied), [step for step in steps if step.id not in tied]
    assert len(set(tied.values())) == len(tied)
    for step in steps:
        record = by_id[tied[step.id]]
        words = step.instruction.split()
        assert words[-1] in record.description or words[1][0] in "[<", (step, record)
        assert "LINK" not in record.description
        assert step.started is not None
        assert record.created is not None
        assert step.started <= record.created <= step.started + timedelta(seconds=step.duration_s + 0.05)
    chain = [tied[step.id] for step in steps if step.stage == "again"]
    assert chain[0] in by_id[chain[1]].parents, "of two that are the same, the first is below the second"
    left = {each.description for each in after if each.type == "regular" and each.id not in tied.values()}
    assert all(not text or "LINK" in text or text.startswith(("[internal]", "local source")) for text in left), left

    second, before, after = await build(kinds)
    again = tie(before, after, second)
    assert all(step.verdict is Verdict.HIT for step in second.steps)
    twice = {step.id for step in second.steps if "twice" in step.instruction}
    assert again == {step_id: record for step_id, record in tied.items() if step_id not in twice}
    kinds.write("f", "changed")
    third, before, after = await build(kinds)
    new = tie(before, after, third)
    assert {step.id for step in third.steps if step.verdict is Verdict.MISS} <= set(new)
    assert all(new[step.id] not in before for step in third.steps if step.verdict is Verdict.MISS)


async def test_several_platforms(empty_cache: PrivateEngine, project: Project) -> None:
    project.write("f", "f")
    project.dockerfile("FROM busybox\nARG TARGETARCH\nCOPY f /f-$TARGETARCH\nWORKDIR /w")
    done, before, after = await build(project, "linux/amd64,linux/arm64")
    tied = tie(before, after, done)
    by_id = {each.id: each.description for each in after}
    ran = [step for step in done.steps if step.verdict is Verdict.MISS]
    assert len(ran) == 4
    for step in ran:
        assert f"[{step.platform} {step.index}/3] {step.instruction}" == by_id[tied[step.id]]


async def test_buildx_tells_the_same(kinds: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    await build(kinds)
    exact = {each.id: each for each in await records()}
    assert sum(bool(each.parents) for each in exact.values()) > 10
    monkeypatch.setattr(endpoint, "socket_path", lambda builder: None)
    listed = {each.id: each for each in await records()}
    ask = client.ask

    async def older(*words: str, timeout_s: float) -> client.Answer:
        if "--format" in words:
            return client.Answer(1, b"", "unknown flag: --format")
        return await ask(*words, timeout_s=timeout_s)

    monkeypatch.setattr(client, "ask", older)
    verbose = {each.id: each for each in await records()}
    for others in (listed, verbose):
        assert others.keys() == exact.keys()
        for key, one in exact.items():
            other = others[key]
            assert (set(one.parents), one.type) == (set(other.parents), other.type)
            assert one.created is not None
            assert other.created is not None
            assert abs(one.created - other.created) < timedelta(milliseconds=1)
            assert one.description.split()[:6] == other.description.split()[:6]


async def test_no_engine_and_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    client.find_client.cache_clear()
    with pytest.raises(HitmissError):
        await records()

    async def odd(*words: str, timeout_s: float) -> client.Answer:
        return client.Answer(0, b'{"ID": 5}\n', "")

    monkeypatch.setattr(client, "ask", odd)
    with pytest.raises(HitmissError, match="cannot read"):
        await records()


def test_times() -> None:
    assert time_of("2026-11-21 05:18:38.911980833 +0000 UTC") == datetime(2026, 11, 21, 5, 18, 38, 911980, UTC)
    assert time_of("2026-11-21 05:18:38 +0200 CEST") == datetime(2026, 11, 21, 3, 18, 38, 0, UTC)
    assert time_of("2026-99-21 05:18:38 +0200") is None
    assert time_of("never") is None


def test_nothing_is_lost_of_what_nobody_knows() -> None:
    assert lost({}, Listing()) == frozenset()


async def test_it_can_be_asked_twice_at_once() -> None:
    first, second = await asyncio.gather(records(), records())
    assert {each.id for each in first} == {each.id for each in second}


async def test_builds_from_before_hitmiss_came(
    empty_cache: PrivateEngine, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.find_client.cache_clear()
    folder = project.path.resolve()
    assert await past.past("", folder) == past.Past(), "none"
    project.write("f", "f")
    project.dockerfile("FROM busybox AS a\nCOPY f /f\nRUN echo 1\nFROM a\nRUN echo 2")
    empty_cache.build(project.path, "--target", "a")
    empty_cache.build(project.path)
    other = Project(project.path.parent / "other")
    other.dockerfile("FROM scratch\nCOPY Dockerfile /")
    empty_cache.build(other.path)
    project.dockerfile("FROM scratch\nCOPY f /f", "Other.Dockerfile")
    empty_cache.build(project.path, "-f", str(project / "Other.Dockerfile"))
    monkeypatch.setattr(past, "_ALL_S", 30.0)
    found = await past.past("", folder)
    assert found.build is not None
    assert found.build.status is Status.SUCCEEDED
    assert found.build.started is not None
    assert found.build.duration_s > 0
    assert [step.id for step in found.build.steps] == ["a:1", "a:2", "a:3", "stage-1:1"]
    assert [[name[2] for name, _ in runs] for runs in found.runs] == [["COPY f /f", "RUN echo 1"], ["RUN echo 2"]]
    project.dockerfile("FROM busybox\nRUN exit 3")
    empty_cache.build(project.path, check=False)
    failed = (await past.past("default", folder)).build
    assert failed is not None
    assert (failed.status, failed.failed_step is not None) == (Status.FAILED, True)
    task = asyncio.create_task(past.past("", folder))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_engine_that_tells_nothing_of_its_past(monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    client.find_client.cache_clear()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert await past.past("", project.path) == past.Past()

    async def odd(*words: str, timeout_s: float) -> client.Answer:
        return client.Answer(0, b"what\n", "")

    monkeypatch.setattr(client, "ask", odd)
    assert await past.past("", project.path) == past.Past()
