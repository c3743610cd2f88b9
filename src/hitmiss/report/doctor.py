"""Prints the doctor's findings, for a person or as JSON. It looks at nothing itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hitmiss.doctor import Finding, Health
from hitmiss.errors import BUILT, NO_ENGINE
from hitmiss.symbols import plain

_SHAPES = {Health.OK: ("●", "green"), Health.WARN: ("▲", "yellow"), Health.BAD: ("✖", "red")}
_NEEDED = frozenset({"engine", "permission", "buildx", "builder"})
"""Without these nothing can be built."""


def print_findings(findings: Sequence[Finding], console: Console) -> int:
    """Print the findings, each with shape, word and colour; gives the exit code.

    On a terminal a table that wraps; elsewhere one line a finding (`ok  engine  sentence  → mend`), never wrapped. Rich
    leaves colours out there and with `NO_COLOR`.
    """
    if console.is_terminal:
        console.print(_table(findings))
    else:
        for finding in findings:
            mend = f"  → {plain(finding.mend)}" if finding.mend else ""
            line = f"{finding.health:<4}  {finding.name:<10}  {plain(finding.what)}{mend}"
            console.print(Text(line), soft_wrap=True)
    return exit_code(findings)


def print_json(findings: Sequence[Finding]) -> int:
    """Print the findings as one line of JSON, and nothing else, on standard output; gives the exit code."""
    sys.stdout.write(findings_json(findings).decode() + "\n")
    return exit_code(findings)


def findings_json(findings: Sequence[Finding]) -> bytes:
    """The findings as one JSON document (`hitmiss.doctor/1`), without a newline at the end."""
    listed = [
        {"name": each.name, "health": str(each.health), "what": each.what, "mend": each.mend} for each in findings
    ]
    return msgspec.json.encode({"schema": "hitmiss.doctor/1", "findings": listed})


def exit_code(findings: Sequence[Finding]) -> int:
    """3 when there is no usable engine, else 0, whatever else could be better."""
    return NO_ENGINE if any(each.health is Health.BAD and each.name in _NEEDED for each in findings) else BUILT


def _table(findings: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        shape, colour = _SHAPES[finding.health]
        what = Text(plain(finding.what))
        if finding.mend:
            what.append(f"\n→ {plain(finding.mend)}", style="cyan")
        table.add_row(Text(f"{shape} {finding.health:<4}", style=colour), Text(finding.name), what)
    return table
