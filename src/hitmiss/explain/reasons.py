"""Why one step ran, did not, or will: paragraphs of lines, and the step's headline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hitmiss.build.model import Build, Cause, CauseKind, Note, Planned, Status, Step, Verdict
from hitmiss.build.transfers import what_failed
from hitmiss.explain.lines import Line, Part, Role, count_words, file_lines, say, short_digests, was_now
from hitmiss.explain.summary import RAN, clip, named, short
from hitmiss.symbols import ALARM, OFF_PLAN, PLANS, about, plain, seconds, symbol_of

MOST_BELOW = 12
_BLANK: Line = ()


def headline(step: Step) -> str:
    """`MISS  COPY src/ src/`."""
    return f"{verdict_word(step)}  {plain(step.instruction)}"


def verdict_word(step: Step) -> str:
    """The verdict, or before there is one the plan, in capitals."""
    return (symbol_of(step).word or step.verdict.value).upper()


def place(step: Step) -> str:
    """`Dockerfile:7`, "" when it is not known."""
    return f"{plain(step.place.file)}:{step.place.line}" if step.place else ""


def failure(step: Step, build: Build) -> tuple[Line, ...]:
    """What is wrong with the step that failed the build, and what to do; an empty line under it. Nothing for others."""
    failed = what_failed(build)
    if failed is None or failed.id != step.id or not build.error:
        return ()
    lines: list[Line] = [say(plain(build.wrong), Role.FAILED)]
    if build.advice:
        lines.append(say(plain(build.advice), Role.STRONG))
    return (*lines, _BLANK)


def reason(step: Step, build: Build) -> tuple[Line, ...]:
    """Why this step ran, did not, or will; paragraphs have an empty line between them."""
    blocks = [_story(step, build), _below(step, build), _plan_was_wrong(step)]
    if step.alarm:
        blocks.append([(Part(f"{ALARM} ", Role.WARNING), Part(plain(step.alarm)))])
    return _paragraphs(blocks)


def whole(build: Build) -> tuple[Line, ...]:
    """What there is to say of a build where no step is chosen: that all of it hit, and what that saved."""
    steps = len(build.own_steps)
    if build.status is not Status.SUCCEEDED or not steps or build.hits != steps:
        return ()
    which = f"All {steps} steps" if steps > 1 else "The one step"
    return (say(f"{which} came from the cache: nothing had to run.", Role.STRONG), *_saved(build.saved_s))


def difference(step: Step, build: Build) -> tuple[Line, ...]:
    """What makes this step another one than in the build that its cause compares it with, whether or not it ran."""
    return _paragraphs([list(_caused(step, step.cause, build)), _below(step, build)]) if step.cause else ()


def _paragraphs(blocks: Iterable[list[Line]]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for block in filter(None, blocks):
        lines += [_BLANK, *block] if lines else block
    return tuple(lines)


def _story(step: Step, build: Build) -> list[Line]:
    if step.verdict is Verdict.HIT:
        return _hit(step)
    if step.verdict is Verdict.PENDING:
        return _planned(step, build)
    if step.verdict in RAN:
        stopped = [say(_STOPPED, Role.DIM)] if step.verdict is Verdict.CANCELED else []
        if step.cause:
            return [*stopped, *_caused(step, step.cause, build)]
        return stopped or [say(_UNKNOWN[step.verdict], Role.DIM)]
    if step.verdict is Verdict.SKIPPED:
        return [say("Never looked at: the build ended before.", Role.DIM)]
    return [say("BuildKit's own work: it is done in every build.", Role.DIM)]


_STOPPED = "It was stopped before its end."
_UNKNOWN = {
    Verdict.RUNNING: "It runs now; why is not known yet.",
    Verdict.MISS: "It ran; why is not known.",
    Verdict.FAILED: "It ran; why is not known.",
}

_NOTES = {
    Note.EARLY_CUTOFF: "A step before it ran again, but wrote the same bytes as before: so this one did not have to.",
    Note.IMPORTED: "The result was imported from an outside cache (--cache-from).",
    Note.WENT_BACK: "Its inputs are those of an older build again, and that result is still in the cache.",
}


def _hit(step: Step) -> list[Line]:
    return [*([say(_NOTES[step.note])] if step.note else _kept(step)), *_saved(step.saved_s)]


def _saved(saved_s: float) -> Iterator[Line]:
    if saved_s >= 0.05:
        yield Part("That saved "), Part(seconds(saved_s), Role.HIT), Part(".")


def _kept(step: Step) -> list[Line]:
    """What there is to say of a hit that has no story."""
    if step.planned is Planned.RUN:
        return [
            say("Came from the cache, which had the result for what it is made of now."),
            say("The plan did not know of it: it was built outside hitmiss, or in a build that was cut off."),
        ]
    return [say("Came from the cache: nothing that it is made of has changed.")]


def _planned(step: Step, build: Build) -> list[Line]:
    if step.planned is None:
        return [say("Not looked at yet.", Role.DIM)]
    takes = f" It takes {about(step.expected_s)} when it runs." if step.expected_s and step.expected_s >= 0.05 else ""
    if step.planned is Planned.HIT:
        return [say("Will come from the cache: nothing that it is made of has changed.")]
    if step.planned is Planned.RUN:
        why: list[Line] = [] if step.cause else [say("Will run.")]
        why += _caused(step, step.cause, build) if step.cause else ()
        return [*why, *([say(takes.strip(), Role.DIM)] if takes else [])]
    if step.alarm:
        return [(Part("Not sure", Role.STRONG), Part(f": either its result is in the cache, or it runs.{takes}"))]
    source = _source(step, build)
    who = f"what `{source}` writes" if source else "what the steps before it write"
    return [
        (
            Part(f"Depends on {who}", Role.STRONG),
            Part(f": the same bytes as before, and it hits; other bytes, and it runs.{takes}"),
        )
    ]


def _source(step: Step, build: Build) -> str:
    """The stage that a step takes files from."""
    named = re.search(r"\bfrom=([^\s,]+)", step.instruction)
    root = build.step(step.cause.root) if step.cause and step.cause.root != step.id else None
    return plain(named[1] if named else root.stage if root else "")


# Causes


def _since(cause: Cause) -> str:
    return f" since build {cause.against}" if cause.against else ""


def _caused(step: Step, cause: Cause, build: Build) -> Iterator[Line]:
    kind, since, detail = cause.kind, _since(cause), short_digests(plain(cause.detail))
    will = step.verdict is Verdict.PENDING
    if will:
        yield say("Will run, because:", Role.DIM)
    if kind is CauseKind.PARENT_MISSED:
        yield from _chain(step, cause, build, will)
    elif kind is CauseKind.FILES_CHANGED and cause.files:
        elsewhere = detail and not detail[0].isdigit()  # the files of another step
        yield say(detail if elsewhere else count_words(cause.files, since), Role.STRONG)
        yield from file_lines(cause.files)
    elif kind is CauseKind.INSTRUCTION_CHANGED and cause.old is not None and cause.new is not None:
        yield say(f"The instruction itself changed{since}:", Role.STRONG)
        yield from was_now(cause.old, cause.new)
    else:
        said = detail or f"{_OTHERWISE[kind]}."
        yield say(said if kind in _ALONE else _compared(said, cause.against), Role.STRONG)
        yield from _values(step, cause, detail)
        yield from file_lines(cause.files)
    if kind is not CauseKind.PARENT_MISSED and cause.root != step.id and (root := build.step(cause.root)):
        yield say("It began with:", Role.DIM)
        yield from _root(root)


_ALONE = (CauseKind.FIRST_BUILD, CauseKind.NO_CACHE)
"""Causes that are no difference from an earlier build."""


def _compared(said: str, against: int) -> str:
    """The sentence with the build that it is compared with, unless it names it."""
    if not against or f"build {against}" in said:
        return said
    first, stop, more = said.removesuffix(".").partition(". ")
    since = "than in" if re.search(r"\b(?:an)?other\b[^,]*$|\belse$", first) else "since"
    return f"{first} {since} build {against}.{f' {more}.' if stop else ''}"


_OTHERWISE = {
    CauseKind.FIRST_BUILD: "This step was never built on this builder",
    CauseKind.FILES_CHANGED: "Files that it reads changed",
    CauseKind.INSTRUCTION_CHANGED: "The instruction itself changed",
    CauseKind.ARGUMENT_CHANGED: "A build argument that it can see changed",
    CauseKind.ENVIRONMENT_CHANGED: "The environment set by the lines above changed",
    CauseKind.BASE_IMAGE_CHANGED: "The base image is another one",
    CauseKind.STEP_INSERTED: "A step above it is new",
    CauseKind.STEP_REMOVED: "A step above it is gone",
    CauseKind.STAGE_OUTPUT_CHANGED: "The stage that it copies from wrote other bytes",
    CauseKind.PARENT_MISSED: "A step above it ran",
    CauseKind.REMOTE_CHANGED: "What is behind the URL changed",
    CauseKind.PLATFORM_CHANGED: "The platforms of the build changed",
    CauseKind.NO_CACHE: "Asked for: the build was told not to use the cache here",
    CauseKind.EVICTED: "Nothing changed, but the earlier result is gone from the cache",
    CauseKind.UNKNOWN: "No difference was found that explains it",
}


def _values(step: Step, cause: Cause, detail: str) -> Iterator[Line]:
    """Old and new, unless the sentence has said them."""
    old, new = (None if text is None else short_digests(plain(text)) for text in (cause.old, cause.new))
    known = (detail, plain(step.instruction))
    if all(text is None or text in known[0] or text == known[1] for text in (old, new)):
        return
    if old is None or new is None:
        role, sign, text = (Role.ADDED, "+", new) if old is None else (Role.REMOVED, "-", old)
        yield Part(f"  {sign} ", role), Part(text or "", role)
        return
    name, old, new = named(old, new)
    if len(old) + len(new) > 60 or " " in old + new:
        yield from was_now(cause.old or "", cause.new or "")
    else:
        label = (Part(f"{name} ", Role.STRONG),) if name else ()
        yield Part("  "), *label, Part(old or '""', Role.REMOVED), Part(" → ", Role.DIM), Part(new or '""', Role.ADDED)


_MOST_OF_STEP = 100
"""So much of another step's instruction is shown; it has a page of its own."""


