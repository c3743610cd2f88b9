"""A plan and the build that came of it, put together. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hitmiss.build.model import Build, Expected, Step
from hitmiss.cache.facts import StepFacts
from hitmiss.cache.operations import StepRef


def ref(step: StepFacts | Step | Expected) -> StepRef:
    """A step by platform, stage and index."""
    return step.platform or "", step.stage, step.index


def outcome(planned: StepFacts, step: Step | None) -> StepFacts:
    """A planned step and what came of it."""
    if step is None:
        return planned
    return msgspec.structs.replace(
        planned, id=step.id, verdict=step.verdict, duration_s=step.duration_s, of=step.of, instruction=step.instruction
    )


def told(build: Build, steps: Mapping[StepRef, StepFacts], number: int) -> Build:
    """The build with what was found out about its steps."""

    def with_words(step: Step) -> Step:
        known = steps.get(ref(step))
        if known is None:
            return step
        return msgspec.structs.replace(
            step,
            planned=known.planned,
            expected_s=known.expected_s,
            cause=known.cause,
            note=known.note,
            alarm=known.alarm,
        )

    stages = tuple(
        msgspec.structs.replace(stage, steps=tuple(with_words(step) for step in stage.steps)) for stage in build.stages
    )
    return msgspec.structs.replace(build, stages=stages, number=number)


def imports(build: Build) -> bool:
    return any(work.instruction.startswith("importing cache manifest") and not work.error for work in build.internals)
