"""The operations that are made from a Dockerfile's text against those that the engine says it built."""

from __future__ import annotations

import hashlib
import http.server
import os
import tarfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hitmiss.cache.derive import derive, image_names
from hitmiss.cache.llb import read
from hitmiss.docker import client, provenance
from hitmiss.project.dockerfile import parse
from hitmiss.project.operations import Question, Surroundings
from tests.support.operations import FILES, Case, build, difference, random_dockerfiles
from tests.support.project import Project

pytestmark = pytest.mark.engine

RANDOM = int(os.environ.get("HITMISS_DOCKERFILES", "20"))
"""So many random Dockerfiles are built."""
SUM = hashlib.sha256(FILES["a.txt"].encode()).hexdigest()
PLAIN = Surroundings()
BOTH = ("linux/amd64", "linux/arm64")

CASES = (
    Case("run", "FROM busybox\nRUN true\nRUN echo  two   blanks\n"),
    Case("run as a list", 'FROM busybox\nRUN ["echo", "a b", "$HOME"]\nRUN [ "not a list" ] || true\n'),
    Case(
        "continued lines", "FROM busybox\nRUN echo a \\\n  # comment\n  && echo b \\\n\n  ; true\nCOPY a.txt \\\n  /x\n"
    ),
    Case("settings", 'FROM busybox\nLABEL a=b\nCMD ["x"]\nEXPOSE 80\nVOLUME /v\nSTOPSIGNAL TERM\nRUN true\n'),
    Case("env", "FROM busybox\nENV B=2 A=1\nENV C $A and $B\nENV A=3 D=$A\nRUN true\n"),
    Case("env takes the place of path", "FROM busybox\nENV PATH=/x:$PATH\nRUN /bin/true\n"),
    Case("arg", "FROM busybox\nARG A\nARG B=b\nARG C=c$B\nRUN true\nARG D=late\n", args={"B": "given"}),
    Case("arg without a value", "FROM busybox\nARG A\nARG B=\nRUN true\n", args={"Z": "unknown"}),
    Case("arg in several places", "FROM busybox\nARG A=1\nENV B=2 A=3\nENV B=4\nARG Z\nRUN true\n", args={"Z": "5"}),
    Case("hostname", "FROM busybox\nRUN true\n", args={"BUILDKIT_SANDBOX_HOSTNAME": "h"}),
    Case(
        "variables of the stage below", "FROM busybox AS a\nENV A=1\nARG X=1\nENV B=2 A=3\nFROM a\nENV A=4\nRUN true\n"
    ),
    Case("global arg", "ARG V=1\nARG W=w$V\nFROM busybox\nARG V\nARG W=other\nRUN true\nFROM busybox\nRUN echo $V\n"),
    Case("arg in from", "ARG T=none\nFROM busybox:${T}\nRUN true\n", args={"T": "latest"}),
    Case("env wins over arg", "FROM busybox\nARG A=1\nENV A=2\nRUN true\nARG A=3\nRUN true\n", args={"A": "x"}),
    Case("arg of the stage below", "FROM busybox AS a\nARG X=1\nENV Y=$X\nFROM a\nRUN echo $X\nARG X=2\nRUN true\n"),
    Case(
        "modifiers",
        "FROM busybox\nENV A=foo.tar.gz E=\nENV B=${A:-x} C=${U:-x} D=${E-x} F=${E:-x} G=${A:+y} H=${A%.*}\n"
        "COPY a.txt /${U:-u}/${A##*.}/\nRUN true\n",
    ),
    Case("quotes", 'FROM busybox\nENV A="b c" B=\'$A\' C=\\$A D=b\\ c\nCOPY "a.txt" "/q$A/"\nRUN true\n'),
    Case("predefined proxy", "FROM busybox\nRUN true\n", args={"HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": "x"}),
    Case("declared proxy", "FROM busybox\nARG HTTP_PROXY\nRUN true\n", args={"HTTP_PROXY": "http://127.0.0.1:9"}),
    Case("automatic args", "FROM busybox\nARG TARGETARCH\nARG BUILDPLATFORM\nARG TARGETVARIANT\nRUN true\n"),
    Case("sbom args", "FROM busybox\nARG BUILDKIT_SBOM_SCAN_STAGE=false\nRUN true\n"),
    Case("epoch", "FROM busybox\nWORKDIR /w\nCOPY a.txt .\nRUN true\n", args={"SOURCE_DATE_EPOCH": "1700000000"}),
    Case("heredoc run", "FROM busybox\nRUN <<E\n  echo $HOME\n  echo b\nE\nRUN <<-E\n\techo t\n\tE\n"),
    Case("heredoc with a shebang", "FROM busybox\nARG A=1\nRUN <<E\n#!/bin/sh -e\necho $A\nE\n"),
    Case(
        "heredoc for a command", "FROM busybox\nRUN cat <<A >/a && cat <<-'B' >/b\n1\nA\n\t2\n\tB\nRUN <<X cat\ny\nX\n"
    ),
    Case("heredoc under a shell", 'FROM busybox\nSHELL ["/bin/sh", "-ec"]\nRUN <<E\ntrue\nE\n'),
    Case(
        "heredoc files",
        "FROM busybox\nENV V=v\nCOPY <<one <<'two' a.txt <<-three /h/\n$V \"$V\" '$V' \\$V ${U}\none\n$V\ntwo\n"
        "\t$V\n\tthree\nRUN true\n",
    ),
    Case("heredoc to a name", "FROM scratch\nCOPY --chmod=700 --chown=5 <<E /x/y.sh\nE\nADD <<F /z\n\\a\nF\n"),
    Case("shell", 'FROM busybox AS a\nSHELL ["/bin/sh", "-xc"]\nRUN echo a\nFROM a\nRUN echo b\nRUN ["true"]\n'),
    Case("user", "FROM busybox\nUSER nobody\nRUN true\nWORKDIR /w\nUSER 7:8\nWORKDIR x\nCOPY a.txt .\nRUN true\n"),
    Case("user by arg", "FROM busybox\nARG U=nobody\nUSER ${U}:0\nRUN true\nWORKDIR /home/$U\n"),
    Case(
        "workdir",
        "FROM busybox\nWORKDIR /a/../b/\nRUN true\nWORKDIR c/./d\nRUN true\nWORKDIR ..\nWORKDIR /\nRUN true\n",
    ),
    Case("relative workdir of an image", "FROM busybox\nWORKDIR a b\nCOPY a.txt c\nRUN true\n"),
    Case(
        "destinations",
        "".join(
            (
                "FROM busybox\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt ./\nCOPY a.txt x\nCOPY a.txt y/\nCOPY src z/.\n",
                "COPY a.txt /\nCOPY a.txt /x/../y//z\nCOPY a.txt ../q/\nCOPY src ..\nCOPY src /.\n",
            )
        ),
    ),
    Case("sources", "FROM scratch\nCOPY . /a\nCOPY ./src/ /b\nCOPY /a.txt ../b.txt /c/\nCOPY src/.. /d\n"),
    Case(
        "wildcards", "FROM scratch\nCOPY *.txt src/*/x.py /a/\nCOPY s?c /b\nCOPY [ab].txt /c/\nCOPY none* a.txt /d/\n"
    ),
    Case("several sources", "FROM busybox\nCOPY a.txt src src/deep src other/b.txt /d/\nADD a.txt src /e/\n"),
    Case("names as a list", 'FROM scratch\nCOPY ["with space/c.txt", "/x y/"]\nADD ["a.txt", "/z"]\n'),
    Case("escape", "# escape=`\nFROM busybox\nRUN echo a `\n  b\\c\nENV A=`$x\nCOPY a.txt /d`$A\n"),
    Case(
        "owners",
        "FROM busybox\nARG G=nogroup\nCOPY --chown=nobody a.txt /1\nCOPY --chown=1:$G a.txt src /2/\n"
        "COPY --chown=root:0 a.txt /3\nCOPY --chown=:7 a.txt /4\nADD --chown=1 src /5\n",
    ),
    Case(
        "modes", "FROM busybox\nARG M=0644\nCOPY --chmod=755 a.txt /1\nCOPY --chmod=$M src /2\nADD --chmod=0 a.txt /3\n"
    ),
    Case("modes in letters", "FROM busybox\nCOPY --chmod=u+x,g=u a.txt /1\n"),
    Case("exclude", "FROM scratch\nCOPY --exclude=*.txt --exclude=src/deep . /1\nADD --exclude=**/x.py src /2\n"),
    Case(
        "link",
        "FROM busybox AS a\nCOPY --link a.txt src /l/\nRUN true\nADD --link a.txt /m\n"
        "COPY --link --chmod=600 a.txt /n\n"
        "FROM scratch\nCOPY --link --from=a /l /l\nCOPY --link=false a.txt /b\nCOPY --link <<E /c\nx\nE\n",
    ),
    Case(
        "from a stage", "FROM busybox AS a\nRUN echo 1 >/1\nFROM scratch\nCOPY --from=a /1 /2\nCOPY --from=0 /1 ./3\n"
    ),
    Case("from its own base", "FROM busybox AS a\nRUN echo 2 >/2\nFROM a\nCOPY --from=a /2 /3\nCOPY --from=a /2 /4\n"),
    Case(
        "from a stage with a workdir",
        "FROM busybox AS a\nWORKDIR /w\nCOPY a.txt .\nFROM scratch\nCOPY --from=a w/a.txt /\n",
    ),
    Case("from an image", "FROM scratch\nCOPY --from=busybox /etc/passwd /\nCOPY --from=busybox:latest /etc/group /\n"),
    Case(
        "from the image it is on",
        "FROM busybox\nCOPY --from=busybox /etc/passwd /x\nCOPY --from=alpine:3.20 /etc/group /\n",
    ),
    Case("from scratch alone", "FROM scratch AS e\nFROM busybox\nRUN --mount=type=bind,from=busybox,target=/e true\n"),
    Case(
        "a folder as context",
        "FROM busybox AS x\nCOPY --from=lib b.txt /\nRUN --mount=from=lib,target=/l ls /l\n"
        "FROM lib\nARG Y=$Z\nWORKDIR sub\nCOPY a.txt .\n",
        contexts={"lib": "other"},
        target="",
    ),
    Case("a folder for a stage", "FROM busybox AS d\nRUN false\nFROM d\nCOPY a.txt c\n", contexts={"d": "other"}),
    Case(
        "an image as context",
        "FROM img AS a\nRUN true\nFROM a\nCOPY --from=two /etc/group /g\nRUN true\n",
        contexts={"img": "docker-image://busybox", "two": "docker-image://busybox:latest"},
    ),
    Case(
        "an image for an image",
        "FROM debian:12-slim\nRUN true\n",
        contexts={"debian:12-slim": "docker-image://busybox"},
    ),
    Case(
        "cache mounts",
        "".join(
            (
                "FROM busybox\nWORKDIR /w\nRUN --mount=type=cache,target=/c true\n",
                "RUN --mount=type=cache,target=/c,id=x true\n",
                "RUN --mount=type=cache,target=/c,sharing=locked --mount=type=cache,dst=rel,ro true\n",
                "RUN --mount=type=cache,target=/c/,uid=5,gid=6,mode=0700 --mount=type=cache,target=/d,mode=755 true\n",
                "RUN --mount=type=cache,target=/c,from=busybox,source=/etc true\n",
            )
        ),
    ),
    Case(
        "cache namespace",
        "FROM busybox\nRUN --mount=type=cache,target=/c true\n",
        args={"BUILDKIT_CACHE_MOUNT_NS": "n"},
    ),
    Case(
        "bind mounts",
        "".join(
            (
                "FROM busybox AS o\nRUN true >/o\nFROM busybox\nWORKDIR /w\nARG S=src\n",
                "RUN --mount=target=/t true\nRUN --mount=source=$S,target=t true\n",
                "RUN --mount=target=/b,src=src/deep,rw true\n",
                "RUN --mount=from=o,source=/o,target=/o --mount=from=o,source=etc,target=/a --mount=target=/z true\n",
                "RUN --mount=from=o,target=/o,ro=false true\n",
                "RUN --mount=target=/1,source=src --mount=target=/2,source=src/deep true\n",
            )
        ),
    ),
    Case(
        "a mount of its own base",
        "FROM busybox AS o\nRUN true\nFROM o\nRUN --mount=from=o,source=/etc,target=/e true\n",
    ),
    Case(
        "secrets",
        "FROM busybox\nRUN --mount=type=secret,id=s true\nRUN --mount=type=secret,id=s,target=/t,mode=0440,uid=3 true\n"
        "RUN --mount=type=secret,id=s,env=S --mount=type=secret,id=none,target=/n true\n"
        "RUN --mount=type=secret,target=/run/s --mount=type=secret,source=a/s,env=T,target=/u true\n"
        "RUN --mount=type=secret,id=s,required true\nRUN --mount=type=secret,id=s,required=false,gid=3 true\n",
        options=("--secret", "id=s,src=a.txt"),
    ),
    Case(
        "ssh",
        "FROM busybox\nRUN --mount=type=ssh true\nRUN --mount=type=ssh,id=k,target=/s,uid=4 --mount=type=ssh true\n",
    ),
    Case(
        "tmpfs",
        "FROM busybox\nRUN --mount=type=tmpfs,target=/t true\nRUN --mount=type=tmpfs,target=/t,size=1.5m true\n",
    ),
    Case("network", "FROM busybox\nRUN --network=none true\nRUN --network=default true\n"),
    Case("add an archive", "FROM scratch\nADD t.tar /t/\nADD t.tar a.txt /u/\nCOPY t.tar /\n"),
    Case(
        "add an address",
        "FROM busybox\nADD WEB/a.txt /w\nADD --chmod=600 --chown=4 WEB/src/main.py?x=1 /v/\nRUN true\n",
    ),
    Case("add an address with a checksum", f"FROM scratch\nADD --checksum=sha256:{SUM} WEB/a.txt /c/\n"),
    Case("add addresses and files", "FROM scratch\nARG A=a.txt\nADD WEB/$A src b.txt WEB/b.txt /m/\nADD WEB/ /n\n"),
    Case(
        "onbuild of a stage",
        "FROM busybox AS o\nONBUILD ARG X=1\nONBUILD COPY a.txt /o/$X\nONBUILD RUN echo $X\nONBUILD WORKDIR /q\n"
        "FROM o\nRUN true\n",
    ),
    Case(
        "an image with settings",
        "FROM hitmiss-full AS f\nRUN true\nCOPY a.txt x\nENV F=$FULL/x\nRUN <<E\ntrue\nE\nWORKDIR y\n",
    ),
    Case(
        "from an image with settings",
        "FROM hitmiss-full\nUSER 0\nENV P=${PATH#*:}\nRUN true\nFROM hitmiss-full\nRUN true\n",
    ),
    Case("onbuild of an image", "FROM hitmiss-onbuild AS x\nRUN true\nFROM x\nRUN true\n"),
    Case(
        "the same steps twice",
        "FROM busybox AS a\nRUN true\nFROM busybox AS b\nRUN true\nFROM a\nCOPY --from=b /etc /e\n",
    ),
    Case("unused stages", "FROM busybox AS a\nRUN false\nFROM busybox AS b\nRUN true\nFROM a\nRUN false\n", target="b"),
    Case(
        "windows line ends",
        "FROM busybox\r\nRUN echo a \\\r\n  b\r\nCOPY <<E /e\r\nx\r\nE\r\nRUN <<F\r\ntrue #\r\nF\r\n",
    ),
    Case("letters", "FROM busybox\nENV Ä=ö\nRUN echo 'grüße 你好'\nCOPY <<E /é\n你好\nE\n"),
    Case(
        "two platforms",
        "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETARCH\nCOPY a.txt /\nRUN echo $TARGETARCH >/a\n"
        "FROM busybox\nCOPY --from=b /a /\nRUN true\n",
        platforms=BOTH,
    ),
    Case("another platform", "FROM --platform=linux/arm64/v8 busybox\nARG TARGETPLATFORM\nRUN true\nCOPY a.txt /\n"),
    Case("one platform asked for", "FROM busybox\nRUN true\nCOPY a.txt /\n", platforms=("linux/arm64",)),
)


