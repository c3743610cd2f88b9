"""The remembered builds, and the keys whose results an engine has."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from secrets import token_bytes
from typing import cast

import msgspec

from hitmiss.build.model import BuiltImage, Verdict
from hitmiss.cache.facts import BuildFacts, Key, Known, Seen
from hitmiss.history.database import Database, Row, plain

KEEP_BUILDS = 500
"""So many builds of a project are kept."""

_SALT_BYTES = 32
_NO_END = 2**62


class Summary(msgspec.Struct, frozen=True):
    """One build in short. `started` is in seconds since 1970; `hits` and `misses` are counts of its `steps`."""

    number: int
    builder: str
    target: str
    status: str
    started: float
    duration_s: float
    ref: str
    steps: int
    hits: int
    misses: int
    plan_right: int
    plan_steps: int


class Builds(Database):
    """Builds by project and number, newest first. Nothing raises; what cannot be read any more is left out."""

    def __init__(self, path: Path | None = None, *, on_notice: Callable[[str], None] = lambda text: None) -> None:
        super().__init__(path, on_notice=on_notice)
        self._answers: dict[tuple[str, float], Seen] = {}
        """What came of the last answer of each builder, and when it was asked."""

    def salt(self) -> bytes:
        """32 random bytes of this user's, made once: the key of all keyed hashes."""
        row = self._one("SELECT value FROM fact WHERE name = 'salt'")
        if row is None:
            self._do([("INSERT OR IGNORE INTO fact VALUES ('salt', ?)", (token_bytes(_SALT_BYTES),))])
            row = self._one("SELECT value FROM fact WHERE name = 'salt'")
        return cast(bytes, row[0]) if row else token_bytes(_SALT_BYTES)

    def remember(
        self,
        facts: BuildFacts,
        records: Mapping[Key, str] | None = None,
        *,
        confirmed: Iterable[Key] | None = None,
    ) -> BuildFacts:
        """Keep a build under the next number of its project (its own where that is higher), and give it back with it.

        `confirmed` are the keys whose result the engine surely has, by default those of the steps that ran or hit;
        `records` names the engine's record of some, "" where it is another one now that is not known. A build that
        could not be kept comes back as it was.
        """
        told = records or {}
        sure = dict.fromkeys(_confirmed(facts) if confirmed is None else confirmed) | dict.fromkeys(told)
        now = time.time()
        project, builder = plain(facts.project), plain(facts.builder)

        def keep(db: sqlite3.Connection) -> BuildFacts:
            db.execute(_COUNT, (project, max(1, facts.number), facts.plan_right, facts.plan_steps, facts.number))
            (number,) = db.execute("SELECT number FROM tally WHERE project = ?", (project,)).fetchone()
            kept = msgspec.structs.replace(facts, number=number)
            db.execute(_INSERT, _columns(kept))
            db.execute("DELETE FROM build WHERE project = ? AND number <= ?", (project, number - KEEP_BUILDS))
            db.execute("DELETE FROM fact WHERE name = ?", (_no_step(project),))
            known = [(builder, key, number, project, now, told.get(key, ""), key in told) for key in sure]
            db.executemany(_KNOW, known)
            return kept

        return self._write(keep, facts)

    def remember_no_step(self, project: Path | str, why: str) -> None:
        """Keep, until a build of the project is remembered, that one failed before its first step, and why."""
        self._do([("INSERT OR REPLACE INTO fact VALUES (?, ?)", (_no_step(plain(project)), plain(why).encode()))])

    def no_step(self, project: Path | str) -> str:
        """Why a build after the latest remembered one failed before its first step; "" where none did."""
        row = self._one("SELECT value FROM fact WHERE name = ?", (_no_step(plain(project)),))
        return cast(bytes, row[0]).decode() if row else ""

    def remember_alarms(self, project: Path | str, number: int, alarms: Mapping[str, str]) -> None:
        """Keep alarms that came after a build was remembered, by the ids of its steps."""
        which = (plain(project), number)

        def amend(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT facts FROM build WHERE project = ? AND number = ?", which).fetchone()
            if facts := _decoded(row) if row else None:
                steps = tuple(
                    msgspec.structs.replace(step, alarm=alarms.get(step.id) or step.alarm) for step in facts.steps
                )
                facts = msgspec.structs.replace(facts, steps=steps)
                db.execute("UPDATE build SET facts = ? WHERE project = ? AND number = ?", (encode(facts), *which))

        self._write(amend, None)

    def remember_images(self, project: Path | str, number: int, images: tuple[BuiltImage, ...]) -> None:
        """Keep what a build made, which is found out after it was remembered."""
        which = (plain(project), number)

        def amend(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT facts FROM build WHERE project = ? AND number = ?", which).fetchone()
            if facts := _decoded(row) if row else None:
                facts = msgspec.structs.replace(facts, made=images)
                db.execute("UPDATE build SET facts = ? WHERE project = ? AND number = ?", (encode(facts), *which))

        self._write(amend, None)

    def builds(
        self,
        project: Path | str,
        builder: str = "",
        limit: int = 30,
        before: int | None = None,
        *,
        canceled: bool = True,
    ) -> list[BuildFacts]:
        """The latest builds of a project, newest first; on that builder, and with a number below `before`.

        Those that were canceled are left out without `canceled`.
        """
        end = _NO_END if before is None else before
        rows = self._all(
            "SELECT facts FROM build WHERE project = ? AND (? = '' OR builder = ?) AND number < ?"
            " AND (? OR status != 'canceled') ORDER BY number DESC LIMIT ?",
            (plain(project), plain(builder), plain(builder), end, canceled, limit),
        )
        return [facts for facts in map(_decoded, rows) if facts]

    def build(self, project: Path | str, number: int) -> BuildFacts | None:
        """One build; None where it is not remembered."""
        row = self._one("SELECT facts FROM build WHERE project = ? AND number = ?", (plain(project), number))
        return _decoded(row) if row else None

    def summaries(self, project: Path | str, limit: int = 30) -> list[Summary]:
        """The latest builds of a project in short, newest first."""
        query = f"SELECT {_SHORT} FROM build WHERE project = ? ORDER BY number DESC LIMIT ?"  # noqa: S608
        rows = self._all(query, (plain(project), limit))
        return [msgspec.convert(dict(zip(Summary.__struct_fields__, row, strict=True)), Summary) for row in rows]

    def parts(self, project: Path) -> tuple[Path, ...]:
        """The project, and its targets where it has several, as far as builds of them are remembered."""
        name = plain(project)
        query = "SELECT DISTINCT project FROM build WHERE project = ? OR substr(project, 1, ?) = ? ORDER BY project"
        rows = self._all(query, (name, len(name) + 1, f"{name}:"))
        return tuple(Path(str(row[0])) for row in rows)

    def latest(self, project: Path | str) -> int:
        """The number of the project's latest build, 0 when there was none."""
        row = self._one("SELECT number FROM tally WHERE project = ?", (plain(project),))
        return cast(int, row[0]) if row else 0

    def plan_score(self, project: Path | str) -> tuple[int, int]:
        """How many steps of all builds of a project came out as planned, and how many had a plan."""
        row = self._one("SELECT plan_right, plan_steps FROM tally WHERE project = ?", (plain(project),))
        return cast(tuple[int, int], row) if row else (0, 0)

    def known(self, builder: str, keys: Iterable[Key]) -> dict[Key, Known]:
        """Those of the keys that were seen on this builder (below 2 ms for 200 keys)."""
        query = "SELECT key, number, seen, record FROM known_key WHERE builder = ? AND key IN (%s)"
        rows = cast(Iterable[tuple[Key, int, float, str]], self._among(query, (plain(builder),), keys))
        return {key: Known(number, seen, record) for key, number, seen, record in rows}

    def saw_records(self, builder: str, asked: float, told: Callable[[Seen], Seen]) -> Seen:
        """Told what has become of the cache records of a builder since it was last looked at, by any hitmiss.

        Each target may tell of the answer of one moment, `asked` in seconds since 1970; it is worked out once.
        """
        if known := self._answers.get((builder, asked)):
            return known
        name = f"records {plain(builder)}"

        def compare(db: sqlite3.Connection) -> Seen:
            row = db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
            then = _seen(row[0]) if row else Seen()
            now = told(then)
            if (now.pruned, now.marks) != (then.pruned, then.marks):
                value = zlib.compress(msgspec.msgpack.encode(now), 1)
                db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))
            return now

        found = self._write(compare, Seen())
        self._answers = {key: each for key, each in self._answers.items() if key[0] != builder} | {
            (builder, asked): found
        }
        return found

    def remember_aliases(self, builder: str, aliases: Mapping[Key, Key]) -> None:
        """Keep that operations with these keys put out the same bytes as those with the other keys."""
        now = time.time()
        query = "INSERT OR REPLACE INTO alias VALUES (?, ?, ?, ?)"
        self._do((query, (plain(builder), key, same_as, now)) for key, same_as in aliases.items())

    def aliases(self, builder: str, keys: Iterable[Key] | None = None) -> dict[Key, Key]:
        """The other key of those of the keys that have one; of all that have one without `keys`."""
        query = "SELECT key, same_as FROM alias WHERE builder = ?"
        if keys is None:
            rows = iter(self._all(query, (plain(builder),)))
        else:
            rows = self._among(query + " AND key IN (%s)", (plain(builder),), keys)
        return dict(cast(Iterable[tuple[Key, Key]], rows))


