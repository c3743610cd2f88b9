"""The manifest of a context: kept up to date, stale bytes, the index, the frozen tree."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from hitmiss.project import entries as entries_module
from hitmiss.project.chosen import Source
from hitmiss.project.entries import children, unpack_folder, unpack_index
from hitmiss.project.ignore import NOTHING_IGNORED, IgnoreRules, parse
from hitmiss.project.manifest import Manifest
from tests.support.project import Project

ALL = Source("/", follow=True)
LONG_AGO = 1_600_000_000


def _read(project: Project, rules: IgnoreRules = NOTHING_IGNORED, index: bytes = b"") -> Manifest:
    manifest = Manifest(str(project.path), rules, index)
    manifest.read()
    return manifest


def _old(path: Path, seconds: int = LONG_AGO) -> None:
    os.utime(path, (seconds, seconds), follow_symlinks=False)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as written long before it is read."""
    monkeypatch.setattr("hitmiss.project.manifest._GRAIN_NS", -(10**18))
    monkeypatch.setattr("hitmiss.project.tree._COARSE_NS", -(10**18))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    real = entries_module.hash_file

    def note(place: str) -> bytes:
        names.append(place.rpartition("/")[2])
        return real(place)

    monkeypatch.setattr(entries_module, "hash_file", note)
    return names


def test_entries(project: Project) -> None:
    project.write("d/a", "abc", mode=0o600)
    (project / "d/l").symlink_to("../x//y")
    (project / "d").chmod(0o2755)
    os.mkfifo(project / "p")
    found = _read(project).entries
    assert {path: entry.kind for path, entry in found.items()} == {
        "d": "folder", "d/a": "file", "d/l": "link", "p": "other"
    }  # fmt: skip
    assert (found["d/a"].mode, found["d/a"].size) == (0o600, 3)
    assert found["d/l"].link == "../x//y"
    assert found["d"].mode == 0o2755


@pytest.mark.usefixtures("settled")
def test_refresh_tells_what_really_changed(project: Project, hashed: list[str]) -> None:
    project.write("d/a", "abc")
    project.write("b", "abc")
    manifest = _read(project)
    before = manifest.content(ALL)
    hashed.clear()
    _old(project / "b")
    assert manifest.refresh(["b", "d/a", "d"]) == set()
    assert hashed == ["b"]
    assert manifest.content(ALL) == before
    project.write("b", "abcd")
    assert manifest.refresh(["b"]) == {"b"}
    project.write("n/m/x", "x")
    assert manifest.refresh(["n/m/x"]) == {"n", "n/m", "n/m/x"}
    shutil.rmtree(project / "n")
    assert manifest.refresh(["n"]) == {"n", "n/m", "n/m/x"}
    project.write("b", "abc")
    assert manifest.refresh([""]) == {"b"}
    assert manifest.content(ALL) == before


@pytest.mark.usefixtures("settled")
def test_index_spares_reading(project: Project, hashed: list[str]) -> None:
    for name in ("a", "b", "d/c"):
        project.write(name, name)
    project.write(os.fsdecode(b"\xff"), "odd")
    (project / "l").symlink_to("a")
    first = _read(project)
    hashed.clear()
    again = _read(project, index=first.index())
    assert hashed == []
    assert again.entries == first.entries
    assert again.content(ALL) == first.content(ALL)
    assert again.freeze()[0] == first.freeze()[0]
    project.write("b", "other")
    project.remove("a")
    third = _read(project, index=again.index())
    assert hashed == ["b"]
    assert third.entries == _read(project).entries


@pytest.mark.parametrize("blob", [b"x", b"", b"\0" * 40])
def test_a_broken_index_is_none(project: Project, blob: bytes) -> None:
    project.write("a", "a")
    assert _read(project, index=blob).entries == _read(project).entries
    assert unpack_index(blob).stamps == {}


def test_what_was_just_written_is_read_again(project: Project, hashed: list[str]) -> None:
    project.write("a", "abc")
    manifest = _read(project)
    hashed.clear()
    manifest.read()
    again = _read(project, index=manifest.index())
    again.refresh(["a"])
    assert hashed == ["a", "a", "a"]


