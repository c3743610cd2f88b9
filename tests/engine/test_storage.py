"""Preview and prune on a real engine: what is announced is what goes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable

import pytest

from hitmiss.docker import endpoint, storage
from hitmiss.docker.reach import CacheRecord
from hitmiss.docker.storage import CacheUsage, Preview, PruneFilter, preview, prune, usage
from hitmiss.errors import EngineError
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.wait import wait_for_async

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

STEPS = """
    FROM busybox AS base
    RUN --mount=type=cache,target=/c head -c 300000 /dev/urandom > /c/x
    RUN head -c 500000 /dev/urandom > /a
    FROM base AS mid
    COPY f /f
    RUN head -c 200000 /dev/urandom > /b
    FROM busybox
    COPY --from=mid /b /b
    COPY --link f /g
    RUN head -c 700000 /dev/urandom > /d
"""


def ids(records: Iterable[CacheRecord]) -> set[str]:
    return {record.id for record in records}


def built(engine: PrivateEngine, project: Project, dockerfile: str, *options: str) -> None:
    project.dockerfile(dockerfile)
    engine.build(project.path, *options)


async def wait(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    true: bool = await wait_for_async(condition, 20, what)
    assert true


async def settled() -> CacheUsage:
    """The cache once nothing holds it: BuildKit lets go of a build's records up to half a second after its end."""

    async def free() -> bool:
        first, second = await usage(), await usage()
        same = {(each.id, each.size) for each in first.records} == {(each.id, each.size) for each in second.records}
        return same and not any(record.in_use for record in second.records)

    await wait(free, "the cache to rest")
    return await usage()


async def pruned(wanted: PruneFilter) -> tuple[Preview, storage.Pruned, CacheUsage, CacheUsage]:
    """Preview, then prune: (the preview, what the prune said, the cache before, the cache after)."""
    before = await settled()
    seen = await preview(None, wanted)
    said = await prune(None, wanted)
    return seen, said, before, await usage()


@pytest.fixture
def filled(empty_cache: PrivateEngine, project: Project) -> PrivateEngine:
    """A cache with images, cache mounts, sources, a merge and two builds' worth of steps."""
    project.write("f", "one")
    built(empty_cache, project, STEPS)
    project.write("f", "two")
    built(empty_cache, project, STEPS)
    return empty_cache


async def test_exactly_what_was_announced_goes(filled: PrivateEngine) -> None:
    nothing = PruneFilter(unused_since=1, all=True)
    mounts = PruneFilter(cache_mounts_only=True)
    unshared = PruneFilter(unused_since=1e-7)
    everything = PruneFilter(all=True)
    for wanted in (nothing, mounts, mounts, unshared, everything, everything):
        seen, said, before, after = await pruned(wanted)
        assert seen.exact
        assert ids(seen.records) == ids(before.records) - ids(after.records)
        assert (said.freed, said.count) == (seen.size, len(seen.records))
        assert after.total == before.total - seen.size
        sizes = [record.size for record in seen.records]
        assert sizes == sorted(sizes, reverse=True)
        if wanted is nothing:
            assert not seen.records
        if wanted is mounts:
            assert not any(record.type == "exec.cachemount" for record in after.records)
            assert {record.type for record in seen.records} <= {"exec.cachemount"}
        if wanted is unshared:
            assert all(record.shared for record in after.records)
    assert not after.records


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
async def test_keeping_some_takes_about_what_was_announced(
    empty_cache: PrivateEngine, project: Project, share: float
) -> None:
    lines = "\n".join(f"COPY f{number} /f{number}" for number in range(12))
    for number in range(12):
        project.write(f"f{number}", os.urandom(10_000 * (number + 1)))
    built(empty_cache, project, f"FROM scratch\n{lines}", "--output=type=cacheonly")
    built(empty_cache, project, f"FROM scratch\nCOPY f1 /x\n{lines}", "--output=type=cacheonly")
    await settled()
    private = (await preview(None, PruneFilter())).private
    keep = int(private * share)
    seen, said, _, after = await pruned(PruneFilter(keep_bytes=keep))
    assert not seen.exact
    left = sum(record.size for record in after.records if not record.shared)
    largest = max(record.size for record in seen.records)
    assert left < keep
    assert left > keep - largest
    assert abs(said.freed - seen.size) <= largest
    seen, said, before, after = await pruned(PruneFilter(keep_bytes=10**12, all=True))
    assert seen.exact
    assert not seen.records
    assert said == storage.Pruned()
    assert ids(after.records) == ids(before.records)


async def test_only_what_was_unused_long_enough_goes(empty_cache: PrivateEngine, project: Project) -> None:
    built(empty_cache, project, "FROM scratch\nCOPY Dockerfile /old\n", "--output=type=cacheonly")
    old = ids((await settled()).records)

    async def rested() -> bool:
        return all(record.unused_s and record.unused_s > 4 for record in (await usage()).records)

    await wait(rested, "the records to age")
    built(empty_cache, project, "FROM scratch\nCOPY Dockerfile /new\n", "--output=type=cacheonly")
    seen, _, before, after = await pruned(PruneFilter(unused_since=4 / 3600))
    gone = ids(before.records) - ids(after.records)
    assert gone == ids(seen.records)
    assert gone
    assert gone <= old
    assert ids(before.records) - old <= ids(after.records)


async def test_the_engine_s_own_figures_are_used(filled: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = await settled()
    assert all(record.unused_slack_s == 0 for record in exact.records)
    monkeypatch.setattr(endpoint, "socket_path", lambda builder=None: None)
    in_words = {record.id: record for record in (await usage()).records}
    assert in_words.keys() == ids(exact.records)
    for record in exact.records:
        other = in_words[record.id]
        assert abs(record.size - other.size) <= record.size * 0.0006
        assert record.unused_s is not None
        assert other.unused_s is not None
        assert other.unused_s - 2 <= record.unused_s <= other.unused_s + other.unused_slack_s + 2
        assert (record.description, record.type, record.parents) == (other.description, other.type, other.parents)
    seen, said, before, after = await pruned(PruneFilter(all=True))
    assert ids(seen.records) == ids(before.records) - ids(after.records)
    assert said.freed == seen.size


async def test_an_empty_cache(empty_cache: PrivateEngine) -> None:
    seen, said, _, _ = await pruned(PruneFilter(all=True))
    assert (seen.records, seen.total_count, seen.exact) == ((), 0, True)
    assert said == storage.Pruned()


@pytest.mark.parametrize("builder", [None, "nosuch"])
async def test_no_engine_and_no_builder_are_one_sentence(builder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if builder is None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///tmp/no-engine-here.sock")
    words = "No Docker engine answers" if builder is None else "There is no builder called nosuch"
    for question in (usage(builder), preview(builder, PruneFilter()), prune(builder, PruneFilter())):
        with pytest.raises(EngineError, match=words) as caught:
            await question
        assert "\n" not in str(caught.value)
