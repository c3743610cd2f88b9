"""A project read from disk: which steps it announces, and what is said of one that cannot be built."""

from pathlib import Path
from typing import Any

import pytest

from hitmiss.build.model import Expected, Place
from hitmiss.errors import UsageError
from hitmiss.project.definition import Definition, announce, load
from hitmiss.project.dockerfile import parse
from hitmiss.settings import BuildOptions
from tests.support.project import Project

TWO_STAGES = "ARG BASE=busybox\nFROM $BASE AS Build\nRUN echo $BASE\n\nFROM scratch\nCOPY --from=build \\\n  /x /\n"


def read(project: Project, *, environment: dict[str, str] | None = None, **options: Any) -> Definition:
    return load(BuildOptions(**options), cwd=project.path, environment=environment or {})


def test_steps_with_their_places(project: Project) -> None:
    project.write("Dockerfile", TWO_STAGES)
    found = read(project)
    assert found.expected == (
        Expected(
            "build",
            1,
            2,
            "FROM $BASE",
            Place("Dockerfile", 2, 2),
            text="FROM $BASE AS Build",
            shown="FROM docker.io/library/busybox:latest",
        ),
        Expected("build", 2, 2, "RUN echo $BASE", Place("Dockerfile", 3, 3), text="RUN echo $BASE"),
        Expected(
            "stage-1", 1, 1, "COPY --from=build   /x /", Place("Dockerfile", 6, 7), text="COPY --from=build   /x /"
        ),
    )
    assert (found.name, found.text, found.target, found.targets) == ("Dockerfile", TWO_STAGES, "stage-1", ("build",))
    assert (found.error, found.error_line) == ("", 0)


def test_a_target_in_any_case(project: Project) -> None:
    project.write("Dockerfile", TWO_STAGES)
    found = read(project, target="BUILD")
    assert (found.target, [each.stage for each in found.expected]) == ("build", ["build", "build"])


@pytest.mark.parametrize("target", ["nope", "0", "stage-1"])
def test_a_target_that_is_none(target: str, project: Project) -> None:
    project.write("Dockerfile", TWO_STAGES)
    found = read(project, target=target)
    assert found.error == f"There is no stage '{target}' in the Dockerfile. Its stages: build."
    assert (found.target, found.expected, found.error_line) == (target, (), 0)
    assert found.reach.reads("", "anything"), "whatever is saved may mend it"


def test_a_dockerfile_that_does_not_parse(project: Project) -> None:
    project.write("Dockerfile", "FROM busybox\nRUN true\nRUNN x\n")
    found = read(project)
    assert found.error_line == 3
    assert "RUNN" in found.error
    assert found.expected == ()
    assert found.reach.reads("", "anything")
    assert found.text == "FROM busybox\nRUN true\nRUNN x\n"


def test_bytes_that_are_not_utf8(project: Project) -> None:
    project.write("Dockerfile", b"FROM busybox\nRUN echo \xff\n")
    assert read(project).expected[1].instruction == "RUN echo �"


def test_another_dockerfile(project: Project) -> None:
    project.write("docker/Dockerfile.dev", "FROM busybox AS dev\nRUN true\n")
    found = read(project, file="docker/Dockerfile.dev")
    assert found.name == "Dockerfile.dev"
    assert found.expected[0].place == Place("Dockerfile.dev", 1, 1)


def test_a_dockerfile_that_stands_in_no_file(project: Project) -> None:
    project.write("Dockerfile", "FROM alpine\n")
    found = load(BuildOptions(), cwd=project.path, environment={}, inline="FROM busybox\nRUN true\n")
    assert found.name == "inline"
    assert found.expected[1].place == Place("inline", 2, 2)


def test_build_arguments_decide(project: Project) -> None:
    project.write(
        "Dockerfile", "ARG KIND=a\nFROM busybox AS a\nRUN in-a\nFROM busybox AS b\nRUN in-b\nFROM $KIND\nRUN x\n"
    )
    stages = {stage for stage, *_ in map(key, read(project, build_args=("KIND",), environment={"KIND": "b"}).expected)}
    assert stages == {"b", "stage-2"}


def key(each: Expected) -> tuple[str, int]:
    return each.stage, each.index


def test_several_platforms(project: Project) -> None:
    text = "FROM --platform=$BUILDPLATFORM busybox AS b\nRUN true\nFROM busybox\nCOPY --from=b / /\n"
    project.write("Dockerfile", text)
    found = load(
        BuildOptions(platforms=("linux/arm64,linux/amd64",)), cwd=project.path, environment={}, platform="linux/amd64"
    )
    assert [(each.platform, *key(each)) for each in found.expected] == [
        ("linux/amd64", "b", 1),
        ("linux/amd64", "b", 2),
        ("linux/arm64", "stage-1", 1),
        ("linux/arm64", "stage-1", 2),
        ("linux/amd64", "stage-1", 2),
    ]


def test_stages_come_in_the_order_of_their_dependencies() -> None:
    text = "FROM busybox AS a\nRUN a\nFROM scratch AS b\nCOPY x /\nFROM b AS c\nCOPY --from=a / /\n"
    assert list(dict.fromkeys(each.stage for each in announce(parse(text), "Dockerfile"))) == ["a", "b", "c"]


def test_a_from_is_shown_without_its_name() -> None:
    text = "FROM --platform=linux/arm64 busybox:1 As x\nRUN true\nFROM x AS y\nRUN y\n"
    assert announce(parse(text), "Dockerfile")[0].instruction == "FROM --platform=linux/arm64 busybox:1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Dockerfile"),
        ({"file": "other"}, "other"),
        ({"context": "missing"}, "The build context missing does not exist."),
        ({"build_contexts": ("a=missing",)}, "The build context a=missing does not exist."),
    ],
)
def test_what_is_not_there(options: dict[str, Any], said: str, project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        read(project, **options)
    assert said in str(caught.value)


def test_a_dockerfile_that_is_a_folder(project: Project) -> None:
    (project.path / "Dockerfile").mkdir()
    with pytest.raises(UsageError, match="Dockerfile"):
        read(project)


def test_what_is_not_on_disk(project: Project) -> None:
    elsewhere: list[dict[str, Any]] = [{"context": "-"}, {"context": "https://example.com/x.git"}, {"file": "-"}]
    for options in elsewhere:
        found = read(project, **options)
        assert (found.name, found.text, found.expected, found.error) == ("Dockerfile", "", (), "")
        assert found.contexts.dockerfile is None


def test_what_a_target_reads(project: Project) -> None:
    project.write("Dockerfile", "FROM busybox AS a\nCOPY src /src\nFROM busybox AS b\nCOPY doc /doc\n")
    for name in ("src/x", "doc/x"):
        project.write(name)
    assert [read(project, target="a").reach.reads("", path) for path in ("src/x", "doc/x")] == [True, False]
    assert [read(project).reach.reads("", path) for path in ("src/x", "doc/x")] == [False, True]


def test_an_absolute_dockerfile_elsewhere(project: Project, tmp_path: Path) -> None:
    (tmp_path / "Elsewhere").write_text("FROM busybox\nRUN true\n")
    found = read(project, file=str(tmp_path / "Elsewhere"))
    assert (found.name, len(found.expected)) == ("Elsewhere", 2)
