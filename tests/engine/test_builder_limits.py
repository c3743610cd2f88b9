"""What is said before a build that a builder cannot do, held against what the engine then does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.docker import client
from hitmiss.docker.builders import BuilderInfo, builder_info
from hitmiss.docker.limits import limits
from hitmiss.settings import BuildOptions
from tests.conftest import use_engine
from tests.support.engine import NoEngineError, PrivateEngine
from tests.support.hitmiss import run
from tests.support.project import Project

pytestmark = pytest.mark.engine

PLAIN: list[dict[str, Any]] = [
    {},
    {"platforms": ("linux/amd64",)},
    {"load": True},
    {"cache_to": ("type=inline",)},
    {"outputs": ("type=image",)},
    {"outputs": ("type=docker",)},
    {"outputs": ("type=tar,dest=out.tar",)},
    {"outputs": ("out",)},
    {"outputs": ("type=tar,dest=out.tar", "type=local,dest=out")},
    {"outputs": ("type=cacheonly",)},
    {"provenance": "false"},
    {"cache_from": ("type=local,src=nowhere",)},
]
"""What every docker engine can do."""

STORE: list[dict[str, Any]] = [
    {"platforms": ("linux/amd64,linux/386",)},
    {"platforms": ("linux/amd64", "linux/386"), "load": True},
    {"cache_to": ("type=local,dest=cache",)},
    {"outputs": ("type=oci,dest=out.tar",)},
    {"outputs": ("type=docker,dest=out.tar",)},
    {"provenance": "mode=max"},
    {"attests": ("type=provenance,mode=min",)},
]
"""What takes the containerd image store."""

NEVER: list[dict[str, Any]] = [
    {"outputs": ("type=image,name=127.0.0.1:1/x,push=true,push-by-digest=true",)},
    {"platforms": ("linux/amd64,linux/386",), "outputs": ("type=docker,dest=out.tar",)},
    {"cache_to": ("type=s3,region=eu,bucket=b,access_key_id=k,secret_access_key=s",)},
]
"""What no docker engine can do."""


class OldEngine(PrivateEngine):
    """An engine without the containerd image store."""

    def _configure(self) -> None:
        super()._configure()
        path = self.folder / "daemon.json"
        config = json.loads(path.read_text())
        config["features"]["containerd-snapshotter"] = False
        config["storage-driver"] = "vfs"
        path.write_text(json.dumps(config))


@pytest.fixture(scope="module")
def old_engine() -> Iterator[PrivateEngine]:
    """An engine as those before Docker 29 were unless told otherwise; it has no images."""
    try:
        with OldEngine() as engine:
            yield engine
    except NoEngineError as error:
        pytest.fail(str(error), pytrace=False)


async def agree(project: Project, more: dict[str, Any], *, can: bool) -> None:
    """The engine does it, or not, and just that was said."""
    project.dockerfile("FROM scratch\nCOPY Dockerfile /\n")
    options = BuildOptions(**more)
    answer = await client.ask("build", *options.arguments(), cwd=project.path)
    info = await builder_info()
    said = [each for each in limits(info, options) if " runs no " not in each]
    assert (not answer.code) is can, answer.err
    assert (not said) is can, (said, info)
    assert all(each.count("\n") == 0 and each.endswith(".") and ":" in each for each in said)


@pytest.mark.parametrize("more", PLAIN + STORE, ids=str)
async def test_an_engine_with_the_image_store_can(
    engine_env: PrivateEngine, project: Project, more: dict[str, Any]
) -> None:
    await agree(project, more, can=True)


@pytest.mark.parametrize("more", NEVER, ids=str)
async def test_no_docker_engine_can(engine_env: PrivateEngine, project: Project, more: dict[str, Any]) -> None:
    await agree(project, more, can=False)


async def test_a_cache_that_no_docker_engine_reads(engine_env: PrivateEngine, project: Project) -> None:
    project.dockerfile("FROM scratch\nCOPY Dockerfile /\n")
    options = BuildOptions(cache_from=("type=s3,region=eu,bucket=b,access_key_id=k,secret_access_key=s",))
    answer = await client.ask("build", *options.arguments(), cwd=project.path)
    assert not answer.code, "the build goes on"
    assert "> importing cache manifest from s3" in answer.err, "the engine says it in its last lines, and no more"
    (said,) = limits(await builder_info(), options)
    assert said.startswith("default cannot read a cache of type=s3: ")


@pytest.mark.parametrize("more", PLAIN, ids=str)
async def test_an_engine_without_the_image_store_can(
    old_engine: PrivateEngine, project: Project, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    use_engine(old_engine, monkeypatch)
    await agree(project, more, can=True)


@pytest.mark.parametrize("more", STORE + NEVER, ids=str)
async def test_an_engine_without_the_image_store_cannot(
    old_engine: PrivateEngine, project: Project, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    use_engine(old_engine, monkeypatch)
    await agree(project, more, can=False)


async def test_the_image_store_is_known_without_a_docker_command_too(
    old_engine: PrivateEngine, engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each, has in ((engine, True), (old_engine, False)):
        with monkeypatch.context() as here:
            use_engine(each, here)
            assert (await builder_info()).image_store is has
            here.setenv("PATH", str(tmp_path))
            assert (await builder_info()).image_store is has


CONTAINER = BuilderInfo("box", "docker-container", ("linux/amd64", "linux/amd64/v2", "linux/arm64"), "running")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "box keeps what it builds to itself"),
        ({"load": True}, ""),
        ({"push": True, "tags": ("x",)}, ""),
        ({"outputs": ("out",)}, ""),
        ({"load": True, "cache_to": ("type=s3,bucket=b",)}, ""),
        ({"load": True, "platforms": ("linux/amd64,linux/arm64/v8",)}, "--load takes 2 platforms only into an engine"),
        ({"push": True, "platforms": ("linux/amd64,linux/arm64",)}, ""),
        ({"push": True, "platforms": ("linux/amd64,linux/s390x",)}, "box runs no linux/s390x"),
        ({"load": True, "add_hosts": ("me:host-gateway",)}, "box knows no host-gateway"),
    ],
    ids=str,
)
def test_a_buildkit_of_its_own(more: dict[str, Any], said: str) -> None:
    found = limits(CONTAINER, BuildOptions(**more))
    assert len(found) == bool(said), found
    assert said in "".join(found)


def test_nothing_is_said_of_a_builder_that_is_not_known_yet() -> None:
    assert limits(BuilderInfo("box"), BuildOptions(platforms=("linux/s390x",))) == ()


def test_it_is_said_on_stderr_before_the_build(
    old_engine: PrivateEngine, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(old_engine, monkeypatch)
    project.dockerfile("FROM scratch\nCOPY Dockerfile /\n")
    done = run("build", "--json", "--platform", "linux/amd64,linux/386", cwd=project.path)
    assert b"! default builds one platform at a time, and 2 are asked for: turn on" in done.stderr
    assert json.loads(done.stdout)["build"]["status"] == "failed"
    done = run("build", cwd=project.path)
    assert done.stderr == b""
