"""Rules of `.dockerignore`, and edits of them."""

from __future__ import annotations

from tests.matrix.case import FILES, Case, Deed, miss, then
from tests.matrix.moves import delete, edit, exactly, write

ALL = "FROM busybox AS app\nCOPY . /to/\nRUN ls -R /to > /out\n"
SRC = "FROM busybox AS app\nCOPY src/ /to/\nRUN ls -R /to > /out\n"
TREE = {"src/a.py": "a", "src/b.log": "b", "src/keep.log": "keep", "docs/c.md": "c", "top": "top"}
BELOW = ("app RUN ls",)
RULES = "`.dockerignore`"


def rules(*lines: str, file: str = ".dockerignore") -> Deed:
    """Write the rules."""
    return exactly(file, "\n".join(lines) + "\n")


CASES = (
    Case(
        "ignored by suffix",
        ALL,
        (
            then(write("src/b.log", "1")),
            then(write("src/new.log", "1")),
            then(write("src/a.py", "1"), misses=miss("app COPY", FILES, "modified src/a.py", below=BELOW)),
        ),
        TREE,
        setup=(rules("**/*.log"),),
    ),
    Case(
        "ignored but for one",
        SRC,
        (
            then(write("src/b.log", "1")),
            then(write("src/keep.log", "1"), misses=miss("app COPY", FILES, "modified src/keep.log", below=BELOW)),
        ),
        TREE,
        setup=(rules("**/*.log", "!src/keep.log"),),
    ),
    Case(
        "all ignored but one folder",
        ALL,
        (
            then(write("top", "1"), write("docs/c.md", "1"), edit("FROM busybox", "# c\nFROM busybox")),
            then(write("src/a.py", "1"), misses=miss("app COPY", FILES, "modified src/a.py", below=BELOW)),
        ),
        TREE,
        setup=(rules("*", "!src"),),
    ),
    Case(
        "rule that hides a file",
        SRC,
        (
            then(
                rules("docs", "src/b.log"),
                misses=miss(
                    "app COPY", FILES, "removed src/b.log", below=BELOW, said=f"{RULES} now hides 1 file since"
                ),
            ),
        ),
        TREE,
        setup=(rules("docs"),),
    ),
    Case(
        "rule that shows a file",
        SRC,
        (
            then(
                rules("**/*.log", "!src/keep.log"),
                misses=miss(
                    "app COPY", FILES, "added src/keep.log", below=BELOW, said=f"{RULES} now shows 1 file since"
                ),
            ),
            then(
                rules("**/*.log", "!src/b.log"),
                write("src/a.py", "1"),
                misses=miss(
                    "app COPY",
                    FILES,
                    "added src/b.log",
                    "modified src/a.py",
                    below=BELOW,
                    said=f"{RULES} now shows 1 file, and 1 other file changed since",
                ),
            ),
        ),
        TREE,
        setup=(rules("**/*.log"),),
    ),
    Case(
        "rule that changes nothing here",
        SRC,
        (then(rules("docs", "# a comment", "*.nothing")),),
        TREE,
        setup=(rules("docs"),),
    ),
    Case(
        "rules in the context themselves",
        ALL,
        (
            then(
                rules("docs", "*.nothing"),
                misses=miss("app COPY", FILES, "modified .dockerignore", below=BELOW, said="1 file changed since"),
            ),
        ),
        TREE,
        setup=(rules("docs"),),
    ),
    Case(
        "rules written for the first time, and removed",
        SRC,
        (
            then(
                rules("src/*.log"),
                misses=miss(
                    "app COPY",
                    FILES,
                    "removed src/b.log",
                    "removed src/keep.log",
                    below=BELOW,
                    said=f"{RULES} now hides 2 files since",
                ),
            ),
            then(delete(".dockerignore"), notes={"app COPY": "went-back"}),
        ),
        TREE,
    ),
    Case(
        "rules of one Dockerfile",
        SRC,
        (
            then(write("src/b.log", "1")),
            then(write("src/a.py", "1"), misses=miss("app COPY", FILES, "modified src/a.py", below=BELOW)),
            then(
                rules("docs", file="Dockerfile.dockerignore"),
                misses=miss(
                    "app COPY",
                    FILES,
                    "added src/b.log",
                    "added src/keep.log",
                    below=BELOW,
                    said="`Dockerfile.dockerignore` now shows 2 files since",
                ),
            ),
        ),
        TREE,
        setup=(rules("src/a.py"), rules("**/*.log", file="Dockerfile.dockerignore")),
    ),
    Case(
        "Dockerfile and rules out of the context",
        ALL,
        (then(edit("FROM busybox", "# c\nFROM busybox")), then(rules("Dockerfile", ".dockerignore", "x"))),
        TREE,
        setup=(rules("Dockerfile", ".dockerignore"),),
    ),
)
