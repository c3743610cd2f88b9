"""What differs between two frozen manifests, in words for people."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

from hitmiss.build.model import Alteration, FileChange
from hitmiss.explain import change_words
from hitmiss.project.chosen import Source
from hitmiss.project.difference import covered, difference, opened
from hitmiss.project.ignore import NOTHING_IGNORED
from hitmiss.project.manifest import Manifest
from tests.support.project import Project

ADDED, REMOVED, RENAMED = Alteration.ADDED, Alteration.REMOVED, Alteration.RENAMED
ALL = Source("/")


class _Past:
    """The frozen states of a folder, one after the other."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.blobs: dict[bytes, bytes] = {}
        self.loaded: list[bytes] = []
        self.root = b""
        self.freeze()

    def freeze(self) -> None:
        manifest = Manifest(str(self.project.path), NOTHING_IGNORED)
        manifest.read()
        self.root, blobs = manifest.freeze()
        self.blobs.update(blobs)

    def load(self, digest: bytes) -> bytes | None:
        self.loaded.append(digest)
        return self.blobs.get(digest)

    def changes(self) -> tuple[FileChange, ...]:
        before = self.root
        self.freeze()
        return difference(self.load, before, self.root)


@pytest.fixture
def past(project: Project) -> _Past:
    for name in ("src/a.py", "src/b.py", "src/deep/c.py", "docs/d.md"):
        project.write(name, name, mode=0o644)
    project.write("empty", "")
    (project / "l").symlink_to("src")
    return _Past(project)


def test_a_link_that_came_or_went_is_called_one(past: _Past) -> None:
    (past.project / "l").unlink()
    (past.project / "src/b.php").symlink_to("a.py")
    gone, came = past.changes()
    assert (gone.path, gone.change, gone.old) == ("l", REMOVED, "link")
    assert (came.path, came.change, came.new) == ("src/b.php", ADDED, "link")
    assert change_words(came) == "link"


def test_files(past: _Past) -> None:
    past.project.write("src/a.py", "src/a.py and more")
    past.project.remove("docs/d.md")
    past.project.write("src/new", "new")
    (past.project / "src/b.py").chmod(0o755)
    assert past.changes() == (
        FileChange("docs/d.md", REMOVED, grown=-9),
        FileChange("src/a.py", Alteration.MODIFIED, grown=9),
        FileChange("src/b.py", Alteration.MODE, "644", "755"),
        FileChange("src/new", ADDED, grown=3),
    )


def test_nothing(past: _Past) -> None:
    (past.project / "src/a.py").touch()
    past.project.save("src/b.py", "src/b.py")
    (past.project / "src/b.py").chmod(0o644)
    assert past.changes() == ()
    assert past.loaded == []


def test_content_and_mode(past: _Past) -> None:
    past.project.write("src/a.py", "src/A.py", mode=0o600)
    assert past.changes() == (FileChange("src/a.py", Alteration.MODIFIED, "644", "600"),)


def test_links_and_kinds(past: _Past) -> None:
    past.project.remove("l")
    (past.project / "l").symlink_to("docs")
    past.project.remove("empty")
    past.project.write("empty/x", "x")
    shutil.rmtree(past.project / "docs")
    past.project.write("docs", "now a file")
    assert past.changes() == (
        FileChange("docs", Alteration.KIND, "folder", "file", 10),
        FileChange("docs/d.md", REMOVED, grown=-9),
        FileChange("empty", Alteration.KIND, "file", "folder"),
        FileChange("empty/x", ADDED, grown=1),
        FileChange("l", Alteration.LINK, "src", "docs"),
    )


def test_renames(past: _Past) -> None:
    (past.project / "src/a.py").rename(past.project / "docs/a.py")
    (past.project / "docs/d.md").rename(past.project / "docs/e.md")
    (past.project / "docs/e.md").chmod(0o600)
    (past.project / "empty").rename(past.project / "void")
    assert past.changes() == (
        FileChange("docs/a.py", RENAMED, "src/a.py"),
        FileChange("docs/e.md", RENAMED, "docs/d.md", "600"),
        FileChange("empty", REMOVED),
        FileChange("void", ADDED),
    )


