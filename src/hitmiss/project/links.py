"""Where the sources of a COPY lead through symbolic links, which BuildKit follows in the source itself.

It reads links and lists folders on disk, nothing else.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from hitmiss.project.patterns import clean, glob, has_wildcards
from hitmiss.project.selection import Follow

_MOST_LINKS: Final = 40
"""Links followed for one source before it counts as a circle."""

Parts = tuple[str, ...]


def follower(folders: Mapping[str, Path]) -> Follow:
    """A `Follow` for contexts on disk (name → folder). Links lead no further than the context, as in BuildKit."""

    def follow(context: str, parts: Parts) -> Iterator[Parts]:
        root = folders.get(context)
        return _follow(str(root), parts, _MOST_LINKS) if root and parts else iter(())

    return follow


def _follow(root: str, parts: Parts, left: int) -> Iterator[Parts]:
    """Every path that `parts` means through a link somewhere in it, in parts; what lies behind two links too."""
    found: list[Parts] = [()]
    in_pattern = False
    for at, part in enumerate(parts):
        in_pattern = in_pattern or has_wildcards(part)
        reached: list[Parts] = []
        for above in found:
            for name in _names(root, above, part):
                here = (*above, name)
                target = _target(root, here)
                if target is None:
                    reached.append(here)
                elif left and not (in_pattern and at + 1 < len(parts)):
                    # A pattern does not go on behind a link; the last thing that it matches is followed.
                    behind = (*target, *parts[at + 1 :])
                    yield behind
                    yield from _follow(root, behind, left - 1)
        found = reached


def _names(root: str, above: Parts, part: str) -> list[str]:
    """The names in the folder `above` that `part` means: itself, or what the pattern matches there."""
    if not has_wildcards(part):
        return [part]
    try:
        test = glob(part)
        with os.scandir("/".join((root, *above))) as entries:
            return [entry.name for entry in entries if test(entry.name)]
    except (OSError, ValueError):  # a pattern that Go refuses, or a NUL byte, which no path has
        return []


def _target(root: str, parts: Parts) -> Parts | None:
    """Where the link at `parts` points, from the context's root; None where there is no link."""
    try:
        text = Path(root, *parts).readlink().as_posix()
    except (OSError, ValueError):
        return None
    place = text if text.startswith("/") else posixpath.join("/", *parts[:-1], text)
    return tuple(part for part in clean(place).split("/") if part)
