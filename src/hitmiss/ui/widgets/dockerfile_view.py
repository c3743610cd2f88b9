"""The Dockerfile with syntax colours and, per line, the verdict of its step.

It shows text and marks that it is given; it reads no file and knows no build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.containers import Vertical
from textual.message import Message


@dataclass(frozen=True, slots=True)
class LineMark:
    """What the gutter says of a line.

    `style_name` is one of `hit`, `miss`, `failed`, `running`, `dim`, `warning`; `note` is short (a time, `~ 3.2 s`) and stands
    in the gutter; `message` (an error, the warning of a check) gets rows of its own under the line.
    """

    glyph: str
    style_name: str
    note: str = ""
    message: str = ""


class DockerfileView(Vertical):
    """The source with its gutter. Lines are counted from 1."""

    class LineChosen(Message):
        """Enter or a click on a line."""

        def __init__(self, line: int) -> None:
            super().__init__()
            self.line = line

    def show(self, text: str, marks: Mapping[int, LineMark]) -> None:
        """Show this source with these marks; the cursor and the scroll position stay where they are."""

    def go_to(self, line: int) -> None:
        """Put the cursor on a line and scroll it into view."""
