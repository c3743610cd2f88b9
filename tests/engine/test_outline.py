"""The outline of a Dockerfile against the names that the engine gives its steps: numbers, stages, texts."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from dataclasses import dataclass, field
from typing import Any

import pytest

from hitmiss.project.dockerfile import DockerfileError, parse
from hitmiss.project.outline import StageOutline, StepOutline, steps_of

pytestmark = pytest.mark.engine

FILES = {"a.txt": "a", "src/main.py": "m", "src/deep/x.py": "x", "other/b.txt": "b"}


WORDS = int(os.environ.get("HITMISS_WORDS", "200"))
"""Random words that are compared; a hundred in one build."""
WORD_PIECES = (
    *(
        "a",
        "b",
        ".",
        "/",
        " ",
        "$A",
        "${A}",
        "$B",
        "$E",
        "$U",
        "${U}",
        "$G",
        "${A:-x}",
        "${U:-x}",
        "${U-$A}",
        "${E:-x}",
        "${E-x}",
    ),
    *(
        "${A:+y}",
        "${U:+y}",
        "${E+y}",
        "${A%.*}",
        "${A%%.*}",
        "${A#*.}",
        "${A##*.}",
        "${A#?}",
        "${A%z}",
        "${A/o/0}",
        "${A//o/0}",
    ),
    *(
        "${A/tar/$B}",
        "${A//?a/x}",
        "${A/\\*/q}",
        "${D:-${U:-z}}",
        "${A:?no}",
        '"',
        "'",
        "\\",
        '\\"',
        "\\$A",
        '"$B"',
        "'$B'",
    ),
    *(
        '"\\$A"',
        '"a b"',
        "$",
        "$$",
        "$1",
        "$@",
        "<",
        "<<",
        "é",
        "${A}${B}",
        "$A_",
        "${A#fo*o}",
        "${A%.*r.*}",
        "{",
        "}",
        ":-",
    ),
)


@dataclass(frozen=True)
class Case:
    """A Dockerfile and the options to build it with."""

    name: str
    text: str
    target: str = ""
    args: dict[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    contexts: dict[str, str] = field(default_factory=dict)
    triggers: dict[str, tuple[str, ...]] = field(default_factory=dict)


CASES = (
    Case("one stage", "FROM busybox\nRUN true\nCOPY . /x\n"),
    Case("one named stage has no name", "FROM busybox AS only\nRUN echo 1\n"),
    Case("a mount makes the one stage named", "FROM busybox\nRUN --mount=type=cache,target=/c echo 2\n"),
    Case("copy from an image makes it named", "FROM busybox\nCOPY --from=busybox /bin/sh /s\nRUN echo 3\n"),
    Case("scratch does not count", "FROM scratch\nCOPY a.txt /\nCOPY src /src\n"),
    Case(
        "from a stage does not count",
        "FROM busybox AS base\nRUN echo 4\nFROM base AS dev\nRUN echo 5\nFROM base\nCOPY --from=dev /etc /e\n",
    ),
    Case(
        "settings are no steps",
        "FROM busybox AS b\nENV A=1 B=2\nLABEL x=y\nARG Q\nUSER root\nEXPOSE 80\nVOLUME /v\nSTOPSIGNAL TERM\n"
        'SHELL ["/bin/sh", "-c"]\nHEALTHCHECK NONE\nONBUILD LABEL z=1\nMAINTAINER me\nRUN echo 6\n'
        'CMD x\nENTRYPOINT ["y"]\n'
        "FROM b\nCOPY a.txt /\n",
    ),
    Case("workdir", "FROM busybox AS w\nWORKDIR /app\nWORKDIR sub\nRUN pwd\nFROM scratch\nCOPY --from=w /app /\n"),
    Case(
        "workdir of the root is counted, not shown", "FROM busybox\nWORKDIR /\nRUN echo 7\nWORKDIR /a/..\nRUN echo 8\n"
    ),
    Case("unused stages", "FROM busybox AS no\nRUN false\nFROM busybox AS yes\nRUN true\nFROM yes\nRUN echo 9\n"),
    Case("target", "FROM busybox AS a\nRUN echo 10\nFROM a AS b\nRUN echo 11\nFROM b AS c\nRUN false\n", target="b"),
    Case("target in capitals", "FROM busybox AS a\nRUN echo 12\nFROM a AS c\nRUN false\n", target="A"),
    Case("copy from an index", "FROM busybox\nRUN echo 13 >/13\nFROM scratch\nCOPY --from=0 /13 /\n"),
    Case(
        "a mount from a stage",
        "FROM busybox AS tools\nRUN echo 14\nFROM busybox\nRUN --mount=from=tools,target=/t ls /t\n",
    ),
    Case("a mount from an image", "FROM busybox\nRUN --mount=type=bind,from=busybox,source=/bin,target=/t ls /t\n"),
    Case("a bind mount", "FROM busybox\nRUN --mount=target=/t,source=src ls /t\n"),
    Case("arg in from", "ARG TAG=none\nARG B=busybox\nFROM ${B}:$TAG AS x\nRUN echo 15\n", args={"TAG": "latest"}),
    Case("copy link", "FROM busybox AS l\nCOPY --link a.txt /l/\nRUN echo 16\nFROM l\nCOPY --link --from=l /l /m\n"),
    Case(
        "heredocs",
        "FROM busybox AS h\nRUN <<EOF\necho one\necho two\nEOF\nCOPY <<one <<-'two' /h/\n1\none\n\t2\n\ttwo\n"
        "RUN <<E\n  echo only\nE\nRUN cat <<A >/a && cat <<B >/b\n1\nA\n2\nB\nFROM h\nRUN echo 17\n",
    ),
    Case("heredoc with a shebang", "FROM busybox AS h\nRUN <<EOF\n#!/bin/sh\necho 18\nEOF\nFROM h\nRUN echo 18\n"),
    Case("several sources", "FROM scratch AS s\nCOPY a.txt src/main.py other/*.txt /d/\nFROM s\nADD src other /e/\n"),
    Case("json form", 'FROM busybox AS j\nRUN ["echo", "a b"]\nCOPY ["a.txt", "/a b/"]\nFROM j\nRUN echo 19\n'),
    Case("lower case", "from busybox as low\nrun echo 20\ncopy a.txt /\nworkdir /w\nfrom low\nrun echo 21\n"),
    Case(
        "continuations and comments",
        "# a comment\nFROM busybox AS c\nRUN echo 22 && \\\n    # inside\n    echo 23 \\\n\n    ; true\n"
        "FROM c\nCOPY \\\n  a.txt \\\n  /x\n",
    ),
    Case("escape directive", "# escape=`\nFROM busybox AS e\nRUN echo 24 `\n  25\nFROM e\nRUN echo \\26\n"),
    Case(
        "ten and more are padded", "FROM busybox AS p\n" + "".join(f"RUN echo p{n}\n" for n in range(11)) + "FROM p\n"
    ),
    Case(
        "variables in names",
        'ARG G=glob\nFROM busybox AS v\nARG G\nARG D=def\nENV E="en v" F=${D}x\n'
        'RUN echo $G ${D} "$E" \'$E\' $F ${U:-no} $U \\$G\nCOPY ${D:+a.txt} "/$F/"\nWORKDIR /w/$G\n'
        "FROM v\nRUN echo $G $E $F\n",
        args={"D": "given"},
    ),
    Case(
        "variables cut and replaced",
        "FROM busybox AS v\nENV A=foo.tar.gz\nRUN echo ${A%.*} ${A%%.*} ${A#*.} ${A/o/0} ${A//o/0}\nFROM v\nRUN true\n",
    ),
    Case(
        "secret in the environment",
        "FROM busybox AS s\nENV T=x\nRUN --mount=type=secret,id=t,env=T echo $T\nFROM s\nRUN true\n",
    ),
    Case("two stages of one name", "FROM busybox AS d\nRUN echo 27\nFROM d AS d\nRUN echo 28\nFROM d\nRUN echo 29\n"),
    Case(
        "two stages of one name, the first one asked for",
        "FROM busybox AS d\nRUN false\nFROM busybox AS d\nRUN echo 30\n",
        target="d",
    ),
    Case(
        "a base in capitals is an image", "FROM busybox AS busy\nRUN echo 31\nFROM busybox\nCOPY --from=BUSY /etc /x\n"
    ),
    Case("two stages from one image", "FROM busybox AS a\nRUN echo 60 >/60\nFROM busybox\nCOPY --from=a /60 /\n"),
    Case(
        "the same steps in two stages",
        "FROM busybox AS a\nRUN echo 61 >/61\nRUN echo 62\nFROM busybox AS b\nRUN echo 61 >/61\nRUN echo 63\n"
        "FROM scratch\nCOPY --from=b /61 /b\nCOPY --from=a /61 /a\n",
    ),
    Case(
        "a mount decides the order",
        "FROM busybox AS a\nRUN echo 64\nFROM busybox AS b\nRUN echo 65\nFROM busybox\n"
        "RUN --mount=from=b,target=/z --mount=from=a,target=/y echo 66\n",
    ),
    Case(
        "the same file step under other variables",
        "FROM scratch AS a\nARG X=1\nCOPY a.txt /\nFROM scratch AS b\nCOPY a.txt /\n"
        "FROM scratch\nCOPY --from=a / /a\nCOPY --from=b / /b\n",
    ),
    Case(
        "a stage that only a heredoc names",
        "FROM busybox AS a\nRUN echo 67\nFROM scratch\nCOPY --from=a <<E /x\ny\nE\n",
    ),
    Case(
        "two platforms share a copy",
        "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETARCH\nCOPY a.txt /\nRUN echo $TARGETARCH >/a\n"
        "FROM scratch\nCOPY --from=b /a /\n",
        platforms=("linux/amd64", "linux/arm64"),
    ),
    Case(
        "build platform",
        "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETARCH\nRUN echo 32 $TARGETARCH\nFROM b\nRUN true\n",
    ),
    Case(
        "two platforms",
        "FROM --platform=$BUILDPLATFORM busybox AS b\nRUN echo 33\nARG TARGETARCH\nRUN echo $TARGETARCH >/a\n"
        "FROM scratch AS out\nCOPY --from=b /a /\n",
        platforms=("linux/amd64", "linux/arm64"),
    ),
    Case(
        "two platforms, crossing by TARGETPLATFORM",
        "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETPLATFORM\nRUN echo $TARGETPLATFORM >/a\n"
        "FROM scratch\nCOPY --from=b /a /\n",
        platforms=("linux/arm/v7", "linux/amd64", "linux/arm64/v8"),
    ),
    Case(
        "two platforms, only copies",
        "FROM scratch\nCOPY a.txt /\nWORKDIR /x\n",
        platforms=("linux/amd64", "linux/arm64"),
    ),
    Case(
        "a folder as named context",
        "FROM busybox AS x\nCOPY --from=lib b.txt /\nRUN --mount=from=lib,target=/l ls /l\nFROM x\nRUN echo 34\n",
        contexts={"lib": "other"},
    ),
    Case(
        "a named context in place of a stage",
        "FROM busybox AS dep\nRUN false\nFROM busybox\nCOPY --from=dep b.txt /\nRUN echo 35\n",
        contexts={"dep": "other"},
    ),
    Case(
        "named contexts as bases",
        "FROM img AS a\nRUN echo 36\nFROM dir AS b\nCOPY a.txt /\nFROM scratch\n"
        "COPY --from=a /etc /\nCOPY --from=b / /\n",
        contexts={"img": "docker-image://busybox", "dir": "other"},
    ),
    Case(
        "a named context in place of an image",
        "FROM docker.io/library/alpine:latest AS a\nRUN echo 37\nFROM a\nRUN echo 38\n",
        contexts={"alpine": "docker-image://busybox"},
    ),
    Case(
        "onbuild of a stage",
        "FROM busybox AS base\nONBUILD RUN echo 39\nONBUILD ENV X=y\nONBUILD COPY a.txt /\n"
        "FROM base AS mid\nRUN echo $X\nFROM mid\nRUN echo 40\n",
    ),
    Case("add", "FROM scratch AS a\nADD a.txt /x/\nADD --chmod=755 src /y/\nFROM a\nCOPY --chown=1:2 other /z\n"),
    Case("copy parents and exclude", "FROM scratch AS a\nCOPY --exclude=*.txt . /x/\nFROM a\nCOPY src/./deep /y\n"),
    Case(
        "windows line ends",
        "FROM busybox AS r\r\nRUN echo 41 \\\r\n  42\r\nCOPY <<E /e\r\nx\r\nE\r\nFROM r\r\nRUN echo 43\r\n",
    ),
    Case("byte order mark", "\ufeffFROM busybox AS r\nRUN echo 44\nFROM r\nRUN echo 45\n"),
    Case("letters", "FROM busybox AS r\nRUN echo 'grüße 你好'\nFROM r\nRUN echo 46\n"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_steps_are_those_of_the_engine(case: Case, engine: Any, project: Any) -> None:
    for path, text in FILES.items():
        project.write(path, text)
    (project.path / "Dockerfile").write_bytes(case.text.encode())
    stages = steps_of(
        parse(case.text),
        case.target,
        case.args,
        case.platforms,
        case.contexts,
        build_platform="linux/amd64",
        triggers=case.triggers,
    )
    steps = [step for stage in stages for step in stage.steps]
    found = _names(case, engine, project)
    # Between platforms it is a race which name a shared step is shown under.
    shown = [next((name for name in step.names if name in found), step.names[0]) for step in steps]
    likeliest = shown if len(case.platforms) > 1 else [step.names[0] for step in steps]
    of_images = {name for name in found if name.startswith("FROM ")} - set(shown)
    assert sorted(likeliest) == sorted(found - of_images)
    for stage in stages:
        for step in stage.steps:
            assert _title(stage, step) in step.names
            assert step.stage == stage.name


def test_onbuild_of_an_image_is_shown_as_such(engine: Any, project: Any) -> None:
    # Which ONBUILD lines an image has is not in the Dockerfile: without `triggers` the numbers are too small.
    project.write("a.txt", "a")
    project.dockerfile("FROM busybox\nONBUILD COPY a.txt /o/\nONBUILD ENV A=1\nONBUILD RUN echo 50\n")
    _build(["--load", "-t", "hitmiss-outline-onbuild"], engine, project)
    case = Case(
        "",
        "FROM hitmiss-outline-onbuild AS x\nRUN echo 51\nFROM x\nRUN echo 52\n",
        triggers={"hitmiss-outline-onbuild": ("COPY a.txt /o/", "ENV A=1", "RUN echo 50")},
    )
    test_steps_are_those_of_the_engine(case, engine, project)
    bare = [step for stage in steps_of(parse(case.text)) for step in stage.steps]
    assert [(step.stage, step.index, step.of) for step in bare] == [("x", 1, 2), ("x", 2, 2), ("stage-1", 1, 1)]


def _title(stage: StageOutline, step: StepOutline) -> str:
    place = " ".join(filter(None, (step.platform, stage.shown, f"{step.index:{len(str(step.of))}}/{step.of}")))
    return f"[{place}] {step.instruction}"


def _names(case: Case, engine: Any, project: Any) -> set[str]:
    """The names of the engine's steps, without digests, and without the second vertex of a COPY --link."""
    options = ["--output", "type=cacheonly"]
    options += ["--target", case.target] if case.target else []
    options += ["--platform", ",".join(case.platforms)] if case.platforms else []
    for name, value in case.args.items():
        options += ["--build-arg", f"{name}={value}"]
    for name, value in case.contexts.items():
        options += ["--build-context", f"{name}={value}"]
    found: set[str] = set()
    for line in _build(options, engine, project).splitlines():
        if line.startswith("{"):
            found |= {vertex["name"] for vertex in json.loads(line).get("vertexes") or ()}
    kept = {
        name
        for name in found
        if name.startswith(("[", "FROM ")) and not re.match(r"\[([^]]* )?internal\]|\[context ", name)
    }
    return {re.sub(r"@sha256:[0-9a-f]{64}$", "", name) for name in kept if "] LINK " not in name}


