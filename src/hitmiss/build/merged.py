"""The builds of several targets as one: what the screen and the reports show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from hitmiss.build.model import Build, Part, Stage, Status, Step, Verdict

T = TypeVar("T")


def merged(
    parts: Mapping[str, Build],
    *,
    target: str = "",
    notes: Mapping[str, str] | None = None,
    status: Status | None = None,
) -> Build:
    """One build of all steps, those that several targets share once: with the first that has them, as the one tells of
    them that did most.

    `parts` are the targets' builds by their names; a single one is given back as it is. `target` names the whole,
    `notes` are words on how targets stand, `status` is how the whole stands where they cannot tell.
    """
    builds = list(parts.values())
    if len(builds) == 1:
        return builds[0]
    common = shared(builds)
    told = {name: _note(name, build, common) for name, build in parts.items()} | dict(notes or {})
    stages: list[Stage] = []
    internals: dict[str, Step] = {}
    seen: dict[str, str] = {}
    context_bytes = 0
    best = _best(builds)
    number = max((build.number for build in builds), default=0)
    for build in builds:
        stages += filter(None, (_own(stage, seen, best, common) for stage in build.stages))
        if build.number < number:
            continue
        fresh = [work for work in build.internals if work.id not in internals]
        if fresh or not build.internals:
            context_bytes += build.context_bytes
        internals.update((work.id, work) for work in fresh)
    begun = [build for build in builds if build.started and build.number == number]
    return Build(
        number=number,
        status=status or status_of([build.status for build in builds]),
        target=target,
        builder=next((build.builder for build in builds if build.builder), ""),
        platforms=_unique(platform for build in builds for platform in build.platforms),
        started=min((build.started for build in begun if build.started), default=None),
        duration_s=_span(begun),
        stages=tuple(stages),
        internals=tuple(internals.values()),
        checks=_unique(check for build in builds for check in build.checks),
        text=_unique(line for build in builds for line in build.text),
        error=next((build.error for build in builds if build.error), ""),
        advice=next((build.advice for build in builds if build.error), ""),
        context_bytes=context_bytes,
        images=tuple(image for build in builds for image in build.images),
        written={work: size for build in builds for work, size in build.written.items()},
        parts=tuple(
            Part(name, build.status, told[name], build.number, build.ref, build.image, build.error)
            for name, build in parts.items()
        ),
        resting=_resting(builds, stages, number),
    )


def status_of(statuses: Iterable[Status]) -> Status:
    """How a whole stands whose parts stand like that."""
    found = set(statuses)
    order = (Status.RUNNING, Status.FAILED, Status.CANCELED, Status.SUCCEEDED)
    return next((status for status in order if status in found), Status.IDLE)


def shared(builds: Sequence[Build]) -> dict[str, str]:
    """Steps that stand with an earlier target, by their ids: the id of the step that is shown for them.

    Steps of one target that are the same work (its two FROMs of one image) are shown each.
    """
    first: dict[str, Step] = {}
    found: dict[str, str] = {}
    for step in (step for build in builds for step in build.steps if step.work):
        shown = first.setdefault(step.work, step)
        if shown.bake_target != step.bake_target:
            found[step.id] = shown.id
    return found


def _note(name: str, build: Build, common: Mapping[str, str]) -> str:
    """What to say of a target whose steps stand elsewhere."""
    owners = [common[step.id].partition(":")[0] for step in build.steps if step.id in common]
    if not owners:
        return ""
    return f"{len(owners)} {'step' if len(owners) == 1 else 'steps'} shared with {', '.join(dict.fromkeys(owners))}"


def _resting(builds: Sequence[Build], stages: Iterable[Stage], number: int) -> frozenset[str]:
    """The steps that no target of the latest build has."""
    if all(build.number == number for build in builds):
        return frozenset()
    latest = [step for build in builds if build.number == number for step in build.steps]
    own, works = {step.id for step in latest}, {step.work for step in latest if step.work}
    steps = (step for stage in stages for step in stage.steps)
    return frozenset(step.id for step in steps if step.id not in own and step.work not in works)


def _best(builds: Sequence[Build]) -> dict[str, Step]:
    """Of each piece of work that several targets share, the step that tells most of it: of the latest build, and there
    the one that ran. Of two builds that meet at a step one does the work, and the other finds it done.
    """
    found: dict[str, tuple[tuple[int, int], Step]] = {}
    several: set[str] = set()
    for build in builds:
        for step in build.steps:
            if not step.work:
                continue
            weight = build.number, _WEIGHT.get(step.verdict, 0)
            known = found.get(step.work)
            if known and known[1].bake_target != step.bake_target:
                several.add(step.work)
            if known is None or weight > known[0]:
                found[step.work] = weight, step
    return {work: found[work][1] for work in several}


_WEIGHT = {
    verdict: weight
    for weight, verdict in enumerate(
        (
            Verdict.SKIPPED,
            Verdict.PENDING,
            Verdict.CANCELED,
            Verdict.HIT,
            Verdict.MISS,
            Verdict.RUNNING,
            Verdict.FAILED,
        )
    )
}


def _own(stage: Stage, seen: dict[str, str], best: Mapping[str, Step], common: Mapping[str, str]) -> Stage | None:
    """The stage with the steps that no target before it has; None where none is left."""
    target = stage.bake_target or ""
    kept = tuple(
        _rooted(_as(step, best.get(step.work, step)), common)
        for step in stage.steps
        if not step.work or seen.setdefault(step.work, target) == target
    )
    if kept == stage.steps:
        return stage
    return msgspec.structs.replace(stage, steps=kept) if kept else None


def _rooted(step: Step, common: Mapping[str, str]) -> Step:
    """The step with a cause that speaks of steps as they are shown."""
    cause = step.cause
    if cause is None or not common.keys() & {cause.root, *cause.through}:
        return step
    through = tuple(common.get(each, each) for each in cause.through)
    cause = msgspec.structs.replace(cause, root=common.get(cause.root, cause.root), through=through)
    return msgspec.structs.replace(step, cause=cause)


def _as(step: Step, other: Step) -> Step:
    """The step with what became of it as another target tells."""
    if step.verdict is other.verdict:
        return step
    cause = other.cause
    if cause and cause.root == other.id:
        cause = msgspec.structs.replace(cause, root=step.id)
    return msgspec.structs.replace(
        other,
        id=step.id,
        stage=step.stage,
        index=step.index,
        of=step.of,
        instruction=step.instruction,
        platform=step.platform,
        bake_target=step.bake_target,
        place=step.place,
        cause=cause,
    )


def _span(builds: Sequence[Build]) -> float:
    """From the beginning of the first to the end of the last, in seconds."""
    starts = [build.started for build in builds if build.started]
    if not starts:
        return 0.0
    first = min(starts)
    return max((start - first).total_seconds() + build.duration_s for start, build in zip(starts, builds, strict=True))


def _unique(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
