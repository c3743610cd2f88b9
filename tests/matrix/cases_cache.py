"""What is asked of the engine, and what it has: bases, --no-cache, platforms, failed builds."""

from __future__ import annotations

from tests.matrix.case import (
    ARGUMENT,
    BASE,
    ENVIRONMENT,
    FILES,
    INSTRUCTION,
    NO_CACHE,
    PLATFORM,
    STAGE,
    Build,
    Case,
    each,
    miss,
    then,
)
from tests.matrix.moves import edit, image, labelled, options, tag, write

APP = """
    FROM base-NONCE:1 AS app
    RUN echo one NONCE > /one
    COPY src/ src/
    RUN echo two > /two
"""
TWO = """
    FROM busybox AS make
    COPY src/ src/
    RUN mkdir /made; cat src/a > /made/x
    FROM busybox AS app
    COPY --from=make /made /made
    RUN cat /made/x
"""
TREE = {"src/a": "a"}
OLD = (tag("busybox:latest", "base-NONCE:1"),)
BELOW = ("app COPY", "app RUN echo two")
TRIGGERED = "FROM base-NONCE:1 AS app\nRUN echo one NONCE\nCOPY src/b /b\n"
TRIGGER = (image("base-NONCE:1", "FROM busybox\nRUN : NONCE\nONBUILD COPY src/a /onb\n"),)
SOURCES = {"src/a": "a", "src/b": "b"}
SYSTEMS = "linux/amd64,linux/arm64"


def shared(text: str) -> Build:
    """The file is saved that both platforms copy in one step."""
    return then(
        write("src/a", text),
        misses=miss(
            "build COPY",
            FILES,
            "modified src/a",
            below=tuple(f"build@linux/amd64{to} RUN {words}" for to in ("", "->arm64") for words in ("cat", "echo")),
        ),
        notes={f"last@{system} COPY --from": "early-cutoff" for system in SYSTEMS.split(",")},
        open=tuple(f"last@{system} COPY --from" for system in SYSTEMS.split(",")),
    )


