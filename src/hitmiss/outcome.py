"""A plan and the build that came of it, put together. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hitmiss.build.model import Build, Expected, Step, Verdict
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


def warned(build: Build, alarms: Mapping[StepRef, str]) -> Build:
    """The build with alarms on those of its hits that have none yet; the build itself where there are none."""

    def with_alarm(step: Step) -> Step:
        alarm = alarms.get(ref(step), "") if step.verdict is Verdict.HIT and not step.alarm else ""
        return msgspec.structs.replace(step, alarm=alarm) if alarm else step

    stages = tuple(
        msgspec.structs.replace(stage, steps=tuple(with_alarm(step) for step in stage.steps)) for stage in build.stages
    )
    return build if stages == build.stages else msgspec.structs.replace(build, stages=stages)


def lasted(build: Build, durations: Mapping[tuple[str, str, str], float]) -> Build:
    """The build with the seconds that its hits took before, where it does not say; by platform, stage, instruction."""

    def with_time(step: Step) -> Step:
        if step.verdict is not Verdict.HIT or step.last_s is not None:
            return step
        return msgspec.structs.replace(step, last_s=durations.get((step.platform or "", step.stage, step.instruction)))

    stages = tuple(
        msgspec.structs.replace(stage, steps=tuple(with_time(step) for step in stage.steps)) for stage in build.stages
    )
    return msgspec.structs.replace(build, stages=stages)


def imports(build: Build) -> bool:
    return any(work.instruction.startswith("importing cache manifest") and not work.error for work in build.internals)