def _step_part(step: Step) -> Part:
    return Part(clip(plain(step.instruction), _MOST_OF_STEP), Role.STEP, step.id)


def _glyph(step: Step, before: str = "  ") -> Part:
    symbol = symbol_of(step)
    ran = step.verdict in RAN or step.planned is Planned.RUN
    return Part(f"{before}{symbol.glyph} ", Role.MISS if ran else Role.HIT if symbol.colour == "hit" else Role.DIM)


def _chain(step: Step, cause: Cause, build: Build, will: bool) -> Iterator[Line]:
    """The root, the steps on the way from it, and what happened there."""
    steps = {each.id: each for each in build.steps}
    root = steps.get(cause.root)
    if root is None or root.id == step.id:
        yield say(short_digests(plain(cause.detail)) or "A step above it ran.", Role.STRONG)
        return
    yield say(f"A step {'before it will run' if will else 'before it ran'}:", Role.STRONG)
    yield from _root(root)
    way = [steps[each] for each in cause.through if each in steps]
    if way:
        yield say("and through it:", Role.DIM)
        for each in way[:MOST_BELOW]:
            yield _glyph(each), _step_part(each)
        if len(way) > MOST_BELOW:
            yield say(f"  and {len(way) - MOST_BELOW:,} more", Role.DIM)
    said, _, also = plain(cause.detail).partition(f"{plain(root.instruction)} ran.")
    if also.strip() and not said:
        yield _BLANK
        yield say(short_digests(also.strip()))
        yield from file_lines(cause.files)


