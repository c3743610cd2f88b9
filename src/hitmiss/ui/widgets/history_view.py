"""The remembered builds, newest first: when, how they ended, how much hit, and why what ran did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hitmiss.explain import Line, Part, Role
from hitmiss.snapshot import Past
from hitmiss.symbols import plain, seconds
from hitmiss.ui.widgets.parts_view import PartsLines
from hitmiss.ui.widgets.search_pane import SearchPane

NO_BUILDS = "No build of this project is remembered yet."
RECORDED = "A recording holds no earlier builds."
_ENDS = {
    "succeeded": ("✔ built", Role.HIT),
    "failed": ("✖ failed", Role.FAILED),
    "canceled": ("⊘ canceled", Role.DIM),
    "running": ("◈ runs", Role.STRONG),
}


class HistoryView(SearchPane):
    """The History panel; how often the plan was right stands under it."""

    DEFAULT_CSS = """
    HistoryView {
        border-bottom: solid $border-blurred;
        border-subtitle-color: $dim;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        self.lines = PartsLines()
        self.lines.placeholder = NO_BUILDS
        super().__init__(self.lines, id=id, classes=classes)
        self._shown: tuple[object, ...] = ()

    def show(
        self, builds: Sequence[Past], plan_right: int, plan_steps: int, now: datetime, *, live: bool = True
    ) -> None:
        """Show these builds, the newest first; cheap when they are what is shown.

        `now` says which were today; a recording is not `live`.
        """
        self.lines.placeholder = NO_BUILDS if live else RECORDED
        state = (builds, plan_right, plan_steps, now.date())
        if state == self._shown:
            return
        self._shown = state
        self.lines.show(history_lines(builds, now))
        self.border_subtitle = f"plan right for {plan_right:,} of {plan_steps:,} steps" if plan_steps else ""


def history_lines(builds: Sequence[Past], now: datetime) -> tuple[Line, ...]:
    """One line a build, what ran under it; columns are as wide as their widest text."""
    times = [_when(build.started, now) for build in builds]
    ends = [_ENDS.get(build.status, (plain(build.status), Role.DIM)) for build in builds]
    names = [str(build.number) if build.number else "–" for build in builds]
    numbers = _widest(names)
    clock = _widest(times)
    ended = _widest(end for end, _ in ends)
    lasted = _widest(seconds(build.duration_s) for build in builds)
    several = len({_where(build) for build in builds}) > 1
    lines: list[Line] = []
    for build, name, time, (end, role) in zip(builds, names, times, ends, strict=True):
        wrong = build.plan_steps - build.plan_right
        lines.append(
            (
                Part(f"{name:>{numbers}}  ", Role.STRONG),
                Part(f"{time:>{clock}}  ", Role.DIM),
                Part(f"{end:<{ended}}  ", role),
                Part(f"{seconds(build.duration_s):>{lasted}}  "),
                Part(f"{build.hits} of {build.steps} hit"),
            )
        )
        more = (
            Part(plain(build.why), Role.DIM),
            Part(f"{wrong} not as planned" if wrong > 0 else "", Role.WARNING),
            Part(_where(build) if several else "", Role.DIM),
        )
        said = [part for part in more if part.text]
        if said:
            gap = Part("  ")
            lines.append((Part(" " * (numbers + 2)), *(each for part in said for each in (part, gap))))
    return tuple(lines)


def _widest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _where(build: Past) -> str:
    return " · ".join(plain(part) for part in (build.bake_target or build.target, build.builder) if part)


def _when(started: datetime, now: datetime) -> str:
    """`14:02:11` today, `11-20 14:02` this year, `2025-11-20` before."""
    local = started.astimezone(now.tzinfo)
    if local.date() == now.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M" if local.year == now.year else "%Y-%m-%d")
