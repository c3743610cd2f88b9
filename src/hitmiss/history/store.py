"""What is remembered between sessions: the target of each project, and how long its steps took when they last ran.

One SQLite file a user, safe with several hitmiss at once. A damaged file is set aside, never a crash; where nothing can be
kept (no folder, a full disk) the store goes on in memory and says so once.
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
    """
    CREATE TABLE project (path TEXT PRIMARY KEY, target TEXT NOT NULL, used REAL NOT NULL) STRICT;
    CREATE TABLE step_run (
        project TEXT NOT NULL, builder TEXT NOT NULL, platform TEXT NOT NULL, stage TEXT NOT NULL,
        instruction TEXT NOT NULL, duration_s REAL NOT NULL, ended REAL NOT NULL,
        PRIMARY KEY (project, builder, platform, stage, instruction)
    ) STRICT, WITHOUT ROWID;
    """,
)
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
        row = self._one("SELECT target FROM project WHERE path = ?", (str(project),))
        return str(row[0]) if row else ""

    def remember_target(self, project: Path, target: str) -> None:
        """Keep the target chosen for this project."""
        self._do([("INSERT OR REPLACE INTO project VALUES (?, ?, ?)", (str(project), target, time.time()))])

    def durations(self, project: Path, builder: str) -> dict[StepName, float]:
        """Seconds that each step of this project took when it last ran on this builder."""
        query = "SELECT platform, stage, instruction, duration_s FROM step_run WHERE project = ? AND builder = ?"
        try:
            rows = self._db.execute(query, (str(project), builder)).fetchall()
        except sqlite3.Error as error:
            self._fall_back(error)
            return {}
        return {(platform, stage, text): duration for platform, stage, text, duration in rows}

    def remember_durations(self, project: Path, builder: str, runs: Iterable[tuple[StepName, float]]) -> None:
        """Keep how long these steps took; what was not seen for 90 days is forgotten."""
        now = time.time()
        query = "INSERT OR REPLACE INTO step_run VALUES (?, ?, ?, ?, ?, ?, ?)"
        work: list[tuple[str, tuple[object, ...]]] = [
            (query, (str(project), builder, *name, seconds, now)) for name, seconds in runs
        ]
        self._do([*work, ("DELETE FROM step_run WHERE ended < ?", (now - _KEEP_S,))])

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(str(self._path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                return self._in_memory(error)
            aside = self._path.with_suffix(f".damaged-{int(time.time())}")
            self._notice(f"The history {self._path} is damaged; it was set aside as {aside.name} and a new one begun.")
            try:
                self._path.replace(aside)
                return _connect(str(self._path))
            except (OSError, sqlite3.Error) as second:
                return self._in_memory(second)
        except OSError as error:
            return self._in_memory(error)

    def _in_memory(self, error: Exception) -> sqlite3.Connection:
        self._notice(f"Nothing can be remembered in {self._path.parent}: {error}.")
        return _connect(":memory:")

    def _fall_back(self, error: Exception) -> None:
        self._db.close()
        self._db = self._in_memory(error)

    def _one(self, query: str, values: tuple[object, ...]) -> tuple[object, ...] | None:
        try:
            row: tuple[object, ...] | None = self._db.execute(query, values).fetchone()
        except sqlite3.Error as error:
            self._fall_back(error)
            return None
        return row

    def _do(self, work: list[tuple[str, tuple[object, ...]]]) -> None:
        try:
            with self._db:
                for query, values in work:
                    self._db.execute(query, values)
        except sqlite3.Error as error:
            self._fall_back(error)


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=2.0)
    try:
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.Error:
        db.close()
        raise
    return db
