"""One table of glyphs and words: shape and word say the same as the colour. Values, nothing else."""

from __future__ import annotations

from typing import NamedTuple

from hitmiss.build.model import Note, Planned, Step, Verdict


class Symbol(NamedTuple):
    """How a verdict is shown: one cell wide, a word, the name of its colour, and what it means."""

    glyph: str
    word: str
    colour: str
    meaning: str


SYMBOLS: dict[Verdict, Symbol] = {
    Verdict.HIT: Symbol("●", "hit", "hit", "came from the cache"),
    Verdict.MISS: Symbol("◆", "miss", "miss", "ran"),
    Verdict.RUNNING: Symbol("◈", "runs", "running", "is running now"),
    Verdict.FAILED: Symbol("✖", "failed", "failed", "failed the build"),
    Verdict.CANCELED: Symbol("⊘", "canceled", "dim", "was stopped before its end"),
    Verdict.PENDING: Symbol("·", "", "dim", "not looked at yet"),
    Verdict.SKIPPED: Symbol("–", "skipped", "dim", "never looked at: the build ended before"),
    Verdict.INTERNAL: Symbol("▪", "", "dim", "work of BuildKit's own"),
}

PLANS: dict[Planned, Symbol] = {
    Planned.HIT: Symbol("○", "will hit", "hit", "planned: will come from the cache"),
    Planned.RUN: Symbol("◇", "will run", "miss", "planned: will run"),
    Planned.DEPENDS: Symbol("◌", "depends", "dim", "planned: hits if another step writes the same bytes again"),
}
"""Steps that BuildKit has not come to yet: hollow, and filled when it has."""

NOTES: dict[Note, str] = {Note.EARLY_CUTOFF: "same", Note.IMPORTED: "imported", Note.WENT_BACK: "went back"}
"""The word after `hit`."""

OFF_PLAN = "!"
"""Beside a verdict that is not the planned one."""

ALARM = "△"
"""Beside a hit whose inputs are not what they seem."""


def symbol_of(step: Step) -> Symbol:
    """How a step is shown: its verdict, and before there is one its plan."""
    if step.verdict is Verdict.PENDING and step.planned is not None:
        return PLANS[step.planned]
    return SYMBOLS[step.verdict]


def seconds(value: float) -> str:
    """A duration for people: `0.3 s`, `41.0 s`, `2 min 05 s`, `1 h 04 min`."""
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def about(value: float) -> str:
    """A duration that is only expected: `~3.3 s`, `~41 s`, `~2 min 05 s`."""
    return f"~{value:.0f} s" if 9.95 <= value < 59.5 else f"~{seconds(value)}"


def size(value: float) -> str:
    """Bytes for people, in powers of 1000 as docker prints them: `1.2 kB`, `3.4 GB`."""
    if value < 1000:
        return f"{value:.0f} B"
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def plain(text: str) -> str:
    """Text from outside made fit for one line: white space folded, nothing that a terminal would obey."""
    folded = " ".join(text.split())
    return folded if folded.isprintable() else "".join(c if c.isprintable() else "�" for c in folded)
