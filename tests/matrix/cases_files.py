"""Every kind of file change, seen by one COPY of a folder."""

from __future__ import annotations

from tests.matrix.case import FILES, Case, Misses, miss, then
from tests.matrix.moves import chmod, chown, delete, exactly, folder, link, rename, touch, unseen, write

APP = """
    FROM busybox AS app
    WORKDIR /NONCE
    COPY top.txt .
    RUN cat top.txt > /top
    COPY src/ src/
    RUN ls -lR src > /out
"""
TREE = {"top.txt": "top", "src/a": "a", "src/b": "b", "src/sub/c": "c", "README": "about"}


def changed(*files: str, also: tuple[str, ...] = ()) -> Misses:
    """The COPY of the folder misses, and what is below it."""
    return miss("app COPY src/", FILES, *files, also=also, below=("app RUN ls",))


BACK = {"app COPY src/": "went-back", "app RUN ls": "went-back"}

CASES = (
    Case("file modified", APP, (then(write("src/a", "other"), misses=changed("modified src/a")),), TREE),
    Case("file added", APP, (then(write("src/new", "new"), misses=changed("added src/new")),), TREE),
    Case("file removed", APP, (then(delete("src/b"), misses=changed("removed src/b")),), TREE),
    Case("file renamed", APP, (then(rename("src/b", "src/z"), misses=changed("renamed src/z")),), TREE),
    Case(
        "file moved to another folder",
        APP,
        (then(rename("src/b", "src/sub/b"), misses=changed("renamed src/sub/b")),),
        TREE,
    ),
    Case(
        "file renamed, another modified, one added, one removed",
        APP,
        (
            then(
                rename("src/b", "src/z"),
                write("src/a", "other"),
                write("src/new", "new"),
                delete("src/sub/c"),
                write("src/sub/keep", "keep"),
                misses=changed(
                    *("renamed src/z", "modified src/a", "added src/new"),
                    *("removed src/sub/c", "added src/sub/keep"),
                ),
            ),
        ),
        TREE,
    ),
    Case("file's mode", APP, (then(chmod("src/a", 0o755), misses=changed("mode src/a")),), TREE),
    Case(
        "file's mode and bytes",
        APP,
        (then(write("src/a", "x"), chmod("src/a", 0o755), misses=changed("modified src/a", also=("mode src/a",))),),
        TREE,
    ),
    # The engine sees the mode of a folder that it was never sent; of one that it has, it sees no change.
    Case(
        "folder's mode",
        APP,
        (
            then(chmod("src/sub", 0o700)),
            then(write("src/sub/c", "other"), misses=changed("modified src/sub/c", also=("mode src/sub",))),
        ),
        TREE,
    ),
    Case(
        "link's target",
        APP,
        (then(link("src/l", "b"), misses=changed("link src/l")),),
        TREE,
        setup=(link("src/l", "a"),),
    ),
    Case("link added", APP, (then(link("src/l", "a"), misses=changed("added src/l")),), TREE),
    Case("file became a link", APP, (then(link("src/b", "a"), misses=changed("kind src/b")),), TREE),
    Case(
        "file became a folder",
        APP,
        (then(delete("src/b"), write("src/b/in", "in"), misses=changed("kind src/b", "added src/b/in")),),
        TREE,
    ),
    Case(
        "folder became a file",
        APP,
        (then(delete("src/sub"), write("src/sub", "flat"), misses=changed("kind src/sub", "removed src/sub/c")),),
        TREE,
    ),
    Case("empty folder added", APP, (then(folder("src/empty"), misses=changed("added src/empty")),), TREE),
    Case(
        "empty folder removed",
        APP,
        (then(delete("src/empty"), misses=changed("removed src/empty")),),
        TREE,
        setup=(folder("src/empty"),),
    ),
    Case(
        "folder renamed",
        APP,
        (then(rename("src/sub", "src/other"), misses=changed("renamed src/other")),),
        TREE,
    ),
    Case(
        "file emptied and filled",
        APP,
        (
            then(exactly("src/a", ""), misses=changed("modified src/a")),
            then(write("src/a", "full"), misses=changed("modified src/a")),
        ),
        TREE,
    ),
    Case("name with a space and an umlaut", APP, (then(write("src/ä b", "x"), misses=changed("added src/ä b")),), TREE),
    Case(
        "file above the folder's COPY",
        APP,
        (
            then(
                write("top.txt", "other"),
                misses=miss(
                    "app COPY top", FILES, "modified top.txt", below=("app RUN cat", "app COPY src/", "app RUN ls")
                ),
            ),
        ),
        TREE,
    ),
    Case(
        "two edits at once, one above the other",
        APP,
        (
            then(
                write("top.txt", "other"),
                write("src/a", "other"),
                misses=miss(
                    "app COPY top", FILES, "modified top.txt", below=("app RUN cat", "app COPY src/", "app RUN ls")
                ),
            ),
        ),
        TREE,
    ),
    Case("file touched", APP, (then(touch("src/a")),), TREE),
    Case("file's owner", APP, (then(chown("src/a", 1234)),), TREE),
    Case("file that no step reads", APP, (then(write("README", "other")),), TREE),
    Case("bytes changed under the same size and time", APP, (then(unseen("src/a", "z")),), TREE),
    Case("nothing changed, twice", APP, (then(), then()), TREE),
    Case(
        "file there and back",
        APP,
        (
            then(write("src/a", "other"), misses=changed("modified src/a")),
            then(write("src/b", "other"), misses=changed("modified src/b")),
            then(write("src/b", "b"), write("src/a", "a"), notes=BACK),
        ),
        TREE,
    ),
    Case(
        "file differs from the nearest build, not from the last",
        APP,
        (
            then(
                *(write(f"src/m{number}", "many") for number in range(5)),
                misses=changed(*(f"added src/m{number}" for number in range(5))),
            ),
            then(
                *(delete(f"src/m{number}") for number in range(5)),
                write("src/a", "later"),
                misses=changed("modified src/a", also=()),
            ),
        ),
        TREE,
    ),
)
