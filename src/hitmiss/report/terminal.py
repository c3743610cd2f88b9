"""A build without the screen: a tree when stdout is a terminal, plain lines when it is not."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Status, Step, Verdict
from hitmiss.build.transfers import shown
from hitmiss.build.trouble import notices
from hitmiss.explain.making import image_short, transfer_text
from hitmiss.symbols import ALARM, SYMBOLS, plain, seconds, size

_COLOURS = {"hit": "cyan", "miss": "yellow", "running": "blue", "failed": "bold red", "dim": "bright_black"}
_WORD_WIDTH = max(len(symbol.word) for symbol in SYMBOLS.values())

_LAST_LINES = 20
"""How much of a failed step's output is told without the screen."""


def print_tree(build: Build, console: Console, log: StepLog | None = None) -> None:
    """The finished build as a tree: stages, steps with shape, word and time, and a last line that sums it up."""
    width = min(console.width, 110)
    for stage in build.stages:
        console.print(Text(plain(stage.full_title), "bold"))
        for step in stage.steps:
            console.print(_row(step, width), no_wrap=True, crop=True, highlight=False)
    print_transfers(build, console)
    print_checks(build, console)
    print_failure(build, console, log)
    console.print(summary(build), highlight=False, soft_wrap=True)


def print_failure(build: Build, console: Console, log: StepLog | None = None) -> None:
    """What the failed step wrote last, what the client said (source excerpt and error), and what to do about it."""
    if build.status is not Status.FAILED:
        return
    if log is not None:
        first = max(0, log.line_count - _LAST_LINES)
        for line in log.plain_text(first).splitlines():
            console.print(Text(f"  │ {plain_line(line)}"), highlight=False, soft_wrap=True)
    for line in build.text or (() if build.advice else (build.error,)):
        console.print(Text(plain_line(line)), highlight=False, soft_wrap=True)
    if build.advice:
        console.print(Text(f"✖ {plain(build.wrong)}", "bold red"), highlight=False, soft_wrap=True)
        console.print(Text(f"  {plain(build.advice)}"), highlight=False, soft_wrap=True)


def print_transfers(build: Build, console: Console) -> None:
    """The caches that were imported and exported, and where the image went, with bytes and seconds."""
    for each in shown(build):
        time = f"  {seconds(each.work.duration_s)}" if each.work.duration_s else ""
        console.print(Text(f"  ▪ {transfer_text(each)}{time}", "bright_black"), highlight=False, soft_wrap=True)


def print_checks(build: Build, console: Console) -> None:
    """The warnings of the Dockerfile checks, what the build went on without, and hits that are not what they seem."""
    for text in (*(check.short for check in build.checks), *notices(build)):
        console.print(Text(f"! {plain(text)}", "yellow"), highlight=False, soft_wrap=True)
    for step in build.steps:
        if step.alarm:
            said = f"{ALARM} {plain(step.instruction)}: {plain(step.alarm)}"
            console.print(Text(said, "yellow"), highlight=False, soft_wrap=True)


def busy(build: Build) -> Text:
    """What a running build is doing, in one line."""
    steps = build.steps
    running = [step for step in steps if step.verdict is Verdict.RUNNING]
    running += [step for step in build.internals if step.running_since is not None]
    what = plain(running[0].instruction)[:70] if running else "building"
    return Text(f"{sum(step.verdict.final for step in steps)} of {len(steps)}  {what}")


def plain_line(text: str) -> str:
    """A line from outside without anything a terminal would obey; its white space stays."""
    return "".join(c if c.isprintable() or c == "\t" else "" for c in text)


def line(step: Step) -> str:
    """One step as a plain line, for a log: `miss  final 2/3  RUN make  3.2 s`."""
    where = f"{step.platform + ' ' if step.platform else ''}{step.stage} {step.index}/{step.of}"
    where = f"{step.bake_target} ▸ {where}" if step.bake_target else where
    parts = [f"{step.verdict.value:<8}", plain(where), plain(step.instruction), _time(step)]
    return "  ".join(part for part in parts if part)


def summary(build: Build) -> Text:
    """`built in 3.4 s: 9 of 11 hit, saved 41.0 s, sent 1.2 kB`."""
    steps = len(build.steps)
    facts = [f"{build.hits} of {steps} hit" if steps else "no step ran"]
    if build.saved_s >= 0.05:
        facts.append(f"saved {seconds(build.saved_s)}")
    if build.context_bytes:
        facts.append(f"sent {size(build.context_bytes)}")
    if image := image_short(build):
        facts.append(image)
    word, colour = _WORDS[build.status]
    return Text.assemble((word, colour), f" in {seconds(build.duration_s)}: {', '.join(facts)}")


_WORDS = {
    Status.SUCCEEDED: ("built", "cyan"),
    Status.FAILED: ("failed", "bold red"),
    Status.CANCELED: ("canceled", "yellow"),
    Status.RUNNING: ("building", "blue"),
    Status.IDLE: ("nothing built", "bright_black"),
}


def _row(step: Step, width: int) -> Text:
    symbol = SYMBOLS[step.verdict]
    colour = _COLOURS[symbol.colour]
    word = symbol.word or step.verdict.value
    place = f"{step.place.line:>4}" if step.place else "    "
    tail = f"  {place}  {word:<{_WORD_WIDTH}} {_time(step):>14}"
    room = max(12, width - 4 - cell_len(tail))
    text = plain(step.instruction)
    shown = set_cell_size(text, room) if cell_len(text) <= room else set_cell_size(text, room - 1) + "…"
    return Text.assemble((f"  {symbol.glyph} ", colour), shown, (tail, colour))


def _time(step: Step) -> str:
    if step.verdict is Verdict.HIT:
        return f"saved {seconds(step.saved_s)}" if step.saved_s >= 0.05 else ""
    if step.verdict in (Verdict.SKIPPED, Verdict.PENDING):
        return ""
    return seconds(step.duration_s)
