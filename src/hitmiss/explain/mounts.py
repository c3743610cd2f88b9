"""What a RUN has mounted, and what of that counts for its cache: a paragraph of lines."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from hitmiss.build.model import Step
from hitmiss.explain.lines import Line, Part, Role, say
from hitmiss.project.mounts import Mount, mount_of
from hitmiss.symbols import plain, size

_FLAGS = re.compile(r"RUN\s+((?:--\S+\s+)+)", re.IGNORECASE)
_MOUNT = re.compile(r"--mount=(\S+)", re.IGNORECASE)
_REMARKS = {
    "cache": "kept from build to build, in no key",
    "secret": "its value is in no key",
    "ssh": "in no key",
    "tmpfs": "empty at first, and thrown away",
}


def mounts(step: Step, caches: Mapping[str, int] | None = None) -> tuple[Line, ...]:
    """The mounts of a step; none where it has none. `caches` are the cache mounts that there are: id → bytes."""
    flags = _FLAGS.match(step.instruction)
    found = [mount_of(text) for text in _MOUNT.findall(flags[1])] if flags else []
    if not found:
        return ()
    rows = [(each.kind, plain(_name(each)), _remark(each, caches)) for each in found]
    kinds, names = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [
        (
            Part(f"  {kind:<{kinds}}  ", Role.DIM),
            Part(f"{name:<{min(names, _WIDEST)}}", Role.PATH),
            Part(f"  {said}", Role.DIM),
        )
        for kind, name, said in rows
    ]
    return (say("Mounted while it runs", Role.STRONG), *lines)


_WIDEST = 30
"""Longer names push what is said of them to the right."""


def cache_id(mount: Mount) -> str:
    """By what the engine knows a cache mount: its id, or its target where it has none."""
    return mount.options.get("id") or posixpath.normpath(mount.target)


def _name(mount: Mount) -> str:
    if mount.kind in ("secret", "ssh"):
        return mount.options.get("id") or posixpath.basename(mount.target) or "default"
    if mount.kind != "bind":
        return mount.target
    place = posixpath.normpath(mount.source or "/").lstrip("/") or "."
    return f"{place} of {mount.source_stage}" if mount.source_stage else place


def _remark(mount: Mount, caches: Mapping[str, int] | None) -> str:
    if mount.kind == "bind":
        return "what is in it counts"
    said = _REMARKS.get(mount.kind, "")
    if mount.kind != "cache" or caches is None:
        return said
    held = caches.get(cache_id(mount))
    return f"{'empty' if held is None else size(held)}, {said}"
