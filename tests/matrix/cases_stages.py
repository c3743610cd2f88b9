"""Several stages: what one writes and another reads, targets, branches."""

from __future__ import annotations

from tests.matrix import case
from tests.matrix.case import (
    ARGUMENT,
    ENVIRONMENT,
    FILES,
    FIRST,
    INSERTED,
    INSTRUCTION,
    STAGE,
    Case,
    Misses,
    each,
    miss,
    then,
)
from tests.matrix.moves import dockerfile, edit, options, write

SHOP = """
    FROM busybox AS base
    COPY deps.txt .
    RUN cat deps.txt > /deps

    FROM base AS make
    COPY src/ src/
    RUN mkdir /made; cat src/a > /made/x

    FROM base AS test
    COPY tests/ tests/
    RUN cat tests/t > /tested

    FROM busybox AS final
    COPY --from=make /made /made
    RUN wc /made/x > /size
"""
TREE = {"deps.txt": "deps", "src/a": "a", "src/b": "b", "tests/t": "t"}
READS = ("final COPY", "final RUN")
BASE = ("base COPY", "base RUN")
MAKE = ("make COPY", "make RUN")

CHAIN = """
    FROM busybox AS one
    COPY src/a .
    RUN mkdir /o; cat a > /o/a
    FROM busybox AS two
    COPY --from=one /o /o
    RUN mkdir /p; cat /o/a > /p/a
    FROM busybox AS three
    COPY --from=two /p /p
    RUN ls /p
"""

UNNAMED = """
    FROM busybox AS make
    RUN mkdir /o; echo NONCE > /o/x
    FROM busybox
    COPY --from=make /o /o
    RUN cat /o/x
"""
EXTRA = edit("FROM busybox\nCOPY", "FROM busybox AS extra\nRUN mkdir /e; echo extra NONCE > /e/x\nFROM busybox\nCOPY")

RENAMED = """
    FROM busybox AS make
    ARG VER=1
    COPY src/ src/
    RUN mkdir /m; cat src/a > /m/x; echo $VER $MODE NONCE >> /m/x
    FROM busybox AS app
    COPY --from=make /m /m
    RUN cat /m/x
"""
RENAME = (edit("AS make", "AS builder"), edit("--from=make", "--from=builder"))


def read(root: str) -> Misses:
    """What the reader of the renamed stage does, when its bytes differ because of `root`."""
    return miss("app COPY", STAGE, root=root, below=("app RUN",))


SAVED = then(
    write("src/a", "1"),
    misses=miss("make COPY", FILES, "modified src/a", below=("make RUN",))
    + miss("final COPY", STAGE, root="make COPY", below=("final RUN",)),
    open=READS,
)

