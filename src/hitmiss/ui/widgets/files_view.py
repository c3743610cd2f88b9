"""What the selected step reads of the contexts: what changed first, then the biggest first.

Rows are drawn when they are seen: a step may read tens of thousands of files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style

from hitmiss.explain import Part, Role, change_words, sign_of
from hitmiss.snapshot import FileRow, StepFiles
from hitmiss.symbols import plain, size
from hitmiss.ui.widgets.lines_view import StyledSpan
from hitmiss.ui.widgets.parts_view import RoleLines
from hitmiss.ui.widgets.search_pane import SearchPane

NOTHING_CHOSEN = "Choose a step to see which files it reads."
NOT_KNOWN = "Which files this step reads is not known."
NO_FILES = "This step reads no files of the context."
_SIGN_AND_SIZE = 12
_SUBTITLE = 46


class FileLines(RoleLines):
    """The rows; sign and size stand in the gutter."""

    def __init__(self) -> None:
        super().__init__()
        self._files: Sequence[FileRow] = ()
        self._texts: list[str] = []

    def show_files(self, rows: Sequence[FileRow], more: int) -> None:
        """Show these files; `more` were left out."""
        self._files = rows
        self._texts = [self._text(row) for row in rows]
        if more:
            self._texts.append(f"and {more:,} more")
        self.gutter_width = _SIGN_AND_SIZE if rows else 0
        self.reset_lines()

    def _text(self, row: FileRow) -> str:
        path = plain(row.path)
        if row.change:
            path += f"   {change_words(row.change)}"
        elif row.context:
            path += f"   in context {plain(row.context)}"
        return path

    def texts_from(self, number: int) -> Sequence[str]:
        """The text of the rows from one on."""
        return self._texts[number:]

    def text_of(self, number: int) -> str:
        """The text of one row."""
        return self._texts[number] if number < len(self._texts) else ""

    def spans_of(self, number: int, start: int, end: int) -> Iterable[StyledSpan]:
        """Folders and notes are quiet, names of what changed loud."""
        text = self.text_of(number)
        if number >= len(self._files):
            return [(0, len(text), self.look(Role.DIM))]
        row = self._files[number]
        path = len(plain(row.path))
        spans = [(path, len(text), self.look(Role.DIM))]
        if row.change:
            spans.append((0, path, self.look(Role.PATH)))
        return spans

    def gutter_of(self, number: int, part: int, style: Style) -> Iterable[Segment]:
        """Sign and size."""
        if part or number >= len(self._files):
            return [Segment(" " * _SIGN_AND_SIZE, style)]
        row = self._files[number]
        sign: Part = sign_of(row.change)
        look = Style() if sign.role is Role.PLAIN else self.look(sign.role)
        return [
            Segment(sign.text, style + look),
            Segment(f"{size(row.size):>8}  ", style + self.look(Role.DIM)),
        ]


class FilesView(SearchPane):
    """The Files panel; how many there are stands under it."""

    DEFAULT_CSS = """
    FilesView {
        border-bottom: solid $border-blurred;
        border-subtitle-color: $dim;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        self.lines = FileLines()
        self.lines.placeholder = NOTHING_CHOSEN
        super().__init__(self.lines, id=id, classes=classes)
        self._shown: tuple[str, StepFiles | None] = ("", None)

    @property
    def knows(self) -> bool:
        """Whether files are shown; when not, they may become known."""
        return self._shown[1] is not None

    def show(self, step_id: str, files: StepFiles | None) -> None:
        """Show what a step reads; cheap when that is what is shown. No step: ""."""
        if (step_id, files) == self._shown and step_id:
            return
        self._shown = (step_id, files)
        rows = files.rows if files else ()
        self.lines.placeholder = NO_FILES if files else NOT_KNOWN if step_id else NOTHING_CHOSEN
        self.lines.show_files(rows, max(0, files.count - len(rows)) if files else 0)
        self.border_subtitle = _counted(files) if files and files.count else ""
        if self.searching:
            self.restart_search()


def _counted(files: StepFiles) -> str:
    """`38 files · 12.4 kB · 2 changed since build 11`; the build is left out where the panel could be too narrow."""
    changed = sum(row.change is not None for row in files.rows)
    words = f"{files.count:,} file{'s' * (files.count != 1)} · {size(files.size)}"
    if files.against or changed:
        words += f" · {changed:,} changed" if changed else " · none changed"
    since = f" since build {files.against}" if files.against else ""
    return words + since if len(words + since) <= _SUBTITLE else words
