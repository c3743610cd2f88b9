"""The `--mount` flags of a RUN.

Pure. The rules are those of BuildKit's `instructions` package: comma-separated fields as in CSV, `type=bind` when
none is given.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field

from hitmiss.project.syntax import Instruction


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount, its values as written (variables not filled in); `source_stage` is its `from=`, "" for none.

    `options` are all its fields by their plain names, "true" for a bare one; of `ro` and `rw` only `readonly` is left.
    """

    kind: str
    source_stage: str
    source: str
    target: str
    env: str | None = None
    options: dict[str, str] = field(default_factory=dict, hash=False)


def mounts_of(instruction: Instruction) -> tuple[Mount, ...]:
    """The mounts of a RUN in their order. A malformed one comes out as far as it can be read: refusing it is BuildKit's
    part.
    """
    return tuple(mount_of(value) for value in instruction.flag_values("mount"))


def mount_of(text: str) -> Mount:
    """The mount that the value of one flag speaks of."""
    try:
        fields = next(csv.reader([text], strict=True), [])
    except csv.Error:
        fields = text.split(",")
    values: dict[str, str] = {}
    for word in fields:
        key, sep, value = word.partition("=")
        name = _SAME.get(key.lower(), key.lower())
        if name == "readwrite":
            name, value, sep = "readonly", "false" if not sep or value.lower() in _TRUE else "true", "="
        values[name] = value if sep else "true"
    return Mount(
        values.get("type", "bind").lower(), values.get("from", ""), values.get("source", ""), values.get("target", ""),
        values.get("env"), values,
    )  # fmt: skip


_SAME = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_TRUE = frozenset({"1", "t", "true"})
