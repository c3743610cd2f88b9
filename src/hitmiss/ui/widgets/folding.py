"""Lines of parts folded at a width, between words where that can be: arithmetic for the views, without a screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hitmiss.explain import Line, Part
from hitmiss.ui.widgets.line_layout import width_at_most, width_of, window

_WORDS = re.compile(r"\s+|\S+")
_DEEPEST = 8


def fold(line: Line, width: int) -> list[Line]:
    """The line's rows, none wider than `width`; those after the first are indented like what the line begins with."""
    text = "".join(part.text for part in line)
    if width_at_most(text) <= width or width < 4:
        return [line]
    indent = min(_hanging(text), width // 3)
    rows: list[list[Part]] = [[]]
    room = width
    for part in _pieces(line):
        cells = width_of(part.text)
        blank = part.text.isspace()
        if cells > room and not blank and rows[-1]:
            _strip_end(rows[-1])
            rows.append([Part(" " * indent)] if indent else [])
            room = width - indent
        if blank and (cells > room or (len(rows) > 1 and not _has_words(rows[-1]))):
            continue
        while width_of(part.text) > room:  # a word that is wider than a whole row
            _, _, end = window(part.text, 0, room)
            end = max(end, 1)
            rows[-1].append(part._replace(text=part.text[:end]))
            part = part._replace(text=part.text[end:])
            rows.append([Part(" " * indent)] if indent else [])
            room = width - indent
        rows[-1].append(part)
        room -= width_of(part.text)
    return [_joined(row) for row in rows if row]


def _hanging(text: str) -> int:
    """How far the first word behind the signs and labels of a line stands from its start."""
    found = re.match(r"\s*(?:[^\w\s]\s+|was\s+|now\s+)?", text)
    return min(found.end(), _DEEPEST) if found else 0


def _pieces(line: Line) -> Iterator[Part]:
    for part in line:
        for piece in _WORDS.findall(part.text):
            yield part._replace(text=piece)


def _has_words(row: list[Part]) -> bool:
    return any(not part.text.isspace() for part in row)


def _strip_end(row: list[Part]) -> None:
    while row and row[-1].text.isspace() and len(row) > 1:
        row.pop()


def _joined(row: list[Part]) -> Line:
    """Pieces of one role put together again."""
    parts: list[Part] = []
    for part in row:
        if parts and parts[-1][1:] == part[1:]:
            parts[-1] = part._replace(text=parts[-1].text + part.text)
        else:
            parts.append(part)
    return tuple(parts)
