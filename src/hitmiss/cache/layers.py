"""Base images that differ in their digest alone: what is known of a step on one may hold on another. Pure.

BuildKit gives an image two keys, by its manifest and by the chain of its layers, and asks for the second one only where
it does not know the first (`source/containerimage/pull.go`). A step that was built while the manifest was new is found
on any image of the same layers, one that was built while it was known on that image alone. So each rebuild of a base
that changes no layer (its provenance has another time) leaves open what hits (`tests/engine/test_same_layers.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hitmiss.cache.facts import BuildFacts, Key
from hitmiss.cache.keys import Keys
from hitmiss.cache.operations import Image, Kind, Operation, Operations


def alike(now: BuildFacts, past: Iterable[BuildFacts], *, salt: bytes) -> dict[Key, tuple[Key, ...]]:
    """For the keys of a build: those that the same step had on other images of the same layers, the latest first."""
    known = by_identity(now.images.values())
    found: dict[Key, dict[Key, None]] = {}
    wanted: dict[Key, Key] = {}
    for build in past:
        others = by_identity(build.images.values())
        if not any(layers in known.values() and name not in known for name, layers in others.items()):
            continue
        wanted = wanted or dict(zip(_on_layers(now, known, salt), now.keys, strict=True))
        for layered, key in zip(_on_layers(build, others, salt), build.keys, strict=True):
            mine = wanted.get(layered, key)
            if mine != key and key not in build.doubted:
                found.setdefault(mine, {})[key] = None
    return {key: tuple(keys) for key, keys in found.items()}


def by_identity(images: Iterable[Image]) -> dict[str, str]:
    """The layers of images by what identifies them in a key."""
    return {image.identity: image.layers for image in images if image.layers}


def _on_layers(build: BuildFacts, layers: Mapping[str, str], salt: bytes) -> tuple[Key, ...]:
    """The keys that a build's operations would have, were each base image known by its layers."""
    changed = tuple(_by_layers(each, layers) for each in build.operations.all)
    return Keys(Operations(changed, build.operations.steps), build.contents, salt=salt, same_as={}).all()


def _by_layers(operation: Operation, layers: Mapping[str, str]) -> Operation:
    if operation.kind is not Kind.IMAGE or not (chain := layers.get(operation.value("identity"))):
        return operation
    return msgspec.structs.replace(operation, own=(("identity", chain),))
