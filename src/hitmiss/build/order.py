"""The order of a tree's stages: what is built upon comes first. Pure; knows nothing of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

StageKey = tuple[str | None, str | None, str]
"""Bake target, platform, stage name."""


def stages(
    keys: Sequence[StageKey], needs: Mapping[StageKey, set[StageKey]], file_order: Sequence[str]
) -> list[StageKey]:
    """`keys` so that each comes after those it needs; between equals the order of the file, then of appearance.

    Platforms stay together: all of one platform's stages come before the next platform's, as far as their needs allow.
    """
    position = {name: index for index, name in enumerate(file_order)}
    appeared = {key: index for index, key in enumerate(reversed(keys))}

    def rank(key: StageKey) -> tuple[str, str, int, int]:
        return (key[0] or "", key[1] or "", position.get(key[2], len(position)), appeared[key])

    sorter = TopologicalSorter({key: needs.get(key, set()) - {key} for key in keys})
    try:
        sorter.prepare()
    except CycleError:
        return sorted(keys, key=rank)
    ready: list[StageKey] = []
    result: list[StageKey] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        ready.sort(key=rank)
        first = ready.pop(0)
        result.append(first)
        sorter.done(first)
    return result
