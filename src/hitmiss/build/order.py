"""The order of a tree's stages: what is built upon comes first. Pure; knows nothing of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

StageKey = tuple[str | None, str]
"""Platform, stage name."""


def stages(
    keys: Sequence[StageKey], needs: Mapping[StageKey, set[StageKey]], announced: Sequence[StageKey] = ()
) -> list[StageKey]:
    """`keys` so that each comes after those it needs.

    Those that were announced keep the order in which they were, as far as it allows that: so a tree does not move when
    the needs become known bit by bit. The others follow, platforms together; between equals the one that appeared last
    comes first, for BuildKit speaks of the end of a build before its beginning.
    """
    position = {key: index for index, key in enumerate(announced)}
    appeared = {key: index for index, key in enumerate(reversed(keys))}

    def rank(key: StageKey) -> tuple[int, str, int]:
        return (position.get(key, len(position)), key[0] or "", appeared[key])

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
