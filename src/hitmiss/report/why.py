"""Plan, causes, history and differences for a plain terminal, and for a pasted issue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from hitmiss.build.model import Build, Planned, Status, Step, Verdict
from hitmiss.explain import Line, Part, Role, difference, headline, place, plain_words, reason
from hitmiss.snapshot import Past
from hitmiss.symbols import PLANS, plain, seconds

_COLOURS = {
    Role.STRONG: "bold",
    Role.DIM: "bright_black",
    Role.ADDED: "green",
    Role.REMOVED: "red",
    Role.CHANGED: "yellow",
    Role.PATH: "bold",
    Role.STEP: "",
    Role.HIT: "cyan",
    Role.MISS: "yellow",
    Role.WARNING: "yellow",
}
_RAN = frozenset({Verdict.MISS, Verdict.FAILED, Verdict.CANCELED})


def print_plan(build: Build, total: float | None, console: Console) -> None:
    """What a build would do: stages, steps with shape, word and expected seconds, and a last line that sums it up."""
    for stage in build.stages:
        console.print(Text(plain(stage.full_title), "bold"))
        for step in stage.steps:
            console.print(_planned(step), soft_wrap=True, highlight=False)
    runs = sum(step.planned is Planned.RUN for step in build.steps)
    depends = sum(step.planned is Planned.DEPENDS for step in build.steps)
    words = [f"{runs} of {len(build.steps)} steps will run"]
    words += [f"{depends} more {'depends' if depends == 1 else 'depend'} on what others write"] if depends else []
    words += [f"about {seconds(total)}"] if total is not None else []
    console.print(Text(", ".join(words)), highlight=False, soft_wrap=True)
    for step in build.steps:
        if _begins(step, build):
            _print_reason(step, build, console)


def print_why(build: Build, steps: Sequence[Step], console: Console, *, newcomer: bool) -> None:
    """Why these steps of a build ran, or did not; `newcomer` adds what that means in plain words."""
    when = f" · {_when(build.started)}" if build.started else ""
    console.print(Text(f"build {build.number} · {build.status}{when}", "bold"), highlight=False)
    for step in steps:
        words = plain_words(step) if newcomer else ""
        more = [(), (Part(words, Role.DIM),)] if words else []
        _print_step(step, [*reason(step, build), *more], console)
    for sentence in () if newcomer else _around(build):
        console.print(sentence, highlight=False, soft_wrap=True)


def print_history(builds: Sequence[Past], right: int, planned: int, console: Console) -> None:
    """Past builds, newest first, and how often plans were right."""
    names = [plain(each.bake_target or each.target) for each in builds]
    width = max((12, *map(len, names)))
    for each, name in zip(builds, names, strict=True):
        hits = f"{each.hits} of {each.steps} hit"
        row = f"{each.number:>5}  {_when(each.started)}  {each.status:<9}  {name:<{width}}  {hits:<14}"
        console.print(Text(f"{row}  {seconds(each.duration_s):>8}  {plain(each.why)}"), highlight=False, soft_wrap=True)
    if not builds:
        console.print("No build of this project is remembered yet.", highlight=False)
    if planned:
        console.print(f"plan right for {right:,} of {planned:,} steps", highlight=False)


def print_diff(old: Build, new: Build, gone: Sequence[Step], console: Console) -> None:
    """What differs between two builds, by the steps of the newer one; `gone` are the steps that the older alone has."""
    console.print(Text(f"build {old.number} → build {new.number}", "bold"), highlight=False)
    differ = [step for step in new.steps if _begins(step, new)]
    for step in differ:
        _print_step(step, difference(step, new), console)
    for step in gone:
        _print_step(step, [(Part(f"It is not in build {new.number}.", Role.STRONG),)], console)
    if not differ and not gone:
        console.print("All steps are the same.", highlight=False)


def _begins(step: Step, build: Build) -> bool:
    """Whether a step is where a chain began, or the first of it here: the target where it began may not be there."""
    if step.cause is None:
        return False
    root = build.step(step.cause.root)
    return step.cause.root == step.id or ((root is None or root.cause is None) and not step.cause.through)


def _around(build: Build) -> Iterable[str]:
    """What there is to say of the steps that did not run."""
    if not misses(build):
        yield _NONE_RAN.get(build.status, "No step ran.")
    skipped = build.count(Verdict.SKIPPED)
    if skipped and build.status is not Status.SUCCEEDED:
        yield f"{skipped:,} {'step was' if skipped == 1 else 'steps were'} not reached."


_NONE_RAN = {
    Status.SUCCEEDED: "Every step came from the cache.",
    Status.FAILED: "No step ran before it failed.",
    Status.CANCELED: "No step ran before it was canceled.",
}


def telling(build: Build) -> list[Step]:
    """The steps that somebody should hear of who names none: those that ran, and hits that are not what they seem."""
    return [step for step in build.steps if step.verdict in _RAN or step.alarm]


def misses(build: Build) -> list[Step]:
    """The steps that ran, to their end or not, roots first read: in the order of the tree."""
    return [step for step in build.steps if step.verdict in _RAN]


def _print_reason(step: Step, build: Build, console: Console) -> None:
    _print_step(step, reason(step, build), console)


def _print_step(step: Step, lines: Iterable[Line], console: Console) -> None:
    at = f"  {place(step)}" if step.place else ""
    console.print(Text.assemble((headline(step), "bold"), (at, "bright_black")), highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text("  " if line else "") + _text(line), highlight=False, soft_wrap=True)
    console.print()


def _text(line: Line) -> Text:
    return Text.assemble(*((part.text, _COLOURS.get(part.role, "")) for part in line))


def _planned(step: Step) -> Text:
    symbol = PLANS[step.planned] if step.planned else None
    glyph, word = (symbol.glyph, symbol.word) if symbol else ("·", "")
    takes = f"  ~{seconds(step.expected_s)}" if step.expected_s and step.planned is not Planned.HIT else ""
    line = f"{step.place.line:>4}" if step.place else "    "
    style = "" if step.planned is not Planned.HIT else "bright_black"
    return Text(f"  {glyph} {line}  {word:<9}  {plain(step.instruction)}{takes}", style)


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
