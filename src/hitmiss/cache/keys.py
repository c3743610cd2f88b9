"""A key for each operation, made the way BuildKit makes its own.

Two operations have the same key where BuildKit would take the result of one for the other. Pure. How BuildKit does it:
`solver/llbsolver/ops/{exec,file}.go` (what counts by key and what by content) and `solver/edge.go` (one key per input);
measured in `tests/engine/test_operations.py` and `tests/matrix`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from hitmiss.cache.facts import BuildFacts, Key
from hitmiss.cache.operations import Kind, Operation, Operations, Selected

Content = Callable[[str, Selected], bytes]
"""The digest of what a selection covers of a context, by the context's name ("" is the main one)."""

_MODEL = 1
"""Counts up when keys come to be made otherwise: what was remembered under others then matches nothing."""

_encoder = msgspec.msgpack.Encoder()


def contents_of(operations: Operations, content: Content) -> tuple[tuple[bytes, ...], ...]:
    """Per operation and input the digest of the selected files; b"" for what does not come from a context on disk."""
    return tuple(
        tuple(
            b"".join(content(operations.all[each.operation].value("name"), selected) for selected in each.selected)
            if each.selected and operations.all[each.operation].kind is Kind.LOCAL
            else b""
            for each in operation.inputs
        )
        for operation in operations.all
    )


class Keys:
    """The keys of a build's operations, one after the other: what a stage put out may turn out to be known bytes.

    `salt` is the user's own: values that went into a key cannot be guessed back from it by others.
    """

    def __init__(
        self,
        operations: Operations,
        contents: Sequence[Sequence[bytes]],
        *,
        salt: bytes,
        same_as: Mapping[Key, Key],
    ) -> None:
        """`same_as` leads from keys to the key of another operation that was seen to put out the same bytes."""
        self.operations = operations
        self.contents = contents
        self._salt = salt
        self._same_as = same_as
        self._stages = {place: stage for (_, stage, _), place in operations.steps.items()}

    def all(self) -> tuple[Key, ...]:
        """The key of every operation, taking for granted that nothing but keys decides."""
        found: list[Key] = []
        for place in range(len(self.operations.all)):
            found.append(self.canonical(self.of(place, found)))
        return tuple(found)

    def of(self, place: int, keys: Sequence[Key] | Mapping[int, Key]) -> Key:
        """The key of one operation, from the `keys` of its inputs."""
        return self._make(place, keys)

    def shape(self, place: int, keys: Sequence[Key] | Mapping[int, Key]) -> Key:
        """The same, but for what it reads of stages and images: equal shapes may be the same bytes after all."""
        return self._make(place, keys, lambda _: "")

    def reading(self, place: int, keys: Sequence[Key] | Mapping[int, Key]) -> Key:
        """Its shape with the names of the stages: equal where one step reads one stage, whatever that wrote."""
        own = self._stages.get(place, "")
        return self._make(place, keys, lambda source: f"{own} < {self._stages.get(source, '')}")

    def canonical(self, key: Key) -> Key:
        """The first key that stands for the same bytes."""
        seen = {key}
        while (other := self._same_as.get(key)) is not None and other not in seen:
            seen.add(other)
            key = other
        return key

    def reads_stages(self, place: int) -> bool:
        """Whether bytes that another step writes decide about this operation."""
        return any(stage_input(self.operations, place, number) for number in range(len(self._at(place).inputs)))

    def _at(self, place: int) -> Operation:
        return self.operations.all[place]

    def _make(
        self, place: int, keys: Sequence[Key] | Mapping[int, Key], said: Callable[[int], str] | None = None
    ) -> Key:
        """`said` stands for the key of what is read of a stage, by its operation."""
        operation = self._at(place)
        own: list[object] = [_MODEL, operation.kind.value, operation.platform, operation.own, said is not None]
        for number, each in enumerate(operation.inputs):
            if not each.selected:
                own.append(("key", keys[each.operation]))
            elif self.operations.all[each.operation].kind is Kind.LOCAL:
                own.append(("content", self.contents[place][number]))
            else:
                unsaid = said if said and stage_input(self.operations, place, number) else None
                own.append(("stage", unsaid(each.operation) if unsaid else keys[each.operation], each.selected))
        return blake2b(_encoder.encode(own), digest_size=16, key=self._salt).digest()


def stage_input(operations: Operations, place: int, number: int) -> bool:
    """Whether that input counts by bytes that a stage or an image holds; the text of a heredoc is known."""
    each = operations.all[place].inputs[number]
    source = operations.all[each.operation]
    written_here = source.kind is Kind.FILE and not source.inputs
    return bool(each.selected) and source.kind is not Kind.LOCAL and not written_here


def shapes_of(past: Iterable[BuildFacts], *, salt: bytes) -> dict[Key, tuple[Key, ...]]:
    """For every operation of past builds that read a stage: its reading, and its shape → the keys that were seen for
    it, the latest build's first.
    """
    found: dict[Key, dict[Key, None]] = {}
    for build in past:
        keys = Keys(build.operations, build.contents, salt=salt, same_as={})
        for step in build.steps:
            if step.operation < 0 or not step.confirmed or build.keys[step.operation] in build.doubted:
                continue
            if keys.reads_stages(step.operation):
                for shape in (keys.reading(step.operation, build.keys), keys.shape(step.operation, build.keys)):
                    found.setdefault(shape, {})[build.keys[step.operation]] = None
    return {shape: tuple(known) for shape, known in found.items()}
