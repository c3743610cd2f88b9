"""Steps of which nobody knows what they read: files changed while BuildKit was being sent them. Pure.

What BuildKit read of such a file may be the old bytes or the new ones. So the keys of the steps that read it, and of
all below them, are neither confirmed nor denied by that build: they are *doubted* (`BuildFacts.doubted`), until a build
that was sent the same files at rest tells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from hitmiss.build.model import FileChange, Verdict
from hitmiss.cache.facts import BuildFacts, Key
from hitmiss.cache.operations import Kind, Operations, Selected

Reached = Callable[[str, tuple[Selected, ...]], Sequence[FileChange]]
"""Context, what is read of it → those of some changes that it covers."""


class Doubts(msgspec.Struct, frozen=True):
    """What a build may have read otherwise than was planned, by the places of operations.

    `paths` are what changed while an operation was sent it, `unsure` are all operations that this concerns. `anew` are
    those that surely read the files as they are now, `contents` and `keys` those of the files as they are now.
    """

    paths: Mapping[int, tuple[str, ...]] = {}
    unsure: frozenset[int] = frozenset()
    anew: frozenset[int] = frozenset()
    contents: tuple[tuple[bytes, ...], ...] = ()
    keys: tuple[Key, ...] = ()


NONE = Doubts()


def doubts(operations: Operations, before: Reached, during: Reached, after: Reached) -> Doubts:
    """Which operations read what changed before, while, and after BuildKit was sent it; without contents and keys.

    One that reads of both, before and after, has read what neither the plan nor the files of now can tell.
    """
    early, moving, later = (readers(operations, each) for each in (before, during, after))
    paths = {place: found for place, found in early.items() if place in later} | moving
    return Doubts(paths, below(operations, paths), frozenset(early.keys() - paths.keys()))


def readers(operations: Operations, reached: Reached) -> dict[int, tuple[str, ...]]:
    """The operations that read what changed, with the paths."""
    found: dict[int, dict[str, None]] = {}
    for place, operation in enumerate(operations.all):
        for each in operation.inputs:
            source = operations.all[each.operation]
            if each.selected and source.kind is Kind.LOCAL:
                for change in reached(source.value("name"), each.selected):
                    found.setdefault(place, {})[change.path] = None
    return {place: tuple(paths) for place, paths in found.items()}


def below(operations: Operations, places: Mapping[int, object]) -> frozenset[int]:
    """These operations and all that are made of what they give."""
    found: set[int] = set()
    for place, operation in enumerate(operations.all):
        if place in places or any(each.operation in found for each in operation.inputs):
            found.add(place)
    return frozenset(found)


def contexts(operations: Operations) -> set[str]:
    """The contexts that something is read of, by their names."""
    sources = (operations.all[each.operation] for one in operations.all for each in one.inputs if each.selected)
    return {source.value("name") for source in sources if source.kind is Kind.LOCAL}


def read_anew(facts: BuildFacts, doubts: Doubts, known: Collection[Key]) -> frozenset[int]:
    """The readers whose verdict says that they read the files as they are now, not as they were planned."""
    found: set[int] = set()
    for step in facts.steps:
        place, hit = step.operation, step.verdict is Verdict.HIT
        if place in doubts.paths and step.confirmed and doubts.contents[place] != facts.contents[place]:
            then, now = facts.keys[place] in known, doubts.keys[place] in known
            if hit is not then and hit is now:
                found.add(place)
    return frozenset(found)


def doubted(facts: BuildFacts, doubts: Doubts, known: Collection[Key]) -> tuple[Key, ...]:
    """The keys under which the engine may have what the build made: those that were planned, and those of now."""
    places = [step.operation for step in facts.steps if step.ran and step.operation in doubts.unsure]
    keys = dict.fromkeys(key for place in places for key in (facts.keys[place], doubts.keys[place]))
    return tuple(key for key in keys if key not in known)
