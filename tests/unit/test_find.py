"""What of a folder can be built, by the names of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hitmiss.project.find import Kind, Source, find, kind_of


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def shown(ways: tuple[Source, ...], folder: Path) -> dict[Kind, list[str]]:
    return {way.kind: [path.relative_to(folder).as_posix() for path in way.files] for way in ways}


def test_bake_comes_before_compose_and_both_before_a_dockerfile(tmp_path: Path) -> None:
    filled(tmp_path, "Dockerfile", "compose.yaml", "docker-bake.hcl", "docker-bake.override.hcl", ".env")
    ways = find(tmp_path)
    assert [way.kind for way in ways] == [Kind.BAKE, Kind.COMPOSE, Kind.DOCKERFILE]
    assert shown(ways, tmp_path)[Kind.BAKE] == ["docker-bake.hcl", "docker-bake.override.hcl", "compose.yaml"]
    assert all(way.given is None for way in ways)


def test_compose_takes_the_first_name_and_all_overrides(tmp_path: Path) -> None:
    filled(tmp_path, "docker-compose.yml", "compose.yml", "compose.override.yaml")
    assert shown(find(tmp_path), tmp_path) == {Kind.COMPOSE: ["compose.yml", "compose.override.yaml"]}


def test_an_override_alone_is_nothing(tmp_path: Path) -> None:
    assert find(filled(tmp_path, "compose.override.yaml", ".env")) == ()
    assert find(tmp_path / "missing") == ()


def test_files_that_may_come_are_watched_too(tmp_path: Path) -> None:
    filled(tmp_path, "compose.yaml", "common.yaml", "more.env", "data.json", "sub/other.yaml")
    (way,) = find(tmp_path)
    watched = {path.relative_to(tmp_path).as_posix() for path in way.watched}
    assert {"compose.yaml", "compose.override.yaml", ".env", "common.yaml", "more.env"} <= watched
    assert not {"data.json", "sub/other.yaml"} & watched


@pytest.mark.parametrize(
    ("text", "environment", "files"),
    [
        ("COMPOSE_FILE=a.yaml:sub/b.yaml\n", {}, ["a.yaml", "sub/b.yaml"]),
        ('export COMPOSE_FILE="a.yaml,b.yaml"\nCOMPOSE_PATH_SEPARATOR=,\n', {}, ["a.yaml", "b.yaml"]),
        ("COMPOSE_FILE=a.yaml\n", {"COMPOSE_FILE": "c.yaml"}, ["c.yaml"]),
        ("# COMPOSE_FILE=a.yaml\nOTHER=1\n", {}, ["compose.yaml", "compose.override.yml"]),
    ],
)
def test_compose_files_by_name(text: str, environment: dict[str, str], files: list[str], tmp_path: Path) -> None:
    filled(tmp_path, "compose.yaml", "compose.override.yml", "a.yaml")
    (tmp_path / ".env").write_text(text)
    (way,) = find(tmp_path, environment=environment)
    assert shown((way,), tmp_path) == {Kind.COMPOSE: files}
    assert set(way.files) <= set(way.watched)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("docker-bake.HCL", Kind.BAKE),
        ("x/bake.json", Kind.BAKE),
        ("prod.yml", Kind.COMPOSE),
        ("Dockerfile", Kind.DOCKERFILE),
        ("Dockerfile.yaml.j2", Kind.DOCKERFILE),
        ("-", Kind.DOCKERFILE),
    ],
)
def test_what_kind_of_file_a_name_is_of(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


def test_a_file_that_is_given(tmp_path: Path) -> None:
    filled(tmp_path, "docker-bake.hcl", "deploy/prod.yaml")
    (way,) = find(tmp_path, "deploy/prod.yaml")
    assert (way.kind, way.given) == (Kind.COMPOSE, tmp_path / "deploy/prod.yaml")
    assert tmp_path / "deploy/.env" in way.watched
