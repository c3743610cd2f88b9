"""What is forgotten of builds, keys and files, and what is kept."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from hitmiss.history import builds, cleaning
from hitmiss.history.store import Store
from tests.unit.test_memory import SHOP, facts, key, path, store

__all__ = ["path", "store"]

DAY = 24 * 3600.0


def tree(blob: bytes) -> Iterable[bytes]:
    """The tests' blobs name their children with commas between."""
    if blob == b"odd":
        raise ValueError(blob)
    return [part for part in blob.split(b",") if part]


def age(store: Store, days: float) -> None:
    """Make all that is remembered so much older."""
    for table, column in (
        ("build", "started"),
        ("known_key", "seen"),
        ("alias", "seen"),
        ("blob", "used"),
        ("folder", "used"),
    ):
        store._do([(f"UPDATE {table} SET {column} = {column} - ?", (days * DAY,))])


def test_what_no_build_reaches_goes(store: Store) -> None:
    store.put_blobs([(b"root", b"folder,file"), (b"folder", b"deep"), (b"deep", b""), (b"file", b"odd"), (b"old", b"")])
    store.remember(facts(trees={"": b"root", "docs": b"absent"}))
    store.put_blobs([(b"fresh", b"")])
    assert store.clean(tree)
    assert store.blob(b"old") is not None, "put within the hour: its build may not be remembered yet"
    age(store, 1)
    store.put_blobs([(b"old", b""), (b"fresh", b"")])
    store._do([("UPDATE blob SET used = 0 WHERE digest = ?", (b"fresh",))])
    assert not store.clean(tree), "once a day"
    assert store.clean(tree, now=True)
    left = {row[0] for row in store._all("SELECT digest FROM blob")}
    assert left == {b"root", b"folder", b"deep", b"file", b"old"}


def test_what_is_old_goes(store: Store) -> None:
    store.remember(facts(), {key(1): "r"})
    store.remember_aliases("default", {key(1): key(2)})
    store.keep_index("/x", b"index")
    store.put_blobs([(b"root", b"")])
    age(store, 91)
    kept = store.remember(facts(keys=(key(7), key(8), key(9)), trees={}))
    assert kept.number == 2
    assert store.clean(tree)
    assert [build.number for build in store.builds(SHOP)] == [2]
    assert set(store.known("default", map(key, range(10)))) == {key(7), key(8)}
    assert (store.aliases("default"), store.index("/x"), store.blob(b"root")) == ({}, b"", None)
    age(store, 91)
    assert store.clean(tree, now=True)
    assert store.builds(SHOP) == []
    assert store.remember(facts()).number == 3, "numbers are not used twice"


def test_no_more_than_so_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "KEEP_BUILDS", 5)
    for number in range(8):
        store.remember(facts(), confirmed=[key(number)])
    assert [build.number for build in store.builds(SHOP)] == [8, 7, 6, 5, 4]
    monkeypatch.setattr(cleaning, "_KEEP_KEYS", 3)
    assert store.clean(tree)
    assert set(store.known("default", map(key, range(8)))) == {key(5), key(6), key(7)}


def test_a_file_that_is_too_large_loses_its_oldest_builds(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = [random.Random(number).randbytes(30_000) for number in range(20)]
    monkeypatch.setattr(cleaning, "LIMIT_BYTES", 300_000)
    assert store.clean(tree)
    store.remember(facts("/quiet"))
    for number in range(20):
        store.put_blobs([(key(number), noise[number])])
        store.remember(facts(trees={"": key(number)}))
    age(store, 1)
    assert store.clean(lambda blob: ()), "not due, but too large"
    left = [build.number for build in store.builds(SHOP)]
    assert 0 < len(left) < 12
    assert left == list(range(20, 20 - len(left), -1))
    assert [build.number for build in store.builds("/quiet")] == [1], "a project's last build stays"
    assert store.blob(key(19)) == noise[19]
    assert path.stat().st_size < 350_000


def test_cleaning_where_there_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "history.sqlite")
    store.remember(facts())
    assert not store.clean(tree)
    assert store.builds(SHOP) != [], "in memory"
    store.close()
    assert (store.builds(SHOP), store.known("default", [key(1)]), store.remember(facts()).number) == ([], {}, 0)
