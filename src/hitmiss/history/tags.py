"""Where tags pointed on their registries when those were last asked, so that they are not asked for every build."""

from __future__ import annotations

import time

import msgspec

from hitmiss.history.database import Database, plain

KEEP_S = 3600.0
"""So long an answer holds."""


class Tags(Database):
    """The answers of registries, by builder and name. Nothing raises."""

    def tag(self, builder: str, name: str) -> str | None:
        """The digest that the registry gave within the last hour, "" where it gave none; None: it is to be asked."""
        row = self._one("SELECT value FROM fact WHERE name = ?", (_row(builder, name),))
        try:
            answer = msgspec.msgpack.decode(row[0], type=_Answer) if row and isinstance(row[0], bytes) else _Answer()
        except msgspec.DecodeError:
            return None
        return answer.digest if 0 <= time.time() - answer.asked < KEEP_S else None

    def remember_tag(self, builder: str, name: str, digest: str) -> None:
        """Keep what the registry answered now; "" where it did not."""
        value = msgspec.msgpack.encode(_Answer(time.time(), digest))
        self._do([("INSERT OR REPLACE INTO fact VALUES (?, ?)", (_row(builder, name), value))])


class _Answer(msgspec.Struct):
    asked: float = 0.0
    digest: str = ""


def _row(builder: str, name: str) -> str:
    return f"tag {plain(builder)} {plain(name)}"
