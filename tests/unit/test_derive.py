"""The operations from a Dockerfile's text: what changes them and what does not. The engine's own say is in
`tests/engine/test_operations.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from hitmiss.cache.derive import derive, image_names
from hitmiss.cache.operations import Image, Kind, Operation, Operations, Selected
from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import DockerfileError, parse
from hitmiss.project.operations import Question, full_name
from hitmiss.project.outline import steps_of

PATH = (("PATH", "/bin"),)


def asked(text: str, **more: Any) -> Question:
    return Question(parse(text), build_platform="linux/amd64", **more)


def of(text: str, images: Mapping[str, Image] | None = None, **more: Any) -> Operations:
    return derive(asked(text, **more), images=images)


def last(text: str, images: Mapping[str, Image] | None = None, **more: Any) -> Operation:
    found = of(text, images, **more)
    return found.all[found.steps[max(found.steps)]]


def actions(operation: Operation) -> list[dict[str, Any]]:
    return [value for each in json.loads(operation.value("actions")) for value in each["Action"].values()]


BASE = "FROM base\nENV A=1\nARG B=2\nRUN echo\nCOPY a b/ /c/\n"


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n" + BASE,
        BASE.replace("RUN", "LABEL x=y\nCMD true\nEXPOSE 80\nENTRYPOINT x\nRUN"),
        BASE.replace("RUN echo", "RUN --mount=type=cache,target=/k,id=x,sharing=locked echo"),
        BASE + "HEALTHCHECK NONE\nVOLUME /v\nSTOPSIGNAL TERM\nMAINTAINER me\n",
        BASE.replace("COPY a b/", "copy   ./a   b"),
    ],
)
def test_what_changes_no_operation(text: str) -> None:
    if "type=cache" in text:
        assert of(text).all == of(text.replace("id=x", "id=y").replace("locked", "private")).all
    else:
        assert of(text).all == of(BASE).all


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A=1", "A=2"),
        ("B=2", "B=3"),
        ("ENV A=1\nARG B=2", "ARG B=2\nENV A=1"),
        ("RUN echo", "RUN echo  x"),
        ("RUN echo", 'RUN ["echo"]'),
        ("RUN echo", "USER 1\nRUN echo"),
        ("RUN echo", "WORKDIR /w\nRUN echo"),
        ("RUN echo", 'SHELL ["/bin/x"]\nRUN echo'),
        ("RUN echo", "RUN --network=none echo"),
        ("RUN echo", "RUN --security=insecure echo"),
        ("RUN echo", "RUN --mount=type=secret,id=s echo"),
        ("RUN echo", "RUN --mount=type=cache,target=/k echo"),
        ("FROM base", "FROM other"),
    ],
)
def test_what_changes_a_run(old: str, new: str) -> None:
    def run(text: str) -> tuple[object, ...]:
        found = of(text)
        place = next(n for n, each in enumerate(found.all) if each.kind is Kind.EXEC)
        return found.all[: place + 1]

    assert run(BASE) != run(BASE.replace(old, new))
    assert of(BASE).all != of(BASE.replace(old, new)).all


def test_a_cache_mount_by_default_is_another_one_than_a_named_one() -> None:
    texts = [f"FROM base\nRUN --mount=type=cache,target=/k{more} echo\n" for more in ("", ",id=x", ",sharing=private")]
    plain, named, private = (last(text) for text in texts)
    assert plain != named == private


def test_inputs_count_by_key_or_by_content() -> None:
    found = of("FROM base AS a\nRUN echo\nFROM base\nRUN --mount=target=/t,source=src --mount=from=a,target=/r,rw x\n")
    run = found.all[found.steps["", "stage-1", 2]]
    by = {found.all[each.operation].kind: each.selected for each in run.inputs}
    assert by == {
        Kind.IMAGE: (),
        Kind.LOCAL: (Selected("/src", follow=True),),
        Kind.EXEC: (Selected("/"),),
    }


def test_sources_of_a_copy() -> None:
    found = last("FROM base\nCOPY --exclude=*.o b.txt src/ src/deep *.md /d/\n")
    assert found.inputs[1].selected == (
        Selected("/*.md", wildcards=True, exclude=("*.o",), follow=True),
        Selected("/b.txt", exclude=("*.o",), follow=True),
        Selected("/src", exclude=("*.o",), follow=True),
        Selected("/src/deep", exclude=("*.o",), follow=True),
    )
    assert [each["src"] for each in actions(found)] == ["b.txt", "src", "deep", "*.md"]
    # What lies under another source is selected with it.
    assert last("FROM base\nCOPY src/ src/deep /d/\n").inputs[1].selected == (Selected("/src", follow=True),)


def test_copy_with_parents() -> None:
    found = last("FROM base\nCOPY --parents a/./b/*.py c/d /x/\n")
    assert [each["include_patterns"] for each in actions(found)] == [["b/*.py"], ["c/d"]]
    assert [each.source for each in found.inputs[1].selected] == ["/", "/a"]


def test_a_link_stands_on_nothing() -> None:
    found = of("FROM base\nRUN echo\nCOPY --link a /b\nRUN true\n")
    copied = found.all[found.steps["", "stage-0", 3]]
    merged = found.all[found.all[found.steps["", "stage-0", 4]].inputs[0].operation]
    assert [found.all[each.operation].kind for each in copied.inputs] == [Kind.LOCAL]
    assert merged.kind is Kind.MERGE
    assert [each.operation for each in merged.inputs] == [found.steps["", "stage-0", 2], found.steps["", "stage-0", 3]]


def test_what_only_the_base_knows_stands_as_written() -> None:
    text = "FROM base\nENV A=$B/x\nWORKDIR app\nCOPY $A ./y\nRUN echo $A\n"
    found = of(text)
    run = found.all[found.steps["", "stage-0", 4]]
    assert run.environment == {"A": "$B/x"}
    assert run.value("cwd") == "app"
    assert found == of(text)
    assert found != of(text.replace("WORKDIR app", "WORKDIR /app"))
    assert last(text) != last(text.replace("$B/x", "$B/y"))
    copied = found.all[found.steps["", "stage-0", 3]]
    assert copied.inputs[1].selected[0].source == "/$B/x"
    assert "PATH" not in run.environment


def test_a_known_base() -> None:
    image = Image("sha256:1", True, (*PATH, ("B", "b")), "/opt", "me", ("/bin/dash", "-c"), ("RUN on",))
    found = of("FROM base AS x\nENV A=$B/x\nCOPY $A y\nRUN echo $A\n", {"base": image})
    assert list(found.steps) == [("", "x", 1), ("", "x", 2), ("", "x", 3), ("", "x", 4)]
    run = found.all[found.steps["", "x", 4]]
    assert run.environment == {"PATH": "/bin", "B": "b", "A": "b/x"}
    assert json.loads(run.value("args")) == ["/bin/dash", "-c", "echo $A"]
    assert (run.value("cwd"), run.value("user")) == ("/opt", "me")
    (copied,) = actions(found.all[found.steps["", "x", 3]])
    assert (copied["src"], copied["dest"]) == ("x", "/opt/y")
    assert found.all[0] == Operation(Kind.IMAGE, (("identity", "sha256:1"),), (), "linux/amd64")


def test_an_unknown_base_is_its_full_name() -> None:
    assert of("FROM base\n").all[0].value("identity") == "docker.io/library/base:latest"
    assert of("FROM base\n", {"base": Image("sha256:2")}).all[0].value("identity") == "sha256:2"


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("node", "docker.io/library/node:latest"),
        ("node:24@sha256:1", "docker.io/library/node:24@sha256:1"),
        ("docker.io/node:24", "docker.io/library/node:24"),
        ("index.docker.io/node", "docker.io/library/node:latest"),
        ("docker.io/grafana/loki", "docker.io/grafana/loki:latest"),
        ("grafana/loki", "docker.io/grafana/loki:latest"),
        ("localhost/own", "localhost/own:latest"),
        ("localhost:5000/own:1", "localhost:5000/own:1"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("Own/image", "Own/image:latest"),
    ],
)
def test_full_names_of_images(written: str, full: str) -> None:
    assert full_name(written) == full


def test_proxies_do_not_count_unless_declared() -> None:
    text = "FROM base\nRUN echo\n"
    proxy = {"HTTP_PROXY": "x"}
    assert of(text, build_args=proxy) == of(text)
    assert last("FROM base\nARG HTTP_PROXY\nRUN echo\n", build_args=proxy).environment == proxy


def test_fetched_sources() -> None:
    found = of("FROM base\nADD --keep-git-dir=true git@github.com:a/b.git#v1:sub https://x.y/z/f.tgz?q=1 /d/\n")
    sources = [each.own for each in found.all if each.kind is Kind.REMOTE]
    assert sources == [
        (("git.keepgitdir", "true"), ("identity", "git://github.com/a/b.git#v1:sub")),
        (("http.filename", "f.tgz"), ("identity", "https://x.y/z/f.tgz?q=1")),
    ]


@pytest.mark.parametrize(
    ("chown", "user", "group"),
    [
        ("5", {"byId": 5}, None),
        ("me", {"byName": {"name": "me"}}, None),
        ("me:7", {"byName": {"name": "me"}}, {"byId": 7}),
        (":7", {}, {"byId": 7}),
        ("0:root", {}, {}),
    ],
)
def test_owners(chown: str, user: object, group: object) -> None:
    (copied,) = actions(last(f"FROM base\nCOPY --chown={chown} a /b\n"))
    owner = {"user": {"User": user}} | ({} if group is None else {"group": {"User": group}})
    assert copied["owner"] == owner


def test_platforms() -> None:
    text = "FROM --platform=$BUILDPLATFORM base AS b\nCOPY a /\nFROM base\nCOPY --from=b /a /\nRUN echo\n"
    found = derive(asked(text), ("linux/amd64", "linux/arm64/v8"))
    assert {platform for platform, _, _ in found.steps} == {"linux/amd64", "linux/arm64"}
    assert [each.platform for each in found.all if each.kind is Kind.EXEC] == ["linux/amd64", "linux/arm64"]


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        "FROM base AS a\nRUN x\nFROM base AS b\nRUN x\nRUN y\nFROM a\nCOPY --from=b / /\n",
        "FROM scratch\nWORKDIR /\nCOPY a /\nWORKDIR /x\n",
        "FROM base AS a\nONBUILD RUN x\nFROM a\nRUN y\n",
    ],
)
@pytest.mark.parametrize("platforms", [(), ("linux/amd64", "linux/arm64")])
def test_every_step_of_the_outline_is_there(text: str, platforms: tuple[str, ...]) -> None:
    found = derive(asked(text), platforms)
    stages = steps_of(parse(text), platforms=platforms, build_platform="linux/amd64")
    steps = {(step.platform, step.stage, step.index) for stage in stages for step in stage.steps}
    assert steps <= set(found.steps)


def test_image_names() -> None:
    question = asked(
        "ARG T=3\nFROM a:$T AS x\nFROM unused\nFROM img AS y\nFROM dir AS z\nCOPY --from=b /1 /\n"
        "FROM scratch\nCOPY --from=x /1 /\nCOPY --from=y /2 /\nCOPY --from=z /3 /\nRUN --mount=from=c,target=/c true\n",
        contexts={"img": "docker-image://d", "dir": "folder"},
    )
    assert sorted(image_names(question)) == ["a:3", "b", "c", "d"]


def test_what_is_refused() -> None:
    with pytest.raises(UsageError):
        of(BASE, target="none")
    with pytest.raises(DockerfileError):
        of("FROM base\nCOPY ${a /b\n")


def test_it_is_fast() -> None:
    lines = "".join(f"COPY --chown=1 s{n} /d/$A/\nRUN --mount=type=cache,target=/c echo {n}\n" for n in range(100))
    question = asked(f"FROM base\nENV A=1\n{lines}")
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        derive(question)
        best = min(best, time.perf_counter() - began)
    assert best < 0.2