CASES = (
    Case(
        "stage's output differs",
        SHOP,
        (SAVED,),
        TREE,
    ),
    Case(
        "stage's output is the same",
        SHOP,
        (
            then(
                write("src/b", "1"),
                misses=miss("make COPY", FILES, "modified src/b", below=("make RUN",)),
                notes={"final COPY": "early-cutoff"},
                open=READS,
            ),
            then(),
        ),
        TREE,
    ),
    Case(
        "stage's output is the same after an edit of its RUN",
        SHOP,
        (
            then(
                edit("mkdir /made;", "mkdir -p /made;"),
                misses=miss("make RUN mkdir -p", INSTRUCTION),
                notes={"final COPY": "early-cutoff"},
                open=READS,
            ),
        ),
        TREE,
    ),
    Case(
        "the base of several stages differs",
        SHOP,
        (
            then(
                write("deps.txt", "1"),
                misses=miss("base COPY", FILES, "modified deps.txt", below=("base RUN", *MAKE)),
                notes={"final COPY": "early-cutoff"},
                open=READS,
            ),
        ),
        TREE,
    ),
    Case(
        "a chain of three stages",
        CHAIN,
        (
            then(
                write("src/a", "1"),
                misses=miss("one COPY", FILES, "modified src/a", below=("one RUN",))
                + miss("two COPY", STAGE, root="one COPY", below=("two RUN",))
                + miss("three COPY", STAGE, root="one COPY", below=("three RUN",)),
                open=("two COPY", "two RUN", "three COPY", "three RUN"),
            ),
            then(
                edit("mkdir /p;", "mkdir -p /p;"),
                misses=miss("two RUN mkdir -p", INSTRUCTION),
                notes={"three COPY": "early-cutoff"},
                open=("three COPY", "three RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "two edits at once, in two stages",
        """
        FROM busybox AS left
        COPY src/a .
        RUN mkdir /l; cat a > /l/a
        FROM busybox AS right
        COPY src/b .
        RUN mkdir /r; cat b > /r/b
        FROM busybox AS final
        COPY --from=left /l /l
        COPY --from=right /r /r
        """,
        (
            then(
                write("src/b", "1"),
                misses=miss("right COPY", FILES, "modified src/b", below=("right RUN",))
                + miss("final COPY --from=right", STAGE, root="right COPY"),
                open=("final COPY --from=right",),
            ),
            then(
                write("src/a", "2"),
                write("src/b", "2"),
                misses=miss("left COPY", FILES, "modified src/a", below=("left RUN",))
                + miss("right COPY", FILES, "modified src/b", below=("right RUN",))
                + miss("final COPY --from=left", STAGE, root="left COPY", below=("final COPY --from=right",)),
                open=("final COPY --from=left", "final COPY --from=right"),
            ),
        ),
        TREE,
    ),
    Case(
        "file that only a stage outside the target reads",
        SHOP,
        (then(write("tests/t", "1")),),
        TREE,
    ),
    Case(
        "target switched there and back",
        SHOP,
        (
            then(options("--target", "test"), misses=each(FIRST, "test COPY", "test RUN")),
            then(options()),
            then(options("--target", "test")),
        ),
        TREE,
    ),
    Case(
        "stage in the middle is built as a target, when its result was made long before",
        SHOP,
        (
            SAVED,
            then(options("--target", "make")),
            then(options()),
            then(edit("wc /made/x", "wc -c /made/x"), misses=miss("final RUN", INSTRUCTION)),
        ),
        TREE,
    ),
    Case(
        "edit after a switch of the target",
        SHOP,
        (
            then(options("--target", "test"), misses=each(FIRST, "test COPY", "test RUN")),
            then(write("tests/t", "1"), misses=miss("test COPY", FILES, "modified tests/t", below=("test RUN",))),
            then(
                options(),
                write("src/a", "1"),
                misses=miss("make COPY", FILES, "modified src/a", below=("make RUN",))
                + miss("final COPY", STAGE, root="make COPY", below=("final RUN",)),
                open=READS,
            ),
        ),
        TREE,
    ),
    Case(
        "branch switched there and back",
        SHOP,
        (
            then(
                dockerfile(SHOP.replace("wc /made/x", "md5sum /made/x")),
                write("src/a", "branch"),
                write("src/new", "branch"),
                misses=miss("make COPY", FILES, "modified src/a", "added src/new", below=("make RUN",))
                + miss("final COPY", STAGE, root="make COPY", below=("final RUN",)),
                open=READS,
            ),
            then(
                dockerfile(SHOP),
                write("src/a", "a"),
                lambda run: (run.project / "src/new").unlink(),
                notes={"make COPY": "went-back", "make RUN": "went-back", "final COPY": "went-back"},
            ),
        ),
        TREE,
    ),
    Case(
        "stage added and read",
        CHAIN,
        (
            then(
                edit(
                    "FROM busybox AS three",
                    "FROM busybox AS extra\nRUN mkdir /e; echo NONCE > /e/x\nFROM busybox AS three",
                ),
                edit("RUN ls /p", "COPY --from=extra /e /e\nRUN ls /p"),
                misses=each(FIRST, "extra RUN") + miss("three COPY --from=extra", INSERTED, below=("three RUN",)),
                open=("three COPY --from=extra", "three RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "argument of one stage alone",
        """
        FROM busybox AS one
        ARG LEVEL=1
        RUN mkdir /o; echo $LEVEL NONCE > /o/a
        FROM busybox AS two
        COPY --from=one /o /o
        """,
        (
            then(
                options("--build-arg", "LEVEL=2"),
                misses=miss("one RUN", ARGUMENT) + miss("two COPY", STAGE, root="one RUN"),
                open=("two COPY",),
            ),
        ),
        TREE,
    ),
    Case(
        "stages without names",
        """
        FROM busybox
        COPY src/a .
        RUN mkdir /o; cat a > /o/a
        FROM busybox
        COPY --from=0 /o /o
        """,
        (
            then(
                write("src/a", "1"),
                misses=miss("stage-0 COPY", FILES, "modified src/a", below=("stage-0 RUN",))
                + miss("stage-1 COPY", STAGE, root="stage-0 COPY"),
                open=("stage-1 COPY",),
            ),
        ),
        TREE,
    ),
    Case(
        "stage gets a name, and a file",
        "FROM busybox\nRUN : NONCE\nCOPY src/ /s/\nRUN ls /s\n",
        (
            then(
                edit("FROM busybox", "FROM busybox AS app"),
                write("src/a", "1"),
                misses=miss("app COPY", FILES, "modified src/a", below=("app RUN ls",)),
            ),
        ),
        TREE,
    ),
    Case(
        "stage without a name gets another number, and a step",
        UNNAMED,
        (
            then(
                EXTRA,
                edit("COPY --from=make", "COPY --from=extra /e /e\nCOPY --from=make"),
                misses=each(FIRST, "extra RUN")
                + miss("stage-2 COPY --from=extra", INSERTED, below=("stage-2 COPY --from=make", "stage-2 RUN")),
                open=("stage-2 COPY --from=extra", "stage-2 COPY --from=make", "stage-2 RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "stage without a name gets another number, and its RUN is edited",
        UNNAMED,
        (then(EXTRA, edit("RUN cat /o/x", "RUN cat -u /o/x"), misses=miss("stage-2 RUN", INSTRUCTION)),),
        TREE,
    ),
    Case(
        "stages without names, one more above, and a file",
        """
        FROM busybox
        COPY src/ /s/NONCE/
        RUN ls /s > /l
        FROM busybox
        COPY --from=0 /s /s
        RUN ls /s
        """,
        (
            then(
                edit("FROM busybox\nCOPY src", "FROM busybox AS extra\nRUN echo extra\nFROM busybox\nCOPY src"),
                edit("--from=0", "--from=1"),
                write("src/a", "1"),
                misses=miss("stage-1 COPY", FILES, "modified src/a", below=("stage-1 RUN",))
                + miss("stage-2 COPY", STAGE, root="stage-1 COPY", below=("stage-2 RUN",)),
                open=("stage-2 COPY", "stage-2 RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "stage renamed, and a file",
        RENAMED,
        (
            then(
                *RENAME,
                write("src/a", "1"),
                misses=miss("builder COPY", FILES, "modified src/a", below=("builder RUN",)) + read("builder COPY"),
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "stage renamed, then a file",
        RENAMED,
        (
            then(*RENAME),
            then(
                write("src/a", "1"),
                misses=miss("builder COPY", FILES, "modified src/a", below=("builder RUN",)) + read("builder COPY"),
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "stage renamed, and an ENV",
        RENAMED,
        (
            then(
                *RENAME,
                edit("COPY src/", "ENV MODE=fast\nCOPY src/"),
                misses=miss("builder RUN", ENVIRONMENT) + read("builder RUN"),
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "stage renamed, and an argument",
        RENAMED,
        (
            then(
                *RENAME,
                options("--build-arg", "VER=2"),
                misses=miss("builder RUN", ARGUMENT) + read("builder RUN"),
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "stage renamed that another stands on, and a file of each",
        """
        FROM busybox AS base
        COPY deps.txt /NONCE/
        FROM base AS app
        COPY src/ src/
        RUN ls src
        """,
        (
            then(
                edit("AS base", "AS core"),
                edit("FROM base", "FROM core"),
                write("src/a", "1"),
                misses=miss("app COPY", FILES, "modified src/a", below=("app RUN",)),
            ),
            then(
                edit("AS core", "AS base"),
                edit("FROM core", "FROM base"),
                write("deps.txt", "1"),
                misses=miss("base COPY", FILES, "modified deps.txt", below=("app COPY", "app RUN")),
            ),
        ),
        TREE,
    ),
    Case(
        "argument names the stage that the target is built on",
        """
        ARG MODE=dev
        FROM busybox AS base
        RUN echo base NONCE
        FROM base AS app-dev
        RUN echo dev > /mode
        FROM base AS app-prod
        RUN echo prod > /mode
        FROM app-${MODE} AS final
        COPY src/a /a
        RUN cat /mode
        """,
        (
            then(
                options("--build-arg", "MODE=prod"),
                misses=each(FIRST, "app-prod RUN")
                + miss("final COPY", case.BASE, below=("final RUN",), old="app-dev", new="app-prod", said="MODE"),
            ),
            then(options()),
            then(options("--target", "app-prod")),
        ),
        TREE,
    ),
    Case(
        "stage put below another one",
        "FROM busybox AS app\nRUN echo app NONCE\nCOPY src/a /a\n",
        (
            then(
                edit("FROM busybox AS app", "FROM busybox AS base\nRUN echo base NONCE\nFROM base AS app"),
                misses=miss("base RUN", FIRST, below=("app RUN", "app COPY")),
            ),
            then(edit("FROM base AS app", "FROM busybox AS app")),
        ),
        TREE,
    ),
    Case(
        "FROM of another stage",
        """
        FROM busybox AS dev
        RUN echo dev NONCE
        FROM busybox AS prod
        RUN echo prod NONCE
        FROM dev AS final
        COPY src/a /a
        RUN ls
        """,
        (
            then(options("--target", "prod"), misses=each(FIRST, "prod RUN")),
            then(
                options(),
                edit("FROM dev AS", "FROM prod AS"),
                misses=miss("final COPY", case.BASE, below=("final RUN",), old="dev", new="prod"),
            ),
            then(edit("FROM prod AS", "FROM dev AS")),
        ),
        TREE,
    ),
    Case(
        "two stages that copy the same path, one of them written anew with the same bytes",
        """
        FROM busybox AS build-cli
        COPY cli/ /src/
        RUN mkdir /out; head -1 /src/main > /out/app
        FROM busybox AS build-srv
        COPY srv/ /src/
        RUN mkdir /out; head -1 /src/main > /out/app
        FROM busybox AS cli
        COPY --from=build-cli /out/ /opt/
        RUN echo NONCE; ls /opt
        FROM busybox AS srv
        COPY --from=build-srv /out/ /opt/
        RUN echo NONCE; ls /opt
        """,
        (
            then(options("--target", "cli"), misses=None, open=("cli COPY", "cli RUN")),
            then(
                options("--target", "srv"),
                write("srv/main", "srv NONCE\nwith a comment"),
                misses=miss("build-srv COPY", FILES, "modified srv/main", below=("build-srv RUN",)),
                open=("srv COPY", "srv RUN"),
            ),
            then(
                options("--target", "cli"),
                edit("; ls /opt", "; ls /opt\nRUN cat /opt/app > /new"),
                misses=miss("cli RUN cat", INSERTED),
            ),
            then(options("--target", "srv"), misses=miss("srv RUN cat", INSERTED)),
        ),
        {"cli/main": "cli NONCE\nx", "srv/main": "srv NONCE\nx"},
        options=("--target", "srv"),
    ),
    Case(
        "many linked copies of stages, three of which are written anew with the same bytes",
        """
        FROM busybox AS t0
        RUN mkdir /b; echo NONCE 0 > /b/t0
        FROM busybox AS t1
        RUN mkdir /b; echo NONCE 1 > /b/t1
        FROM busybox AS t2
        RUN mkdir /b; echo NONCE 2 > /b/t2
        FROM busybox AS t3
        RUN mkdir /b; echo NONCE 3 > /b/t3
        FROM busybox AS dev
        COPY --link --from=t0 /b/ /x/
        COPY --link --from=t1 /b/ /x/
        COPY --link --from=t2 /b/ /x/
        COPY --link --from=t3 /b/ /x/
        RUN ls /x
        """,
        (
            then(
                *(edit(f"/b/t{number}\n", f"/b/t{number}; true\n") for number in (1, 2, 3)),
                misses=each(INSTRUCTION, "t1 RUN", "t2 RUN", "t3 RUN"),
                open=("dev COPY --link --from=t1", "dev COPY --link --from=t2", "dev COPY --link --from=t3", "dev RUN"),
            ),
        ),
        {},
    ),
)
