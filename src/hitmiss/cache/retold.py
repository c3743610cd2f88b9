"""A remembered or planned build as the value that the screen and the reports show. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from hitmiss.build.model import Build, Step, staged
from hitmiss.cache.facts import BuildFacts, StepFacts


def as_build(facts: BuildFacts) -> Build:
    """The build with its steps, causes and notes; what only the stream tells (logs, pieces of work) is not there."""
    return Build(
        number=facts.number,
        status=facts.status,
        target=facts.target,
        builder=facts.builder,
        platforms=facts.platforms,
        started=datetime.fromtimestamp(facts.started, UTC),
        duration_s=facts.duration_s,
        stages=staged(_step(step, facts) for step in facts.steps),
        ref=facts.ref,
        image=facts.image,
        context_bytes=facts.context_bytes,
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
