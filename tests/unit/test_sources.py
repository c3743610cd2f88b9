"""The manifests that targets share: one for a folder under the same rules, and only as long as it is read."""

from __future__ import annotations

import gc
from pathlib import Path

from hitmiss.history.store import Store
from hitmiss.project import ignore
from hitmiss.project.ignore import NOTHING_IGNORED
from hitmiss.sources import Pool


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
