"""The example projects in a session that watches: each does what its README says, verdict by verdict.

hitmiss is typed in their folders, as a new user would.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hitmiss import settings
from hitmiss.build.model import Build, Note, Planned, Status, Step, Verdict
from hitmiss.docker import client
from hitmiss.explain import mounts, reason, summary, text_of
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Snapshot
from hitmiss.workspace import open_workspace
from tests.conftest import use_engine
from tests.support import examples
from tests.support.engine import PrivateEngine
from tests.support.examples import add_line, replace
from tests.support.live import Live, Starts
from tests.support.project import Project
from tests.support.registry import Registry

pytestmark = pytest.mark.usefixtures("engine_env")

Opens = Callable[..., Awaitable[Live]]
PACE_MS = 200
"""How long the stand-in package managers take at least, where a moment while they run is looked at."""


@pytest.fixture
def example(engine: PrivateEngine, tmp_path: Path) -> Callable[..., Project]:
    """Gives a copy of an example; its bases are there, others than any before, so nothing of it was ever built."""

    def copied(name: str, **more: Any) -> Project:
        examples.load_bases(engine, name, marker=uuid4().hex, pace_ms=more.pop("pace_ms", 0))
        return Project(examples.copy(name, tmp_path / name, **more))

    return copied


@pytest.fixture
def opened(start: Starts) -> Opens:
    """Opens a session as `hitmiss` does that is typed in a folder, with these flags."""

    async def opened_there(project: Project, **flags: Any) -> Live:
        own = settings.load(project.path)
        space = await open_workspace(BuildOptions(**flags), own, cwd=project.path)
        return start(space=space, settings=own)

    return opened_there


async def explained(live: Live, number: int) -> Build:
    """Wait until that build is over, and it is known why its steps ran.

    Its images get another name each: while a name moves to a new image, the engine may collect layers of the old one
    that the new one is about to stand on, and fail ("parent snapshot … does not exist").
    """
    build = await live.explained(number)
    for tag in (tag for unit in live.session._crew.space.units for tag in unit.options.tags):
        words = ["docker", "tag", tag, f"kept:{uuid4().hex}"]
        await asyncio.to_thread(subprocess.run, words, check=False, capture_output=True)
    return build


async def first(live: Live) -> Build:
    """The first build, with the watch on."""
    build = await explained(live, 1)
    await live.watching()
    return build


def missed(build: Build) -> dict[str, str]:
    """The steps of this build that ran → why: the kind of the cause, and for a chain the step where it began."""
    found: dict[str, str] = {}
    for step in build.own_steps:
        if step.verdict is Verdict.MISS:
            assert step.cause, step
            came = "" if step.cause.root == step.id else f" {step.cause.root}"
            found[step.id] = f"{step.cause.kind}{came}"
        else:
            assert step.verdict is Verdict.HIT, step
    return found


def step_of(build: Build, step_id: str) -> Step:
    found = build.step(step_id)
    assert found, (step_id, [step.id for step in build.steps])
    return found


def why(build: Build, step_id: str) -> str:
    """All that the Why tab says of the reasons."""
    return "\n".join(text_of(line) for line in reason(step_of(build, step_id), build))


def ill_planned(build: Build) -> list[str]:
    return [f"{step.id}: {step.planned}, {step.verdict}" for step in build.own_steps if step.plan_was_wrong]


# logs


async def test_logs_reinstalls_on_every_save(example: Callable[..., Project], opened: Opens) -> None:
    project = example("logs")
    live = await opened(project)
    build = await first(live)
    assert [stage.title for stage in build.stages] == ["builder", "runtime"]
    assert set(missed(build).values()) == {"first-build"}
    add_line(project, "entries/views.py")
    build = await explained(live, 2)
    assert missed(build) == {
        "builder:5": "files-changed",
        "builder:6": "parent-missed builder:5",
        "builder:7": "parent-missed builder:5",
        "runtime:6": "stage-output-changed builder:5",
    }
    assert [each.path for each in step_of(build, "builder:5").cause.files] == ["entries/views.py"]  # type: ignore[union-attr]
    assert "COPY . /app/code" in why(build, "builder:6")
    assert step_of(build, "builder:6").instruction.startswith("RUN uv venv")
    # The slim stage takes the virtual environment, which came out with the same bytes.
    assert step_of(build, "runtime:5").note is Note.EARLY_CUTOFF
    assert not ill_planned(build)
    replace(project, "requirements/prod.txt", "gunicorn==23.0.0", "gunicorn==22.0.0")
    build = await explained(live, 3)
    assert missed(build)["runtime:5"] == "stage-output-changed builder:5"


async def test_logs_installs_nothing_once_the_copy_stands_below(example: Callable[..., Project], opened: Opens) -> None:
    project = example("logs")
    live = await opened(project)
    await first(live)
    text = project.read("Dockerfile").replace("COPY . /app/code\nARG", "COPY requirements/ requirements/\nARG")
    project.save("Dockerfile", text.replace("RUN python manage.py", "COPY . /app/code\nRUN python manage.py"))
    await explained(live, 2)
    add_line(project, "entries/views.py")
    build = await explained(live, 3)
    assert missed(build) == {
        "builder:7": "files-changed",
        "builder:8": "parent-missed builder:7",
        "runtime:6": "stage-output-changed builder:7",
    }


async def test_logs_on_another_python(example: Callable[..., Project], opened: Opens) -> None:
    project = example("logs")
    live = await opened(project)
    await first(live)
    await live.session.close()
    live = await opened(project, build_args=("PYTHON_BASE_IMAGE=python:3.13-slim",))
    build = await explained(live, 2)
    found = missed(build)
    roots = {"builder:2", "runtime:2"}
    assert {step_id for step_id, kind in found.items() if kind == "base-image-changed"} == roots
    assert {kind.partition(" ")[2] for step_id, kind in found.items() if step_id not in roots} == roots
    assert len(found) == len(build.steps) - 1, "only the FROM hits"
    for root in roots:
        cause = step_of(build, root).cause
        assert cause
        assert cause.detail == "The argument PYTHON_BASE_IMAGE names another base image."
        assert str(cause.old).startswith("python:3.12-slim@")
        assert str(cause.new).startswith("python:3.13-slim@")
    assert summary(build) == "11 ran: python:3.12-slim → python:3.13-slim"


# voice


async def test_voice_is_a_chain(example: Callable[..., Project], opened: Opens) -> None:
    project = example("voice", pace_ms=PACE_MS)
    live = await opened(project)
    build = await first(live)
    assert [(part.name, part.status) for part in build.parts] == [
        ("builder", Status.SUCCEEDED),
        ("app", Status.SUCCEEDED),
    ]
    before = await _code_rebuilds_app_alone(live, project)
    await _the_lock_file_rebuilds_both(live, project, before)


async def _code_rebuilds_app_alone(live: Live, project: Project) -> Build:
    add_line(project, "main.py")
    build = await explained(live, 2)
    assert missed(build) == {"app:app:6": "files-changed"}
    assert {part.name: part.note for part in build.parts}["builder"] == "as in build 1"
    assert {step.bake_target for step in build.steps if step.id in build.resting} == {"builder"}
    add_line(project, "plugins/pitch.py")
    build = await explained(live, 3)
    assert missed(build) == {"app:app:5": "files-changed", "app:app:6": "parent-missed app:app:5"}
    assert build.started is not None
    before = live.ended[1].started
    assert before is not None
    assert build.duration_s < (build.started - before).total_seconds(), "the time since the builder was built"
    return build


async def _the_lock_file_rebuilds_both(live: Live, project: Project, before: Build) -> None:
    replace(project, "uv.lock", 'version = "2.3.4"', 'version = "2.3.3"')
    waiting = await live.until(_foretold_while_waiting, "the app to wait for the builder, with its plan")
    planned = {step.id: step.planned for step in waiting.build.steps if step.bake_target == "app"}
    assert {planned["app:app:2"], planned["app:app:3"]} == {Planned.HIT}
    assert {planned[f"app:app:{number}"] for number in (4, 5, 6)} == {Planned.DEPENDS}
    build = await explained(live, 4)
    assert missed(build) == {
        "builder:builder:5": "files-changed",
        "builder:builder:6": "parent-missed builder:builder:5",
        "app:app:4": "base-image-changed",
        "app:app:5": "parent-missed app:app:4",
        "app:app:6": "parent-missed app:app:4",
    }
    cause = step_of(build, "app:app:4").cause
    assert cause
    assert cause.detail == "It copies from voice:latest-builder, which is another image now."
    old, new = (str(text).partition("@") for text in (cause.old, cause.new))
    assert old[0] == new[0] == "voice:latest-builder"
    assert len(new[2]) == 12
    assert old[2] != new[2]
    assert "another voice:latest-builder" in summary(build)
    assert not ill_planned(build)
    assert before.duration_s < build.duration_s


def _foretold_while_waiting(snap: Snapshot) -> bool:
    """Whether the app waits, the builder has something to do, and it is known what the app will do."""
    notes = {part.name: part.note for part in snap.build.parts}
    planned = [step.planned for step in snap.build.steps if step.bake_target == "app"]
    return notes.get("app") == "waiting for builder" and None not in planned


async def test_voice_without_its_builder_image(
    example: Callable[..., Project], opened: Opens, engine: PrivateEngine
) -> None:
    project = example("voice")
    live = await opened(project)
    await first(live)
    engine.docker("image", "rm", "--force", "voice:latest-builder")
    add_line(project, "main.py")
    build = await live.built(2, Status.FAILED)
    assert "voice:latest-builder" in build.wrong
    assert "the target builder makes it" in build.wrong
    assert build.advice.startswith("Build it first: `hitmiss build --target builder`")
    live.session.rebuild()
    build = await explained(live, 3)
    assert [part.status for part in build.parts] == [Status.SUCCEEDED, Status.SUCCEEDED]


async def test_voice_for_two_platforms(example: Callable[..., Project], opened: Opens, registry: Registry) -> None:
    project = example("voice")
    project.save("hitmiss.toml", project.read("hitmiss.toml").replace('"voice:', f'"{registry.host}/voice:'))
    live = await opened(project, platforms=("linux/amd64,linux/arm64",), push=True)
    build = await first(live)
    assert [stage.title for stage in build.stages if stage.bake_target == "app"] == [
        "builder · linux/amd64",
        "app · linux/amd64",
        "builder · linux/arm64",
        "app · linux/arm64",
    ]
    add_line(project, "main.py")
    build = await explained(live, 2)
    assert missed(build) == {f"app:linux/{machine}:app:6": "files-changed" for machine in ("amd64", "arm64")}
    assert {"voice"} <= set(registry.names())


# shop


async def test_shop_side_by_side(example: Callable[..., Project], opened: Opens) -> None:
    project = example("shop")
    live = await opened(project)
    build = await first(live)
    assert [part.name for part in build.parts] == ["backend", "frontend"]
    assert [stage.bake_target for stage in build.stages] == ["backend", "frontend"]
    for number, (name, line, expected) in enumerate(SHOP, 2):
        add_line(project, name, line)
        build = await explained(live, number)
        assert missed(build) == expected, name
        assert not ill_planned(build), name
        resting = {step.bake_target for step in build.steps if step.id in build.resting}
        assert resting == {"backend", "frontend"} - {next(iter(expected)).partition(":")[0]}
        assert live.snapshot.plan_s is not None
        assert live.snapshot.plan_s < live.ended[1].duration_s, "what the other image took is not this one's"


SHOP = [
    ("backend/src/app.py", "# changed", {"backend:stage-0:7": "files-changed"}),
    (
        "backend/config/products.toml",
        "# changed",
        {"backend:stage-0:6": "files-changed", "backend:stage-0:7": "parent-missed backend:stage-0:6"},
    ),
    ("frontend/src/page.js", "// changed", {"frontend:stage-0:6": "files-changed"}),
    (
        "frontend/config/shop.json",
        "",
        {"frontend:stage-0:5": "files-changed", "frontend:stage-0:6": "parent-missed frontend:stage-0:5"},
    ),
]
"""A file, the line it gets, and what runs for it."""


async def test_shop_before_it_was_split(example: Callable[..., Project], opened: Opens) -> None:
    project = example("shop")
    live = await opened(project, file="compose.before.yaml")
    await first(live)
    add_line(project, "backend/src/app.py")
    build = await explained(live, 2)
    assert missed(build) == {
        "shop:stage-0:4": "files-changed",
        "shop:stage-0:5": "parent-missed shop:stage-0:4",
        "shop:stage-0:6": "parent-missed shop:stage-0:4",
    }


async def test_one_target_of_several_can_be_chosen_and_all_again(
    example: Callable[..., Project], opened: Opens
) -> None:
    project = example("shop")
    live = await opened(project)
    await first(live)
    listed = {target.name: target.file for target in await live.session.targets()}
    assert list(listed) in (["all", "backend", "frontend"], ["default", "backend", "frontend"])
    assert listed["backend"] == "backend/Dockerfile.prod"
    live.session.set_target("frontend")
    build = await explained(live, 2)
    assert {step.bake_target for step in build.steps} == {"frontend"}
    live.session.set_target(next(iter(listed)))
    build = await explained(live, 3)
    assert [part.name for part in build.parts] == ["backend", "frontend"]
    assert live.snapshot.target == next(iter(listed))


# uvapp


async def test_uvapp_and_its_cache_mounts(example: Callable[..., Project], opened: Opens) -> None:
    project = example("uvapp")
    live = await opened(project)
    await first(live)
    snap = await live.until(lambda snap: snap.cache_mounts, "the cache to be measured")
    assert snap.cache_mounts
    held = snap.cache_mounts["/root/.cache/uv"]
    assert held > 0
    words = [text_of(line) for line in mounts(step_of(snap.build, "stage-0:5"), snap.cache_mounts)]
    assert [line.split()[:2] for line in words[1:]] == [
        ["cache", "/root/.cache/uv"],
        ["bind", "uv.lock"],
        ["bind", "pyproject.toml"],
    ]
    assert " kB, kept from build to build" in words[1]
    assert mounts(step_of(snap.build, "stage-0:6"), snap.cache_mounts) == ()
    add_line(project, "src/uvapp/__init__.py")
    build = await explained(live, 2)
    assert missed(build) == {"stage-0:6": "files-changed", "stage-0:7": "parent-missed stage-0:6"}
    replace(project, "uv.lock", 'version = "3.11"', 'version = "3.10"')
    build = await explained(live, 3)
    assert missed(build) == {
        "stage-0:5": "files-changed",
        "stage-0:6": "parent-missed stage-0:5",
        "stage-0:7": "parent-missed stage-0:5",
    }
    assert "~ uv.lock" in why(build, "stage-0:5")
    replace(project, "pyproject.toml", "description = ", "description =  ")
    assert missed(await explained(live, 4))["stage-0:5"] == "files-changed"


# poetry-ci


async def test_poetry_ci_comes_from_the_registry(
    example: Callable[..., Project],
    opened: Opens,
    engine: PrivateEngine,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_CREDENTIALS", "me:first")
    project = example("poetry-ci", registry=registry.host)
    live = await opened(project)
    build = await first(live)
    assert set(missed(build).values()) == {"first-build"}
    assert "poetry-ci" in registry.names()
    engine.empty_cache()
    live.session.rebuild()
    build = await explained(live, 2)
    assert missed(build) == {}
    imported = [step for step in build.steps if not step.instruction.startswith("FROM")]
    assert {step.note for step in imported} == {Note.IMPORTED}
    assert {step.planned for step in imported} == {Planned.DEPENDS}, "nobody knows what a registry has"
    assert "imported from an outside cache" in why(build, "build:build:5")
    sources = [work.instruction for work in build.internals if work.instruction.startswith("importing cache")]
    assert sorted(source.rpartition(":")[2] for source in sources) == ["build", "cache"]
    monkeypatch.setenv("PIP_INDEX_CREDENTIALS", "me:second")
    live.session.rebuild()
    build = await explained(live, 3)
    assert missed(build) == {}
    alarms = {step.id: step.alarm for step in build.steps if step.alarm}
    assert alarms == {
        "build:build:5": "The secret pip changed since build 1 ran this step: secrets are no part of the key."
    }


async def test_poetry_ci_on_a_builder_that_never_built_it(
    example: Callable[..., Project],
    opened: Opens,
    second_engine: PrivateEngine,
    engine: PrivateEngine,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = example("poetry-ci", registry=registry.host)
    live = await opened(project)
    await first(live)
    await live.session.close()
    engine.copy_images_to(second_engine, *examples.BASES["poetry-ci"])
    second_engine.empty_cache()
    use_engine(second_engine, monkeypatch)
    client.find_client.cache_clear()
    there = Project(examples.copy("poetry-ci", project.path.parent / "there", registry=registry.host))
    live = await opened(there)
    build = await explained(live, 1)
    assert missed(build) == {}
    imported = [step for step in build.steps if not step.instruction.startswith("FROM")]
    assert {step.note for step in imported} == {Note.IMPORTED}
    assert {step.planned for step in imported} == {Planned.DEPENDS}, "nobody knows what a registry has"


async def test_poetry_ci_with_credentials_as_an_argument(example: Callable[..., Project], opened: Opens) -> None:
    project = example("poetry-ci")
    for number, value in enumerate(("me:first", "me:second"), 1):
        live = await opened(project, file="Dockerfile.args", build_args=(f"PIP_INDEX_CREDENTIALS={value}",))
        build = await explained(live, number)
        await live.session.close()
    found = missed(build)
    assert found["build:2"] == "argument-changed"
    assert {found[f"build:{number}"] for number in range(3, 8)} == {"parent-missed build:2"}
    assert step_of(build, "build:2").cause.detail == "The argument PIP_INDEX_CREDENTIALS has another value."  # type: ignore[union-attr]
    assert "SecretsUsedInArgOrEnv" in build.checks[0].short
    assert any("PIP_INDEX_CREDENTIALS" in notice for notice in live.snapshot.notices)
    told = repr([step.cause for step in build.steps]) + repr(live.snapshot.notices) + live.session.command()
    assert "me:first" not in told
    assert "me:second" not in told
