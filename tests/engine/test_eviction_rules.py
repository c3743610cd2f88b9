"""What a prune loses, and what WORKDIR does without a cache: the rule in `docker/gone.py`, on an engine."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest

from hitmiss.cache.facts import Known, Seen
from hitmiss.docker.cache_records import records
from hitmiss.docker.gone import lost, noticed
from hitmiss.docker.listing import Listing
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.rest import settled
from tests.support.steps import hits
from tests.support.wait import wait_for, wait_for_async

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

CHEAP = ("--output", "type=cacheonly")

THREE = """
    FROM scratch AS bare
    COPY f /f
    FROM busybox AS mid
    RUN --mount=type=cache,target=/c echo mid > /o
    FROM scratch AS under
    COPY --from=mid /o /o
    FROM busybox
    COPY --link g /linked
    COPY --from=bare /f /f
    COPY --from=under /o /o
    RUN echo end
"""
BARE = {"[bare 1/1] COPY f /f", "[under 1/1] COPY --from=mid /o /o", "[stage-3 2/5] COPY --link g /linked"}
ON_IMAGE = {
    "[stage-3 3/5] COPY --from=bare /f /f",
    "[stage-3 4/5] COPY --from=under /o /o",
    "[stage-3 5/5] RUN echo end",
}
UNREAD = {"[mid 2/2] RUN --mount=type=cache,target=/c echo mid > /o"}
MERGE = {"[stage-3 2/5] LINK COPY --link g /linked"}


@pytest.fixture
def built(empty_cache: PrivateEngine, project: Project) -> Project:
    """A project that was built; the cache holds nothing else."""
    project.write("f", "f")
    project.write("g", "g")
    project.dockerfile(THREE)
    empty_cache.build(project.path, *CHEAP)
    return project


async def prune(engine: PrivateEngine, *words: str) -> Listing:
    """Prune; the records that went."""
    before = await settled()
    engine.docker("buildx", "prune", "--force", *words)
    after = {each.id for each in await settled()}
    return Listing(each for each in before if each.id not in after)


def ids(engine: PrivateEngine) -> set[str]:
    """The records, once no build holds one."""

    def at_rest() -> list[str] | None:
        found = json.loads(engine.api("GET", "/v1.44/system/df?type=build-cache"))["BuildCache"]
        return None if any(each["InUse"] for each in found) else [each["ID"] for each in found]

    return set(wait_for(at_rest, 20, "the records to be let go of"))


def ran(engine: PrivateEngine, project: Project, *words: str) -> set[str]:
    """The steps that run in a build."""
    return {name for name, hit in hits(engine.build(project.path, *CHEAP, *words)).items() if not hit}


async def record(text: str) -> str:
    (found,) = [each.id for each in await settled() if text in each.description and each.type == "regular"]
    return found


@pytest.mark.parametrize("what", ["type=source.local", "type=exec.cachemount", "an unrelated record"])
async def test_any_prune_loses_what_stands_on_an_image(what: str, built: Project, engine: PrivateEngine) -> None:
    if what.startswith("an"):
        other = Project(built.path.parent / "other")
        other.write("f", "other")
        other.dockerfile("FROM scratch\nCOPY f /unrelated")
        engine.build(other.path, *CHEAP)
        what = f"id={await record('/unrelated')}"
    before = await settled()
    gone = await prune(engine, "--filter", what)
    assert gone
    assert not any(each.description.startswith(("mount /", "[stage-3")) for each in gone), "du goes on listing them"
    assert ran(engine, built) == ON_IMAGE | MERGE
    after = {each.id for each in await settled()}
    assert {each.id for each in before} - {each.id for each in gone} <= after, "the old records stay as well"
    assert ran(engine, built) == set(), "the next build but one hits"


async def test_a_prune_that_takes_nothing(built: Project, engine: PrivateEngine) -> None:
    assert await prune(engine, "--filter", "until=1h") == ()
    assert ran(engine, built) == set()
    inner = await record("echo mid > /o")
    assert await prune(engine, "--filter", f"id={inner}") == (), "what another record or an image holds stays"
    assert ran(engine, built) == set()


@pytest.mark.parametrize("words", [["--all"], []])
async def test_a_prune_of_everything(words: list[str], built: Project, engine: PrivateEngine) -> None:
    """Without `--all` what is shared with an image stays, the base image's own record among it."""
    await prune(engine, *words)
    assert bool(await settled()) is not bool(words)
    linked = {"[stage-3 2/5] COPY --link g /linked"}
    assert ran(engine, built) == ON_IMAGE | MERGE | UNREAD | (BARE if words else BARE - linked)
    assert ran(engine, built) == set()


async def test_one_leaf_goes(built: Project, engine: PrivateEngine) -> None:
    await prune(engine, "--filter", f"id={await record('[bare 1/1]')}")
    assert ran(engine, built) == ON_IMAGE | MERGE | {"[bare 1/1] COPY f /f"}


