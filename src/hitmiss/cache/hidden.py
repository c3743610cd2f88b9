"""Takes what nobody may see out of operations and arguments before a key is made of them or anything is kept. Pure.

In the place of a value stands a keyed hash of it: alike values are still alike, so that a change is seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from hitmiss.build.model import Cause
from hitmiss.build.redact import Redactor
from hitmiss.cache.operations import Operation, Operations
from hitmiss.settings import looks_secret


class Hider:
    """Hides the values of secrets, and of arguments and variables whose name looks secret."""

    def __init__(self, secrets: Iterable[str], salt: bytes) -> None:
        self._secrets = sorted({value for value in secrets if value.strip()}, key=len, reverse=True)
        self._redactor = Redactor(self._secrets)
        self._salt = salt

    def beside(self, dockerfiles: Sequence[str]) -> Hider:
        """The same for what is kept of a build of these Dockerfiles.

        What a Dockerfile says itself lies in the clear beside it. Hidden there, a password `build` would make of
        `AS build` what no longer parses, and of a line that nobody touched another one.
        """
        hidden = [value for value in self._secrets if not any(value in text for text in dockerfiles)]
        return self if len(hidden) == len(self._secrets) else Hider(hidden, self._salt)

    def text(self, text: str) -> str:
        """A text for people, without the secrets."""
        return self._redactor.text(text)

    def cause(self, cause: Cause) -> Cause:
        """A cause for people: without the secrets in the texts that differ."""
        old, new = (each if each is None else self.text(each) for each in (cause.old, cause.new))
        same = old == cause.old and new == cause.new
        return cause if same else msgspec.structs.replace(cause, old=old, new=new)

    def arguments(self, given: Mapping[str, str]) -> dict[str, str]:
        """Build arguments, the secret ones as hashes."""
        return {name: self._value(name, value) for name, value in given.items()}

    def operations(self, operations: Operations) -> Operations:
        """The operations, with hashes where a secret stood."""
        return msgspec.structs.replace(operations, all=tuple(map(self._operation, operations.all)))

    def digest(self, value: str) -> str:
        """What stands for `value`."""
        made = blake2b(value.encode("utf-8", "surrogateescape"), digest_size=16, key=self._salt)
        return f"hidden:{made.hexdigest()}"

    def _operation(self, operation: Operation) -> Operation:
        own = tuple((name, self._own(name, value)) for name, value in operation.own)
        return operation if own == operation.own else msgspec.structs.replace(operation, own=own)

    def _own(self, name: str, value: str) -> str:
        if name.startswith("env ") and looks_secret(name[4:]):
            return self.digest(value)
        return self._without(value)

    def _value(self, name: str, value: str) -> str:
        return self.digest(value) if looks_secret(name) else self._without(value)

    def _without(self, text: str) -> str:
        clean = self._redactor.text(text)
        if clean == text:
            return text
        # The hash tells one hidden text from another, which the dots in its place do not.
        return clean + json.dumps(self.digest(text))
