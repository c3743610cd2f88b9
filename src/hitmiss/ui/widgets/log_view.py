"""The log of one step: follows its output, searches, wraps, copies.

It reads a `StepLog` and never changes it; which step is shown is the app's affair.
"""

from __future__ import annotations

from textual.containers import Vertical
from textual.message import Message
from textual.reactive import var

from hitmiss.build.logs import StepLog

NO_OUTPUT = "No output yet."
FROM_CACHE = "This step came from the cache: nothing ran, so there is no log."


class LogView(Vertical):
    """Shows a step's log. The app calls `show` when another step is selected and `refresh_log` when output came."""

    follow: var[bool] = var(True)

    class Copied(Message):
        """The log is on the clipboard."""

        def __init__(self, title: str, lines: int) -> None:
            super().__init__()
            self.title = title
            self.lines = lines

    def show(self, log: StepLog | None, title: str, empty: str = NO_OUTPUT) -> None:
        """Show a log (again); `title` goes on the border, `empty` is shown while the log has no lines."""

    def refresh_log(self) -> None:
        """Show what the log has gained since the last call; cheap when that is nothing."""
