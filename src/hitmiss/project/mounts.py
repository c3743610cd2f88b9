"""The `--mount` flags of a RUN.

Pure. The rules are those of BuildKit's `instructions` package: comma-separated fields as in CSV, `type=bind` when
none is given.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

from hitmiss.project.syntax import Instruction


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount, its values as written (variables not filled in); `source_stage` is its `from=`, "" for none."""

    kind: str
    source_stage: str
    source: str
    target: str
    env: str | None = None


def mounts_of(instruction: Instruction) -> tuple[Mount, ...]:
    """The mounts of a RUN in their order. A malformed one comes out as far as it can be read: refusing it is BuildKit's
    part.
    """
    return tuple(_mount(value) for value in instruction.flag_values("mount"))


def _mount(text: str) -> Mount:
    try:
        fields = next(csv.reader([text], strict=True), [])
    except csv.Error:
        fields = text.split(",")
    values: dict[str, str] = {}
    for field in fields:
        key, _, value = field.partition("=")
        values[_SAME.get(key.lower(), key.lower())] = value
    return Mount(
        values.get("type", "bind").lower(), values.get("from", ""), values.get("source", ""), values.get("target", ""),
        values.get("env"),
    )  # fmt: skip


_SAME = {"src": "source", "dst": "target", "destination": "target"}
