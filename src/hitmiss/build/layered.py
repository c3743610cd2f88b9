"""The layers of an image matched to the steps that made them, and two images compared. Pure.

What an image is made of is told by its history, one entry for each instruction, as BuildKit writes it
(`dockerfile2llb`, `commitToHistory`): `RUN |1 A=1 /bin/sh -c make # buildkit`, flags left out; those that change no
file make no layer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

import msgspec

from hitmiss.build.model import BuiltImage, Layer, Step

BASE = "base image"
_MAKES_LAYER = re.compile(r"(RUN|COPY|ADD|WORKDIR)\b", re.IGNORECASE)


class Entry(msgspec.Struct, frozen=True):
    """One line of an image's history: what made it, the size of its files (None: not told), whether it has no layer."""

    text: str
    size: int | None = None
    empty: bool = False

    @property
    def keyword(self) -> str:
        """The instruction that makes a layer; "" for all others."""
        found = _MAKES_LAYER.match(self.text)
        return found[1].upper() if found else ""


class Told(msgspec.Struct, frozen=True):
    """What was found out about one image: its history, the oldest first, and what a registry keeps of each layer.

    `packed` is None where it is not known; `configuration` is the size of the image's configuration.
    """

    platform: str = ""
    digest: str = ""
    history: tuple[Entry, ...] = ()
    packed: tuple[int, ...] | None = None
    configuration: int = 0


def layered(told: Told, steps: Sequence[Step], bake_target: str = "") -> BuiltImage:
    """The image with its layers; `steps` are those that it was made by, the oldest first, its base before them."""
    base = next((step for step in steps if _keyword(step) == "FROM"), None)
    matched, left = _matched(told.history, [step for step in steps if step is not base])
    rest = list(told.packed) if told.packed is not None else None
    layers: list[Layer] = []
    for entry, step in reversed(matched):
        packed = None if rest is None else 0 if entry.empty else rest.pop() if rest else None
        layers.append(Layer(step.instruction, step.id, entry.size, packed))
    if left or rest:
        size = _sum([entry.size for entry in left])
        layers.append(Layer(base.instruction if base else BASE, base.id if base else "", size, _sum(rest)))
    layers.reverse()
    size = _sum([entry.size for entry in told.history]) if told.history else None
    packed = None if told.packed is None else sum(told.packed) + told.configuration
    return BuiltImage(told.platform, bake_target, told.digest, size, packed, tuple(layers))


def compared(image: BuiltImage, before: BuiltImage, number: int) -> BuiltImage:
    """The image with what has grown since `before`, the one of build `number`."""
    pairs = _pairs(image.layers, before.layers)
    kept = {id(old) for old in pairs if old}
    layers = tuple(
        msgspec.structs.replace(layer, grown=_more(layer, old)) for layer, old in zip(image.layers, pairs, strict=True)
    )
    gone = tuple(msgspec.structs.replace(old, grown=None) for old in before.layers if id(old) not in kept)
    known = (image.size is None) == (before.size is None) and image.bytes is not None and before.bytes is not None
    grown = (image.bytes or 0) - (before.bytes or 0) if known else None
    return msgspec.structs.replace(image, layers=layers, against=number, grown=grown, gone=gone)


def counterpart(image: BuiltImage, before: Sequence[BuiltImage]) -> BuiltImage | None:
    """The one of these that was built for the same platform."""
    return next((each for each in before if each.platform == image.platform), None)


def _matched(history: Sequence[Entry], steps: Sequence[Step]) -> tuple[list[tuple[Entry, Step]], list[Entry]]:
    """Entries with their steps, the oldest first, and the entries below them, which are the base's.

    From the end: there the image is surely what the steps made. A WORKDIR that makes no folder has no step, or one that
    left no entry.
    """
    waiting, left = list(steps), list(history)
    found: list[tuple[Entry, Step]] = []
    while left and waiting:
        entry, step = left[-1], waiting[-1]
        if not entry.keyword:
            left.pop()
        elif entry.keyword == _keyword(step):
            found.append((left.pop(), waiting.pop()))
        elif entry.keyword == "WORKDIR" and (entry.empty or not entry.size):
            left.pop()
        elif _keyword(step) == "WORKDIR":
            waiting.pop()
        else:
            break
    return found[::-1], left


def _pairs(layers: Sequence[Layer], before: Sequence[Layer]) -> list[Layer | None]:
    """For each layer the one that it was before: made by the same instruction, else at the same step."""
    free = list(before)
    found: list[Layer | None] = []
    for layer in layers:
        same = next((old for old in free if (old.step, old.text) == (layer.step, layer.text)), None)
        same = same or next((old for old in free if old.text == layer.text), None)
        found.append(same)
        free = [old for old in free if old is not same]
    for place, (layer, known) in enumerate(zip_longest(layers, found)):
        if known is None and layer is not None:
            there = (old for old in free if old.step == layer.step and _word(old.text) == _word(layer.text))
            found[place] = next(there, None)
            free = [old for old in free if old is not found[place]]
    return found


def _more(layer: Layer, old: Layer | None) -> int | None:
    if old is None or layer.bytes is None:
        return layer.bytes
    if (layer.size is None) != (old.size is None) or old.bytes is None:
        return None
    return layer.bytes - old.bytes


def _keyword(step: Step) -> str:
    return _word(step.instruction)


def _word(text: str) -> str:
    return text.partition(" ")[0].upper()


def _sum(sizes: Sequence[int | None] | None) -> int | None:
    known = [size for size in sizes or () if size is not None]
    return sum(known) if sizes is not None and len(known) == len(sizes) else None