AROUND = (
    (Surroundings(ulimits=("nofile=99:100", "core=0")), ("--ulimit", "nofile=99:100", "--ulimit", "core=0")),
    (Surroundings(hosts=("b:1.2.3.4", "a:::1")), ("--add-host", "b:1.2.3.4", "--add-host", "a:::1")),
    (Surroundings(shm_size="1m"), ("--shm-size", "1m")),
    (Surroundings(network="none"), ("--network", "none")),
    (Surroundings(cgroup_parent="x"), ("--cgroup-parent", "x")),
)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that gives `FILES`."""
    folder = tmp_path_factory.mktemp("web")
    files(Project(folder))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def bases(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Base images with settings of their own."""
    folder = tmp_path_factory.mktemp("bases")
    (folder / "Dockerfile").write_text(
        'FROM busybox AS full\nENV FULL=/opt Q="a b" PATH=/opt:/bin\nWORKDIR /opt/app/\nUSER 5:6\n'
        'SHELL ["/bin/sh", "-uc"]\n'
        "FROM busybox AS onbuild\nONBUILD COPY a.txt /o/\nONBUILD ENV A=1\nONBUILD RUN echo 50\n"
    )
    for name in ("full", "onbuild"):
        engine.build(folder, "--load", "--target", name, "--tag", f"hitmiss-{name}")


