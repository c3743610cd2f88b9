"""Collects the figures of the cases that ran, from whatever process, and prints them at the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrix.figures import Figures, show, total

PROPERTY = "matrix"


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures travel with the tests' reports."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    parts = [
        Figures.of(value)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if parts:
        terminalreporter.section("matrix")
        for line in show(total(parts)):
            terminalreporter.write_line(line)