CASES = (
    Case(
        "tag of the base moved",
        APP,
        (
            then(tag("other-base:latest", "base-NONCE:1"), misses=miss("app RUN echo one", BASE, below=BELOW)),
            then(tag("busybox:latest", "base-NONCE:1"), notes={"app RUN echo one": "went-back"}),
        ),
        TREE,
        setup=OLD,
    ),
    Case(
        "tag of the base moved, to the same files",
        APP,
        (then(labelled("base-NONCE:1", "busybox"), misses=None, open=("app RUN echo one", *BELOW)),),
        TREE,
        setup=OLD,
    ),
    Case(
        "base with an ONBUILD line, in the only stage",
        TRIGGERED,
        (
            then(
                write("src/a", "1"),
                misses=miss("app ONBUILD COPY", FILES, "modified src/a", below=("app RUN", "app COPY src/b")),
            ),
            then(write("src/b", "1"), misses=miss("app COPY src/b", FILES, "modified src/b")),
        ),
        SOURCES,
        setup=TRIGGER,
    ),
    Case(
        "base with an ONBUILD line, in one of two stages",
        f"{TRIGGERED}FROM busybox AS last\nCOPY --from=app /b /\n",
        (
            then(
                write("src/b", "1"),
                misses=miss("app COPY src/b", FILES, "modified src/b")
                + miss("last COPY", STAGE, root="app COPY src/b"),
                open=("last COPY",),
            ),
        ),
        SOURCES,
        setup=TRIGGER,
    ),
    Case(
        "another base",
        APP,
        (then(edit("base-NONCE:1", "other-base"), misses=miss("app RUN echo one", BASE, below=BELOW)),),
        TREE,
        setup=OLD,
    ),
    Case(
        "another name of the same base",
        APP,
        (then(edit("base-NONCE:1", "busybox")),),
        TREE,
        setup=OLD,
    ),
    Case(
        "base moved and a file changed",
        APP,
        (
            then(
                tag("other-base:latest", "base-NONCE:1"),
                write("src/a", "1"),
                misses=miss("app RUN echo one", BASE, below=BELOW),
            ),
        ),
        TREE,
        setup=OLD,
    ),
    Case(
        "base of one stage of two",
        """
        FROM base-NONCE:1 AS make
        RUN mkdir /made; echo NONCE > /made/x
        FROM busybox AS app
        COPY --from=make /made /made
        RUN cat /made/x
        """,
        (
            then(
                tag("other-base:latest", "base-NONCE:1"),
                misses=miss("make RUN", BASE),
                notes={"app COPY": "early-cutoff"},
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
        setup=OLD,
    ),
    Case(
        "--no-cache",
        APP,
        (
            then(once=("--no-cache",), misses=each(NO_CACHE, "app RUN echo one", *BELOW)),
            then(),
            then(
                write("src/a", "1"),
                once=("--no-cache",),
                misses=each(NO_CACHE, "app RUN echo one", *BELOW),
            ),
        ),
        TREE,
        setup=OLD,
    ),
    Case(
        "--no-cache with a WORKDIR",
        "FROM busybox AS app\nRUN : NONCE\nWORKDIR /there\nRUN pwd\n",
        (then(once=("--no-cache",), free=("app WORKDIR",), misses=each(NO_CACHE, "app RUN :", "app RUN pwd")),),
        TREE,
    ),
    Case(
        "--no-cache-filter of the stage that is read",
        TWO,
        (
            then(
                once=("--no-cache-filter", "make"),
                misses=each(NO_CACHE, "make COPY", "make RUN"),
                notes={"app COPY": "early-cutoff"},
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "--no-cache-filter of the last stage",
        TWO,
        (then(once=("--no-cache-filter", "app"), misses=each(NO_CACHE, "app COPY", "app RUN")),),
        TREE,
    ),
    Case(
        "--no-cache-filter of several stages",
        TWO,
        (
            then(once=("--no-cache-filter", "APP,nobody"), misses=each(NO_CACHE, "app COPY", "app RUN")),
            then(once=("--no-cache-filter", "nobody, app")),
            then(
                once=("--no-cache-filter", "make,app"),
                misses=each(NO_CACHE, "make COPY", "make RUN", "app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "--no-cache-filter of a stage without a name",
        "FROM busybox\nRUN echo one NONCE\nFROM busybox AS app\nCOPY --from=0 /etc/passwd /p\nRUN echo NONCE\n",
        (then(once=("--no-cache-filter", "stage-0")), then(once=("--no-cache-filter", "0"))),
        TREE,
    ),
    Case(
        "another platform, with a RUN",
        "FROM busybox AS app\nCOPY src/ src/\nRUN echo one NONCE\nRUN echo two\n",
        (
            then(
                options("--platform", "linux/arm64"),
                misses=miss("app COPY", PLATFORM, below=("app RUN echo one", "app RUN echo two")),
            ),
            then(options()),
        ),
        TREE,
    ),
    Case(
        "another platform, from scratch",
        "FROM scratch AS app\nCOPY src/ src/\nCOPY src/a /b\n",
        (then(options("--platform", "linux/arm64")),),
        TREE,
    ),
    Case(
        "two platforms at once, then a file",
        "FROM busybox AS app\nRUN echo one NONCE\nCOPY src/ src/\nRUN echo two\n",
        (
            then(),
            then(
                write("src/a", "1"),
                misses=miss("app@linux/amd64 COPY", FILES, "modified src/a", below=("app@linux/amd64 RUN echo two",))
                + miss("app@linux/arm64 COPY", FILES, "modified src/a", below=("app@linux/arm64 RUN echo two",)),
            ),
        ),
        TREE,
        options=("--platform", SYSTEMS),
    ),
    Case(
        "two platforms that share what is built on the builder's own",
        """
        FROM --platform=$BUILDPLATFORM busybox AS build
        ARG TARGETARCH
        COPY src /src
        RUN cat /src/a > /common
        RUN echo $TARGETARCH NONCE > /o
        FROM scratch AS last
        COPY common /common
        COPY --from=build /o /o
        """,
        tuple(map(shared, "123")),
        {"src/a": "a", "common": "c"},
        options=("--platform", SYSTEMS),
    ),
    Case(
        "a platform more",
        "FROM busybox AS app\nRUN echo one NONCE\nRUN echo two\n",
        (
            then(
                options("--platform", SYSTEMS),
                misses=miss("app@linux/arm64 RUN echo one", PLATFORM, below=("app@linux/arm64 RUN echo two",)),
            ),
        ),
        TREE,
        options=("--platform", "linux/amd64"),
    ),
    Case(
        "a build that failed, mended",
        APP,
        (
            then(
                edit("echo two", "false two"),
                misses=miss("app RUN false two", INSTRUCTION),
                fails=True,
            ),
            then(misses=miss("app RUN false two", INSTRUCTION), fails=True),
            then(edit("false two", "true two"), misses=miss("app RUN true two", INSTRUCTION)),
            then(edit("true two", "echo two"), notes={"app RUN echo two": "went-back"}),
        ),
        TREE,
        setup=OLD,
    ),
    Case(
        "a file that failed the build, mended",
        "FROM busybox AS app\nCOPY src/ src/\nRUN ! grep bad src/a\nRUN echo two\n",
        (
            then(
                write("src/a", "bad"),
                misses=miss("app COPY", FILES, "modified src/a", below=("app RUN ! grep",)),
                fails=True,
            ),
            then(
                write("src/a", "good"),
                misses=miss("app COPY", FILES, "modified src/a", below=("app RUN ! grep", "app RUN echo two")),
            ),
        ),
        TREE,
    ),
    Case(
        "platform's argument in a stage that is built on the builder's own",
        """
        FROM --platform=$BUILDPLATFORM busybox AS make
        RUN echo prepare NONCE
        ARG TARGETARCH
        RUN mkdir /o; echo $TARGETARCH > /o/x
        FROM scratch AS app
        COPY --from=make /o /o
        """,
        (
            then(
                options("--platform", "linux/arm64"),
                misses=miss("make RUN mkdir", PLATFORM, old="amd64", new="arm64")
                + miss("app COPY", STAGE, root="make RUN mkdir"),
                open=("app COPY",),
            ),
            then(
                options("--platform", "linux/arm64", "--build-arg", "TARGETARCH=own"),
                misses=miss("make RUN mkdir", ARGUMENT, old="arm64", new="own")
                + miss("app COPY", STAGE, root="make RUN mkdir"),
                open=("app COPY",),
            ),
        ),
        options=("--platform", "linux/amd64"),
    ),
    Case(
        "two names of one image, and one of them moved",
        """
        FROM one-NONCE:1 AS left
        RUN mkdir /l; echo NONCE > /l/x
        FROM two-NONCE:1 AS app
        RUN echo right NONCE
        COPY --from=left /l /l
        """,
        (
            then(
                tag("other-base:latest", "two-NONCE:1"),
                misses=miss("app RUN", BASE, below=("app COPY",), old="two-NONCE:1@", new="two-NONCE:1@"),
            ),
        ),
        setup=(tag("busybox:latest", "one-NONCE:1"), tag("busybox:latest", "two-NONCE:1")),
    ),
    Case(
        "options that every RUN sees",
        "FROM busybox AS app\nRUN : NONCE\n",
        (
            then(once=("--network", "none"), misses=miss("app RUN", ENVIRONMENT, new="none", said="--network")),
            then(once=("--shm-size", "64m"), misses=miss("app RUN", ENVIRONMENT, said="--shm-size")),
            then(once=("--ulimit", "nofile=100"), misses=miss("app RUN", ENVIRONMENT, new="100", said="--ulimit")),
            then(once=("--add-host", "h:1.2.3.4"), misses=miss("app RUN", ENVIRONMENT, new="h", said="--add-host")),
            then(),
        ),
    ),
)
