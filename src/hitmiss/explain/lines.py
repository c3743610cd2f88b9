"""Lines made of parts that have a role, and the pieces that reasons are put together from. Values only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

from hitmiss.build.model import Alteration, FileChange
from hitmiss.symbols import plain, size

MOST_FILES = 200
_MOST_WORDS = 4000
"""Longer texts are not compared word by word."""
_CONTEXT = 12
"""Words (and blanks) of a long text that are shown beside what differs."""


class Role(StrEnum):
    """What a piece of text is: the screen gives each a look, a plain terminal may give none."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    OLD_WORDS = "old-words"
    NEW_WORDS = "new-words"
    PATH = "path"
    STEP = "step"
    HIT = "hit"
    MISS = "miss"
    FAILED = "failed"
    WARNING = "warning"


class Part(NamedTuple):
    """A piece of a line; `step` is the id of the step that it names, "" for none."""

    text: str
    role: Role = Role.PLAIN
    step: str = ""


Line = tuple[Part, ...]


def text_of(line: Line) -> str:
    """The line without its roles."""
    return "".join(part.text for part in line)


def say(text: str, role: Role = Role.PLAIN) -> Line:
    return (Part(text, role),)


def short_digests(text: str) -> str:
    """Digests cut to the length that people compare."""
    return re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]+", r"\1", text) if "sha256:" in text else text


def was_now(old: str, new: str) -> Iterator[Line]:
    """Two texts, what differs between them marked word by word."""
    was, now = (re.split(r"(\s+)", short_digests(plain(text))) for text in (old, new))
    before: list[Part] = [Part("  was  ", Role.DIM)]
    after: list[Part] = [Part("  now  ", Role.DIM)]
    if len(was) + len(now) > _MOST_WORDS:
        before.append(Part("".join(was[:_CONTEXT]) + " …"))
        after.append(Part("".join(now[:_CONTEXT]) + " …"))
    else:
        for kind, i, j, k, m in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
            if kind == "equal":
                same = Part(_middle_cut(was[i:j], first=i == 0, last=j == len(was)))
                before.append(same)
                after.append(same)
            else:
                before.append(Part("".join(was[i:j]), Role.OLD_WORDS))
                after.append(Part("".join(now[k:m]), Role.NEW_WORDS))
    for line in (before, after):
        yield tuple(part for part in line if part.text)


def _middle_cut(words: list[str], *, first: bool, last: bool) -> str:
    """What is alike in a long text, but for the words beside the differences."""
    if len(words) <= 3 * _CONTEXT:
        return "".join(words)
    head = [] if first else words[:_CONTEXT]
    tail = [] if last else words[-_CONTEXT:]
    if first and not last:
        head = words[:4]
    return "".join([*head, " … ", *tail])


# Files

SORTS = {Alteration.ADDED: "added", Alteration.REMOVED: "removed", Alteration.RENAMED: "renamed"}
_SIGNS = {
    Alteration.ADDED: Part("+ ", Role.ADDED),
    Alteration.REMOVED: Part("- ", Role.REMOVED),
    Alteration.RENAMED: Part("→ ", Role.CHANGED),
}
_CHANGED = Part("~ ", Role.CHANGED)


def count_words(files: tuple[FileChange, ...], since: str = "") -> str:
    """`1 file changed`, `3 files added`, `5 files changed since build 11 (1 added, 1 removed)`."""
    sorts = Counter(SORTS.get(file.change, "changed") for file in files)
    what = "1 file" if len(files) == 1 else f"{len(files):,} files"
    if len(sorts) == 1:
        return f"{what} {next(iter(sorts))}{since}"
    named = ", ".join(f"{sorts[sort]:,} {sort}" for sort in SORTS.values() if sorts[sort])
    return f"{what} changed{since} ({named})"


def sign_of(change: FileChange | None) -> Part:
    """`+ `, `- `, `~ ` or `→ `; blank for a file that is as it was."""
    return _SIGNS.get(change.change, _CHANGED) if change else Part("  ")


def change_words(change: FileChange) -> str:
    """How it changed: `+12 B`, `link`, `mode 644 → 755`, `renamed from a.txt`."""
    old, new = plain(change.old), plain(change.new)
    grown = f"{'+' if change.grown > 0 else '−'}{size(abs(change.grown))}" if change.grown else ""
    words = {
        Alteration.ADDED: new,
        Alteration.REMOVED: old,
        Alteration.RENAMED: f"renamed from {old}" if old else "renamed",
        Alteration.MODE: f"mode {old} → {new}",
        Alteration.LINK: f"link {old} → {new}",
        Alteration.KIND: f"{old} → {new}",
        Alteration.MODIFIED: "" if grown else "same size",
    }.get(change.change, "")
    parts = [words, grown, f"in context {plain(change.context)}" if change.context else ""]
    return "  ".join(part for part in parts if part)


def file_lines(files: tuple[FileChange, ...]) -> Iterator[Line]:
    """One line for each path that differs; after `MOST_FILES` how many more there are."""
    shown = files[:MOST_FILES]
    column = min(max((len(plain(file.path)) for file in shown), default=0), 30)
    for file in shown:
        sign = sign_of(file)
        yield (
            Part("  "),
            sign,
            Part(f"{plain(file.path):<{column}}", Role.PATH),
            Part(f"  {change_words(file)}", Role.DIM),
        )
    if len(files) > MOST_FILES:
        yield say(f"  and {len(files) - MOST_FILES:,} more", Role.DIM)
