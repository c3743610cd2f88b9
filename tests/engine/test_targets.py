"""The list of targets, as BuildKit gives it, and what is said when it gives none."""

from __future__ import annotations

import pytest

from hitmiss.docker import client
from hitmiss.docker.targets import Target, targets
from hitmiss.errors import EngineError, HitmissError, UsageError
from hitmiss.settings import BuildOptions
from tests.support.engine import PrivateEngine
from tests.support.project import Project

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

STAGES = """
    ARG BASE=busybox
    # deps what all others need
    # and a second line
    FROM $BASE AS deps
    RUN true

    # not about it: [bold]markup[/]
    FROM deps AS dev
    FROM --platform=linux/arm64 scratch AS cross
    FROM scratch
    FROM scratch AS final
    COPY --from=dev /etc /etc
"""


async def test_targets_in_their_order(project: Project) -> None:
    project.dockerfile(STAGES)
    assert await targets(BuildOptions(), project.path) == (
        Target("deps", base="$BASE", description="what all others need", line=4),
        Target("dev", base="deps", line=8),
        Target("cross", base="scratch", line=9, platform="linux/arm64"),
        Target("final", default=True, base="scratch", line=11),
    )


async def test_of_the_stages_without_a_name_only_the_last_is_a_target(project: Project, engine: PrivateEngine) -> None:
    project.dockerfile("FROM busybox AS a\nFROM busybox\nRUN false\nFROM scratch\nCOPY Dockerfile /in-the-last\n")
    listed = await targets(BuildOptions(), project.path)
    assert [(each.name, each.default) for each in listed] == [("a", False), ("", True)]
    assert (
        "in-the-last" in engine.build(project.path, *[f"--target={name}" for name in [listed[1].name] if name]).stderr
    )


async def test_another_file_and_another_context(project: Project) -> None:
    project.dockerfile(STAGES, "docker/Other")
    for options in (BuildOptions(file="docker/Other"), BuildOptions(context="docker", file="docker/Other")):
        assert len(await targets(options, project.path)) == 4


async def test_options_that_are_only_for_builds_do_not_matter(project: Project) -> None:
    project.dockerfile(STAGES)
    options = BuildOptions(
        target="nosuch", push=True, no_cache=True, secrets=("id=x,src=/nowhere",), outputs=("type=local,dest=out",)
    )
    assert len(await targets(options, project.path)) == 4
    assert not (project / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM busybox\nFORM x\n", "Dockerfile:2 does not parse: unknown instruction: FORM"),
        ("RUN true\n", "Dockerfile has no FROM"),
        ("# nothing\n", "Dockerfile has no FROM"),
        ("", "Dockerfile has no FROM"),
        ("FROM busybox AS a\nCOPY\n", "Dockerfile:2 does not parse"),
    ],
)
async def test_a_dockerfile_that_does_not_parse(project: Project, text: str, words: str) -> None:
    project.write("Dockerfile", text)
    with pytest.raises(UsageError) as caught:
        await targets(BuildOptions(), project.path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_bytes_that_are_not_utf8(project: Project) -> None:
    project.write("Dockerfile", b"FROM busybox AS \xff\xfe\n")
    with pytest.raises(HitmissError, match="Dockerfile:1"):
        await targets(BuildOptions(), project.path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BuildOptions(), "There is no Dockerfile."),
        (BuildOptions(file="Nofile"), "There is no Nofile."),
        (BuildOptions(context="sub"), "There is no Dockerfile in sub."),
        (BuildOptions(context="gone"), "There is no folder gone."),
        (BuildOptions(context="-"), "standard input"),
        (BuildOptions(file="-"), "standard input"),
    ],
)
async def test_what_is_not_there_is_named(project: Project, options: BuildOptions, words: str) -> None:
    (project / "sub").mkdir()
    with pytest.raises(UsageError) as caught:
        await targets(options, project.path)
    assert words in str(caught.value)


async def test_no_engine(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.dockerfile(STAGES)
    monkeypatch.setenv("DOCKER_HOST", "unix:///tmp/no-engine-here.sock")
    with pytest.raises(EngineError, match="No Docker engine answers"):
        await targets(BuildOptions(), project.path)


async def test_an_answer_that_cannot_be_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_: object, **__: object) -> client.Answer:
        return client.Answer(0, b"<html>", "")

    monkeypatch.setattr(client, "ask", ask)
    with pytest.raises(HitmissError, match="cannot read"):
        await targets(BuildOptions(), project.path)
