"""The builders as buildx lists them, and the one that is kept for each project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hitmiss.docker.builders import SNAPSHOTTER, BuilderInfo, parse_inspect
from hitmiss.docker.fleet import Fleet, Node, parse_list, recorded
from hitmiss.history.store import Store


def line(name: str, driver: str, *nodes: dict[str, Any], **more: Any) -> bytes:
    row = {"Current": False, "Driver": driver, "Dynamic": False, "Name": name, "Nodes": list(nodes), **more}
    return json.dumps(row).encode()


TEAM = line(
    "team",
    "kubernetes",
    {
        "Name": "team0",
        "Endpoint": "kubernetes:///team?deployment=a",
        "Status": "running",
        "Version": "v0.25.1",
        "Platforms": ["linux/amd64*", "linux/386"],
        "DriverOpts": {"default-load": "true"},
    },
    {"Name": "team1", "Status": "error", "Err": "pod [b]gone[/b]", "Platforms": ["linux/arm64"]},
)
DEAD = line(
    "away",
    "",
    {"Name": "", "Endpoint": ""},
    Err="Cannot connect to the Docker daemon at tcp://away:2375. Is the docker daemon running?",
)
ENGINE = line("default", "docker", {"Name": "default", "Endpoint": "default", "Labels": {SNAPSHOTTER: "overlayfs"}})


def test_a_builder_of_several_nodes_is_listed_once() -> None:
    default, away, team = parse_list(b"\n".join([TEAM, TEAM, DEAD, ENGINE]))
    assert team.nodes == (
        Node("team0", "kubernetes:///team?deployment=a", "running", ("linux/amd64", "linux/386")),
        Node("team1", "", "error", ("linux/arm64",), "pod [b]gone[/b]"),
    )
    assert team.info == BuilderInfo(
        "team",
        "kubernetes",
        ("linux/amd64", "linux/386", "linux/arm64"),
        "running",
        "pod [b]gone[/b]",
        "0.25.1",
        loads=True,
        several=True,
    )
    assert (default.context, default.info.image_store, default.info.several) == (True, True, False)
    assert (away.info.status, away.nodes) == ("error", ())
    assert away.info.error.startswith("No Docker engine answers on tcp://away:2375.")


def test_words_that_cannot_be_read() -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_list(b"NAME/NODE  DRIVER/ENDPOINT")


def test_the_options_of_a_builder_are_read_of_inspect_too() -> None:
    text = (
        "Name:   box\nDriver: docker-container\n\nNodes:\nName:     box0\nStatus: running\n"
        'Driver Options: default-load="true" image="x"\nPlatforms: linux/amd64\n\nName: box1\nStatus: stopped\n'
    )
    found = parse_inspect(text)
    assert (found.loads, found.several, found.status, found.image_store) == (True, True, "running", False)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's own folder of this test alone."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def test_what_files_say_needs_no_docker(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert [each.name for each in Fleet().known()] == ["default"]
    folder = files / "buildx/instances"
    folder.mkdir(parents=True)
    kept = {"Name": "Box", "Driver": "docker-container", "Nodes": [{"Name": "box0", "Endpoint": "unix:///x"}]}
    (folder / "box").write_text(json.dumps(kept))
    (folder / "broken").write_text("{")
    (folder / "list").write_text("[]")
    default, box = Fleet().known()
    assert (box.name, box.info.driver, box.nodes, box.context) == (
        "Box",
        "docker-container",
        (Node("box0", "unix:///x"),),
        False,
    )
    assert default.context
    assert recorded("Box").driver == "docker-container", "buildx keeps it in small letters"
    assert recorded("default").driver == "docker"
    assert recorded("nosuch").driver == recorded("").driver == recorded("broken").driver == ""


def test_a_builder_is_kept_for_each_project(tmp_path: Path) -> None:
    store = Store(tmp_path / "history.sqlite")
    assert store.builder(Path("/shop")) == ""
    store.remember_builder(Path("/shop"), "big")
    store.remember_target(Path("/shop"), "final")
    store.remember_builder(Path("/logs"), "far")
    store.close()
    again = Store(tmp_path / "history.sqlite")
    assert (again.builder(Path("/shop")), again.builder(Path("/logs"))) == ("big", "far")
    assert again.target(Path("/shop")) == "final"
    again.remember_builder(Path("/shop"), "")
    assert again.builder(Path("/shop")) == ""
    again.close()
