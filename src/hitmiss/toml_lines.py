"""Where a key stands in a TOML text.

Pure: text in, a line out. Python's parser keeps no positions; so it is asked how much of the text it takes until the
key is there. What it takes for a key is then never in doubt, be it dotted, quoted, in an inline table, or a word in a
comment.
"""

from __future__ import annotations

import bisect
import tomllib
from collections.abc import Sequence
from itertools import product
from typing import Any

_ENDS = tuple(string + rest for string, rest in product(("", '"""', "'''"), ("", "]", "}", "]]", "]}", "}]", "]]]")))
"""What may be missing where a text is cut off between two lines."""

Path = Sequence[str | int]
"""The keys, and places in lists, that lead to a value."""


def line_of(text: str, path: Path) -> int:
    """The line (from 1) on which what `path` leads to begins, in a text that is TOML.

    Of a path that is only partly there it is the line of that part; 0 when nothing is there.
    """
    lines = text.split("\n")
    for length in range(len(path), 0, -1):
        found = bisect.bisect_left(range(len(lines)), True, key=lambda at: _has(lines[: at + 1], path[:length]))
        if found < len(lines):
            return found + 1
    return 0


def _has(lines: list[str], path: Path) -> bool:
    value = _read(lines)
    for part in path:
        if isinstance(part, int):
            there = isinstance(value, list) and part < len(value)
        else:
            there = isinstance(value, dict) and part in value
        if not there:
            return False
        value = value[part]
    return True


def _read(lines: list[str]) -> Any:
    """The value of as many of these lines, from the first, as can be read."""
    for count in range(len(lines), 0, -1):
        text = "\n".join(lines[:count]) + "\n"
        for end in _ENDS:
            try:
                return tomllib.loads(text + end)
            except tomllib.TOMLDecodeError:
                continue
    return {}
