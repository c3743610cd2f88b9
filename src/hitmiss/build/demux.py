"""The stream of several targets that are built at once, taken apart again. Pure.

`buildx bake` puts the target's name before each vertex's: `[web build 2/4] RUN make`, unless there is only one target
(docker/buildx, `progress.WithPrefix`). Work that several targets share is one vertex, sent under a name for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from hitmiss.build.fold import Fold
from hitmiss.build.progress import CheckWarning, Log, Progress, Status, Vertex

_Told = TypeVar("_Told", Status, Log, CheckWarning)


class Moved(msgspec.Struct, frozen=True):
    """A step that `old` showed as its own until `new` showed it, which `old` builds on."""

    digest: str
    old: str
    new: str


class Demux:
    """Knows which vertex is whose. What belongs to no target (the reading of the bake files) is left out.

    A target that builds on others shows their steps among its own, often before they are told as theirs (each target
    has a stream of its own). So what is told of its steps is kept back until the others have shown theirs; what comes
    later still is `moved`.
    """

    def __init__(self, names: Sequence[str], linked: Mapping[str, frozenset[str]] | None = None) -> None:
        """`linked` names the targets whose steps show among those of another one, because it builds on them; they are
        built with it, also where they are not among `names`.
        """
        self._names = tuple(names)
        self._linked = {name: (linked or {}).get(name, frozenset()) for name in names}
        self._all = frozenset(names).union(*self._linked.values())
        self._owners: dict[str, list[str]] = {}
        self._shown: set[str] = set()
        """The targets that have shown a step."""
        self._kept: dict[str, list[Progress]] = {name: [] for name in names if self._linked[name]}
        """What is kept back of each target."""
        self.foreign: dict[str, set[str]] = {name: set() for name in names}
        """For each target, the digests of the steps that it shows but that are those of a target it builds on."""
        self.moved: tuple[Moved, ...] = ()
        """What the last event has made `foreign` after it had been told as the target's own."""

    def split(self, event: Progress) -> dict[str, Progress]:
        """What the event says to each target that it speaks of."""
        vertexes: dict[str, list[Vertex]] = {}
        self.moved = ()
        for wire in event.vertexes or ():
            name, inner = self._read(wire.name)
            owners = self._owners.setdefault(wire.digest, [])
            if not wire.name:
                for owner in owners:
                    vertexes.setdefault(owner, []).append(wire)
            elif name:
                if name not in owners:
                    self._moves(owners, name, wire.digest)
                    owners.append(name)
                if name in self.foreign and name not in self._kept:
                    self._judge(name, wire.digest)
                if _STEP.match(inner):
                    self._shown.add(name)
                vertexes.setdefault(name, []).append(msgspec.structs.replace(wire, name=inner))
        found: dict[str, Progress] = {}
        for name in self._names:
            told = Progress(
                vertexes=tuple(vertexes.get(name, ())) or None,
                statuses=self._of(name, event.statuses),
                logs=self._of(name, event.logs),
                warnings=self._of(name, event.warnings),
            )
            if mine := self._let_go(name, told):
                found[name] = mine
        return found

    def rest(self) -> dict[str, Progress]:
        """What is kept back still, when the stream is over."""
        return {name: told for name in tuple(self._kept) if (told := self._release(name)) != _NOTHING}

    def _let_go(self, name: str, told: Progress) -> Progress | None:
        """What can be told of a target now."""
        kept = self._kept.get(name)
        if kept is None:
            return told if told != _NOTHING else None
        if any(_STEP.match(vertex.name) for vertex in told.vertexes or ()) or (kept and told != _NOTHING):
            kept.append(told)
        elif told != _NOTHING:
            return told
        if kept and (self._linked[name] <= self._shown or any(map(_done, kept))):
            return self._release(name)
        return None

    def _release(self, name: str) -> Progress:
        """All that was kept back of a target; from now on nothing is."""
        kept = self._kept.pop(name)
        for vertex in (vertex for told in kept for vertex in told.vertexes or ()):
            self._judge(name, vertex.digest)
        return Progress(
            vertexes=tuple(each for told in kept for each in told.vertexes or ()) or None,
            statuses=self._own(name, [each for told in kept for each in told.statuses or ()]),
            logs=self._own(name, [each for told in kept for each in told.logs or ()]),
            warnings=self._own(name, [each for told in kept for each in told.warnings or ()]),
        )

    def _moves(self, owners: Sequence[str], name: str, digest: str) -> None:
        """A target shows a step that others have shown before."""
        for old in owners:
            if name in self._linked.get(old, ()) and old not in self._kept and digest not in self.foreign[old]:
                self.foreign[old].add(digest)
                self.moved += (Moved(digest, old, name),)

    def _judge(self, name: str, digest: str) -> None:
        """Whether a vertex that a target shows is one of those that it builds on."""
        if self._linked[name].intersection(self._owners.get(digest, ())):
            self.foreign[name].add(digest)

    def _of(self, name: str, told: Sequence[_Told] | None) -> tuple[_Told, ...] | None:
        """What is told of the vertices that a target has."""
        return self._own(name, [each for each in told or () if name in self._owners.get(each.vertex, ())])

    def _own(self, name: str, told: Sequence[_Told]) -> tuple[_Told, ...] | None:
        """Without that of others' steps."""
        return tuple(each for each in told if each.vertex not in self.foreign[name]) or None

    def _read(self, text: str) -> tuple[str, str]:
        """The target that a vertex is named after ("" for none), and its name without it."""
        if text == _OWN_WORK:
            return "", text
        if len(self._all) == 1:
            return self._names[0], text
        head, bracket, rest = text.partition("]")
        if not bracket or not head.startswith("["):
            return "", text
        name, _, inner = head[1:].partition(" ")
        if name not in self._all:
            return "", text
        return name, f"[{inner}]{rest}" if inner else rest.lstrip()


def hand_over(moved: Iterable[Moved], folds: Mapping[str, Fold]) -> None:
    """Take these steps from the folds that showed them; what they wrote goes to those whose they are, told next."""
    for move in moved:
        log = folds[move.old].disown(move.digest)
        if log and move.new in folds:
            folds[move.new].adopt(move.digest, log)


def _done(told: Progress) -> bool:
    """Whether it tells of a step that is over: those of the others, which stand above it, were told before."""
    return any(each.completed and _STEP.match(each.name) and "] FROM " not in each.name for each in told.vertexes or ())


_NOTHING = Progress()
_OWN_WORK = "[internal] load local bake definitions"
_STEP = re.compile(r"\[[^\]]*\d+/\d+\] ")
