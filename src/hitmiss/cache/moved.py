"""Base images whose tag has moved on its registry since the engine took them from there: one sentence each. Pure."""

from __future__ import annotations

from collections.abc import Collection

from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.operations import Kind, StepRef


def moved(facts: BuildFacts, names: Collection[str]) -> dict[StepRef, str]:
    """The sentence for the FROM of each of the images `names`; without one, for the steps that copy or mount from it.

    Whether such a step hit is not looked at. A name is told only where the step's own words tell it.
    """
    found: dict[StepRef, str] = {}
    for name in names:
        image = facts.images.get(name)
        steps = _readers(facts, image.identity) if image else []
        named = [step for step in steps if _names(step, name)]  # two names of one image are told apart by it
        for step in named or steps:
            found[step.platform, step.stage, step.index] = (
                f"{name} has moved on its registry: `docker pull {name}` takes the new image."
                if named
                else "The image's tag has moved on its registry: `docker pull` takes the new image."
            )
    return found


def _names(step: StepFacts, image: str) -> bool:
    return any(word.rpartition("=")[2] == image for word in f"{step.instruction} {step.text}".split())


def _readers(facts: BuildFacts, identity: str) -> list[StepFacts]:
    all_ = facts.operations.all
    places = {
        place
        for place, operation in enumerate(all_)
        if operation.kind is Kind.IMAGE and operation.value("identity") == identity
    }
    steps = [step for step in facts.steps if step.operation >= 0]
    own = [step for step in steps if step.operation in places]
    return own or [step for step in steps if places & {each.operation for each in all_[step.operation].inputs}]
