"""What the Dockerfile's gutter says of each line: verdict and time of its step, warnings, errors. Values only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePath

from hitmiss.build.model import Build, Planned, Step, Verdict
from hitmiss.snapshot import Source
from hitmiss.symbols import OFF_PLAN, about, plain, seconds, symbol_of
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
_SUREST = (Planned.RUN, Planned.DEPENDS, Planned.HIT, None)


def line_marks(build: Build, source: Source, targets: Collection[str | None] = (None,)) -> dict[int, LineMark]:
    """Line (from 1) → mark. A line that is a step on several platforms, or of several of the `targets` that are built
    from this source, shows the one that matters most.
    """
    marks: dict[int, LineMark] = {}
    several = None not in targets
    own = (step for step in build.steps if step.place and (step.bake_target in targets or not several))
    steps = sorted(own, key=_loudness)
    for step in steps:
        symbol = symbol_of(step)
        error = plain(step.error) if step.verdict is Verdict.FAILED else ""
        if step.place:
            marks[step.place.line] = LineMark(symbol.glyph, symbol.colour, _note(step), error)
    for check in build.checks:
        if check.line and (not several or _same_file(check.file, source.name if source.path else _NAMELESS)):
            mark = marks.get(check.line, LineMark("!", "warning"))
            message = "; ".join(part for part in (mark.message, plain(check.short)) if part)
            marks[check.line] = LineMark(mark.glyph, mark.style_name, mark.note, message)
    if source.error and source.error_line:
        marks[source.error_line] = LineMark("✖", "failed", "", plain(source.error))
    return marks


_NAMELESS = "Dockerfile"
"""What BuildKit calls a Dockerfile that stands in no file."""


def _same_file(one: str, other: str) -> bool:
    """Whether two names of a Dockerfile, as far as they are told, are of the same one."""
    return PurePath(one).name == PurePath(other).name


def _loudness(step: Step) -> tuple[int, int]:
    return -_LOUDEST.index(step.verdict), -_SUREST.index(step.planned)


def _note(step: Step) -> str:
    """The time that it took, or should take."""
    if step.verdict is Verdict.PENDING:
        coming = step.planned in (Planned.RUN, Planned.DEPENDS) and step.expected_s is not None
        return about(step.expected_s) if coming and step.expected_s else ""
    timed = step.verdict in (Verdict.MISS, Verdict.FAILED, Verdict.CANCELED)
    words = [OFF_PLAN if step.plan_was_wrong else "", seconds(step.duration_s) if timed else ""]
    return " ".join(word for word in words if word)
