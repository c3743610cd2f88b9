"""What is remembered between sessions: what was chosen in each project, its builds, the files they read, durations.

One SQLite file a user, safe with several hitmiss at once. A damaged file is set aside, never a crash; where nothing
can be kept (no folder, a full disk) the store goes on in memory and says so once.
"""

from __future__ import annotations

import time
from pathlib import Path

from hitmiss.history.arguments import Arguments
from hitmiss.history.builds import Builds, Summary
from hitmiss.history.chosen import Chosen
from hitmiss.history.cleaning import Cleaning
from hitmiss.history.database import plain
from hitmiss.history.durations import Durations, StepName
from hitmiss.history.files import Files
from hitmiss.history.tags import Tags

__all__ = ["StepName", "Store", "Summary"]


class Store(Builds, Files, Durations, Tags, Arguments, Chosen, Cleaning):
    """The memory of all projects. No call raises, and every one is quick (a few milliseconds; `clean` is not), but for
    this: what is to be kept waits up to two seconds while another hitmiss keeps something. Questions do not.

    It may be asked from any thread.
    """

    def target(self, project: Path) -> str:
        """The target last chosen for this project, "" when none was."""
        row = self._one("SELECT target FROM project WHERE path = ?", (plain(project),))
        return str(row[0]) if row else ""

    def remember_target(self, project: Path, target: str) -> None:
        """Keep the target chosen for this project."""
        self._do([("INSERT OR REPLACE INTO project VALUES (?, ?, ?)", (plain(project), plain(target), time.time()))])
