"""The builder that was chosen for each project."""

from __future__ import annotations

import time
from pathlib import Path

from hitmiss.history.database import Database, plain


class Chosen(Database):
    """One builder a project. Nothing raises."""

    def builder(self, project: Path) -> str:
        """The builder last chosen for this project, "" for docker's own choice."""
        row = self._one("SELECT builder FROM chosen_builder WHERE project = ?", (plain(project),))
        return str(row[0]) if row else ""

    def remember_builder(self, project: Path, builder: str) -> None:
        """Keep the builder chosen for this project."""
        values = (plain(project), plain(builder), time.time())
        self._do([("INSERT OR REPLACE INTO chosen_builder VALUES (?, ?, ?)", values)])
