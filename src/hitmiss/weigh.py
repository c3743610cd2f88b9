"""What a finished build has made and moved, put into its value: image, layers by step, bytes of what was exported.

It asks after the build, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hitmiss.build.layered import Told, compared, counterpart, layered
from hitmiss.build.model import Build, BuiltImage, Status, Step
from hitmiss.build.transfers import Way, cache_layers, transfers
from hitmiss.docker import caches, images
from hitmiss.project.definition import Definition
from hitmiss.project.lineage import lineage
from hitmiss.settings import BuildOptions

_MANIFEST = re.compile(r"exporting manifest (sha256:[0-9a-f]+)$")


class Weight(msgspec.Struct, frozen=True):
    """What was found out; `manifests` are the digests by which an equal image is known again."""

    told: tuple[Told, ...] = ()
    written: dict[str, int] = {}


async def weigh(build: Build, options: BuildOptions, cwd: Path, known: Sequence[BuiltImage] = ()) -> Weight:
    """Ask what a build has made; not for an image that is one of those that are known. Raises nothing."""
    if build.status is not Status.SUCCEEDED:
        return Weight()
    told, written = await asyncio.gather(
        _made(build, options, cwd, known), _written(build, options, cwd), return_exceptions=True
    )
    return Weight(
        told if not isinstance(told, BaseException) else (),
        written if not isinstance(written, BaseException) else {},
    )


def weighed(
    build: Build,
    weight: Weight,
    definition: Definition,
    known: Sequence[BuiltImage] = (),
    number: int = 0,
) -> Build:
    """The build with its images, compared with those of build `number` that are `known`."""
    same = _same(build, known)
    target = next((stage.bake_target for stage in build.stages), None) or ""
    made = [layered(each, _chain(build, definition, each.platform), target) for each in weight.told] or list(same)
    digests = manifests(build)
    named: list[BuiltImage] = []
    for place, image in enumerate(made):
        digest = digests[place] if len(digests) == len(made) else image.digest
        image = msgspec.structs.replace(image, digest=digest, against=0, grown=None, gone=())
        before = counterpart(image, known)
        named.append(compared(image, before, number) if before else image)
    packed = [image.packed for image in named if image.packed is not None]
    pushes = [each.work.id for each in transfers(build) if each.way is Way.PUSH]
    pushed = dict.fromkeys(pushes, sum(packed)) if packed and len(packed) == len(named) else {}
    return msgspec.structs.replace(build, images=tuple(named), written={**build.written, **weight.written, **pushed})


def manifests(build: Build) -> tuple[str, ...]:
    """The digests of the manifests of the images that a build exported, one for each platform."""
    names = (piece.name for work in build.internals for piece in work.pieces)
    return tuple(dict.fromkeys(found[1] for name in names if (found := _MANIFEST.match(name))))


def _same(build: Build, known: Sequence[BuiltImage]) -> tuple[BuiltImage, ...]:
    """What is known, where the build made just that again; nothing else."""
    digests = manifests(build)
    return tuple(known) if digests and digests == tuple(image.digest for image in known) else ()


async def _made(build: Build, options: BuildOptions, cwd: Path, known: Sequence[BuiltImage]) -> tuple[Told, ...]:
    if _same(build, known) or not images.kept(options) or not (build.image or build.ref):
        return ()
    return await images.told(options, build.image or "", build.ref, build.builder, cwd)


async def _written(build: Build, options: BuildOptions, cwd: Path) -> dict[str, int]:
    """The bytes of exported caches and files."""
    found: dict[str, int] = {}
    moved = transfers(build)
    exports = [each.work for each in moved if each.way is Way.CACHE_OUT and not each.work.error]
    given = [each for each in options.cache_to if images.fields_of(each).get("type") != "inline"]
    for work, cache in zip(exports, given if len(given) == len(exports) else (), strict=False):
        with contextlib.suppress(OSError):
            size = await caches.cache_written(cache, cache_layers(work), build.builder, cwd)
            found |= {work.id: size} if size is not None else {}
    files = [each.work for each in moved if each.way is Way.FILES]
    outputs = [row for row in map(images.fields_of, options.outputs) if row.get("type") in ("tar", "oci", "docker")]
    for work, output in zip(files, outputs if len(outputs) == len(files) else (), strict=False):
        size = images.files_written(output, cwd)
        found |= {work.id: size} if size is not None else {}
    return found


def _chain(build: Build, definition: Definition, platform: str) -> tuple[Step, ...]:
    """The steps that made the target's files for a platform, the oldest first; those of other stages are left out."""
    stages = lineage(definition.question, platform) if definition.question else ()
    found: list[Step] = []
    for name in stages:
        mine: dict[int, Step] = {}
        for step in build.steps:
            if step.stage == name and (step.index not in mine or step.platform == platform):
                mine[step.index] = step
        found += [mine[index] for index in sorted(mine)]
    return tuple(found)
