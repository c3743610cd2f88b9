"""What the screen says beside the data: the help's pages, what stands above a log, and in an empty one. Values only."""

from __future__ import annotations

from collections.abc import Mapping

from hitmiss.build.model import Build, Note, Status, Step, Verdict
from hitmiss.build.transfers import what_failed
from hitmiss.symbols import ALARM, NOTES, OFF_PLAN, PLANS, SYMBOLS
from hitmiss.ui import actions
from hitmiss.ui.screens.help import Glyph, HelpGroup, HelpKey
from hitmiss.ui.widgets.log_view import FROM_CACHE

_MORE = (
    HelpGroup(
        "Steps",
        (
            HelpKey("↑ ↓ j k", "move"),
            HelpKey("space", "fold", "Fold or unfold the stage"),
            HelpKey("enter", "log", "Go to the step's log"),
        ),
    ),
    HelpGroup(
        "Why, Log, Dockerfile, Files, Image, History",
        (
            HelpKey("/", "search", "enter and n: next, N: previous, esc: close"),
            HelpKey("z", "wrap", "Wrap long lines, or not"),
            HelpKey("end", "follow", "Follow the output again"),
            HelpKey("y", "copy", "Copy the whole log (while it has the focus)"),
        ),
    ),
    HelpGroup(
        "Everywhere", (HelpKey("tab", "panel", "Go to the next panel"), HelpKey("ctrl+p", "palette", "All by name"))
    ),
)

_EMPTY = {
    Verdict.HIT: FROM_CACHE,
    Verdict.PENDING: "This step has not been looked at yet.",
    Verdict.SKIPPED: "The build ended before this step was looked at.",
    Verdict.RUNNING: "No output yet.",
}


_MARKS = (
    Glyph(OFF_PLAN, "not planned", "something else happened than was planned", "$warning"),
    Glyph(ALARM, "look here", "a hit whose inputs are not what they seem: see Why", "$warning"),
    Glyph("", NOTES[Note.EARLY_CUTOFF], "hit, for the step before ran again and wrote the same bytes", "$dim"),
    Glyph("", NOTES[Note.WENT_BACK], "hit, for its inputs are those of an older build again", "$dim"),
    Glyph("", NOTES[Note.IMPORTED], "hit, from an outside cache (--cache-from)", "$dim"),
)


def help_groups(keys: Mapping[str, str]) -> list[HelpGroup]:
    """The pages of the help, with the settings' keys."""
    own = tuple(HelpKey(actions.key_of(act.id, keys), act.title, act.description) for act in actions.ACTIONS)
    return [HelpGroup("Build", own), *_MORE]


def glyphs() -> list[Glyph]:
    """The legend of the shapes."""
    table = [*((verdict.value, s) for verdict, s in SYMBOLS.items()), *((plan.value, s) for plan, s in PLANS.items())]
    return [*(Glyph(s.glyph, s.word or name, s.meaning, f"${s.colour}") for name, s in table), *_MARKS]


def empty_log(step: Step | None) -> str:
    """What stands where a step's log would be."""
    if step is None:
        return "Choose a step to see what it wrote."
    return _EMPTY.get(step.verdict, "This step wrote nothing.")


def excerpt(build: Build, step: Step | None) -> str:
    """What stands above a log: what the client said of the step that failed; of anything else what is wrong."""
    if build.status is not Status.FAILED:
        return ""
    if build.failed_step:
        said = build.text if step and step.verdict is Verdict.FAILED else ()
        return "\n".join(line for line in said if line.strip("-"))
    work = what_failed(build)
    return build.error if work is None or (step and step.id == work.id) else ""


def first_miss(build: Build) -> Step | None:
    """Where a finished build is looked at first."""
    return next((step for step in build.own_steps if step.verdict is Verdict.MISS), None)
