"""Lines of parts with roles, drawn as the theme has it. The base of Why, Files and History; it knows no build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.message import Message

from hitmiss.explain import Line, Role, text_of
from hitmiss.ui.widgets.folding import fold
from hitmiss.ui.widgets.lines_view import LinesView, StyledSpan


class RoleLines(LinesView):
    """Lines whose parts have the looks of their roles."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"parts--{role}" for role in Role if role is not Role.PLAIN}
    DEFAULT_CSS = """
    RoleLines {
        scrollbar-gutter: auto;
        overflow-x: hidden;
        padding: 0 0 0 1;
        .parts--strong { text-style: bold; }
        .parts--dim { color: $dim; }
        .parts--added { color: $hit; }
        .parts--removed { color: $failed; }
        .parts--new-words { color: $hit; text-style: underline; }
        .parts--old-words { color: $failed; text-style: underline; }
        .parts--changed { color: $miss; }
        .parts--path { color: $foreground; text-style: bold; }
        .parts--step { color: $foreground; }
        .parts--hit { color: $hit; text-style: bold; }
        .parts--miss { color: $miss; text-style: bold; }
        .parts--failed { color: $failed; text-style: bold; }
        .parts--warning { color: $warning; text-style: bold; }
    }
    """

    def look(self, role: Role) -> Style:
        """The style of a role."""
        return self.get_component_rich_style(f"parts--{role}", partial=True)


class PartsLines(RoleLines):
    """Shows lines; long ones are folded between words. A click on a line that names a step says so."""

    class StepClicked(Message):
        """A click on a line that names a step."""

        def __init__(self, step_id: str) -> None:
            super().__init__()
            self.step_id = step_id

    def __init__(self) -> None:
        super().__init__()
        self._given: Sequence[Line] = ()
        self._rows: list[tuple[Line, bool]] = []
        self._width = -1

    def show(self, lines: Sequence[Line], *, from_top: bool = False) -> None:
        """Show these lines; `from_top` when they are about something else than those before."""
        if lines == self._given and not from_top:
            return
        self._given = lines
        self._fold()
        if from_top:
            self.reset_lines()
        else:
            self.replace_lines()

    def _fold(self) -> None:
        """Make rows of the lines; each row says whether it goes on with the line before."""
        self._width = self.text_width if self.wrap and self.view_size.width else 0
        self._rows = []
        for line in self._given:
            folded = fold(line, self._width) if self._width else [line]
            self._rows += [(row, index > 0) for index, row in enumerate(folded)]

    def fit(self) -> None:
        """Where lines are folded depends on the width."""
        if self._width != (self.text_width if self.wrap else 0):
            self._fold()
            self.replace_lines()
        else:
            super().fit()

    def lay_out_again(self) -> None:
        """Wrapping was switched."""
        self._fold()
        super().lay_out_again()

    # The lines

    def texts_from(self, number: int) -> Sequence[str]:
        """The text of the rows from one on."""
        return [text_of(row) for row, _ in self._rows[number:]]

    def text_of(self, number: int) -> str:
        """The text of one row."""
        return text_of(self._rows[number][0]) if number < len(self._rows) else ""

    def spans_of(self, number: int, start: int, end: int) -> Iterable[StyledSpan]:
        """The looks of the parts."""
        at = 0
        for part in self._rows[number][0] if number < len(self._rows) else ():
            if part.role is not Role.PLAIN and part.text:
                yield at, at + len(part.text), self.look(part.role)
            at += len(part.text)

    def ending_of(self, number: int) -> str:
        """A line that was folded is one line when copied."""
        return " " if number + 1 < len(self._rows) and self._rows[number + 1][1] else "\n"

    def on_click(self, event: events.Click) -> None:
        """A click on a line that names a step goes there; the end of a selection is no click."""
        offset = event.get_content_offset(self)
        number = self.line_at(offset.y) if offset else None
        if number is None or (self.text_selection and self.get_selection(self.text_selection)):
            return
        named = next((part.step for part in self._rows[number][0] if part.step), "")
        if named:
            self.post_message(self.StepClicked(named))
