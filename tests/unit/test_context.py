"""What is watched: finding the inputs of a build on disk, and counting what BuildKit will see of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hitmiss.errors import UsageError
from hitmiss.project.context import census, resolve
from hitmiss.project.ignore import parse
from hitmiss.project.tree import ADDED, DELETED, MODIFIED, Tree


def _write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_a_plain_folder(tmp_path: Path) -> None:
    _write(tmp_path, "app/Dockerfile", "app/src/a.py")
    found = resolve("app", cwd=tmp_path)
    root = tmp_path / "app"
    assert (found.root, found.dockerfile) == (root, root / "Dockerfile")
    assert found.ignore_files == (root / "Dockerfile.dockerignore", root / ".dockerignore")
    assert found.folders() == (("", root),)
    assert found.unwatched == {}
    assert [path.name for _, path in found.definitions()] == ["Dockerfile", "Dockerfile.dockerignore", ".dockerignore"]
    assert census(found).files == 2


def test_the_dockerfile_is_looked_for_as_buildx_does(tmp_path: Path) -> None:
    _write(tmp_path, "app/dockerfile", "docker/Dev", "app/Dev")
    assert resolve("app", cwd=tmp_path).dockerfile == tmp_path / "app/dockerfile"
    # A relative -f is relative to where one stands, not to the context.
    assert resolve("app", dockerfile="docker/Dev", cwd=tmp_path).dockerfile == tmp_path / "docker/Dev"
    assert resolve("app", dockerfile="docker/Dev", cwd=tmp_path).ignore_files[0] == tmp_path / "docker/Dev.dockerignore"
    with pytest.raises(UsageError, match="Dev does not exist"):
        resolve("app", dockerfile="Dev", cwd=tmp_path)
    assert resolve("app", dockerfile="-", cwd=tmp_path).dockerfile is None
    assert resolve("app", dockerfile="https://example.org/Dockerfile", cwd=tmp_path).dockerfile is None


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("none", {}, "build context none does not exist"),
        ("file", {}, "file is a file, not a folder"),
        ("empty", {}, "empty/Dockerfile does not exist"),
        ("app", {"dockerfile": "app"}, "app is a folder"),
        ("app", {"named": {"x": "gone"}}, "build context x=gone does not exist"),
        ("app", {"named": {"x": "file"}}, "x=file is a file"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    tmp_path: Path, path: str, options: dict[str, object], words: str
) -> None:
    _write(tmp_path, "file", "app/Dockerfile")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        resolve(path, cwd=tmp_path, **options)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert caught.value.mend


def test_contexts_that_are_built_but_not_watched(tmp_path: Path) -> None:
    _write(tmp_path, "app/Dockerfile", "lib/a", "lib/.dockerignore", "Dockerfile.abs")
    named = {
        "lib": "lib",
        "image": "docker-image://alpine",
        "layout": "oci-layout://lib",
        "other": "target:base",
        "git": "https://example.org/x.git#main",
        "hub": "github.com/moby/buildkit",
    }
    found = resolve("app", named=named, cwd=tmp_path)
    assert found.named == {"lib": tmp_path / "lib"}
    assert set(found.unwatched) == {"image", "layout", "other", "git", "hub"}
    assert ("lib", tmp_path / "lib/.dockerignore") in found.definitions()
    for remote in ("https://example.org/x.tgz", "git@github.com:a/b.git", "-", "ssh://git@host/x"):
        far = resolve(remote, cwd=tmp_path)
        assert (far.root, far.dockerfile, far.folders(), far.unwatched) == (None, None, (), {"": remote})
        assert census(far).files == 0
    assert resolve("https://example.org/x.git", dockerfile="sub/Dockerfile", cwd=tmp_path).dockerfile is None
    near = resolve("https://example.org/x.git", dockerfile=str(tmp_path / "Dockerfile.abs"), cwd=tmp_path)
    assert near.dockerfile == tmp_path / "Dockerfile.abs"


def test_which_ignore_file_holds(tmp_path: Path) -> None:
    _write(tmp_path, "Dockerfile", "Two", "a", "b", "lib/a", "lib/b")
    (tmp_path / ".dockerignore").write_text("a\n")
    (tmp_path / "Two.dockerignore").write_text("b\n")
    (tmp_path / "lib/.dockerignore").write_text("b\n.dockerignore\n")
    found = resolve(".", named={"lib": "lib"}, cwd=tmp_path)
    assert found.rules() == {"": parse("a"), "lib": parse("b\n.dockerignore")}
    assert resolve(".", dockerfile="Two", cwd=tmp_path).rules() == {"": parse("b")}
    # Dockerfile, Two, Two.dockerignore, .dockerignore, b, lib/.dockerignore, lib/a, lib/b; and a of lib.
    assert census(found).files == 8 + 1


def test_a_refused_ignore_pattern_is_a_sentence(tmp_path: Path) -> None:
    _write(tmp_path, "Dockerfile")
    (tmp_path / ".dockerignore").write_text("[\n")
    with pytest.raises(UsageError, match="refuses"):
        census(resolve(".", cwd=tmp_path))


def test_links_are_files_and_are_not_followed(tmp_path: Path) -> None:
    _write(tmp_path, "app/Dockerfile", "out/a", "out/b")
    (tmp_path / "app/loop").symlink_to(".")
    (tmp_path / "app/out").symlink_to("../out")
    (tmp_path / "app/gone").symlink_to("nowhere")
    found = resolve("app", cwd=tmp_path)
    assert census(found).files == 4
    (tmp_path / "alias").symlink_to("app")
    assert census(resolve("alias", cwd=tmp_path)).files == 4


def test_a_context_that_went_counts_as_empty(tmp_path: Path) -> None:
    _write(tmp_path, "app/Dockerfile")
    found = resolve("app", cwd=tmp_path)
    (tmp_path / "app/Dockerfile").unlink()
    (tmp_path / "app").rmdir()
    assert census(found) == census(found)
    assert census(found).files == 0


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    _write(tmp_path, "Dockerfile")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))).write_text("x")
    found = resolve(".", cwd=tmp_path)
    assert census(found).files == 2
    (tmp_path / ".dockerignore").write_bytes(b"caf\xe9\n")
    assert census(found).files == 2


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "Dockerfile", "shut/a", "skipped/a")
    (tmp_path / ".dockerignore").write_text("skipped\n!skipped/b/c\n")
    for name in ("shut", "skipped"):
        (tmp_path / name).chmod(0)
    # In a user namespace of its own that maps no one, root has no power over modes.
    powerless = ["unshare", "-U"] if os.getuid() == 0 else []
    code = (
        "import sys\nfrom hitmiss.project.context import census, resolve\n"
        "found = census(resolve(sys.argv[1]))\nprint(found.files, *found.unreadable)"
    )
    done = subprocess.run(
        [*powerless, sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    for name in ("shut", "skipped"):
        (tmp_path / name).chmod(0o700)
    assert done.stdout.split() == ["2", str(tmp_path / "shut")], done.stderr


def test_many_files_are_counted(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"d{number}").mkdir()
        for name in range(50):
            (tmp_path / f"d{number}/{name}").touch()
    _write(tmp_path, "Dockerfile")
    (tmp_path / ".dockerignore").write_text("d1*\n!d11\n")
    assert census(resolve(".", cwd=tmp_path)).files == 2000 - 11 * 50 + 50 + 2


def test_a_tree_says_what_differs(tmp_path: Path) -> None:
    _write(tmp_path, "a", "d/b", "d/e/c", "skip/x", "skip/keep/y")
    tree = Tree(str(tmp_path), parse("skip\n!skip/keep\n"))
    assert {path for _, path, _ in tree.scan()} == {"a", "d", "d/b", "d/e", "d/e/c", "skip/keep", "skip/keep/y"}
    assert tree.scan() == []
    assert set(tree.folders) == {"", "d", "d/e", "skip", "skip/keep"}
    _write(tmp_path, "new/deep/f", "skip/z", "skip/keep/z")
    (tmp_path / "d/e/c").unlink()
    (tmp_path / "a").chmod(0o700)
    assert set(tree.scan()) == {
        (ADDED, "new", True),
        (ADDED, "new/deep", True),
        (ADDED, "new/deep/f", False),
        (ADDED, "skip/keep/z", False),
        (DELETED, "d/e/c", False),
        (MODIFIED, "a", False),
    }


def test_a_tree_looks_at_one_path(tmp_path: Path) -> None:
    _write(tmp_path, "a", "d/b")
    (tmp_path / "link").symlink_to("d")
    tree = Tree(str(tmp_path), parse("*.log\n"))
    tree.scan()
    _write(tmp_path, "n/m/f", "x.log")
    assert set(tree.refresh("n/m/f")) == {(ADDED, "n", True), (ADDED, "n/m", True), (ADDED, "n/m/f", False)}
    assert tree.refresh("x.log") == []
    assert {path for _, path, _ in tree.refresh("link/b")} <= {"link"}
    assert tree.refresh("gone/x") == []
    os.utime(tmp_path / "a", (1, 1))
    assert tree.refresh("a") == [(MODIFIED, "a", False)]
    (tmp_path / "d").rename(tmp_path / "e")
    assert set(tree.refresh("d")) == {(DELETED, "d", True), (DELETED, "d/b", False)}
    assert set(tree.refresh("e")) == {(ADDED, "e", True), (ADDED, "e/b", False)}
    (tmp_path / "e/b").unlink()
    (tmp_path / "e").rmdir()
    _write(tmp_path, "e")
    assert set(tree.refresh("e")) == {(DELETED, "e/b", False), (MODIFIED, "e", False)}
    (tmp_path / "e").unlink()
    _write(tmp_path, "e/c")
    assert set(tree.refresh("e")) == {(MODIFIED, "e", True), (ADDED, "e/c", False)}
    (tmp_path / "n").chmod(0o700)
    assert tree.refresh("n") == [(MODIFIED, "n", True)]
    assert set(tree.entries) == {"a", "link", "n", "n/m", "n/m/f", "e", "e/c"}
