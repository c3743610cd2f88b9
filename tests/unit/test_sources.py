"""The manifests that targets share: one for a folder under the same rules, and only as long as it is read."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitmiss.history.store import Store
from hitmiss.project import ignore
from hitmiss.project.definition import load
from hitmiss.project.ignore import NOTHING_IGNORED
from hitmiss.project.watch import Change, Kind
from hitmiss.settings import BuildOptions
from hitmiss.sources import Pool, Sources
from tests.support.wait import wait_for


def test_two_targets_with_rules_of_their_own_keep_their_manifests(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    pool, store = Pool(), Store(tmp_path.parent / f"{tmp_path.name}.sqlite")
    own = ignore.parse("a\n")
    one, fresh = pool.held(tmp_path, NOTHING_IGNORED, store)
    assert fresh
    other, fresh = pool.held(tmp_path, own, store)
    assert fresh
    assert pool.held(tmp_path, NOTHING_IGNORED, store) == (one, False)
    assert pool.held(tmp_path, own, store) == (other, False)
    store.close()


def test_a_manifest_that_nobody_reads_is_not_kept(tmp_path: Path) -> None:
    pool, store = Pool(), Store(tmp_path.parent / f"{tmp_path.name}.sqlite")
    held, _ = pool.held(tmp_path, NOTHING_IGNORED, store)
    del held
    gc.collect()
    assert pool.held(tmp_path, NOTHING_IGNORED, store)[1]
    store.close()


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[tuple[Path, Sources]]:
    """A project that copies its file `a`, and its sources, which a plan has read and the watch follows."""
    project, store = tmp_path / "project", Store(tmp_path / "history.sqlite")
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nCOPY a /")
    (project / "a").write_text("one")
    sources = Sources(store)
    sources.follow()
    sources.read(load(BuildOptions(), cwd=project, environment={}))
    yield project, sources
    store.close()


def test_a_plan_that_came_late_may_have_seen_what_the_build_has_not(copied: tuple[Path, Sources]) -> None:
    project, sources = copied
    saved = [Change(Kind.MODIFIED, "", "a")]
    written = (project / "a").stat().st_ctime
    assert not sources.same_as_before(saved, written - 1, over=True)
    wait_for(lambda: rewritten(project / "a").st_ctime > written + 0.1, 10, "another time")
    assert sources.same_as_before(saved, written - 1, over=True), "the plan came before it, and the build is over"
    wait_for(lambda: rewritten(project / "a").st_ctime > written + 0.2, 10, "another time")
    assert not sources.same_as_before(saved, written - 1), "a build that runs may have seen what was between"
    assert sources.same_as_before(saved, written + 60)


def test_a_save_that_is_told_twice_is_one(copied: tuple[Path, Sources]) -> None:
    project, sources = copied
    saved = [Change(Kind.MODIFIED, "", "a")]
    for text in ("another", "and another"):
        (project / "a").write_text(text)
        assert not sources.same_as_before(saved)
        assert sources.same_as_before(saved), "it began a build the first time"
    times = (project / "a").stat()
    (project / "a").write_text("a third one")
    os.utime(project / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not sources.same_as_before(saved), "however coarse the times are"


def test_what_came_and_went_is_not_kept_for_ever(copied: tuple[Path, Sources], monkeypatch: pytest.MonkeyPatch) -> None:
    project, sources = copied
    monkeypatch.setattr("hitmiss.sources._MOST_TOLD", 3)
    (held,) = sources._held.values()
    before = held.turn
    for number in range(9):
        place = project / f"temporary{number}"
        for act in (place.touch, place.unlink):
            act()
            assert not sources.same_as_before([Change(Kind.MODIFIED, "", place.name)])
    assert (len(held._paths), len(sources._answered)) == (3, 3)
    now = held.turn
    assert not sources.same_as_before([Change(Kind.MODIFIED, "", "a")]), "it may have changed meanwhile"
    assert {"a", "temporary8"} <= set(held.later(before)), "what is not known may have changed"
    sources.read(load(BuildOptions(), cwd=project, environment={}))
    assert sources.same_as_before([Change(Kind.MODIFIED, "", "a")])
    assert set(held.later(now)) == set()


def rewritten(path: Path) -> os.stat_result:
    """Write what it holds into a file."""
    path.write_bytes(path.read_bytes())
    return path.stat()


def test_what_the_plan_itself_saw_was_not_missed(tmp_path: Path) -> None:
    project, store = tmp_path / "project", Store(tmp_path / "history.sqlite")
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\nCOPY a b /")
    (project / "b").write_text("b")
    definition = load(BuildOptions(), cwd=project, environment={})

    def unseen(text: str) -> None:
        (project / "a").write_text(text)
        os.utime(project / "a", ns=(10**18, 10**18))

    unseen("one")
    sources = Sources(store)
    sources.read(definition)
    unseen("two")
    (manifest,) = sources.read(definition).values()
    assert set(manifest.stale) == {"a"}
    sources.forget_stale([], ())
    assert not manifest.stale
    sources.follow()
    assert sources.missed() == []
    (project / "b").unlink()
    unseen("six")
    sources.follow()
    assert {(change.path, change.kind) for change in sources.missed()} == {("b", Kind.DELETED)}
    store.close()