_SHORT = "number, builder, target, status, started, duration_s, ref, steps, hits, misses, plan_right, plan_steps"
_INSERT = f"INSERT INTO build (project, {_SHORT}, facts) VALUES ({', '.join('?' * 14)})"  # noqa: S608
_COUNT = """
    INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (project) DO UPDATE SET
    number = max(number + 1, ?),
    plan_right = plan_right + excluded.plan_right, plan_steps = plan_steps + excluded.plan_steps
"""
_KNOW = """
    INSERT INTO known_key VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (builder, key) DO UPDATE SET
    number = excluded.number, project = excluded.project, seen = excluded.seen,
    record = CASE WHEN ? THEN excluded.record ELSE record END
"""


def _no_step(project: str) -> str:
    return f"no step {project}"


def _seen(value: bytes) -> Seen:
    try:
        return msgspec.msgpack.decode(zlib.decompress(value), type=Seen)
    except (zlib.error, msgspec.DecodeError):
        return Seen()


def _confirmed(facts: BuildFacts) -> Iterable[Key]:
    return (facts.keys[step.operation] for step in facts.steps if step.confirmed and step.operation >= 0)


def _columns(facts: BuildFacts) -> Row:
    verdicts = [step.verdict for step in facts.steps]
    return (
        plain(facts.project),
        facts.number,
        plain(facts.builder),
        plain(facts.target),
        facts.status.value,
        facts.started,
        facts.duration_s,
        plain(facts.ref),
        len(facts.steps),
        verdicts.count(Verdict.HIT),
        verdicts.count(Verdict.MISS) + verdicts.count(Verdict.FAILED),
        facts.plan_right,
        facts.plan_steps,
        encode(facts),
    )


def encode(facts: BuildFacts) -> bytes:
    """A build as it is kept."""
    try:
        return zlib.compress(msgspec.msgpack.encode(facts), 1)
    except UnicodeEncodeError:  # a path or a file with bytes that are no UTF-8
        clean = msgspec.convert(_cleaned(msgspec.to_builtins(facts, builtin_types=(bytes,))), BuildFacts)
        return zlib.compress(msgspec.msgpack.encode(clean), 1)


def _cleaned(value: object) -> object:
    """`value` with every text such that it can be written."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_cleaned, value))
    return value


def _decoded(row: Row) -> BuildFacts | None:
    """A build as it was kept; None where a later or damaged one cannot be read."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(cast(bytes, row[0])), type=BuildFacts)
    except (zlib.error, msgspec.DecodeError):
        return None
