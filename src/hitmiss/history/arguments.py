"""The build arguments that somebody set in the editor, by project and target. Values that look secret never get in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from hitmiss.history.database import Database, Work, plain
from hitmiss.settings import looks_secret


class Arguments(Database):
    """The kept arguments. Nothing raises."""

    def arguments(self, project: Path | str) -> dict[str, dict[str, str]]:
        """The arguments that are kept for a project: target → name → value."""
        rows = self._all(
            "SELECT target, name, value FROM argument WHERE project = ? ORDER BY target, name", (plain(project),)
        )
        found: dict[str, dict[str, str]] = {}
        for target, name, value in rows:
            found.setdefault(str(target), {})[str(name)] = str(value)
        return found

    def keep_arguments(self, project: Path | str, target: str, values: Mapping[str, str]) -> None:
        """Keep these arguments of a target, in place of what was kept of it."""
        now, which = time.time(), (plain(project), plain(target))
        work: list[Work] = [("DELETE FROM argument WHERE project = ? AND target = ?", which)]
        work += [
            ("INSERT INTO argument VALUES (?, ?, ?, ?, ?)", (*which, plain(name), plain(value), now))
            for name, value in values.items()
            if not looks_secret(name)
        ]
        self._do(work)
