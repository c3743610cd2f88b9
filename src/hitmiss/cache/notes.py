"""The story of a hit: early cutoff, imported, went back. And how right a plan was. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hitmiss.build.model import Note, Planned, Status, Verdict
from hitmiss.cache.facts import BuildFacts, Key, StepFacts
from hitmiss.cache.keys import stage_input
from hitmiss.cache.operations import Kind

_CAME_TRUE = {Verdict.MISS: Planned.RUN, Verdict.FAILED: Planned.RUN, Verdict.HIT: Planned.HIT}


def notes(
    facts: BuildFacts, past: Sequence[BuildFacts], known: Collection[Key], *, imported: Collection[str] | None
) -> dict[str, Note]:
    """The note of each hit that has one, by the step's id.

    `past` are earlier builds, the latest first; `known` the keys seen before this build; `imported` are the
    steps that were not in the cache before, None where no cache was imported: what is new and stands on such a step
    came with it. Went back: the last build of the same target did not have the step, an older one did.
    """
    last = next((build for build in past if build.target == facts.target and build.status is Status.SUCCEEDED), None)
    recent = set(last.keys) if last else set()
    ran = {step.operation for step in facts.steps if step.verdict is Verdict.MISS}
    found: dict[str, Note] = {}
    brought: set[int] = set()
    for step in facts.steps:
        if step.verdict is not Verdict.HIT or step.operation < 0:
            continue
        if facts.operations.all[step.operation].kind is Kind.IMAGE:
            continue
        key = facts.keys[step.operation]
        if ran & _read_by(facts, step.operation):
            found[step.id] = Note.EARLY_CUTOFF
        elif imported is not None and (step.id in imported or (key not in known and brought & _inputs(facts, step))):
            found[step.id] = Note.IMPORTED
            brought.add(step.operation)
        elif last and key in known and key not in recent:
            found[step.id] = Note.WENT_BACK
    return found


def score(steps: Sequence[StepFacts]) -> tuple[int, int]:
    """Of the steps that were planned and looked at: how many came out as planned, and how many they are.

    `depends` is not counted: it says nothing that could be wrong.
    """
    looked = [step for step in steps if step.planned in _CAME_TRUE.values() and step.verdict in _CAME_TRUE]
    return sum(_CAME_TRUE[step.verdict] is step.planned for step in looked), len(looked)


def _inputs(facts: BuildFacts, step: StepFacts) -> set[int]:
    return {each.operation for each in facts.operations.all[step.operation].inputs}


def _read_by(facts: BuildFacts, place: int) -> set[int]:
    """The operations behind the bytes of other stages that one reads."""
    inputs = facts.operations.all[place].inputs
    waiting = [each.operation for number, each in enumerate(inputs) if stage_input(facts.operations, place, number)]
    seen = set(waiting)
    while waiting:
        for each in facts.operations.all[waiting.pop()].inputs:
            if each.operation not in seen:
                seen.add(each.operation)
                waiting.append(each.operation)
    return seen
