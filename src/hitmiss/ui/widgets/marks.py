"""What the Dockerfile's gutter says of each line: verdict and time of its step, warnings, errors. Values only."""

from __future__ import annotations

from hitmiss.build.model import Build, Verdict
from hitmiss.snapshot import Source
from hitmiss.symbols import SYMBOLS, plain, seconds
from hitmiss.ui.widgets.dockerfile_view import LineMark

_LOUDEST = (
    Verdict.FAILED,
    Verdict.RUNNING,
    Verdict.CANCELED,
    Verdict.MISS,
    Verdict.HIT,
    Verdict.SKIPPED,
    Verdict.PENDING,
)


def line_marks(build: Build, source: Source) -> dict[int, LineMark]:
    """Line (from 1) → mark. A line that is a step on several platforms shows the one that matters most."""
    marks: dict[int, LineMark] = {}
    steps = sorted((step for step in build.steps if step.place), key=lambda step: -_LOUDEST.index(step.verdict))
    for step in steps:
        symbol = SYMBOLS[step.verdict]
        timed = step.verdict in (Verdict.MISS, Verdict.FAILED, Verdict.CANCELED)
        note = seconds(step.duration_s) if timed else ""
        error = plain(step.error) if step.verdict is Verdict.FAILED else ""
        if step.place:
            marks[step.place.line] = LineMark(symbol.glyph, symbol.colour, note, error)
    for check in build.checks:
        if check.line:
            mark = marks.get(check.line, LineMark("!", "warning"))
            message = "; ".join(part for part in (mark.message, plain(check.short)) if part)
            marks[check.line] = LineMark(mark.glyph, mark.style_name, mark.note, message)
    if source.error and source.error_line:
        marks[source.error_line] = LineMark("✖", "failed", "", plain(source.error))
    return marks