@pytest.mark.usefixtures("settled")
def test_bytes_that_buildkit_does_not_see(project: Project) -> None:
    path = project.write("d/a", "abc")
    _old(path)
    manifest = _read(project)
    before, held = manifest.content(ALL), manifest.entries["d/a"]
    project.save("d/a", "xyz")
    _old(path)
    other = _read(project, index=manifest.index())
    assert manifest.refresh(["d/a"]) == set()
    true = Manifest(str(project.path), NOTHING_IGNORED)
    true.read()
    for each in (manifest, other, _read(project, index=other.index())):
        assert each.stale == {"d/a": true.entries["d/a"].digest}
        assert each.entries["d/a"] == held
        assert each.content(ALL) == before
    _old(path, LONG_AGO + 1)
    assert manifest.refresh(["d/a"]) == {"d/a"}
    assert not manifest.stale
    assert manifest.content(ALL) == true.content(ALL)
    other.freeze()
    assert other.forget_stale() == {"d/a"}
    assert not other.stale
    assert (other.content(ALL), other.freeze()[0]) == (true.content(ALL), true.freeze()[0])


@pytest.mark.usefixtures("settled")
def test_stale_bytes_that_come_back(project: Project) -> None:
    path = project.write("a", "abc")
    _old(path)
    manifest = _read(project)
    for content, stale in (("xyz", True), ("abc", False), ("xyz", True)):
        project.save("a", content)
        _old(path)
        manifest.refresh(["a"])
        assert bool(manifest.stale) == stale
    project.remove("a")
    assert manifest.refresh(["a"]) == {"a"}
    assert not manifest.stale


def test_the_mode_of_a_folder_that_buildkit_has(project: Project) -> None:
    project.write("d/a", "a")
    (project / "d").chmod(0o755)
    manifest = _read(project)
    before = manifest.content(ALL)
    (project / "d").chmod(0o700)
    assert manifest.refresh(["d"]) == set()
    again = _read(project, index=manifest.index())
    for each in (manifest, again):
        assert (each.stale_modes, each.entries["d"].mode) == ({"d": 0o700}, 0o755)
        assert each.content(ALL) == before
    (project / "d").chmod(0o755)
    manifest.refresh(["d"])
    assert not manifest.stale_modes
    assert again.forget_stale() == {"d"}
    assert again.content(ALL) != before


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes here")
def test_extended_attributes_count_once_the_file_is_sent(project: Project) -> None:
    path = project.write("a", "a")
    _old(path)
    manifest = _read(project)
    before = manifest.content(ALL)
    try:
        os.setxattr(path, "user.x", b"1")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    manifest.refresh(["a"])
    assert set(manifest.stale) == {"a"}
    assert manifest.content(ALL) == before
    _old(path, LONG_AGO + 1)
    assert manifest.refresh(["a"]) == {"a"}
    assert manifest.content(ALL) != before


def test_ignored_folders_with_something_in_them(project: Project) -> None:
    rules = parse("d\n!d/e/keep\n")
    project.write("d/x", "x")
    project.write("d/e/x", "x")
    manifest = _read(project, rules)
    assert set(manifest.entries) == set()
    project.write("d/e/keep", "k")
    assert manifest.refresh(["d/e/keep"]) == {"d", "d/e", "d/e/keep"}
    assert manifest.entries == _read(project, rules).entries
    (project / "d").chmod(0o700)
    assert manifest.refresh(["d"]) == set()
    assert manifest.stale_modes == {"d": 0o700}
    assert _read(project, rules, manifest.index()).stale_modes == {"d": 0o700}
    assert manifest.forget_stale() == {"d"}
    assert manifest.freeze()[0] == _read(project, rules).freeze()[0]
    project.remove("d/e/keep")
    assert manifest.refresh(["d/e/keep"]) == {"d", "d/e", "d/e/keep"}
    project.write("d/e/keep", "k")
    manifest.refresh(["d/e/keep"])
    shutil.rmtree(project / "d")
    assert manifest.refresh(["d"]) == {"d", "d/e", "d/e/keep"}
    assert manifest.entries == {}


def test_the_root_may_be_gone(project: Project) -> None:
    project.write("a", "a")
    manifest = _read(project)
    shutil.rmtree(project.path)
    manifest.read()
    assert manifest.entries == {}
    assert manifest.content(ALL) == _read(project).content(ALL)


