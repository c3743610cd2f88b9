"""The file of the memory: opened, brought up to date, and replaced where it is damaged or cannot be had.

It may be used from any thread; several hitmiss may have it open at once. What is kept in it is told by the modules
that build on `Database`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import platformdirs

from hitmiss.history.tables import MIGRATIONS

T = TypeVar("T")
Row = tuple[object, ...]
Work = tuple[str, Row]
"""A statement and its values."""

_MIGRATIONS = MIGRATIONS

_PATIENCE_S = 2.0
"""How long another hitmiss may hold the file."""

_REST_S = 0.005
"""So long somebody who wants to write waits before the next try."""

_AT_ONCE = 500
"""So many values stand in one statement: older versions of SQLite take no more than 999."""


class Database:
    """One file. Where it cannot be used, what is told here is kept in memory until the end, and that is said once."""

    def __init__(self, path: Path | None = None, *, on_notice: Callable[[str], None] = lambda text: None) -> None:
        self._path = path or Path(platformdirs.user_data_dir("hitmiss", appauthor=False)) / "history.sqlite"
        self._notice = on_notice
        self._lock = threading.RLock()
        self._closed = False
        self._db = self._open()

    def close(self) -> None:
        """Let go of the file. What is asked afterwards finds nothing."""
        with self._lock:
            self._closed = True
            self._db.close()

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return connect(str(self._path))
        except (OSError, sqlite3.Error) as error:
            return self._instead(error)

    def _instead(self, error: Exception) -> sqlite3.Connection:
        """What is used when the file cannot be: a new file where it was damaged, else the memory."""
        if is_damage(error):
            try:
                return self._anew()
            except (OSError, sqlite3.Error) as second:
                error = second
        self._notice(f"Nothing can be remembered in {self._path.parent}: {error}.")
        return connect(":memory:")

    def _anew(self) -> sqlite3.Connection:
        """Set the damaged file aside, unless another hitmiss has done so meanwhile, and begin a new one."""
        try:
            return connect(str(self._path), thorough=True)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        aside = self._path.with_suffix(f".damaged-{time.time_ns()}")
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):  # what belongs to the old file would spoil the new one
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        db = connect(str(self._path))
        self._notice(f"The history {self._path} is damaged; it was set aside as {aside.name} and a new one begun.")
        return db

    def _fall_back(self, error: sqlite3.Error) -> None:
        """Go on after a failure: with a new file, or in memory. A file that is only held by another stays in use."""
        if self._closed:
            return
        if is_busy(error):
            self._notice(f"Another program holds the history {self._path}: something was not remembered.")
            return
        self._db.close()
        self._db = self._instead(error)

    def _all(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """The rows that a question finds; none where it cannot be asked."""
        with self._lock:
            try:
                return self._db.execute(query, tuple(values)).fetchall()
            except sqlite3.Error as error:
                self._fall_back(error)
                return []

    def _one(self, query: str, values: Sequence[object] = ()) -> Row | None:
        return next(iter(self._all(query, values)), None)

    def _among(self, query: str, values: Sequence[object], keys: Iterable[bytes]) -> Iterator[Row]:
        """The rows of a question that ends with `IN (%s)`, asked for many keys at a time."""
        wanted = list(keys)
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            yield from self._all(query % ", ".join("?" * len(part)), (*values, *part))

    def _do(self, work: Iterable[Work]) -> None:
        """Carry out all of it, or nothing."""
        listed = list(work)

        def carry_out(db: sqlite3.Connection) -> None:
            for query, values in listed:
                db.execute(query, values)

        if listed:
            self._write(carry_out, None)

    def _write(self, act: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Carry out `act` whole or not at all; what a damaged file could not take goes into the one in its place.

        Nobody else writes meanwhile; while another hitmiss does, only this call waits. Gives `otherwise` where it could
        not be done.
        """
        end = time.monotonic() + _PATIENCE_S
        while True:
            with self._lock:
                try:
                    with _impatient(self._db):
                        return transact(self._db, act)
                except sqlite3.Error as error:
                    if not is_busy(error):
                        self._fall_back(error)
                        with contextlib.suppress(sqlite3.Error):
                            return transact(self._db, act)
                        return otherwise
                    if time.monotonic() > end:
                        self._fall_back(error)
                        return otherwise
            time.sleep(_REST_S)


@contextlib.contextmanager
def _impatient(db: sqlite3.Connection) -> Iterator[None]:
    """Wait for no other hitmiss: whoever holds the lock of this one would be waited for too."""
    db.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        with contextlib.suppress(sqlite3.Error):
            db.execute(f"PRAGMA busy_timeout = {int(_PATIENCE_S * 1000)}")


def transact(db: sqlite3.Connection, act: Callable[[sqlite3.Connection], T]) -> T:
    """Carry out `act` in one transaction. Raises `sqlite3.Error`, and nothing was done."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = act(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


class _DamageError(sqlite3.DatabaseError):
    """The file was read, and what it holds does not hang together."""


def is_damage(error: Exception) -> bool:
    """Whether the file itself is broken."""
    return isinstance(error, _DamageError) or _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: Exception) -> bool:
    """Whether another program held the file for too long."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def plain(value: object) -> str:
    """`value` as text that SQLite takes: a path may hold bytes that are no UTF-8."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def connect(path: str, *, thorough: bool = False) -> sqlite3.Connection:
    """Open the file, made or brought up to date where it must be; `thorough` reads all of it."""
    db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        with contextlib.suppress(sqlite3.OperationalError):
            if db.execute("PRAGMA page_count").fetchone() == (0,):
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts for a file that is made only now
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if thorough and (said := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise _DamageError(said)
        if _version(db) < len(_MIGRATIONS):
            _migrate(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _migrate(db: sqlite3.Connection) -> None:
    """Bring the tables up to date, all or nothing; another hitmiss may be at it, so look again once it is our turn."""

    def bring(db: sqlite3.Connection) -> None:
        for statements in _MIGRATIONS[_version(db) :]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {max(len(_MIGRATIONS), _version(db))}")

    transact(db, bring)
