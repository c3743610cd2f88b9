"""The lines above the tree: what is built and watched, how far it is, what it means. They show a snapshot."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.widget import Widget

from hitmiss import explain
from hitmiss.build.model import Build, Status, Verdict
from hitmiss.build.trouble_steps import ending
from hitmiss.explain.making import image_size
from hitmiss.schedule import OnChange
from hitmiss.snapshot import Snapshot, Watch
from hitmiss.symbols import PLANS, SYMBOLS, about, plain, seconds, size, symbol_of

_LONGEST = 40
"""A build argument of no more letters stands in the header."""

_CLASSES = {
    "status--hit",
    "status--miss",
    "status--running",
    "status--failed",
    "status--dim",
    "status--name",
    "status--brand",
}
_CSS = """
    {name} {{
        height: 1;
        & > .status--hit {{ color: $hit; }}
        & > .status--miss {{ color: $miss; }}
        & > .status--running {{ color: $running; }}
        & > .status--failed {{ color: $failed; }}
        & > .status--dim {{ color: $dim; }}
        & > .status--name {{ color: $foreground; text-style: bold; }}
        & > .status--brand {{ color: $background; background: $primary; text-style: bold; }}
    }}
"""


class _Line(Widget):
    """One line of text made from a snapshot."""

    COMPONENT_CLASSES: ClassVar[set[str]] = _CLASSES

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._snapshot: Snapshot | None = None
        self._now = 0.0

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Show this snapshot; `now` is the clock of its build in seconds."""
        self._snapshot, self._now = snapshot, now
        self.refresh()

    def render(self) -> Text:
        text = self.text(self._snapshot, self.content_size.width) if self._snapshot else Text()
        text.no_wrap = True
        text.overflow = "ellipsis"
        return text

    def text(self, snapshot: Snapshot, width: int) -> Text:
        """The line for a snapshot, at most `width` cells."""
        raise NotImplementedError

    def style_of(self, name: str) -> Style:
        """The style of one of the status classes."""
        return self.get_component_rich_style(f"status--{name}", partial=True)


def _spread(left: Text, right: Text, width: int) -> Text:
    """Left and right on one line; the right end gives way when there is no room for both."""
    gap = width - left.cell_len - right.cell_len
    if gap < 2:
        left.truncate(width, overflow="ellipsis")
        return left
    return Text.assemble(left, " " * gap, right)


def _is_old(snapshot: Snapshot) -> bool:
    """Whether the build that is shown is the one before something went wrong that keeps others from working."""
    return bool(snapshot.problem) and snapshot.build.status.ended


_WATCH_LOOK = {
    Watch.STARTING: ("○", "dim"),
    Watch.WATCHING: ("●", "hit"),
    Watch.SETTLING: ("◌", "running"),
    Watch.QUEUED: ("◌", "running"),
    Watch.PAUSED: ("‖", "miss"),
    Watch.PAUSED_STALE: ("‖", "miss"),
    Watch.STALE: ("◆", "miss"),
    Watch.GONE: ("✖", "failed"),
    Watch.UNWATCHED: ("○", "dim"),
    Watch.REPLAY: ("▶", "running"),
}


class Header(_Line):
    """Project, target, builder, platform, watch state, build number."""

    DEFAULT_CSS = _CSS.format(name="Header") + "Header { background: $panel; }"

    def text(self, snapshot: Snapshot, width: int) -> Text:
        dim = self.style_of("dim")
        left = Text.assemble((" hitmiss ", self.style_of("brand")), "  ", plain(snapshot.project))
        if snapshot.target:
            left.append(" ▸ ", dim)
            left.append(plain(snapshot.target), self.style_of("name"))
        where = " · ".join(
            part for part in (snapshot.builder, ", ".join(snapshot.platforms), _arguments(snapshot)) if part
        )
        glyph, colour = _WATCH_LOOK[snapshot.watch]
        words = snapshot.watch.value
        if snapshot.watch is Watch.WATCHING and snapshot.files:
            words += f" {snapshot.files:,} file" + ("s" if snapshot.files != 1 else "")
        right = Text(f"{glyph} {words}", self.style_of(colour))
        if snapshot.on_change is not OnChange.RESTART and snapshot.live:
            right.append(f" · {snapshot.on_change}", dim)
        if snapshot.build.number:
            right.append(f"   build {snapshot.build.number} ", dim)
        if where and left.cell_len + right.cell_len + len(where) + 6 <= width:
            left.append(f"   {where}", dim)
        return _spread(left, right, width)


