"""A remembered or planned build as the value that the screen and the reports show. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from hitmiss.build.model import Build, Stage, Step
from hitmiss.cache.facts import BuildFacts, StepFacts


def as_build(facts: BuildFacts) -> Build:
    """The build with its steps, causes and notes; what only the stream tells (logs, sizes) is not there."""
    stages: dict[tuple[str, str], list[Step]] = {}
    for step in facts.steps:
        stages.setdefault((step.platform, step.stage), []).append(_step(step, facts))
    return Build(
        number=facts.number,
        status=facts.status,
        target=facts.target,
        builder=facts.builder,
        platforms=facts.platforms,
        started=datetime.fromtimestamp(facts.started, UTC),
        duration_s=facts.duration_s,
        stages=tuple(
            Stage(
                ":".join(filter(None, (facts.part, platform, name))),
                name,
                platform or None,
                tuple(steps),
                bake_target=facts.part or None,
            )
            for (platform, name), steps in stages.items()
        ),
        ref=facts.ref,
        images=facts.made,
    )


def _step(step: StepFacts, facts: BuildFacts) -> Step:
    return Step(
        step.id,
        step.stage,
        step.index,
        step.of,
        step.instruction,
        platform=step.platform or None,
        bake_target=facts.part or None,
        place=step.place,
        verdict=step.verdict,
        duration_s=step.duration_s,
        last_s=step.expected_s,
        planned=step.planned,
        expected_s=step.expected_s,
        cause=step.cause,
        note=step.note,
        alarm=step.alarm,
        work=work_of(step, facts),
    )


def work_of(step: StepFacts, facts: BuildFacts) -> str:
    """What a step of one of several targets does, named: equal where another target does the same; "" elsewhere."""
    return facts.keys[step.operation].hex() if step.operation >= 0 and facts.part else ""