def files(project: Project) -> None:
    """Write what the Dockerfiles copy."""
    for path, text in FILES.items():
        project.write(path, text)
    with tarfile.open(project.path / "t.tar", "w") as tar:
        tar.add(project.path / "a.txt", "inside.txt")


async def compare(case: Case, project: Project, env: dict[str, str], around: Surroundings = PLAIN) -> None:
    """Build it, and hold the derived operations against those of the engine."""
    dockerfile = parse(case.text)
    question = Question(dockerfile, case.target, case.args, case.contexts, {}, "linux/amd64", {}, around)
    images = await provenance.images(image_names(question, case.platforms))
    derived = derive(question, case.platforms, images=images)
    ref, steps = build(case, project.path, dockerfile, env)
    wanted = case.platforms if len(case.platforms) > 1 else ("",)
    documents = [await provenance.fetch(ref, platform=platform) for platform in wanted]
    engine = read([each for each in documents if each], steps, images)
    assert engine.dockerfile == case.text
    assert engine.operations.steps or not steps
    found = difference(derived, engine.operations)
    if found:
        pytest.fail(f"{case.text}\n{found}", pytrace=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_derived_is_what_the_engine_builds(
    case: Case, engine_env: Any, project: Project, web: str, bases: None
) -> None:
    client.find_client.cache_clear()
    files(project)
    text = case.text.replace("WEB", web)
    await compare(
        Case(case.name, text, case.target, case.args, case.platforms, case.contexts, case.options),
        project,
        engine_env.env(),
    )


@pytest.mark.parametrize(
    ("around", "options"), AROUND, ids=lambda each: str(each[0]) if isinstance(each, tuple) else ""
)
async def test_options_that_change_every_run(
    around: Surroundings, options: tuple[str, ...], engine_env: Any, project: Project
) -> None:
    client.find_client.cache_clear()
    text = "FROM busybox\nRUN true\nRUN --network=none true\nRUN --mount=type=tmpfs,target=/a true\n"
    await compare(Case("options", text, options=options), project, engine_env.env(), around)


@pytest.mark.parametrize("part", range(4))
async def test_random_dockerfiles(part: int, engine_env: Any, project: Project) -> None:
    client.find_client.cache_clear()
    files(project)
    # One after the other: builds that run at once show shared steps under each other's names.
    for case in random_dockerfiles(part, -(-RANDOM // 4)):
        await compare(case, project, engine_env.env())
