"""The stream of several targets that are built at once, taken apart again. Pure.

`buildx bake` puts the target's name before each vertex's: `[web build 2/4] RUN make`, unless there is only one target
(docker/buildx, `progress.WithPrefix`). Work that several targets share is one vertex, sent under a name for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hitmiss.build.progress import Progress, Vertex


class Demux:
    """Knows which vertex is whose. What belongs to no target (the reading of the bake files) is left out."""

    def __init__(self, names: Sequence[str], linked: Mapping[str, frozenset[str]] | None = None) -> None:
        """`linked` names the targets whose steps show among those of another one, because it builds on them."""
        self._names = tuple(names)
        self._linked = linked or {}
        self._owners: dict[str, list[str]] = {}
        self.foreign: dict[str, set[str]] = {name: set() for name in names}
        """For each target, the digests of the steps that it shows but that are those of a target it builds on."""

    def split(self, event: Progress) -> dict[str, Progress]:
        """What the event says to each target that it speaks of."""
        vertexes: dict[str, list[Vertex]] = {}
        for wire in event.vertexes or ():
            name, inner = self._read(wire.name)
            owners = self._owners.setdefault(wire.digest, [])
            if not wire.name:
                for owner in owners:
                    vertexes.setdefault(owner, []).append(wire)
            elif name:
                if any(other in owners for other in self._linked.get(name, ())):
                    self.foreign[name].add(wire.digest)
                if name not in owners:
                    owners.append(name)
                vertexes.setdefault(name, []).append(msgspec.structs.replace(wire, name=inner))
        found: dict[str, Progress] = {}
        for name in self._names:
            mine = Progress(
                vertexes=tuple(vertexes.get(name, ())) or None,
                statuses=tuple(each for each in event.statuses or () if self._has(name, each.vertex)) or None,
                logs=tuple(each for each in event.logs or () if self._has(name, each.vertex)) or None,
                warnings=tuple(each for each in event.warnings or () if self._has(name, each.vertex)) or None,
            )
            if mine != _NOTHING:
                found[name] = mine
        return found

    def _has(self, name: str, digest: str) -> bool:
        return name in self._owners.get(digest, ()) and digest not in self.foreign[name]

    def _read(self, text: str) -> tuple[str, str]:
        """The target that a vertex is named after ("" for none), and its name without it."""
        if text == _OWN_WORK:
            return "", text
        if len(self._names) == 1:
            return self._names[0], text
        head, bracket, rest = text.partition("]")
        if not bracket or not head.startswith("["):
            return "", text
        name, _, inner = head[1:].partition(" ")
        if name not in self.foreign:
            return "", text
        return name, f"[{inner}]{rest}" if inner else rest.lstrip()


_NOTHING = Progress()
_OWN_WORK = "[internal] load local bake definitions"
