"""The cache is emptied, or a part of it. These cases run one after the other, on an engine of their own.

A prune that removes anything at all makes every step miss that was not built since: the engine forgets the keys,
although `docker buildx du` goes on listing the records (seen on Docker 28.5.2 with the containerd image store).
"""

from __future__ import annotations

from tests.matrix.case import EVICTED, FILES, INSTRUCTION, REMOTE, STAGE, Case, each, miss, then
from tests.matrix.moves import edit, prune, prune_step, serve, unseen, write

APP = """
    FROM busybox AS app
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
FETCHED = ("app RUN :", "app ADD", "app RUN ls")
ALL = ("app RUN echo one", "app COPY", "app RUN echo two")

CASES = (
    Case("all pruned", APP, (then(prune(), misses=each(EVICTED, *ALL)), then()), TREE),
    Case(
        "all pruned, of two stages",
        TWO,
        (
            then(
                prune(),
                misses=each(EVICTED, "make COPY", "make RUN", "app COPY", "app RUN"),
                open=("app COPY", "app RUN"),
            ),
        ),
        TREE,
    ),
    Case(
        "all pruned, and a file changed",
        APP,
        (
            then(
                prune(),
                write("src/a", "1"),
                misses=each(EVICTED, "app RUN echo one")
                + miss("app COPY", FILES, "modified src/a", below=("app RUN echo two",)),
            ),
        ),
        TREE,
    ),
    Case(
        "all pruned, then back to an older state",
        APP,
        (
            then(edit("echo two", "echo 2"), misses=miss("app RUN echo 2", INSTRUCTION)),
            then(prune(), edit("echo 2", "echo two"), misses=each(EVICTED, *ALL)),
        ),
        TREE,
    ),
    Case(
        "cache mounts pruned",
        "FROM busybox AS app\nRUN --mount=type=cache,id=NONCE,target=/c echo x > /c/x\nRUN echo two\n",
        (then(prune("--filter", "type=exec.cachemount"), misses=each(EVICTED, "app RUN --mount", "app RUN echo two")),),
        TREE,
    ),
    Case(
        "contexts pruned",
        APP,
        (
            then(prune("--filter", "type=source.local"), misses=each(EVICTED, *ALL)),
            then(write("src/a", "1"), misses=miss("app COPY", FILES, "modified src/a", below=("app RUN echo two",))),
        ),
        TREE,
    ),
    Case(
        "contexts pruned, and bytes that BuildKit had not seen change",
        APP,
        (
            then(unseen("src/a", "b")),
            then(
                prune("--filter", "type=source.local"),
                misses=each(EVICTED, "app RUN echo one")
                + miss("app COPY", FILES, "modified src/a", below=("app RUN echo two",)),
            ),
            then(),
            then(unseen("src/a", "c")),
        ),
        TREE,
    ),
    Case(
        "records of an age pruned that none has",
        APP,
        (then(prune("--filter", "until=24h")),),
        TREE,
    ),
    Case("pruned without --all", APP, (then(prune("--verbose"), misses=each(EVICTED, *ALL)),), TREE),
    Case("one record pruned that an image holds", APP, (then(prune_step("echo two")),), TREE),
    Case(
        "all pruned, with a URL",
        "FROM busybox AS app\nRUN : NONCE\nADD URL/x.txt /to/\nRUN ls /to\n",
        (
            then(prune(), misses=each(EVICTED, *FETCHED), open=FETCHED[1:]),
            then(serve("/x.txt", "2"), misses=miss("app ADD", REMOTE, below=("app RUN ls",)), open=FETCHED[1:]),
            then(prune(), misses=each(EVICTED, *FETCHED), open=FETCHED[1:]),
        ),
        TREE,
        setup=(serve("/x.txt", "1"),),
    ),
    Case(
        "all pruned, with a URL, and a file changed",
        "FROM busybox AS app\nRUN : NONCE\nADD URL/x.txt /to/\nCOPY src/a /a\nRUN ls /to\n",
        (
            then(
                prune(),
                write("src/a", "1"),
                misses=each(EVICTED, *FETCHED[:2]) + miss("app COPY", FILES, "modified src/a", below=("app RUN ls",)),
                open=("app ADD", "app COPY", "app RUN ls"),
            ),
        ),
        TREE,
        setup=(serve("/x.txt", "1"),),
    ),
    Case(
        "all pruned, with a URL in a stage that is read",
        "FROM busybox AS make\nADD URL/x.txt /NONCE/\nFROM busybox AS app\nCOPY --from=make /NONCE /to\nRUN ls /to\n",
        (
            then(
                prune(),
                misses=each(EVICTED, "make ADD", "app COPY", "app RUN"),
                open=("make ADD", "app COPY", "app RUN"),
            ),
            then(
                serve("/x.txt", "2"),
                misses=miss("make ADD", REMOTE) + miss("app COPY", STAGE, root="make ADD", below=("app RUN",)),
                open=("make ADD", "app COPY", "app RUN"),
            ),
        ),
        TREE,
        setup=(serve("/x.txt", "1"),),
    ),
)
