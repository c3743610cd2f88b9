"""How long a build should take. Pure. Times in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from hitmiss.build.model import Planned, Status
from hitmiss.cache.facts import BuildFacts, StepFacts

_LATEST = 10
"""So many builds are looked at for a line that was called otherwise."""
_SPARE_S = 0.25
"""What a build takes beside its steps, until one was seen."""


def seconds(planned: BuildFacts, past: Sequence[BuildFacts]) -> float | None:
    """The longest chain of steps that will run, and what a build of this project takes beside its steps (the median of
    the last ones); None where a step that will run never ran before. A step that depends is not counted.
    """
    running = {step.id: step.expected_s for step in planned.steps if step.planned is Planned.RUN}
    if None in running.values():
        return None
    spares = sorted(
        build.duration_s - longest(build, lambda step: step.duration_s if step.ran else 0.0)
        for build in past[:9]
        if build.status is Status.SUCCEEDED
    )
    spare = max(0.0, spares[len(spares) // 2]) if spares else _SPARE_S
    return spare + longest(planned, lambda step: running.get(step.id) or 0.0)


def as_written(steps: Sequence[StepFacts], past: Sequence[BuildFacts]) -> tuple[StepFacts, ...]:
    """The steps, with how long the same line of the Dockerfile took when it last ran where that is not known of a step:
    BuildKit calls it otherwise for every value of an argument in it.
    """
    if all(step.expected_s is not None for step in steps):
        return tuple(steps)
    took: dict[tuple[str, str, str], float] = {}
    for build in past[:_LATEST]:
        for step in build.steps:
            if step.ran:
                took.setdefault((step.platform, step.stage, step.text), step.duration_s)
    return tuple(
        step
        if step.expected_s is not None
        else msgspec.structs.replace(step, expected_s=took.get((step.platform, step.stage, step.text)))
        for step in steps
    )


def longest(build: BuildFacts, cost: Callable[[StepFacts], float]) -> float:
    """The dearest chain of steps that wait for each other."""
    own = {step.operation: cost(step) for step in build.steps if step.operation >= 0}
    total: list[float] = []
    for place, operation in enumerate(build.operations.all):
        before = max((total[each.operation] for each in operation.inputs), default=0.0)
        total.append(before + own.get(place, 0.0))
    return max(total, default=0.0)
