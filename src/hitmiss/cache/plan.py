"""What the next build will do: `will hit`, `will run` or `depends` for each step, from keys alone.

Pure. A step hits where its key is known and its result still there; whatever runs above it does not matter. Where a
step reads what another one has yet to write, its key is open: it can be one of those that were seen for the same
reading (*candidates*), or a new one. Where nobody knows whether a key was seen, the step `depends` too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice, product

import msgspec

from hitmiss.build.model import Planned
from hitmiss.cache.facts import Key, Known
from hitmiss.cache.keys import Keys, stage_input
from hitmiss.cache.operations import Kind, Operations, StepRef

_MOST_OPTIONS = 24
"""So many keys of one step are followed up; the latest first."""


class Memory(msgspec.Struct, frozen=True):
    """What is known of a builder's cache.

    `known` are the keys that were seen, `lost` those among them whose result is gone. `shapes` leads to the keys that
    were seen for the same reading of a stage, and for any of that shape (`keys.py`). `doubted` are keys that may have
    been seen: nobody knows what BuildKit was sent for them. `alike` leads to the keys that the same steps had on
    another image of the same layers.
    """

    known: Mapping[Key, Known] = {}
    lost: Collection[Key] = frozenset()
    shapes: Mapping[Key, tuple[Key, ...]] = {}
    doubted: Collection[Key] = frozenset()
    alike: Mapping[Key, tuple[Key, ...]] = {}

    def holds(self, key: Key) -> bool:
        """Whether a step of this key would hit."""
        return key in self.known and key not in self.lost


class Fate(msgspec.Struct, frozen=True):
    """What is expected of one operation: `options` are the keys it can have, the likeliest first; `sure` says that it
    is the only one.
    """

    planned: Planned
    options: tuple[Key, ...]
    sure: bool


class Request(msgspec.Struct, frozen=True):
    """What was asked to run whatever the cache holds: all steps, or those of some stages (in lower case)."""

    everything: bool = False
    stages: frozenset[str] = frozenset()

    def includes(self, stage: str) -> bool:
        """Whether the steps of `stage` were asked to run."""
        return self.everything or stage.lower() in self.stages


def fates(keys: Keys, memory: Memory, request: Request = Request()) -> tuple[Fate, ...]:  # noqa: B008 - frozen
    """The fate of every operation, in their order."""
    asked = {place for (_, stage, _), place in keys.operations.steps.items() if request.includes(stage)}
    return tuple(_Planner(keys, memory, asked).all())


def planned(steps: Mapping[StepRef, int], fates: Sequence[Fate]) -> dict[StepRef, Planned]:
    """The plan by step."""
    return {step: fates[place].planned for step, place in steps.items()}


class _Planner:
    def __init__(self, keys: Keys, memory: Memory, asked: set[int]) -> None:
        self.keys = keys
        self.memory = memory
        self.asked = asked
        self.fresh: set[int] = set()
        """What runs by request, and what is put on it: BuildKit takes nothing from the cache for that either."""
        self.found: list[Fate] = []

    def all(self) -> list[Fate]:
        for place, operation in enumerate(self.keys.operations.all):
            if operation.kind in (Kind.LOCAL, Kind.IMAGE, Kind.REMOTE):
                self.found.append(self._source(place))
            else:
                self.found.append(self._work(place))
        self._spare()
        return self.found

    def _spare(self) -> None:
        """A result that is gone is made again only where somebody reads it: the image, or a step that runs."""
        read = [False] * len(self.found)
        last = set(range(len(self.found))) - {
            each.operation for operation in self.keys.operations.all for each in operation.inputs
        }
        for place in reversed(range(len(self.found))):
            fate = self.found[place]
            needed = read[place] or place in last
            if fate.planned is Planned.RUN and not needed and place not in self.fresh and self._lost(fate):
                self.found[place] = fate = msgspec.structs.replace(fate, planned=Planned.HIT)
            if fate.planned is not Planned.HIT:
                for each in self.keys.operations.all[place].inputs:
                    read[each.operation] = True

    def _lost(self, fate: Fate) -> bool:
        return fate.sure and fate.options[0] in self.memory.known

    def _source(self, place: int) -> Fate:
        """A context, an image: there is nothing above it. What a URL gives is known only once it was fetched."""
        key = self.keys.canonical(self.keys.of(place, ()))
        operation = self.keys.operations.all[place]
        if operation.kind is Kind.REMOTE and not any(name.endswith(".checksum") for name, _ in operation.own):
            return Fate(Planned.DEPENDS, (key,), False)
        # An image is asked of the engine anew for each plan: one without a digest is not there yet.
        identity = operation.value("identity")
        gone = operation.kind is Kind.IMAGE and not identity.startswith("sha256:") and key not in self.memory.known
        return Fate(Planned.RUN if gone else Planned.HIT, (key,), True)

    def _work(self, place: int) -> Fate:
        operation = self.keys.operations.all[place]
        inputs = tuple(dict.fromkeys(each.operation for each in operation.inputs))
        sure = all(self.found[each].sure for each in inputs)
        options: dict[Key, None] = {}
        readings: dict[Key, None] = {}
        shapes: dict[Key, None] = {}
        reads = self.keys.reads_stages(place)
        for chosen in islice(product(*(self.found[each].options for each in inputs)), _MOST_OPTIONS):
            combination = dict(zip(inputs, chosen, strict=True))
            options[self.keys.canonical(self.keys.of(place, combination))] = None
            if reads:
                readings[self.keys.reading(place, combination)] = None
                shapes[self.keys.shape(place, combination)] = None
        rewritten = reads and self._reads_rerun(place)
        put_on = (each.operation for each in operation.inputs if not each.selected)
        if (place in self.asked and not self._folder_on_what_stays(place)) or not self.fresh.isdisjoint(put_on):
            self.fresh.add(place)
            return Fate(Planned.RUN, tuple(options), sure)
        if sure and self.memory.holds(next(iter(options))) and not rewritten:
            return Fate(Planned.HIT, tuple(options), True)
        # What the same step read before is likelier than what another stage gave to another one.
        for shape in (*readings, *shapes):
            options |= dict.fromkeys(self.memory.shapes.get(shape, ()))
        options |= dict.fromkeys(self.memory.alike.get(next(iter(options)), ()))
        here = [key for key in options if self.memory.holds(key)]
        if not here:
            doubted = any(key in self.memory.doubted and key not in self.memory.known for key in options)
            fate = Planned.DEPENDS if doubted else Planned.RUN
            return Fate(fate, tuple(islice(options, _MOST_OPTIONS)), sure)
        ordered = dict.fromkeys([*here, *options])
        return Fate(Planned.DEPENDS, tuple(islice(ordered, _MOST_OPTIONS)), False)

    def _folder_on_what_stays(self, place: int) -> bool:
        """Whether it is a WORKDIR on nothing but images and other such: BuildKit takes that from the cache whatever was
        asked (seen on the engine, `tests/engine/test_eviction_rules.py`).
        """
        operation = self.keys.operations.all[place]
        if operation.kind is not Kind.FILE or not operation.value("actions").startswith('[{"Action":{"mkdir"'):
            return False
        below = [each.operation for each in operation.inputs if not each.selected]
        return all(self.found[each].planned is Planned.HIT for each in below)

    def _reads_rerun(self, place: int) -> bool:
        """Whether it reads a stage that was asked to run again: the same command may put out other bytes."""
        operation = self.keys.operations.all[place]
        return any(
            self._rerun(each.operation)
            for number, each in enumerate(operation.inputs)
            if stage_input(self.keys.operations, place, number)
        )

    def _rerun(self, place: int) -> bool:
        waiting, seen = [place], {place}
        while waiting:
            at = waiting.pop()
            if at in self.asked:
                return True
            for each in self.keys.operations.all[at].inputs:
                if each.operation not in seen:
                    seen.add(each.operation)
                    waiting.append(each.operation)
        return False


def remade(operations: Operations, hits: Collection[int], ran: Collection[int], lost: Collection[int]) -> set[int]:
    """The places of operations whose result was `lost` and is there again: somebody else made it meanwhile.

    A hit tells so where the result was read, by a step that ran or as the end of the build; one that nobody read is
    called a hit too. Whoever made it anew has read all that it stands on, so what hit of that is there as well.
    """
    everything = range(len(operations.all))
    read = set(everything) - {each.operation for operation in operations.all for each in operation.inputs}
    read.update(each.operation for place in ran for each in operations.all[place].inputs)
    found: set[int] = set()
    for place in reversed(everything):
        if place in read and place in hits and place in lost:
            found.add(place)
            read.update(each.operation for each in operations.all[place].inputs)
    return found


def settled(keys: Keys, hits: Collection[int], memory: Memory) -> tuple[tuple[Key, ...], dict[Key, Key]]:
    """The keys after the build, and what was learned: key → the key of the same bytes.

    `hits` are the places of operations that hit. One that hit under a new key read the same bytes as before, from a
    stage that was written anew, or stands on another image of the same layers.
    """
    found: list[Key] = []
    learned: dict[Key, Key] = {}
    for place in range(len(keys.operations.all)):
        key = keys.canonical(keys.of(place, found))
        if place in hits and key not in memory.known:
            alike = (each for each in memory.alike.get(key, ()) if memory.holds(each))
            same = _read_before(keys, place, found, memory) or next((known for known in alike if known != key), None)
            if same and same != key:
                learned[key] = same
                key = same
        found.append(key)
    return tuple(found), learned


def _read_before(keys: Keys, place: int, found: Sequence[Key], memory: Memory) -> Key | None:
    """The key under which a step that hit has read the same bytes before; None where it reads no stage, or where
    several steps had this shape and none of them was this one: then nobody knows whose bytes they are.
    """
    if not keys.reads_stages(place):
        return None
    if own := memory.shapes.get(keys.reading(place, found)):
        return own[0]
    others = memory.shapes.get(keys.shape(place, found), ())
    return others[0] if len(others) == 1 else None
