"""What is remembered between sessions: the target of each project, and how long its steps took when they last ran.

One SQLite file a user, safe with several hitmiss at once. A damaged file is set aside, never a crash; where nothing
can be kept (no folder, a full disk) the store goes on in memory and says so once.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs

StepName = tuple[str, str, str]
"""Platform ("" for the builder's own), stage, instruction."""

_MIGRATIONS = (
    (
        "CREATE TABLE project (path TEXT PRIMARY KEY, target TEXT NOT NULL, used REAL NOT NULL) STRICT",
        """
        CREATE TABLE step_run (
            project TEXT NOT NULL, builder TEXT NOT NULL, platform TEXT NOT NULL, stage TEXT NOT NULL,
            instruction TEXT NOT NULL, duration_s REAL NOT NULL, ended REAL NOT NULL,
            PRIMARY KEY (project, builder, platform, stage, instruction)
        ) STRICT, WITHOUT ROWID
        """,
    ),
)
"""The statements that lead from each version of the tables to the next."""

_PATIENCE_S = 2.0
"""How long another hitmiss may hold the file."""

_KEEP_S = 90 * 24 * 3600.0


class Store:
    """The memory of all projects. Every call is quick (below a millisecond or two) and none raises."""

    def __init__(self, path: Path | None = None, *, on_notice: Callable[[str], None] = lambda text: None) -> None:
        self._path = path or Path(platformdirs.user_data_dir("hitmiss", appauthor=False)) / "history.sqlite"
        self._notice = on_notice
        self._db = self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def target(self, project: Path) -> str:
        """The target last chosen for this project, "" when none was."""
        row = self._one("SELECT target FROM project WHERE path = ?", (_plain(project),))
        return str(row[0]) if row else ""

    def remember_target(self, project: Path, target: str) -> None:
        """Keep the target chosen for this project."""
        self._do([("INSERT OR REPLACE INTO project VALUES (?, ?, ?)", (_plain(project), _plain(target), time.time()))])

    def durations(self, project: Path, builder: str) -> dict[StepName, float]:
        """Seconds that each step of this project took when it last ran on this builder."""
        query = "SELECT platform, stage, instruction, duration_s FROM step_run WHERE project = ? AND builder = ?"
        try:
            rows = self._db.execute(query, (_plain(project), _plain(builder))).fetchall()
        except sqlite3.Error as error:
            self._fall_back(error)
            return {}
        return {(platform, stage, text): duration for platform, stage, text, duration in rows}

    def remember_durations(self, project: Path, builder: str, runs: Iterable[tuple[StepName, float]]) -> None:
        """Keep how long these steps took; what was not seen for 90 days is forgotten."""
        now = time.time()
        query = "INSERT OR REPLACE INTO step_run VALUES (?, ?, ?, ?, ?, ?, ?)"
        work: list[tuple[str, tuple[object, ...]]] = [
            (query, (_plain(project), _plain(builder), *map(_plain, name), seconds, now)) for name, seconds in runs
        ]
        self._do([*work, ("DELETE FROM step_run WHERE ended < ?", (now - _KEEP_S,))])

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(str(self._path))
        except (OSError, sqlite3.Error) as error:
            return self._instead(error)

    def _instead(self, error: Exception) -> sqlite3.Connection:
        """What is used when the file cannot be: a new file where it was damaged, else the memory."""
        if _is_damage(error):
            try:
                return self._anew()
            except (OSError, sqlite3.Error) as second:
                error = second
        self._notice(f"Nothing can be remembered in {self._path.parent}: {error}.")
        return _connect(":memory:")

    def _anew(self) -> sqlite3.Connection:
        """Set the damaged file aside, unless another hitmiss has done so meanwhile, and begin a new one."""
        try:
            return _connect(str(self._path), thorough=True)
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
        aside = self._path.with_suffix(f".damaged-{time.time_ns()}")
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):  # what belongs to the old file would spoil the new one
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        db = _connect(str(self._path))
        self._notice(f"The history {self._path} is damaged; it was set aside as {aside.name} and a new one begun.")
        return db

    def _fall_back(self, error: Exception) -> None:
        self._db.close()
        self._db = self._instead(error)

    def _one(self, query: str, values: tuple[object, ...]) -> tuple[object, ...] | None:
        try:
            row: tuple[object, ...] | None = self._db.execute(query, values).fetchone()
        except sqlite3.Error as error:
            self._fall_back(error)
            return None
        return row

    def _do(self, work: list[tuple[str, tuple[object, ...]]]) -> None:
        """Carry out all of it, or nothing; what a damaged file could not take goes into the one in its place."""
        try:
            self._transact(work)
        except sqlite3.Error as error:
            self._fall_back(error)
            with contextlib.suppress(sqlite3.Error):
                self._transact(work)

    def _transact(self, work: list[tuple[str, tuple[object, ...]]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for query, values in work:
                self._db.execute(query, values)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


class _DamageError(sqlite3.DatabaseError):
    """The file was read, and what it holds does not hang together."""


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, _DamageError) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _plain(value: object) -> str:
    """`value` as text that SQLite takes: a path may hold bytes that are no UTF-8."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _connect(path: str, *, thorough: bool = False) -> sqlite3.Connection:
    """Open the file, made or brought up to date where it must be; `thorough` reads all of it."""
    db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
    try:
        with contextlib.suppress(sqlite3.OperationalError):
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
    db.execute("BEGIN IMMEDIATE")
    try:
        for statements in _MIGRATIONS[_version(db) :]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        db.execute("COMMIT")
    except sqlite3.Error:
        db.execute("ROLLBACK")
        raise
