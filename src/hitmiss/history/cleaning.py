"""What is forgotten, so that the memory does not grow without end.

Builds: 90 days, and 500 of a project (that limit is `builds.py`'s). Keys and aliases: unseen for 90 days, and beyond
200,000. Blobs: what no remembered build reaches. When all that is more than the file may hold, the oldest builds go.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable

import msgspec

from hitmiss.history.database import Database, connect, transact
from hitmiss.history.durations import KEEP_S
from hitmiss.history.files import FRESH_S

Children = Callable[[bytes], Iterable[bytes]]
"""The digests that a blob refers to. May raise `ValueError` (as msgspec's errors are) for one that it cannot read."""

LIMIT_BYTES = 200 * 1024 * 1024
"""So large may the file be."""

_KEEP_KEYS = 200_000
_EVERY_S = 24 * 3600.0
_AT_ONCE = 500
"""So many blobs go in one transaction, that nobody waits for long."""


class Cleaning(Database):
    """Forgets. It works beside the other calls, on a connection of its own."""

    def clean(self, children: Children, *, now: bool = False) -> bool:
        """Forget what need not be kept: once a day, or when the file is too large, or `now`. Say whether it was done.

        It may take seconds: call it in a thread. Another hitmiss that is at it counts.
        """
        try:
            db = connect(str(self._path)) if self._path.is_file() else None
        except sqlite3.Error:
            return False
        if db is None:
            return False
        try:
            if not (now or _is_due(db)):
                return False
            _run(db, _CLEANED, (str(time.time()).encode(),))
            _clean(db, children)
        except (OSError, sqlite3.Error):
            return False  # whoever uses the file will see for himself
        finally:
            db.close()
        return True


_CLEANED = "INSERT OR REPLACE INTO fact VALUES ('cleaned', ?)"


def _is_due(db: sqlite3.Connection) -> bool:
    if _size(db) > LIMIT_BYTES:
        return True
    row = db.execute("SELECT value FROM fact WHERE name = 'cleaned'").fetchone()
    try:
        last = float(row[0]) if row else 0.0
    except ValueError:
        last = 0.0
    return not 0 <= time.time() - last < _EVERY_S


def _clean(db: sqlite3.Connection, children: Children) -> None:
    for query in _OLD:
        _run(db, query, (time.time() - KEEP_S,))
    for query in _MANY:
        _run(db, query, (_KEEP_KEYS - 1,))
    _sweep(db, children)
    while _size(db) > LIMIT_BYTES and transact(db, _drop_oldest):
        _sweep(db, children)
    _shrink(db)


_OLD = (
    "DELETE FROM step_run WHERE ended < ?",
    "DELETE FROM build WHERE started < ?",
    "DELETE FROM known_key WHERE seen < ?",
    "DELETE FROM alias WHERE seen < ?",
    "DELETE FROM folder WHERE used < ?",
)


_MANY = tuple(
    f"DELETE FROM {table} WHERE seen < (SELECT seen FROM {table} ORDER BY seen DESC LIMIT 1 OFFSET ?)"  # noqa: S608
    for table in ("known_key", "alias")
)


def _run(db: sqlite3.Connection, query: str, *rows: tuple[object, ...]) -> None:
    """One statement for each row of values, in one transaction."""
    transact(db, lambda db: db.executemany(query, rows))


def _drop_oldest(db: sqlite3.Connection) -> bool:
    """Drop a tenth of the builds, the oldest, but not the last one of a project; whether there were any."""
    candidates = "FROM build AS one WHERE number < (SELECT max(number) FROM build WHERE project = one.project)"
    (count,) = db.execute(f"SELECT count(*) {candidates}").fetchone()
    oldest = f"SELECT id {candidates} ORDER BY started LIMIT ?"
    return db.execute(f"DELETE FROM build WHERE id IN ({oldest})", (max(1, count // 10),)).rowcount > 0  # noqa: S608


def _sweep(db: sqlite3.Connection, children: Children) -> None:
    """Drop the blobs that no build reaches. A build that is remembered meanwhile has put its own, which are fresh."""
    before = time.time() - FRESH_S
    reached = _reached(db, children)
    stale = db.execute("SELECT digest FROM blob WHERE used < ?", (before,))
    gone = [digest for (digest,) in stale if digest not in reached]
    for start in range(0, len(gone), _AT_ONCE):
        _run(db, _DROP, *((digest, before) for digest in gone[start : start + _AT_ONCE]))


_DROP = "DELETE FROM blob WHERE digest = ? AND used < ?"


def _reached(db: sqlite3.Connection, children: Children) -> set[bytes]:
    """The digests that the trees of the remembered builds lead to."""
    ahead: list[bytes] = []
    for (facts,) in db.execute("SELECT facts FROM build"):
        with contextlib.suppress(zlib.error, msgspec.DecodeError):
            ahead += msgspec.msgpack.decode(zlib.decompress(facts), type=_Trees).trees.values()
    reached: set[bytes] = set()
    while ahead:
        digest = ahead.pop()
        if digest in reached:
            continue
        reached.add(digest)
        row = db.execute("SELECT data FROM blob WHERE digest = ?", (digest,)).fetchone()
        if row:
            with contextlib.suppress(zlib.error, ValueError):
                ahead += children(zlib.decompress(row[0]))
    return reached


class _Trees(msgspec.Struct):
    """What of `BuildFacts` leads to blobs."""

    trees: dict[str, bytes] = {}


def _size(db: sqlite3.Connection) -> int:
    """Bytes that are in use in the file."""
    pages, size = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return (pages - _free(db)) * size


def _free(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA freelist_count").fetchone()[0])


def _shrink(db: sqlite3.Connection) -> None:
    """Give what is free back to the disk; a file from before that was possible is written anew, once."""
    if db.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("VACUUM")
    free, before = _free(db), -1
    while free and free != before:
        db.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        free, before = _free(db), free
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