def _arguments(snapshot: Snapshot) -> str:
    """The build arguments that were set in the editor, or how many there are."""
    found = snapshot.arguments
    if len(found) != 1 or len(found[0]) > _LONGEST:
        return f"{len(found)} argument{'s' if len(found) > 1 else ''} set" if found else ""
    return plain(found[0])


class Progress(_Line):
    """A bar of the steps: hits, misses, what runs; the counts and the clock beside it."""

    DEFAULT_CSS = _CSS.format(name="Progress") + "Progress { padding: 0 1; }"

    def text(self, snapshot: Snapshot, width: int) -> Text:
        build = snapshot.build
        right = self._counts(build, snapshot.plan_s)
        if _is_old(snapshot):
            right = Text.assemble(("the build before:  ", self.style_of("dim")), right)
        room = max(10, width - right.cell_len - 3)
        return _spread(self._bar(build, room), right, width)

    def _bar(self, build: Build, room: int) -> Text:
        steps = build.own_steps
        bar = Text()
        if not steps:
            return Text("─" * room, self.style_of("dim"))
        order = (Verdict.HIT, Verdict.MISS, Verdict.FAILED, Verdict.RUNNING)
        done = 0
        used = 0
        for verdict in order:
            done += build.count(verdict)
            end = round(room * done / len(steps))
            bar.append("━" * (end - used), self.style_of(SYMBOLS[verdict].colour))
            used = end
        bar.append("─" * (room - used), self.style_of("dim"))
        return bar

    def _counts(self, build: Build, plan_s: float | None) -> Text:
        text = Text()
        shown = [symbol_of(step) for step in build.own_steps]
        verdicts = (Verdict.HIT, Verdict.MISS, Verdict.RUNNING, Verdict.FAILED, Verdict.CANCELED)
        coming = () if build.status is Status.RUNNING else PLANS.values()
        planned = any(symbol in shown for symbol in coming)
        for symbol in (*(SYMBOLS[verdict] for verdict in verdicts), *coming):
            count = shown.count(symbol)
            if count or (symbol is SYMBOLS[Verdict.HIT] and not planned):
                text.append(f"{count} {symbol.word}  ", self.style_of(symbol.colour))
        if planned:
            text.append(f" {about(plan_s)}" if plan_s is not None else "", self.style_of("dim"))
        elif build.status is not Status.IDLE:
            text.append(f" {seconds(self._now)}", self.style_of("name"))
            if plan_s is not None:
                running = build.status is Status.RUNNING
                text.append(f" of {about(plan_s)}" if running else f" (plan {seconds(plan_s)})", self.style_of("dim"))
        return text


