"""Each way to write COPY and ADD."""

from __future__ import annotations

from tests.matrix.case import FILES, HITS, INSERTED, INSTRUCTION, REMOTE, REMOVED, STAGE, Case, miss, then
from tests.matrix.moves import archive, chmod, delete, dockerfile, edit, options, rename, serve, tag, write

TREE = {"one.txt": "one", "two.txt": "two", "deep/in/three.txt": "three", "deep/four.md": "four", "tool.sh": "echo"}


def after(way: str) -> str:
    """A stage that copies this way, with a step above and one below."""
    return f"FROM busybox AS app\nRUN : NONCE\n{way}\nRUN ls -lR /to > /out\n"


BELOW = ("app RUN ls",)
MOVED = {
    "one.txt": "one",
    "two.txt": "two",
    "top": "top",
    "deep/a": "a",
    "deep/b": "b",
    "deep/sub/c": "c",
    "other/x": "x",
    "other/more/d": "d",
}

LIB = """
    FROM busybox AS lib
    RUN echo NONCE > /etc/x
    FROM busybox AS app
    RUN : NONCE
    COPY --from=lib /etc /to
    RUN ls /to
"""

CASES = (
    Case(
        "COPY of several sources",
        after("COPY one.txt two.txt deep /to/"),
        (
            then(write("two.txt", "2"), misses=miss("app COPY", FILES, "modified two.txt", below=BELOW)),
            then(write("deep/four.md", "4"), misses=miss("app COPY", FILES, "modified deep/four.md", below=BELOW)),
            then(write("tool.sh", "other")),
        ),
        TREE,
    ),
    Case(
        "COPY with a wildcard",
        after("COPY *.txt /to/"),
        (
            then(write("new.txt", "new"), misses=miss("app COPY", FILES, "added new.txt", below=BELOW)),
            then(write("new.md", "new"), write("deep/new.txt", "new")),
            then(rename("new.txt", "gone.md"), misses=HITS, notes={"app COPY": "went-back"}),
        ),
        TREE,
    ),
    Case(
        "COPY with a wildcard in a folder's name",
        after("COPY d*p/in/thr??.txt /to/"),
        (
            then(
                write("deep/in/three.txt", "3"),
                misses=miss("app COPY", FILES, "modified deep/in/three.txt", below=BELOW),
            ),
            then(write("deep/four.md", "4")),
        ),
        TREE,
    ),
    Case(
        "COPY of everything",
        after("COPY . /to/"),
        (
            then(
                write("deep/in/three.txt", "3"),
                misses=miss("app COPY", FILES, "modified deep/in/three.txt", below=BELOW),
            ),
            then(
                edit("FROM busybox", "# a comment\nFROM busybox"),
                misses=miss("app COPY", FILES, "modified Dockerfile", below=BELOW),
            ),
        ),
        TREE,
    ),
    Case(
        "COPY in JSON form",
        after('COPY ["one.txt", "deep/in/three.txt", "/to/"]'),
        (
            then(write("one.txt", "1"), misses=miss("app COPY", FILES, "modified one.txt", below=BELOW)),
            then(write("two.txt", "2")),
        ),
        TREE,
    ),
    Case(
        "COPY --chmod",
        after("COPY --chmod=755 tool.sh /to/"),
        (
            then(
                edit("--chmod=755", "--chmod=700"),
                misses=miss("app COPY", INSTRUCTION, below=BELOW, old="--chmod=755", new="--chmod=700"),
            ),
            then(write("tool.sh", "other"), misses=miss("app COPY", FILES, "modified tool.sh", below=BELOW)),
        ),
        TREE,
    ),
    Case(
        "COPY --chown",
        after("COPY --chown=1:1 tool.sh /to/"),
        (
            then(edit("--chown=1:1", "--chown=2:2"), misses=miss("app COPY", INSTRUCTION, below=BELOW)),
            then(chmod("tool.sh", 0o755), misses=miss("app COPY", FILES, "mode tool.sh", below=BELOW)),
        ),
        TREE,
    ),
    Case(
        "COPY --exclude",
        after("COPY --exclude=*.md deep /to/"),
        (
            then(write("deep/four.md", "4")),
            then(
                write("deep/in/three.txt", "3"),
                misses=miss("app COPY", FILES, "modified deep/in/three.txt", below=BELOW),
            ),
            then(edit("--exclude=*.md", "--exclude=*.zip"), misses=miss("app COPY", INSTRUCTION, below=BELOW)),
        ),
        TREE,
    ),
    Case(
        "COPY --link",
        after("COPY --link one.txt /to/"),
        (
            then(write("one.txt", "1"), misses=miss("app COPY", FILES, "modified one.txt", below=BELOW)),
            then(
                edit("RUN : NONCE", "RUN : NONCE again"),
                misses=miss("app RUN :", INSTRUCTION, below=BELOW),
            ),
        ),
        TREE,
    ),
    Case(
        "COPY to another place, and of another source",
        after("COPY one.txt /to/"),
        (
            then(
                edit("one.txt /to/", "one.txt /to/1"),
                misses=miss("app COPY", INSTRUCTION, below=BELOW, old="/to/", new="/to/1"),
            ),
            then(edit("one.txt /to/1", "two.txt /to/1"), misses=miss("app COPY", INSTRUCTION, below=BELOW)),
        ),
        TREE,
    ),
    Case(
        "COPY of a path made of an argument",
        after("ARG WHICH=one\nCOPY ${WHICH}.txt /to/"),
        (
            then(write("two.txt", "2")),
            then(
                write("one.txt", "1"),
                misses=miss("app COPY", FILES, "modified one.txt", below=BELOW),
            ),
        ),
        TREE,
    ),
    Case(
        "COPY of a heredoc",
        after("COPY <<EOT /to/text\nfirst line NONCE\nEOT"),
        (
            then(edit("first line", "another line"), misses=miss("app COPY", INSTRUCTION, below=BELOW)),
            then(write("one.txt", "1")),
        ),
        TREE,
    ),
    Case(
        "COPY --from a stage, by name and by number",
        """
        FROM busybox AS make
        COPY one.txt .
        RUN mkdir /made && cp one.txt /made/1 && echo two NONCE > /made/2
        FROM busybox AS app
        COPY --from=make /made/1 /to/
        COPY --from=0 /made/2 /to/
        RUN ls /to
        """,
        (
            then(
                write("one.txt", "1"),
                misses=miss("make COPY", FILES, "modified one.txt", below=("make RUN",))
                + miss(
                    "app COPY --from=make",
                    STAGE,
                    root="make COPY",
                    below=("app COPY --from=0", "app RUN ls"),
                ),
                open=("app COPY --from=make", "app COPY --from=0", "app RUN ls"),
            ),
        ),
        TREE,
    ),
    Case(
        "COPY --from an image",
        """
        FROM busybox AS app
        RUN mkdir /to && echo NONCE > /to/x
        COPY --from=from-NONCE:1 /etc/passwd /to/
        RUN ls /to
        """,
        (
            then(write("one.txt", "1")),
            then(
                edit("/etc/passwd", "/etc/group"),
                misses=miss("app COPY", INSTRUCTION, below=("app RUN ls",)),
            ),
            # What another image holds is known to nobody before the engine has looked.
            then(tag("other-base:latest", "from-NONCE:1"), misses=HITS, open=("app COPY", "app RUN ls")),
        ),
        TREE,
        setup=(tag("busybox:latest", "from-NONCE:1"),),
    ),
    Case(
        "ADD of a file and of a folder",
        after("ADD one.txt deep /to/"),
        (
            then(
                delete("deep/four.md"),
                misses=miss("app ADD", FILES, "removed deep/four.md", below=BELOW),
            ),
            then(write("two.txt", "2")),
        ),
        TREE,
    ),
    Case(
        "ADD of a tar",
        after("ADD pack.tar /to/"),
        (then(archive("pack.tar", "other"), misses=miss("app ADD", FILES, "modified pack.tar", below=BELOW)),),
        TREE,
        setup=(archive("pack.tar", "first"),),
    ),
    Case(
        "ADD of a URL",
        after("ADD URL/x.txt /to/"),
        (
            then(open=("app ADD", *BELOW)),
            then(serve("/x.txt", "other"), misses=miss("app ADD", REMOTE, below=BELOW), open=("app ADD", *BELOW)),
        ),
        TREE,
        setup=(serve("/x.txt", "first"),),
    ),
    Case(
        "ADD of another URL",
        after("ADD URL/x.txt /to/x"),
        (then(edit("URL/x.txt", "URL/y.txt"), misses=miss("app ADD", INSTRUCTION, below=BELOW)),),
        TREE,
        setup=(serve("/x.txt", "x"), serve("/y.txt", "y")),
    ),
    Case(
        "file moved out of the folder that is copied, and into it",
        after("COPY deep/ /to/"),
        (
            then(rename("deep/b", "other/b"), misses=miss("app COPY", FILES, "removed deep/b", below=BELOW)),
            then(rename("other/x", "deep/x"), misses=miss("app COPY", FILES, "added deep/x", below=BELOW)),
            then(rename("deep/sub", "other/sub"), misses=miss("app COPY", FILES, "removed deep/sub/c", below=BELOW)),
            then(rename("other/more", "deep/more"), misses=miss("app COPY", FILES, "added deep/more/d", below=BELOW)),
        ),
        MOVED,
    ),
    Case(
        "file renamed out of a pattern, and into it",
        after("COPY *.txt /to/"),
        (
            then(rename("two.txt", "two.md"), misses=miss("app COPY", FILES, "removed two.txt", below=BELOW)),
            then(rename("top", "top.txt"), misses=miss("app COPY", FILES, "added top.txt", below=BELOW)),
            then(rename("top.txt", "tip.txt"), misses=miss("app COPY", FILES, "renamed tip.txt", below=BELOW)),
        ),
        MOVED,
    ),
    Case(
        "file renamed to what is left out",
        after("COPY --exclude=*.md deep/ /to/"),
        (
            then(rename("deep/b", "deep/b.md"), misses=miss("app COPY", FILES, "removed deep/b", below=BELOW)),
            then(rename("deep/sub", "deep/sub.md"), misses=miss("app COPY", FILES, "removed deep/sub/c", below=BELOW)),
            then(rename("deep/sub.md", "deep/bus"), misses=miss("app COPY", FILES, "added deep/bus/c", below=BELOW)),
            then(rename("deep/bus", "deep/car"), misses=miss("app COPY", FILES, "renamed deep/car", below=BELOW)),
        ),
        MOVED,
    ),
    Case(
        "named context that was a stage",
        LIB,
        (
            then(options("--build-context", "lib=SIDE/lib"), misses=None, free=("app COPY", *BELOW)),
            then(
                write("SIDE/lib/etc/x", "2"),
                misses=miss("app COPY", FILES, "modified etc/x", below=BELOW, said="since build 2"),
            ),
        ),
        {"SIDE/lib/etc/x": "1"},
    ),
    Case(
        "named context that was an image",
        LIB,
        (
            then(
                options("--build-context", "lib=docker-image://busybox"), misses=None, free=("app COPY", "app RUN ls")
            ),
            then(
                options("--build-context", "lib=SIDE/lib"),
                write("SIDE/lib/etc/x", "2"),
                misses=miss("app COPY", FILES, "modified etc/x", below=BELOW, said="since build 1"),
            ),
        ),
        {"SIDE/lib/etc/x": "1"},
        options=("--build-context", "lib=SIDE/lib"),
    ),
    Case(
        "COPY --link that goes, and comes back above what it was below",
        "FROM busybox AS app\nRUN : NONCE; ls /\nCOPY --link one.txt /f\nRUN echo more\n",
        (
            then(
                edit("COPY --link one.txt /f\n", ""),
                misses=miss("app RUN echo", REMOVED, old="COPY --link", said="is gone"),
            ),
            then(
                edit("RUN : NONCE", "COPY --link one.txt /f\nRUN : NONCE"),
                misses=miss("app RUN :", INSERTED, new="COPY --link", below=("app RUN echo",)),
            ),
            then(dockerfile("FROM busybox AS app\nRUN : NONCE; ls /\nRUN echo more\nCOPY --link one.txt /f\n")),
        ),
        TREE,
    ),
    Case(
        "two COPY --link that change places",
        "FROM busybox AS app\nCOPY --link one.txt /f\nCOPY --link two.txt /g\nRUN ls /\n",
        (
            then(
                dockerfile("FROM busybox AS app\nCOPY --link two.txt /g\nCOPY --link one.txt /f\nRUN ls /\n"),
                misses=miss("app RUN", INSERTED, said="in another order"),
            ),
        ),
        TREE,
    ),
)