def test_freeze_gives_only_what_is_new(project: Project) -> None:
    for name in ("a/b/c/x", "a/y", "z/x"):
        project.write(name, name)
    (project / "empty").mkdir()
    manifest = _read(project)
    root, blobs = manifest.freeze()
    assert len(blobs) == 6
    known = dict(blobs)
    assert [row.name for row in unpack_folder(known[root])] == [b"a", b"empty", b"z"]
    assert set(children(known[root])) <= set(known)
    assert manifest.freeze() == (root, [])
    project.write("z/x", "other")
    manifest.refresh(["z/x"])
    changed, fresh = manifest.freeze()
    assert len(fresh) == 2
    assert changed == _read(project).freeze()[0] != root
    project.write("z/x", "z/x")
    manifest.refresh(["z/x"])
    assert manifest.freeze()[0] == root
    shutil.rmtree(project / "a/b")
    manifest.refresh(["a/b"])
    assert manifest.freeze()[0] == _read(project).freeze()[0]


SOURCES = (
    ALL,
    Source("/a", follow=True),
    Source("/a/b"),
    Source("/c/"),
    Source("/*", True),
    Source("/a/*", True, follow=True),
    Source("/?/b", True),
    Source("/", exclude=("**/b",)),
    Source("/a", exclude=("b", "!b/c")),
    Source("/l", follow=True),
    Source("/", include=("a/b",)),
    Source("/[^x]*[^y]b", True),
    Source("/l/*", True),
    Source("/*", True, ("b",), ("c",)),
)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by_path", [False, True])
def test_kept_up_to_date_is_the_same_as_read_anew(project: Project, seed: int, by_path: bool) -> None:
    chance = random.Random(seed)
    rules = parse(chance.choice(("", "", "b\n", "a\n!a/b\n", "*\n!*/*/c\n")))
    manifest = Manifest(str(project.path), rules, by_path=by_path)
    manifest.read()
    clock = LONG_AGO
    for _ in range(25):
        touched = []
        for _ in range(chance.randint(1, 3)):
            clock += 1
            touched.append(_edit(project, chance, clock))
        manifest.refresh(touched)
        fresh = Manifest(str(project.path), rules, by_path=by_path)
        fresh.read()
        assert manifest.entries == fresh.entries
        assert not manifest.stale
        for each in SOURCES:
            assert manifest.content(each) == fresh.content(each), each
            assert manifest.covered(each) == fresh.covered(each)
        assert manifest.freeze()[0] == fresh.freeze()[0]
        assert _paths(fresh) == set(fresh.entries)


def _edit(project: Project, chance: random.Random, clock: int) -> str:
    name = "/".join(chance.choice("abcl") for _ in range(chance.randint(1, 3)))
    path = project / name
    if any(parent.is_symlink() or parent.is_file() for parent in path.parents if parent != project.path):
        return name
    kind = chance.choice(("write", "write", "write", "remove", "link", "folder", "mode"))
    if kind == "mode":
        # Of folders BuildKit takes no note.
        if path.is_file() and not path.is_symlink():
            path.chmod(chance.choice((0o755, 0o700)))
        return name
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir() and kind != "folder":
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "write":
        path.write_text(chance.choice(("", "1", "2", "22")))
        _old(path, clock)
    elif kind == "link":
        path.symlink_to(chance.choice(("a", "../a", "/a/b", "b/c", ".", "none")))
    elif kind == "folder":
        path.mkdir(exist_ok=True)
    return name


def _paths(manifest: Manifest) -> set[str]:
    """Every path of the frozen tree."""
    root, found = manifest.freeze()
    fresh = Manifest(manifest.tree.root, manifest.tree.rules)
    fresh.read()
    blobs = dict([*found, *fresh.freeze()[1]])

    def below(digest: bytes, folder: str) -> Iterable[str]:
        for row in unpack_folder(blobs[digest]):
            path = f"{folder}{os.fsdecode(row.name)}"
            yield path
            if row.kind == "folder":
                yield from below(row.digest, f"{path}/")

    return set(below(root, ""))
