"""Reading provenance: documents in, operations out. What real engines write is in `tests/engine/test_operations.py`."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hitmiss.cache.llb import from_provenance, read
from hitmiss.cache.operations import Image, Input, Kind, Operation, Selected

IMAGE = {
    "Op": {"source": {"identifier": "docker-image://docker.io/library/base:latest@sha256:d", "attrs": {"x": "y"}}},
    "platform": {"OS": "linux", "Architecture": "arm64", "Variant": "v8"},
}
CONTEXT = {"Op": {"source": {"identifier": "local://context", "attrs": {"local.followpaths": "[]"}}}}
META = {"args": ["/bin/sh", "-c", "x"], "env": ["B=2", "A=1=1"], "cwd": "/"}
RUN = {"Op": {"exec": {"meta": META, "mounts": [{"dest": "/"}]}}, "platform": IMAGE["platform"]}
COPY = {
    "Op": {
        "file": {"actions": [{"input": 0, "secondaryInput": 1, "Action": {"copy": {"src": "/s/a*", "dest": "/",
                                                                              "allowWildcard": True}}}]}
    }
}  # fmt: skip


def document(*steps: tuple[dict[str, Any], list[int]], new: bool = False) -> bytes:
    listed = [
        {"id": f"step{number}", "op": op, "inputs": [f"step{each}:0" for each in inputs]}
        for number, (op, inputs) in enumerate([*steps, ({"Op": {}}, [len(steps) - 1])])
    ]
    config = {"llbDefinition": listed, "digestMapping": {f"sha256:{each['id']}": each["id"] for each in listed}}
    source = {"source": {"infos": [{"language": "Dockerfile", "data": base64.b64encode(b"FROM base\n").decode()}]}}
    if new:
        return json.dumps({
            "buildDefinition": {"internalParameters": {"buildConfig": config}},
            "runDetails": {"metadata": {"buildkit_metadata": source}},
        }).encode()  # fmt: skip
    key = "https://mobyproject.org/buildkit@v1#metadata"
    return json.dumps({"buildConfig": config, "metadata": {key: source}}).encode()


@pytest.mark.parametrize("new", [False, True])
def test_a_build(new: bool) -> None:
    text = document((IMAGE, []), (RUN, [0]), (CONTEXT, []), (COPY, [1, 2]), new=new)
    found = read(text, {"sha256:step1": ("", "s", 2), "sha256:step3": ("", "s", 3), "sha256:other": ("", "s", 4)})
    image, run, context, copy = found.operations.all
    assert image == Operation(Kind.IMAGE, (("identity", "sha256:d"),), (), "linux/arm64")
    assert run.environment == {"A": "1=1", "B": "2"}
    assert (run.value("order"), run.value("mounts"), run.platform) == ("B A", "", "linux/arm64")
    assert context == Operation(Kind.LOCAL, (("name", ""),))
    assert copy.inputs == (Input(1), Input(2, (Selected("/s/a*", wildcards=True),)))
    assert found.operations.steps == {("", "s", 2): 1, ("", "s", 3): 3}
    assert found.images == {"docker.io/library/base:latest": "sha256:d"}
    assert found.dockerfile == "FROM base\n"


def test_an_image_that_is_known_stands_with_its_identity() -> None:
    text = document((IMAGE, []))
    same, moved = Image("id", digest="sha256:d"), Image("id", digest="sha256:e")
    assert from_provenance(text, images={"base": same}).all[0].value("identity") == "id"
    assert from_provenance(text, images={"base": moved}).all[0].value("identity") == "sha256:d"


def test_several_platforms_come_together() -> None:
    other = {**IMAGE, "platform": {"OS": "linux", "Architecture": "amd64"}}
    found = read([document((CONTEXT, []), (IMAGE, [])), document((CONTEXT, []), (other, []))])
    assert [each.kind for each in found.operations.all] == [Kind.LOCAL, Kind.IMAGE, Kind.IMAGE]


def test_of_two_vertices_of_one_step_the_later_one_is_meant() -> None:
    steps = {"sha256:step2": ("", "s", 1), "sha256:step1": ("", "s", 1)}
    assert from_provenance(document((IMAGE, []), (CONTEXT, []), (COPY, [0, 1])), steps).steps == {("", "s", 1): 2}


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"buildConfig": {"llbDefinition": [{}]}}', b"null"])
def test_what_is_no_provenance(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(text)


def test_an_operation_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="diff"):
        read(document(({"Op": {"diff": {}}}, [])))
