"""Placeholder while the real one is being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from hitmiss.build.model import Alteration, FileChange


def difference(load: Callable[[bytes], bytes | None], old_root: bytes, new_root: bytes) -> tuple[FileChange, ...]:
    old = msgspec.msgpack.decode(load(old_root) or b"\x80")
    new = msgspec.msgpack.decode(load(new_root) or b"\x80")
    return tuple(
        FileChange(p, Alteration.ADDED if p not in old else Alteration.REMOVED if p not in new else Alteration.MODIFIED)
        for p in sorted({*old, *new})
        if old.get(p) != new.get(p)
    )


def covered(changes: tuple[FileChange, ...], selected: Any) -> tuple[FileChange, ...]:
    return changes
