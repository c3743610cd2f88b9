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
    Case,
    each,
    miss,
    then,
)
from tests.matrix.moves import edit, labelled, options, tag, write

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
SYSTEMS = "linux/amd64,linux/arm64"

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
        (then(labelled("base-NONCE:1", "busybox"), misses=None),),
        TREE,
        setup=OLD,
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
