"""Remembered builds as lines of the history. Values in, values out."""

from __future__ import annotations

from datetime import UTC, datetime

from hitmiss.build.model import Build, Status
from hitmiss.cache.facts import BuildFacts
from hitmiss.cache.retold import as_build
from hitmiss.explain import summary
from hitmiss.snapshot import Past


def past_of(facts: BuildFacts) -> Past:
    """One line of the history."""
    build = as_build(facts)
    return Past(
        number=facts.number,
        started=datetime.fromtimestamp(facts.started, UTC),
        status=facts.status.value,
        target=facts.target,
        builder=facts.builder,
        duration_s=round(facts.duration_s, 3),
        steps=len(build.steps),
        hits=build.hits,
        misses=build.misses,
        plan_right=facts.plan_right,
        plan_steps=facts.plan_steps,
        why=summary(build) if facts.status is not Status.CANCELED else "canceled",
        bake_target=facts.part or None,
    )


def past_outside(build: Build) -> Past:
    """One line of the history for a build that only the engine remembers; it has no number."""
    return Past(
        number=0,
        started=build.started or datetime.now(UTC),
        status=build.status.value,
        target=build.target,
        builder=build.builder,
        duration_s=round(build.duration_s, 3),
        steps=len(build.steps),
        hits=build.hits,
        misses=build.misses,
        why="built outside hitmiss",
    )