def _root(root: Step) -> Iterator[Line]:
    """The step where it began, and what happened there."""
    yield _glyph(root), _step_part(root), Part(f"   {place(root)}" if place(root) else "", Role.DIM)
    if root.cause:
        yield Part(f"    {short(root.cause, root)}", Role.CHANGED), Part(_since(root.cause), Role.DIM)


def _below(step: Step, build: Build) -> list[Line]:
    """What ran, or will, because of this step."""
    if step.cause is None or step.cause.root != step.id:
        return []
    below = [each for each in build.steps if each.cause and each.cause.root == step.id and each.id != step.id]
    ran = [each for each in below if each.verdict in RAN]
    coming = [each for each in below if each.verdict is Verdict.PENDING and each.planned is Planned.RUN]
    lines: list[Line] = []
    for steps, words in ((ran, "ran too"), (coming, "will run too")):
        if not steps:
            continue
        count = "1 step" if len(steps) == 1 else f"{len(steps):,} steps"
        lines.append(say(f"Because of it {count} below {words}:", Role.STRONG))
        for each in steps[:MOST_BELOW]:
            time = f"  ({seconds(each.duration_s)})" if each.verdict in (Verdict.MISS, Verdict.FAILED) else ""
            if each.verdict is Verdict.PENDING and each.expected_s:
                time = f"  ({about(each.expected_s)})"
            lines.append((_glyph(each), _step_part(each), Part(time, Role.DIM)))
        if len(steps) > MOST_BELOW:
            lines.append(say(f"  and {len(steps) - MOST_BELOW:,} more", Role.DIM))
    return lines


def _plan_was_wrong(step: Step) -> list[Line]:
    if not step.plan_was_wrong or step.planned is None:
        return []
    did = "it hit" if step.verdict is Verdict.HIT else "it ran"
    return [(Part(f"{OFF_PLAN} ", Role.WARNING), Part(f"Planned: {PLANS[step.planned].word}; {did}."))]
