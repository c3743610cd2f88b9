"""What a measurement came to, and the one table of all of them. Knows nothing of how anything is measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Row:
    """One number: `result` is compared with `goal` (the most that it may be), where there is one."""

    group: str
    what: str
    """What was run, both sides."""
    result: float
    low: float
    high: float
    goal: float | None = None
    unit: str = "×"
    note: str = ""
    """The absolute numbers behind a ratio."""

    @property
    def verdict(self) -> str:
        """`ok`, `missed`, or empty without a goal."""
        if self.goal is None:
            return ""
        return "ok" if self.result <= self.goal else "missed"


def ratio(
    group: str, what: str, pairs: Sequence[tuple[float, float]], *, sides: tuple[str, str], goal: float | None = None
) -> Row:
    """Ours over theirs, pair by pair, in seconds: the median ratio and its extremes."""
    ratios = [ours / theirs for ours, theirs in pairs]
    medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
    note = ", ".join(f"{side} {seconds(median)}" for side, median in zip(sides, medians, strict=True))
    note += f"; {len(pairs)} pairs"
    return Row(group, what, statistics.median(ratios), min(ratios), max(ratios), goal, note=note)


def median(
    group: str, what: str, values: Sequence[float], *, unit: str, goal: float | None = None, note: str = ""
) -> Row:
    """A number without a counterpart, from several runs."""
    return Row(group, what, statistics.median(values), min(values), max(values), goal, unit, note)


def percentile(
    group: str, what: str, values: Sequence[float], share: float, *, unit: str, goal: float | None, note: str = ""
) -> Row:
    """The value that this share of all values does not exceed."""
    if not values:
        raise RuntimeError(f"nothing was seen of: {what}")
    ordered = sorted(values)
    at = min(len(ordered) - 1, int(share * len(ordered)))
    return Row(group, what, ordered[at], ordered[0], ordered[-1], goal, unit, note)


def seconds(value: float) -> str:
    """Seconds or milliseconds, as short as can be."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _number(value: float, unit: str) -> str:
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if unit == "×":
        return f"{value:.2f}×"
    return f"{shown} {unit}"


def show(rows: Sequence[Row], console: Console) -> None:
    """Print all rows as one table."""
    table = Table(box=box.SIMPLE_HEAD, title="hitmiss, measured on a private engine", title_justify="left", expand=True)
    for head in ("", "What was run", "Goal", "Result", "Min–max", ""):
        numbers = head in ("Goal", "Result", "Min–max")
        table.add_column(head, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    previous = ""
    for row in rows:
        what = Text(row.what)
        if row.note:
            what.append(f"\n{row.note}", style="dim")
        goal = f"≤ {_number(row.goal, row.unit)}" if row.goal is not None else "–"
        spread = f"{_number(row.low, row.unit)} – {_number(row.high, row.unit)}"
        style = {"ok": "green", "missed": "bold red"}.get(row.verdict, "")
        verdict = Text(row.verdict, style=style)
        table.add_row(
            row.group if row.group != previous else "", what, goal, _number(row.result, row.unit), spread, verdict
        )
        previous = row.group
    console.print(table)


def write(rows: Sequence[Row], path: Path) -> None:
    """The rows as JSON."""
    path.write_text(json.dumps([{**asdict(row), "verdict": row.verdict} for row in rows], indent=1, ensure_ascii=False))