class Summary(_Line):
    """What the build came to, and what the user should know: one line."""

    DEFAULT_CSS = _CSS.format(name="Summary") + "Summary { padding: 0 1; }"

    def text(self, snapshot: Snapshot, width: int) -> Text:
        said, figures = self._said(snapshot), self._figures(snapshot)
        if snapshot.message and not snapshot.problem:
            self._add_message(said, plain(snapshot.message), width)
        while figures and said.cell_len + len("   ".join(figures)) + 2 > width:
            figures.pop()
        return _spread(said, Text("   ".join(figures), self.style_of("dim")), width)

    def _add_message(self, said: Text, message: str, width: int) -> None:
        """The message beside what is said: it never takes its place, and half of the line at most from it."""
        note = Text.assemble((" · ", self.style_of("dim")), (message, self.style_of("name")))
        note.truncate(max(width - said.cell_len, width // 2), overflow="ellipsis")
        said.truncate(width - note.cell_len, overflow="ellipsis")
        said.append_text(note)

    def _said(self, snapshot: Snapshot) -> Text:
        dim = self.style_of("dim")
        build = snapshot.build
        if snapshot.problem:
            return Text(f"✖ {plain(snapshot.problem)}", self.style_of("failed"))
        if build.status is Status.FAILED:
            where = build.failed_step
            place = f" at {where.place.file}:{where.place.line}" if where and where.place else ""
            who = f"{plain(build.failed_target)} " if build.failed_target else ""
            end = ending(build.error)  # the error has the whole command before it, which would leave no room for it
            error = (where.said or f"{end} · {where.instruction}") if end and where else build.error
            return Text(f"✖ {who}failed{place}: {plain(error)}", self.style_of("failed"))
        if build.status is Status.SUCCEEDED:
            hits, steps = build.count(Verdict.HIT), len(build.own_steps)
            if why := explain.summary(build):
                return Text.assemble(("✔ built", self.style_of("hit")), (" · ", dim), (why, self.style_of("miss")))
            words = "all steps hit" if hits == steps else f"{hits} of {steps} hit"
            return Text(f"✔ built, {words}", self.style_of("hit"))
        if build.status is Status.CANCELED:
            return Text("⊘ canceled", self.style_of("miss"))
        if build.status is Status.RUNNING:
            busy = next((step for step in build.steps if step.verdict is Verdict.RUNNING), None) or next(
                (step for step in build.internals if step.running_since is not None), None
            )
            words = plain(f"{busy.instruction} {busy.activity}") if busy else "starting"
            return Text(f"◈ {words}", self.style_of("running"))
        if why := explain.summary(build):
            return Text.assemble(("◇ ", self.style_of("miss")), why)
        return Text("waiting for the first build", dim)

    def _figures(self, snapshot: Snapshot) -> list[str]:
        """What else there is to say, what matters most first; of the build before nothing but the counts stays."""
        build = Build() if _is_old(snapshot) else snapshot.build
        figures = []
        if build.checks:
            figures.append(f"{len(build.checks)} warning" + ("s" if len(build.checks) > 1 else ""))
        if build.saved_s >= 0.05:
            figures.append(f"saved {seconds(build.saved_s)}")
        if image := image_size(build):
            figures.append(image)
        if build.context_bytes:
            figures.append(f"sent {size(build.context_bytes)}")
        if snapshot.cache_bytes is not None:
            figures.append(f"cache {size(snapshot.cache_bytes)}")
        return figures


class Notices(_Line):
    """What stays true and should be known, two rows at most; no row at all when there is nothing."""

    DEFAULT_CSS = (
        _CSS.format(name="Notices")
        + """
        Notices { padding: 0 1; height: auto; display: none; }
        Notices.-some { display: block; }
        """
    )
    _MOST_ROWS = 2

    def show(self, snapshot: Snapshot, now: float) -> None:
        before = self._snapshot.notices if self._snapshot else ()
        super().show(snapshot, now)
        if snapshot.notices != before:
            self.set_class(bool(snapshot.notices), "-some")
            self.refresh(layout=True)

    def text(self, snapshot: Snapshot, width: int) -> Text:
        said = Text(" ".join(f"! {plain(notice)}" for notice in snapshot.notices), self.style_of("miss"))
        rows = list(said.wrap(self.app.console, max(1, width)))
        for row in rows:
            row.rstrip()
        if len(rows) > self._MOST_ROWS:
            last = Text(" ", said.style).join(rows[self._MOST_ROWS - 1 :])
            last.truncate(width, overflow="ellipsis")
            rows[self._MOST_ROWS - 1 :] = [last]
        return Text("\n").join(rows)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Textual asks this when it lays out the screen."""
        return self.text(self._snapshot, width).plain.count("\n") + 1 if self._snapshot else 1
