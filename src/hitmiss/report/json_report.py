"""Builds, plans and the history as stable JSON reports: fields are only ever added. Values in, bytes out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from hitmiss.build.model import Build, Cause, Step
from hitmiss.build.transfers import shown
from hitmiss.build.trouble import notices
from hitmiss.snapshot import Past

BUILD_SCHEMA = "hitmiss.build/1"
PLAN_SCHEMA = "hitmiss.plan/1"
HISTORY_SCHEMA = "hitmiss.history/1"
DIFF_SCHEMA = "hitmiss.diff/1"


class TargetPart(msgspec.Struct, frozen=True):
    """One target of several that were built; `id` is the name of the engine's own record of it."""

    name: str
    id: str
    status: str
    image: str | None
    error: str | None


class TransferPart(msgspec.Struct, frozen=True):
    """A cache that was imported or exported, or an output; `note` is what came of it, null for nothing to say."""

    way: str
    what: str
    note: str | None
    bytes: int | None
    duration_s: float


class BuildPart(msgspec.Struct, frozen=True):
    """The build as a whole; sizes in bytes, times in seconds.

    `targets` is there where there are several; `advice` (the end of `error`, that says what to do) and `notices` are
    there only where there is something to say. `image_bytes` is the size of the image's files, the sum of the steps'
    `layer_bytes`, `image_packed_bytes` what a registry keeps of it; both count all platforms and targets, and are
    there only where they are known. `transfers` are the caches and outputs.
    """

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
    advice: str | msgspec.UnsetType = msgspec.UNSET
    notices: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    targets: tuple[TargetPart, ...] | msgspec.UnsetType = msgspec.UNSET
    image_bytes: int | msgspec.UnsetType = msgspec.UNSET
    image_packed_bytes: int | msgspec.UnsetType = msgspec.UNSET
    transfers: tuple[TransferPart, ...] | msgspec.UnsetType = msgspec.UNSET


class FilePart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path that differs; `old` and `new` are there for modes, link targets, kinds and renames."""

    path: str
    change: str
    old: str = ""
    new: str = ""
    context: str = ""


class CausePart(msgspec.Struct, frozen=True):
    """Why a step missed, or would; `against` is the number of the build it was compared with, if any."""

    kind: str
    root: str
    detail: str
    files: tuple[FilePart, ...]
    old: str | None
    new: str | None
    against: int | msgspec.UnsetType = msgspec.UNSET


class StepPart(msgspec.Struct, frozen=True):
    """One step; `planned`, `note` and `cause` are null where nothing is known of them. A plan's also says `expected_s`;
    `alarm` is there only for a hit that is not what it seems, `layer_bytes` (the size of the files that the step put
    into the image; of a FROM that of all its files) and `layer_packed_bytes` (what a registry keeps of them) only for
    the steps that the image is made of.
    """

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
    planned: str | None
    note: str | None
    cause: CausePart | None
    expected_s: float | msgspec.UnsetType | None = msgspec.UNSET
    alarm: str | msgspec.UnsetType = msgspec.UNSET
    layer_bytes: int | msgspec.UnsetType = msgspec.UNSET
    layer_packed_bytes: int | msgspec.UnsetType = msgspec.UNSET


def report(build: Build, *, only: Collection[str] | None = None) -> bytes:
    """One JSON document for a finished build, with a line end; `only` are the ids of the steps to tell of."""
    steps = tuple(_step(step, build) for step in build.steps if only is None or step.id in only)
    return _document({"schema": BUILD_SCHEMA, "build": _build(build), "steps": steps})


def diff_report(old: Build, new: Build, gone: Sequence[Step]) -> bytes:
    """One JSON document for two builds: the steps of the newer one, each with what made it differ from the older; and
    those that the older alone has.
    """
    steps = tuple(_step(step, new) for step in new.steps)
    left = tuple(_step(step, old) for step in gone)
    return _document({"schema": DIFF_SCHEMA, "old": _build(old), "new": _build(new), "steps": steps, "gone": left})


def _build(build: Build) -> BuildPart:
    return BuildPart(
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
        advice=build.advice or msgspec.UNSET,
        notices=notices(build) or msgspec.UNSET,
        targets=tuple(
            TargetPart(part.name, part.ref, part.status.value, part.image, part.error or None) for part in build.parts
        )
        or msgspec.UNSET,
        image_bytes=_total([image.size for image in build.images]),
        image_packed_bytes=_total([image.packed for image in build.images]),
        transfers=tuple(
            TransferPart(each.way.value, each.what, each.words or None, each.bytes, round(each.work.duration_s, 3))
            for each in shown(build)
        )
        or msgspec.UNSET,
    )


def _total(sizes: Sequence[int | None]) -> int | msgspec.UnsetType:
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else msgspec.UNSET


def plan_report(build: Build, seconds: float | None) -> bytes:
    """One JSON document for a build that was only planned; `seconds` is how long it should take."""
    part = {
        "target": build.target,
        "builder": build.builder,
        "platforms": build.platforms,
        "steps": len(build.steps),
        "expected_s": _rounded(seconds),
    }
    steps = tuple(
        msgspec.structs.replace(_step(step, build), expected_s=_rounded(step.expected_s)) for step in build.steps
    )
    return _document({"schema": PLAN_SCHEMA, "plan": part, "steps": steps})


def history_report(builds: Sequence[Past], right: int, planned: int) -> bytes:
    """One JSON document for the remembered builds of a project, newest first, and how often plans were right."""
    score = {"right": right, "steps": planned}
    return _document({"schema": HISTORY_SCHEMA, "builds": tuple(builds), "plan": score})


def _document(content: dict[str, object]) -> bytes:
    plain = msgspec.to_builtins(content, builtin_types=(datetime,))
    return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"


def _step(step: Step, build: Build) -> StepPart:
    own = build.platforms[0] if len(build.platforms) == 1 else None
    layer = next((layer for image in build.images for layer in image.layers if layer.step == step.id), None)
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
        planned=step.planned.value if step.planned else None,
        note=step.note.value if step.note else None,
        cause=_cause(step.cause) if step.cause else None,
        alarm=step.alarm or msgspec.UNSET,
        layer_bytes=_known(layer.size if layer else None),
        layer_packed_bytes=_known(layer.packed if layer else None),
    )


def _known(size: int | None) -> int | msgspec.UnsetType:
    return msgspec.UNSET if size is None else size


def _cause(cause: Cause) -> CausePart:
    files = tuple(FilePart(each.path, each.change.value, each.old, each.new, each.context) for each in cause.files)
    return CausePart(
        cause.kind.value, cause.root, cause.detail, files, cause.old, cause.new, cause.against or msgspec.UNSET
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
