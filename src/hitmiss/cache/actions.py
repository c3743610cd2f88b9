"""What a COPY, ADD or WORKDIR does to files, told apart by what decides it: its own instruction, or what is above it.

Pure. The words are those of `canonical.Operated.file`.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from hitmiss.cache.operations import Operation


class Actions(msgspec.Struct, frozen=True):
    """The actions of a file operation.

    `folder` is where they write, which WORKDIR can decide; `user` owns the folder that a WORKDIR makes, and is USER's;
    `timestamp` is that of what is made, in ns since 1970 (-1: when it is made). `rest` is what the instruction says.
    The numbers of the inputs are left out: they count from another one where a step is put on scratch.
    """

    folder: str = ""
    user: str = ""
    timestamp: int = -1
    rest: str = ""


def read(operation: Operation) -> Actions:
    """The actions of an operation; none for one that is not on files."""
    folder = user = ""
    timestamp = -1
    rest: list[object] = []
    for each in json.loads(operation.value("actions") or "[]"):
        ((name, action),) = each["Action"].items()
        folder = action.pop("dest" if name == "copy" else "path", "")
        if name == "mkdir":
            user = _user(action.pop("owner", {}))
            timestamp = action.pop("timestamp", -1)
        rest.append((name, action))
    return Actions(folder, user, timestamp, json.dumps(rest, sort_keys=True))


def _user(owner: dict[str, Any]) -> str:
    """An owner as USER has it."""
    return ":".join(_name(owner[part]["User"]) for part in ("user", "group") if part in owner) or "root"


def _name(found: dict[str, Any]) -> str:
    return str(found.get("byName", {}).get("name") or found.get("byId") or "root")
