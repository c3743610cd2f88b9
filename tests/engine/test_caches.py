"""Caches that one builder exports and another one imports: two real engines, a registry on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from hitmiss.build.model import Build, Note, Verdict
from hitmiss.build.transfers import Transfer, Way, shown
from hitmiss.docker import client
from tests.conftest import use_engine
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.live import Starts
from tests.support.project import Project
from tests.support.registry import Registry


@pytest.fixture(autouse=True)
def second(
    engine: PrivateEngine, second_engine: PrivateEngine, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> PrivateEngine:
    """The engine that imports, empty; what is started here uses it."""
    second_engine.empty_cache()
    use_engine(second_engine, monkeypatch)
    client.find_client.cache_clear()
    return second_engine


@pytest.fixture
def app(project: Project) -> Project:
    """Two stages that run, one of them only copied from; no engine has seen a step of them."""
    project.dockerfile(f"""
        FROM busybox AS compiled
        WORKDIR /work
        COPY src/ src/
        RUN head -c 100000 /dev/urandom > /out; : {uuid4().hex}
        FROM busybox
        COPY --from=compiled /out /app/out
        COPY --link src/ /src/
        RUN cat src/* > /sum
    """)
    project.write("src/main.txt", "main" * 1000)
    return project


def steps(build: Build) -> dict[str, tuple[Verdict, Note | None]]:
    """What became of all steps that a cache can hold."""
    return {step.id: (step.verdict, step.note) for step in build.steps if step.instruction[:5] != "FROM "}


def only(build: Build, way: Way) -> Transfer:
    (found,) = [each for each in shown(build) if each.way is way]
    return found


ALL = ("compiled:2", "compiled:3", "compiled:4", "stage-1:2", "stage-1:3", "stage-1:4")
FINAL = tuple(each for each in ALL if each.startswith("stage"))
IMPORTED = (Verdict.HIT, Note.IMPORTED)


def exported(engine: PrivateEngine, registry: Registry, app: Project, kind: str) -> tuple[str, tuple[str, ...]]:
    """Build with `--cache-to` on the first engine: the `--cache-from` for the second one, and the steps that it has."""
    ref = registry.ref(f"{kind}-{uuid4().hex[:8]}:c")
    if kind == "registry":
        engine.build(app.path, "--cache-to", f"type=registry,ref={ref},mode=max")
        return f"type=registry,ref={ref}", ALL
    if kind == "inline":
        engine.build(app.path, "-t", ref, "--push", "--cache-to", "type=inline")
        return f"type=registry,ref={ref}", FINAL
    folder = app.path.parent / "cache"
    engine.build(app.path, "--cache-to", f"type=local,dest={folder},mode=max")
    return f"type=local,src={folder}", ALL


@pytest.mark.parametrize("kind", ["registry", "inline", "local"])
async def test_every_step_is_a_hit_marked_imported(
    kind: str, app: Project, engine: PrivateEngine, registry: Registry, start: Starts
) -> None:
    source, wanted = exported(engine, registry, app, kind)
    live = start(cache_from=(source,), tags=("imported:1",))
    await live.built(1)
    snap = await live.until(lambda snap: any(step.note for step in snap.build.steps), "the notes")
    found = steps(snap.build)
    assert {step: found[step] for step in wanted} == dict.fromkeys(wanted, IMPORTED)
    if kind == "inline":
        assert {found[step][0] for step in set(ALL) - set(FINAL) & found.keys()} <= {Verdict.SKIPPED, Verdict.HIT}
    moved = only(snap.build, Way.CACHE_IN)
    assert moved.words == f"{sum(each == IMPORTED for each in found.values())} hits"
    assert moved.bytes is not None
    assert moved.bytes > 100_000, "the layers were fetched"
    assert moved.work.duration_s > 0
    assert not snap.notices


@pytest.mark.parametrize("kind", ["registry", "inline", "local"])
def test_the_report_says_so_too(kind: str, app: Project, engine: PrivateEngine, registry: Registry) -> None:
    source, wanted = exported(engine, registry, app, kind)
    report = hitmiss.report("--cache-from", source, "-t", "reported:1", ".", cwd=app.path)
    found = {step["id"]: (step["verdict"], step["note"]) for step in report["steps"]}
    assert {step: found[step] for step in wanted} == dict.fromkeys(wanted, ("hit", "imported"))
    (moved,) = report["build"]["transfers"]
    assert moved["way"] == "cache from"
    assert moved["bytes"] > 100_000
    again = hitmiss.report("--cache-from", source, "-t", "reported:1", ".", cwd=app.path)
    assert not any(step["note"] == "imported" for step in again["steps"]), "it is in the cache by now"


async def test_what_was_in_the_cache_before_is_not_imported(
    app: Project, engine: PrivateEngine, registry: Registry, start: Starts, second: PrivateEngine
) -> None:
    source, _ = exported(engine, registry, app, "registry")
    second.build(app.path, "--target", "compiled")
    live = start(cache_from=(source,), tags=("mixed:1",))
    await live.built(1)
    snap = await live.until(lambda snap: any(step.note for step in snap.build.steps), "the notes")
    found = steps(snap.build)
    assert {step for step, story in found.items() if story == IMPORTED} == set(FINAL)
    assert all(verdict is Verdict.HIT for verdict, _ in found.values())


async def test_what_a_prune_took_is_imported_again_and_planned_right_after(
    app: Project, engine: PrivateEngine, registry: Registry, start: Starts, second: PrivateEngine
) -> None:
    source, _ = exported(engine, registry, app, "registry")
    live = start(cache_from=(source,), tags=("pruned:1",))
    await live.built(1)
    await live.until(lambda snap: any(step.note for step in snap.build.steps), "the notes")
    await live.watching()
    second.docker("rmi", "-f", "pruned:1")
    second.empty_cache()
    live.session.rebuild()
    await live.built(2)
    snap = await live.until(lambda snap: snap.build.number == 2 and any(s.note for s in snap.build.steps), "the notes")
    assert set(steps(snap.build).values()) == {IMPORTED}
    live.session.rebuild()
    await live.built(3)
    await live.until(lambda snap: snap.build.number == 3 and not live.session._crew._errands.busy, "all to be known")
    last = live.snapshot.build
    assert not any(step.plan_was_wrong for step in last.steps), last.steps
    assert not any(step.note is Note.IMPORTED for step in last.steps)


async def test_an_import_that_finds_nothing_says_why(app: Project, registry: Registry, start: Starts) -> None:
    missing, folder = registry.ref(f"no-{uuid4().hex[:8]}:c"), app.path.parent / "no-cache"
    live = start(cache_from=(f"type=registry,ref={missing}", f"type=local,src={folder}", "127.0.0.1:1/x:c"))
    await live.built(1)
    snap = await live.until(lambda snap: snap.notices, "the notice")
    lines = {each.what: each.words for each in shown(snap.build)}
    assert lines[missing] == "nothing (there is none yet)"
    assert lines[str(folder)] == "nothing (no such file or directory)"
    assert "refused the connection" in lines["127.0.0.1:1/x:c"]
    for what in lines:
        assert what in " ".join(snap.notices)
    assert not any(step.note for step in snap.build.steps)


@pytest.mark.parametrize("kind", ["registry", "local"])
async def test_an_export_tells_its_size_and_time(kind: str, app: Project, registry: Registry, start: Starts) -> None:
    folder, ref = app.path.parent / "out", registry.ref(f"out-{uuid4().hex[:8]}:c")
    given = f"type=registry,ref={ref},mode=max" if kind == "registry" else f"type=local,dest={folder},mode=max"
    live = start(cache_to=(given,))
    await live.built(1)
    snap = await live.until(lambda snap: snap.build.written, "the size")
    moved = only(snap.build, Way.CACHE_OUT)
    if kind == "registry":
        name, _, tag = ref.rpartition("/")[2].partition(":")
        manifest = json.loads(registry.get(f"/v2/{name}/manifests/{tag}"))
    else:
        (index,) = json.loads((folder / "index.json").read_text())["manifests"]
        manifest = json.loads((folder / "blobs" / index["digest"].replace(":", "/")).read_text())
    layers = manifest.get("layers") or manifest["manifests"]
    sizes = {layer["digest"]: layer["size"] for layer in layers}
    assert moved.bytes == sum(sizes.values())
    assert moved.words == f"{len(sizes)} layers"
    assert moved.work.duration_s > 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("type=s3,region=eu,bucket=b", "s3"),
        ("type=azblob,name=x", "azblob"),
        ("type=gha,url=http://127.0.0.1:1/,token=x", "gha"),
    ],
)
def test_a_cache_that_cannot_be_had_here_is_said_in_one_sentence(given: str, words: str, app: Project) -> None:
    done = hitmiss.run("build", "--json", "--cache-to", given, ".", cwd=app.path)
    assert done.returncode == 2
    error = json.loads(done.stdout)["build"]["error"]
    assert words in error
    assert "\n" not in error
    assert error.endswith("."), error
    assert b"Traceback" not in done.stderr


def test_outside_of_github_its_cache_is_left_out_and_that_is_said(app: Project) -> None:
    done = hitmiss.run("build", "--cache-to", "type=gha", "--cache-from", "type=gha", ".", cwd=app.path)
    assert done.returncode == 0
    assert b"type=gha is left out: GitHub's cache needs ACTIONS_RUNTIME_TOKEN" in done.stderr


def test_a_type_of_cache_that_there_is_not(engine_env: PrivateEngine, project: Project) -> None:
    project.write("Dockerfile", "FROM busybox\n")
    report = hitmiss.report("--cache-from", "type=regsitry,ref=127.0.0.1:1/x", cwd=project.path)
    assert report["build"]["notices"] == [
        "The cache of type=regsitry was not found (no such type; there are registry, local, gha, s3, azblob)."
    ]