def test_of_equal_files_those_with_one_name_are_a_pair(project: Project) -> None:
    project.write("one/x", "same")
    project.write("one/y", "same")
    past = _Past(project)
    shutil.rmtree(project / "one")
    project.write("two/y", "same")
    project.write("two/z", "same")
    assert past.changes() == (
        FileChange("one", REMOVED, old="folder"),
        FileChange("two", ADDED, new="folder"),
        FileChange("two/y", RENAMED, "one/y"),
        FileChange("two/z", RENAMED, "one/x"),
    )


def test_a_renamed_folder_is_one_change(past: _Past) -> None:
    (past.project / "src").rename(past.project / "lib")
    changes = past.changes()
    assert changes == (FileChange("lib", RENAMED, "src", "folder"),)
    assert covered(changes, [Source("/")]) == covered(changes, [Source("/src"), Source("/lib")]) == changes
    assert covered(changes, [Source("/docs")]) == ()


def test_a_folder_renamed_into_or_out_of_what_is_read(past: _Past) -> None:
    before = past.root
    (past.project / "src").rename(past.project / "lib")
    changes = past.changes()

    def told(source: str, *, exclude: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        inside = partial(opened, past.load, before, past.root)
        found = covered(changes, [Source(source, exclude=exclude)], inside)
        return [(change.change.value, change.path) for change in found]

    assert told("/src") == [("removed", "src/a.py"), ("removed", "src/b.py"), ("removed", "src/deep/c.py")]
    assert told("/lib/deep") == [("added", "lib/deep/c.py")]
    assert told("/src/deep") == [("removed", "src/deep/c.py")]
    assert told("/lib/a.py") == [("added", "lib/a.py")]
    assert told("/", exclude=("lib",)) == told("/src")
    assert told("/src", exclude=("*.py", "deep/*")) == [("removed", "src/deep")]
    assert told("/", exclude=("**/*.md",)) == [("renamed", "lib")]
    assert told("/", exclude=("src/deep/**", "*/*.py")) == [("added", "lib/deep/c.py"), ("removed", "src/deep")]


def test_only_folders_that_differ_are_looked_into(past: _Past) -> None:
    past.project.write("docs/d.md", "other")
    assert [change.path for change in past.changes()] == ["docs/d.md"]
    assert len(past.loaded) == 4


def test_a_folder_that_is_not_kept_counts_as_empty(past: _Past) -> None:
    past.project.write("src/a.py", "other")
    before = past.root
    past.freeze()
    assert {change.change for change in difference({past.root: past.blobs[past.root]}.get, before, past.root)} == {
        ADDED
    }


def test_covered(past: _Past) -> None:
    past.project.write("src/a.py", "other")
    past.project.write("docs/d.md", "other")
    past.project.write("new/in/x.py", "x")
    (past.project / "new/none").mkdir()
    (past.project / "src").chmod(0o700)
    past.project.remove("l")
    (past.project / "l").symlink_to("docs")
    changes = past.changes()

    def paths(*sources: Source) -> list[str]:
        return [change.path for change in covered(changes, sources)]

    assert paths(ALL) == ["docs/d.md", "l", "new/in/x.py", "new/none", "src", "src/a.py"]
    assert paths(Source("/src")) == ["src", "src/a.py"]
    assert paths(Source("/src/a.py")) == ["src/a.py"]
    assert paths(Source("/src/*.py", wildcards=True)) == ["src/a.py"]
    assert paths(Source("/l/d.md"), Source("/docs/d.md")) == ["docs/d.md", "l"]
    assert paths(Source("/", exclude=("**/*.py", "l"))) == ["docs/d.md", "new/in", "new/none", "src"]
    assert paths(Source("/", include=("new/*/x.py",))) == ["new/in/x.py", "new/none"]
    assert paths() == []


def test_a_file_renamed_into_or_out_of_what_is_read(past: _Past) -> None:
    before = past.root
    (past.project / "src/a.py").rename(past.project / "docs/z.py")
    changes = past.changes()
    ends = partial(opened, past.load, before, past.root)
    assert covered(changes, [Source("/src")], ends) == (FileChange("src/a.py", REMOVED, grown=-8),)
    assert covered(changes, [Source("/docs")], ends) == (FileChange("docs/z.py", ADDED, grown=8),)
    assert covered(changes, [Source("/src"), Source("/docs")], ends) == covered(changes, [ALL], ends) == changes
    assert covered(changes, [Source("/src/deep")], ends) == ()
    assert covered(changes, [Source("/src")]) == changes, "what moved while it was read is not taken apart"