async def test_space_to_keep_loses_as_much(built: Project, engine: PrivateEngine) -> None:
    assert await prune(engine, "--reserved-space", "20000")
    assert ran(engine, built) >= ON_IMAGE | MERGE


async def test_an_image_made_from_scratch_here_is_no_base_image(engine: PrivateEngine, project: Project) -> None:
    project.write("f", "f")
    project.dockerfile("FROM scratch\nCOPY f /base")
    engine.build(project.path, "-t", "own-scratch:1")
    project.dockerfile("FROM busybox\nRUN echo > /base")
    engine.build(project.path, "-t", "own-busybox:1")
    other = Project(project.path.parent / "other")
    other.write("f", "o")
    for base, runs in (("own-scratch:1", False), ("own-busybox:1", True)):
        other.dockerfile(f"FROM {base}\nCOPY f /on-{base[:7]}\n")
        engine.build(other.path, *CHEAP)
        await prune(engine, "--filter", "type=source.local")
        assert bool(ran(engine, other)) is runs, base


async def test_what_else_loses_nothing(mortal_engine: PrivateEngine, project: Project) -> None:
    project.write("f", "f")
    project.dockerfile("FROM busybox\nCOPY f /f\nRUN echo 1")
    mortal_engine.build(project.path, "-t", "mine:1")
    there = ids(mortal_engine)
    mortal_engine.docker("rmi", "mine:1")
    assert ran(mortal_engine, project) == set()
    mortal_engine.build(project.path, "--no-cache")
    project.dockerfile("FROM busybox\nRUN echo 2; exit 1", "Failing")
    mortal_engine.build(project.path, "-f", str(project / "Failing"), check=False)
    assert ran(mortal_engine, project) == set()
    mortal_engine.restart()
    assert ran(mortal_engine, project) == set()
    assert there <= ids(mortal_engine), "only a prune takes records"


async def test_what_is_lost_is_told(built: Project, engine: PrivateEngine) -> None:
    now = await settled()
    seen = max(each.created for each in now if each.created).timestamp() + 1
    known = {each.description.encode(): Known(1, seen, each.id) for each in now if each.type == "regular"}
    assert lost(known, now) == frozenset()
    await prune(engine, "--filter", "type=source.local")
    told = lost(known, await settled())
    assert b"[bare 1/1] COPY f /f" not in told
    assert b"[stage-3 2/5] COPY --link g /linked" not in told
    assert {each.encode() for each in MERGE | ON_IMAGE if "RUN" not in each} <= told
    assert sum(b"exec" in key for key in told) == 2
    ran(engine, built)
    later = await settled()
    again = {key: Known(2, seen + timedelta(hours=1).total_seconds(), each.record) for key, each in known.items()}
    assert lost(again, later) == frozenset()


async def test_a_result_that_a_build_reads_is_not_gone(empty_cache: PrivateEngine, project: Project) -> None:
    project.write("f", "f")
    project.dockerfile("""
        FROM busybox AS one
        COPY f /f
        RUN cat /f > /out
        FROM busybox
        COPY --from=one /out /out
    """)
    empty_cache.build(project.path)
    rest = await settled()
    (written,) = (each for each in rest if each.description.endswith("cat /f > /out"))
    before = noticed(Seen(), rest, time.time(), now=1.0)
    known = {b"run": Known(1, time.time(), written.id)}
    project.dockerfile(project.read("Dockerfile").replace("/out /out", "/out /other") + "RUN sleep 600.75\n")
    build = hitmiss.start("build", ".", cwd=project.path)
    try:
        await wait_for_async(lambda: hitmiss.steps_running("sleep 600.75"), 30, "the step")
        busy = await records()
        during = noticed(before, busy, time.time(), at_rest=False, now=2.0)
        assert written.id not in busy.by_id, "another record is listed in its place"
        assert written.id in during.hidden
        assert during.pruned == 0.0
        assert lost(known, busy, during, at_rest=False) == frozenset()
    finally:
        hitmiss.stop(build)
    again = noticed(during, await settled(), time.time(), now=3.0)
    assert written.id in again.marks
    assert (again.pruned, again.hidden) == (0.0, frozenset())


async def test_workdir_without_a_cache(engine: PrivateEngine, project: Project) -> None:
    project.dockerfile("""
        FROM busybox AS a
        WORKDIR /one
        WORKDIR /two
        RUN echo 1
        WORKDIR /three
        FROM busybox
        WORKDIR /one
        COPY --from=a /two /two
        WORKDIR /four
    """)
    below = {"[a 4/5] RUN echo 1", "[a 5/5] WORKDIR /three"}
    last = {"[stage-1 3/4] COPY --from=a /two /two", "[stage-1 4/4] WORKDIR /four"}
    engine.build(project.path, *CHEAP)
    assert ran(engine, project) == set()
    for _ in range(2):
        assert ran(engine, project, "--no-cache") == below | last
    assert ran(engine, project, "--no-cache-filter", "a") == below
    assert ran(engine, project, "--no-cache-filter", "stage-1") == set(), "an unnamed stage cannot be named"