def _build(options: list[str], engine: Any, project: Any) -> str:
    done = subprocess.run(
        ["docker", "buildx", "build", "--progress=rawjson", *options, "."],
        cwd=project.path,
        env=engine.env(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def test_random_words_are_filled_in_as_the_engine_does(engine: Any, project: Any) -> None:
    chance = random.Random(3)
    head = "FROM scratch AS w\nENV A=foo.tar.gz B='b c' E= D=$A\nARG G=1\n"
    lines: list[str] = []
    while len(lines) < WORDS:
        line = "WORKDIR /" + "".join(chance.choice(WORD_PIECES) for _ in range(chance.randint(1, 6)))
        try:
            parse(head + line + "\n")
            steps_of(parse(head + line + "\n"))
        except DockerfileError:
            continue
        if not line.endswith("\\"):
            lines.append(line)
    for start in range(0, len(lines), 100):
        project.dockerfile(head + "\n".join(lines[start : start + 100]) + "\nFROM w\nWORKDIR /end\n")
        steps = [step for stage in steps_of(parse(project.read("Dockerfile"))) for step in stage.steps]
        found = _names(Case("", ""), engine, project)
        assert sorted(step.names[0] for step in steps) == sorted(found)


@pytest.mark.parametrize(
    "word", ["${", "${A", "'", '"', "${A:?}x${U:?gone}", "${U?}", "${A!b}", "${A:#b}", "${:a}", "${A/b}", "${A#\\b}"]
)
def test_words_that_the_engine_refuses(word: str, engine: Any, project: Any) -> None:
    project.dockerfile(f"FROM scratch\nENV A=a\nWORKDIR /{word}\n")
    with pytest.raises(DockerfileError):
        steps_of(parse(project.read("Dockerfile")))
    done = subprocess.run(
        ["docker", "buildx", "build", "--output", "type=cacheonly", "."],
        cwd=project.path,
        env=engine.env(),
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
