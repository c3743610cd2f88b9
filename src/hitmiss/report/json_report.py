"""A build as `hitmiss.build/1`, the stable JSON report: fields are only ever added. Values in, bytes out."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hitmiss.build.model import Build, Step

SCHEMA = "hitmiss.build/1"


class BuildPart(msgspec.Struct, frozen=True):
    """The build as a whole; sizes in bytes, times in seconds."""

    id: str
    status: str
    target: str
    builder: str
    platforms: tuple[str, ...]
    started: datetime | None
    duration_s: float
    steps: int
    hits: int
    misses: int
    saved_s: float
    context_bytes: int
    image: str | None
    error: str | None


class StepPart(msgspec.Struct, frozen=True):
    """One step; `planned`, `note` and `cause` are null where nothing is known of them."""

    id: str
    stage: str
    index: int
    of: int
    instruction: str
    file: str | None
    line: int | None
    platform: str | None
    bake_target: str | None
    verdict: str
    duration_s: float
    planned: None = None
    note: None = None
    cause: None = None


def report(build: Build) -> bytes:
    """One JSON document for a finished build, with a line end."""
    part = BuildPart(
        id=build.ref,
        status=build.status.value,
        target=build.target,
        builder=build.builder,
        platforms=build.platforms,
        started=build.started,
        duration_s=round(build.duration_s, 3),
        steps=len(build.steps),
        hits=build.hits,
        misses=build.misses,
        saved_s=round(build.saved_s, 3),
        context_bytes=build.context_bytes,
        image=build.image,
        error=build.error or None,
    )
    steps = tuple(_step(step, build) for step in build.steps)
    document = {"schema": SCHEMA, "build": msgspec.to_builtins(part, builtin_types=(datetime,)), "steps": steps}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _step(step: Step, build: Build) -> StepPart:
    own = build.platforms[0] if len(build.platforms) == 1 else None
    return StepPart(
        id=step.id,
        stage=step.stage,
        index=step.index,
        of=step.of,
        instruction=step.instruction,
        file=step.place.file if step.place else None,
        line=step.place.line if step.place else None,
        platform=step.platform or own,
        bake_target=step.bake_target,
        verdict=step.verdict.value,
        duration_s=round(step.duration_s, 3),
    )
