"""Mounts, secrets, heredocs, named contexts."""

from __future__ import annotations

from tests.matrix.case import BASE, ENVIRONMENT, FILES, INSTRUCTION, STAGE, Case, miss, then
from tests.matrix.moves import edit, exactly, options, tag, write

TREE = {"in/a": "a", "in/b": "b", "other/c": "c"}


def run(mounts: str) -> str:
    """A stage with one RUN that has these mounts, and one below."""
    return f"FROM busybox AS app\nRUN {mounts} : NONCE > /seen\nRUN cat /seen\n"


BELOW = ("app RUN cat",)
SIDE = ("--build-context", "lib=SIDE/lib")

CASES = (
    Case(
        "bind mount of a folder of the context",
        run("--mount=type=bind,source=in,target=/in"),
        (
            then(write("in/a", "1"), misses=miss("app RUN --mount", FILES, "modified in/a", below=BELOW)),
            then(write("other/c", "1")),
            then(write("in/new", "1"), misses=miss("app RUN --mount", FILES, "added in/new", below=BELOW)),
        ),
        TREE,
    ),
    Case(
        "bind mount of one file",
        run("--mount=type=bind,source=in/a,target=/a --mount=type=bind,source=other/c,target=/c"),
        (
            then(write("in/b", "1")),
            then(write("other/c", "1"), misses=miss("app RUN --mount", FILES, "modified other/c", below=BELOW)),
        ),
        TREE,
    ),
    Case(
        "bind mount of the whole context",
        run("--mount=target=/all"),
        (
            then(write("in/a", "1"), misses=miss("app RUN --mount", FILES, "modified in/a", below=BELOW)),
            then(write("ignored", "1")),
        ),
        {**TREE, "ignored": "i", ".dockerignore": "ignored\n#"},
    ),
    Case(
        "bind mount of another folder",
        run("--mount=type=bind,source=in,target=/in"),
        (then(edit("source=in", "source=other"), misses=miss("app RUN --mount", INSTRUCTION, below=BELOW)),),
        TREE,
    ),
    Case(
        "bind mount from a stage",
        """
        FROM busybox AS make
        COPY in/ /in/
        RUN mkdir /made && cat /in/a > /made/x
        FROM busybox AS app
        RUN --mount=from=make,source=/made,target=/made : NONCE; cat /made/x > /seen
        RUN cat /seen
        """,
        (
            then(
                write("in/a", "1"),
                misses=miss("make COPY", FILES, "modified in/a", below=("make RUN",))
                + miss("app RUN --mount", STAGE, root="make COPY", below=BELOW),
                open=("app RUN --mount", "app RUN cat"),
            ),
            then(
                write("in/b", "1"),
                misses=miss("make COPY", FILES, "modified in/b", below=("make RUN",)),
                notes={"app RUN --mount": "early-cutoff"},
                open=("app RUN --mount", "app RUN cat"),
            ),
        ),
        TREE,
    ),
    Case(
        "bind mount from a named context",
        run("--mount=from=lib,source=sub,target=/lib"),
        (
            then(write("SIDE/lib/sub/x", "1"), misses=miss("app RUN --mount", FILES, "modified sub/x", below=BELOW)),
            then(write("SIDE/lib/y", "1")),
        ),
        {**TREE, "SIDE/lib/sub/x": "x", "SIDE/lib/y": "y"},
        options=SIDE,
    ),
    Case(
        "cache mount's id and content",
        run("--mount=type=cache,id=one-NONCE,target=/c"),
        (then(edit("id=one-NONCE", "id=two-NONCE")),),
        TREE,
    ),
    Case(
        "cache mount's place",
        run("--mount=type=cache,id=one-NONCE,target=/c"),
        (then(edit("target=/c", "target=/d"), misses=miss("app RUN --mount", INSTRUCTION, below=BELOW)),),
        TREE,
    ),
    Case(
        "secret's value",
        run("--mount=type=secret,id=key"),
        (then(exactly("SIDE/key", "hush-two-NONCE")),),
        {**TREE},
        setup=(exactly("SIDE/key", "hush-one-NONCE"),),
        options=("--secret", "id=key,src=SIDE/key"),
        secrets=("hush-one-NONCE", "hush-two-NONCE"),
    ),
    Case(
        "secret's name",
        run("--mount=type=secret,id=key,required=false"),
        (then(edit("id=key", "id=other"), misses=miss("app RUN --mount", INSTRUCTION, below=BELOW)),),
        TREE,
    ),
    Case(
        "RUN of a heredoc",
        "FROM busybox AS app\nRUN <<EOT\necho first NONCE > /seen\ncat /seen\nEOT\nRUN cat /seen\n",
        (then(edit("echo first", "echo second"), misses=miss("app RUN <<EOT", INSTRUCTION, below=BELOW)),),
        TREE,
    ),
    Case(
        "RUN in JSON form",
        'FROM busybox AS app\nRUN ["touch", "/NONCE"]\nRUN cat /NONCE\n',
        (
            then(
                edit('"touch", ', '"touch", "/more", '),
                misses=miss('app RUN ["touch"', INSTRUCTION, below=("app RUN cat",)),
            ),
        ),
        TREE,
    ),
    Case(
        "COPY --from a named context that is a folder",
        "FROM busybox AS app\nRUN : NONCE\nCOPY --from=lib sub /lib\nRUN ls /lib\n",
        (
            then(write("SIDE/lib/sub/x", "1"), misses=miss("app COPY", FILES, "modified sub/x", below=("app RUN ls",))),
            then(write("SIDE/lib/y", "1")),
            then(write("in/a", "1")),
            then(
                write("SIDE/lib2/sub/x", "moved"),
                options("--build-context", "lib=SIDE/lib2"),
                misses=miss("app COPY", FILES, "modified sub/x", below=("app RUN ls",)),
            ),
        ),
        {**TREE, "SIDE/lib/sub/x": "x", "SIDE/lib/y": "y"},
        options=SIDE,
    ),
    Case(
        "named context that is an image",
        "FROM busybox AS app\nRUN : NONCE\nCOPY in/a /\n",
        (
            then(
                options("--build-context", "busybox=docker-image://other-base:latest"),
                misses=miss("app RUN :", BASE, below=("app COPY",)),
            ),
            then(options(), notes={"app RUN :": "went-back"}),
        ),
        TREE,
    ),
    Case(
        "named context that was an image and is a folder",
        "FROM base AS app\nCOPY in/a /NONCE\n",
        (
            then(
                options("--build-context", "base=SIDE/base"),
                misses=miss("app COPY", BASE, old="busybox", new="SIDE/base"),
            ),
        ),
        {**TREE, "SIDE/base/x": "x"},
        options=("--build-context", "base=docker-image://busybox"),
    ),
    Case(
        "named context that is an image whose tag moves",
        "FROM base AS app\nRUN : NONCE\nCOPY in/a /\n",
        (
            then(),
            then(tag("other-base:latest", "moves-NONCE:1"), misses=miss("app RUN :", BASE, below=("app COPY",))),
        ),
        TREE,
        setup=(tag("busybox:latest", "moves-NONCE:1"),),
        options=("--build-context", "base=docker-image://moves-NONCE:1"),
    ),
    Case(
        "network of a RUN",
        run("--network=none"),
        (
            then(
                edit("--network=none ", "--network=default "),
                misses=miss("app RUN --network", INSTRUCTION, below=BELOW),
            ),
        ),
        TREE,
    ),
    Case(
        "variable set for a mounted step",
        "FROM busybox AS app\nENV A=1\nRUN --mount=type=bind,source=in,target=/in : NONCE\n",
        (then(edit("A=1", "A=2"), misses=miss("app RUN --mount", ENVIRONMENT)),),
        TREE,
    ),
)
