"""The tables of the memory, as the statements that lead from each version of them to the next."""

from __future__ import annotations

_FIRST = (
    "CREATE TABLE project (path TEXT PRIMARY KEY, target TEXT NOT NULL, used REAL NOT NULL) STRICT",
    """
    CREATE TABLE step_run (
        project TEXT NOT NULL, builder TEXT NOT NULL, platform TEXT NOT NULL, stage TEXT NOT NULL,
        instruction TEXT NOT NULL, duration_s REAL NOT NULL, ended REAL NOT NULL,
        PRIMARY KEY (project, builder, platform, stage, instruction)
    ) STRICT, WITHOUT ROWID
    """,
)
"""The target of each project, and the last run of each step."""

_SECOND = (
    # The columns stay as they were, so that an older hitmiss that is still open can go on. The table has row ids, for
    # SQLite 3.40 finds NULL values that are not there in one without, where the key's columns are not the first ones.
    "ALTER TABLE step_run RENAME TO step_run_1",
    """
    CREATE TABLE step_run (
        project TEXT NOT NULL, builder TEXT NOT NULL, platform TEXT NOT NULL, stage TEXT NOT NULL,
        instruction TEXT NOT NULL, duration_s REAL NOT NULL, ended REAL NOT NULL,
        PRIMARY KEY (project, builder, platform, stage, instruction, ended)
    ) STRICT
    """,
    "INSERT INTO step_run SELECT * FROM step_run_1",
    "DROP TABLE step_run_1",
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
    """
    CREATE TABLE tally (
        project TEXT PRIMARY KEY, number INTEGER NOT NULL, plan_right INTEGER NOT NULL, plan_steps INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE build (
        id INTEGER PRIMARY KEY, project TEXT NOT NULL, number INTEGER NOT NULL, builder TEXT NOT NULL,
        target TEXT NOT NULL, status TEXT NOT NULL, started REAL NOT NULL, duration_s REAL NOT NULL, ref TEXT NOT NULL,
        steps INTEGER NOT NULL, hits INTEGER NOT NULL, misses INTEGER NOT NULL,
        plan_right INTEGER NOT NULL, plan_steps INTEGER NOT NULL, facts BLOB NOT NULL,
        UNIQUE (project, number)
    ) STRICT
    """,
    """
    CREATE TABLE known_key (
        builder TEXT NOT NULL, key BLOB NOT NULL, number INTEGER NOT NULL, project TEXT NOT NULL, seen REAL NOT NULL,
        record TEXT NOT NULL, PRIMARY KEY (builder, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE alias (
        builder TEXT NOT NULL, key BLOB NOT NULL, same_as BLOB NOT NULL, seen REAL NOT NULL, PRIMARY KEY (builder, key)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE blob (digest BLOB PRIMARY KEY, data BLOB NOT NULL, used REAL NOT NULL) STRICT",
    "CREATE TABLE folder (path TEXT PRIMARY KEY, data BLOB NOT NULL, used REAL NOT NULL) STRICT",
)
"""Several runs of each step, the builds, the keys that were seen, and the files."""

_THIRD = (
    """
    CREATE TABLE argument (
        project TEXT NOT NULL, target TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, used REAL NOT NULL,
        PRIMARY KEY (project, target, name)
    ) STRICT
    """,
)
"""The build arguments that were set in the editor."""

_FOURTH = ("CREATE TABLE chosen_builder (project TEXT PRIMARY KEY, builder TEXT NOT NULL, used REAL NOT NULL) STRICT",)
"""The builder of each project: a table of its own, so that an older hitmiss that is still open can go on."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD, _FOURTH)
