"""Why a build's steps ran, in one line."""

from __future__ import annotations

from collections import Counter

from hitmiss.build.model import Build, Cause, CauseKind, Planned, Step, Verdict
from hitmiss.explain.lines import SORTS
from hitmiss.symbols import plain

RAN = (Verdict.MISS, Verdict.FAILED, Verdict.RUNNING, Verdict.CANCELED)


def summary(build: Build) -> str:
    """`3 ran: src/main.py changed · 1 ran: VER 1 → 2`; "" when nothing ran or nothing is known of why."""
    steps = build.own_steps
    told = [step for step in steps if step.cause and step.verdict in RAN]
    words = "ran"
    if not told:
        told = [step for step in steps if step.cause and step.planned is Planned.RUN and not step.verdict.final]
        words = "will run"
    by_id = {step.id: step for step in steps}
    groups: Counter[str] = Counter()
    for step in told:
        root = by_id.get(step.cause.root, step) if step.cause else step
        groups[short(root.cause or step.cause, root)] += 1  # type: ignore[arg-type] # told have a cause
    if list(groups) == [_SHORT[CauseKind.FIRST_BUILD]] and groups.total() == len(steps):
        return f"first build: all {len(steps)} {words}"
    return " · ".join(f"{count} {words}: {why}" for why, count in groups.most_common())


_SHORT = {
    CauseKind.FIRST_BUILD: "never built before",
    CauseKind.FILES_CHANGED: "files changed",
    CauseKind.INSTRUCTION_CHANGED: "edited",
    CauseKind.ARGUMENT_CHANGED: "an argument changed",
    CauseKind.ENVIRONMENT_CHANGED: "the environment changed",
    CauseKind.BASE_IMAGE_CHANGED: "another base image",
    CauseKind.STEP_INSERTED: "a new step above",
    CauseKind.STEP_REMOVED: "a step above is gone",
    CauseKind.STAGE_OUTPUT_CHANGED: "a stage wrote other bytes",
    CauseKind.PARENT_MISSED: "a step above ran",
    CauseKind.REMOTE_CHANGED: "the URL has other content",
    CauseKind.PLATFORM_CHANGED: "other platforms",
    CauseKind.NO_CACHE: "no cache was asked for",
    CauseKind.EVICTED: "gone from the cache",
    CauseKind.UNKNOWN: "cause unknown",
}


def short(cause: Cause, step: Step) -> str:
    """The cause in a few words: `src/main.py changed`, `VER 1 → 2`, `RUN make edited`."""
    if cause.kind is CauseKind.FILES_CHANGED and cause.detail.startswith("`"):
        return plain(cause.detail.partition(" since ")[0])  # what the ignore rules did
    if cause.kind is CauseKind.FILES_CHANGED and cause.files:
        first = cause.files[0]
        if len(cause.files) > 1:
            return f"{plain(first.path)} and {len(cause.files) - 1:,} more changed"
        return f"{plain(first.path)} {SORTS.get(first.change, 'changed')}"
    if cause.kind is CauseKind.INSTRUCTION_CHANGED:
        return f"{clip(plain(step.instruction), 30)} edited"
    if cause.kind in (CauseKind.ARGUMENT_CHANGED, CauseKind.ENVIRONMENT_CHANGED, CauseKind.PLATFORM_CHANGED):
        name, old, new = named(plain(cause.old or ""), plain(cause.new or ""))
        if cause.old is None and new:
            return f"{clip(new, 30)} is new"
        if cause.new is None and old:
            return f"{clip(old, 30)} is gone"
        if old or new:
            return f"{name} {clip(old, 20) or 'unset'} → {clip(new, 20) or 'unset'}".strip()
    if cause.kind in (CauseKind.STEP_REMOVED, CauseKind.STEP_INSERTED):
        moved = "it stands" in cause.detail
        own = cause.detail.startswith("It is new")
        return "steps in another order" if moved else "a new step" if own else _SHORT[cause.kind]
    if cause.kind is CauseKind.BASE_IMAGE_CHANGED and cause.old and cause.new:
        return _image(plain(cause.old), plain(cause.new))
    return _SHORT[cause.kind]


def _image(old: str, new: str) -> str:
    """`another voice:latest-builder`, `python:3.12 → python:3.13`; images are written as `name@digest`, stages and
    scratch by their names alone.
    """
    was, now = (text.rpartition("@")[0] or text for text in (old, new))
    if any(name.startswith("sha256:") for name in (was, now)):
        return _SHORT[CauseKind.BASE_IMAGE_CHANGED]
    return f"another {clip(now, 30)}" if was == now else f"{clip(was, 30)} → {clip(now, 30)}"


def clip(text: str, most: int) -> str:
    """A text of at most so many characters; what is cut off leaves an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def named(old: str, new: str) -> tuple[str, str, str]:
    """`VER=1` and `VER=2` as the name and the two values; no name where they have none in common."""
    name, sign, value = old.partition("=")
    other, _, value_now = new.partition("=")
    return (name, value, value_now) if sign and name == other and " " not in name else ("", old, new)
