"""File name patterns as Go's programs read them: `path.Match` and moby's `patternmatcher`.

Pure. Both differ from Python's `fnmatch` and from .gitignore, and from each other: `path.Match` (sources of COPY and
ADD) knows no `**`, and `patternmatcher` (.dockerignore, --exclude, --parents) is a list of rules in which later ones
win. The rules were read in moby/patternmatcher and Go's standard library; `tests/engine/test_ignore.py` holds them
against an engine.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import Final

from hitmiss.project.words import SPACE

Match = Callable[[str], bool]

_GO_ESCAPED: Final = frozenset(".+()|{}$")
_SAME_ESCAPES: Final = frozenset("aAbBdDfnrStvwWs")
_POSIX_CLASSES: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


class PatternError(ValueError):
    """A pattern that Go refuses."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"syntax error in pattern {pattern!r}")
        self.pattern = pattern


def clean(path: str) -> str:
    """The shortest equal path, as Go's `path.Clean`; "." for an empty one."""
    short = posixpath.normpath(path)
    return short[1:] if short.startswith("//") else short


def has_wildcards(text: str) -> bool:
    """Whether `path.Match` would take `text` for more than a plain name."""
    return re.search(r"[*?\[]", re.sub(r"\\.", "", text, flags=re.DOTALL)) is not None


def glob(pattern: str) -> Match:
    """A test for whole paths by the rules of Go's `path.Match`; raises `PatternError`."""
    return re.compile(_glob_expression(pattern), re.DOTALL).fullmatch  # type: ignore[return-value]


def crosses_folders(part: str) -> bool:
    """Whether a part of a `path.Match` pattern can match across a slash: a class such as `[^a]` takes one.

    At the start of the part it cannot, for two slashes never meet. Raises `PatternError`.
    """
    at = 0
    while (at := _next_class(part, at)) >= 0:
        piece, end = _glob_class(part, at + 1)
        if at and re.fullmatch(piece, "/"):
            return True
        at = end
    return False


def _next_class(pattern: str, at: int) -> int:
    """Where the next class starts; -1 when there is none."""
    while at < len(pattern) and pattern[at] != "[":
        at += 1 + (pattern[at] == "\\")
    return at if at < len(pattern) else -1


def _glob_expression(pattern: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[":
            piece, at = _glob_class(pattern, at)
            out.append(piece)
        else:
            if char == "\\":
                char, at = _escaped(pattern, at)
            out.append(re.escape(char))
    return "".join(out)


def _glob_class(pattern: str, at: int) -> tuple[str, int]:
    """The class that starts behind `[`; a range that runs backwards holds nothing."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    count = 0
    while not (pattern[at : at + 1] == "]" and count):
        low, at = _class_char(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _class_char(pattern, at + 1)
        count += 1
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' * negated}{''.join(ranges)}]", at + 1


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char in ("", "-", "]"):
        raise PatternError(pattern)
    found, after = _escaped(pattern, at + 1) if char == "\\" else (char, at + 1)
    if after >= len(pattern):
        raise PatternError(pattern)
    return found, after


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern):
        raise PatternError(pattern)
    return pattern[at], at + 1


class Rule:
    """One pattern of a `patternmatcher` list; `exception` is true for one with `!` in front."""

    __slots__ = ("exception", "matches", "pattern")

    def __init__(self, pattern: str) -> None:
        text = clean(pattern)
        self.exception = text.startswith("!")
        self.pattern = text[1:] if self.exception else text
        if self.exception and not self.pattern:
            raise PatternError(pattern)
        _glob_expression(self.pattern)
        self.matches: Match = _rule_match(self.pattern)

    def may_match_under(self, folder: str) -> bool:
        """Whether the pattern itself can match something in `folder`; true where that is not plain."""
        parts, names = self.pattern.split("/"), folder.split("/")
        for part, name in zip(parts, names, strict=False):
            if "**" in part or set(part) & set("[\\"):
                return True
            if not glob(part)(name):
                return False
        return len(parts) > len(names)


def _rule_match(pattern: str) -> Match:
    """How moby's matcher reads one pattern: `**` is any number of folders, everything else much like `path.Match`."""
    kind, expression = _rule_expression(pattern)
    if kind == "exact":
        return pattern.__eq__
    if kind == "prefix":
        start = pattern[:-2]
        return lambda path: path.startswith(start)
    if kind == "suffix":
        end = pattern[2:]
        bare = end[1:] if end.startswith("/") else None
        return lambda path: path.endswith(end) or path == bare
    try:
        return re.compile(expression, re.ASCII).fullmatch  # type: ignore[return-value]
    except re.error:
        raise PatternError(pattern) from None


def _rule_expression(pattern: str) -> tuple[str, str]:
    """The kind of match (exact, prefix, suffix, regexp) and, for the last, the expression."""
    out: list[str] = []
    kind = "exact"
    at = 0
    while at < len(pattern):
        char = pattern[at]
        first = at == 0
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 1
            at += pattern[at : at + 1] == "/"
            if at < len(pattern):
                out.append("(.*/)?")
                kind = "regexp"
            elif kind == "exact":
                kind = "prefix"
            else:
                out.append(".*")
                kind = "regexp"
            if first:
                kind = "suffix"
            continue
        if char in "*?":
            out.append("[^/]*" if char == "*" else "[^/]")
        elif char in _GO_ESCAPED:
            out.append("\\" + char)
            continue
        elif char == "\\":
            out.append(char + pattern[at : at + 1])
            at += 1
        else:
            out.append(char)
            if char not in "[]":
                continue
        kind = "regexp"
    return kind, _from_go("".join(out)) if kind == "regexp" else ""


def _from_go(expression: str) -> str:
    """A Go regular expression, of the kind made here, for Python: the same but for escapes and classes."""
    out: list[str] = []
    at = 0
    while at < len(expression):
        char = expression[at]
        if char == "\\":
            out.append(_go_escape(expression, at))
            at += 2
        elif char == "[":
            piece, at = _go_class(expression, at + 1)
            out.append(piece)
        else:
            out.append(char if char in "(.*/)?+^" else re.escape(char))
            at += 1
    return "".join(out)


def _go_escape(expression: str, at: int) -> str:
    char = expression[at + 1 : at + 2]
    if char.isascii() and char.isalnum():
        if char == "z":
            return r"\Z"
        if char not in _SAME_ESCAPES:
            raise PatternError(expression)
        # Python's own \s has the vertical tab too.
        return {"s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]"}.get(char, "\\" + char)
    if not char.isascii() or char in ("", "_"):
        raise PatternError(expression)
    return re.escape(char)


def _go_class(expression: str, at: int) -> tuple[str, int]:
    """A class of a Go expression, its members written so that Python cannot read more into them."""
    negated = expression[at : at + 1] == "^"
    at += negated
    members: list[str] = []
    first = True
    while first or expression[at : at + 1] != "]":
        first = False
        if at >= len(expression):
            raise PatternError(expression)
        if found := re.compile(r"\[:(\^?)(\w+):\]").match(expression, at):
            if found[1] or found[2] not in _POSIX_CLASSES:
                raise PatternError(expression)
            members.append(_POSIX_CLASSES[found[2]])
            at = found.end()
            continue
        low, at, single = _go_member(expression, at)
        if single and expression[at : at + 1] == "-" and expression[at + 1 : at + 2] not in ("", "]"):
            high, at, single = _go_member(expression, at + 1)
            if not single:
                raise PatternError(expression)
            members.append(f"{low}-{high}")
        else:
            members.append(low)
    return f"[{'^' * negated}{''.join(members)}]", at + 1


def _go_member(expression: str, at: int) -> tuple[str, int, bool]:
    """One member of a class: its text, where it ends, whether it is a single character."""
    char = expression[at]
    if char != "\\":
        return re.escape(char) if not char.isalnum() else char, at + 1, True
    if expression[at + 1 : at + 2] in tuple("dDwWsS"):
        inner = {"s": r"\t\n\f\r "}.get(expression[at + 1], "\\" + expression[at + 1])
        return inner, at + 2, False
    return _go_escape(expression, at), at + 2, True


Flags = tuple[bool, ...]
"""For each rule, whether it holds for a folder, so that it holds for what is in it."""


class Matcher:
    """A `patternmatcher` list: the last rule that matches a path, or a folder above it, decides.

    Like BuildKit it walks down from the top and remembers, folder by folder, which rules hold; that is not quite the
    same as asking for a path alone.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises `PatternError` for a pattern that Go refuses."""
        stripped = (pattern.strip(SPACE) for pattern in patterns)
        self.rules: tuple[Rule, ...] = tuple(Rule(pattern) for pattern in stripped if pattern)
        self._inclusions = tuple(rule.matches for rule in self.rules if not rule.exception)
        self._exceptions = tuple(rule for rule in self.rules if rule.exception)
        self._none: Flags = (False,) * len(self.rules)
        self._folders: dict[str, tuple[bool, Flags]] = {"": (False, self._none)}

    def __bool__(self) -> bool:
        return bool(self.rules)

    @property
    def has_exceptions(self) -> bool:
        """Whether a rule begins with `!`."""
        return bool(self._exceptions)

    def enter(self, path: str, above: Flags | None = None) -> tuple[bool, Flags]:
        """Whether `path` is matched, and which rules hold for it, given those of its folder (None: `path` is at the
        top).
        """
        above = above if above is not None else self._none
        if above is self._none and not any(matches(path) for matches in self._inclusions):
            return False, self._none
        matched = False
        flags: list[bool] = []
        for rule, inherited in zip(self.rules, above, strict=True):
            holds = inherited or (rule.exception == matched and bool(rule.matches(path)))
            flags.append(holds)
            if holds:
                matched = not rule.exception
        return matched, tuple(flags)

    def closed(self, folder: str) -> bool:
        """Whether no exception can hold for something in `folder`, which is itself matched."""
        return not any(rule.may_match_under(folder) for rule in self._exceptions)

    def may_match_under(self, folder: str) -> bool:
        """Whether a rule without `!` can match something in `folder`."""
        return any(rule.may_match_under(folder) for rule in self.rules if not rule.exception)

    def folder(self, path: str) -> tuple[bool, Flags]:
        """What `enter` says of a folder, asked from the top and remembered."""
        known = self._folders.get(path)
        if known is None:
            parent, _, _ = path.rpartition("/")
            known = self._folders[path] = self.enter(path, self.folder(parent)[1])
        return known

    def matches(self, path: str) -> bool:
        """Whether `path` (a file, or a folder itself) is matched."""
        parent, _, _ = path.rpartition("/")
        above = ""
        for part in parent.split("/") if parent else ():
            above = f"{above}/{part}" if above else part
            matched, _ = self.folder(above)
            if matched and self.closed(above):
                return True
        return self.enter(path, self.folder(parent)[1])[0]

    def shuts(self, folder: str) -> bool:
        """Whether everything in `folder`, and the folder, is matched."""
        above = ""
        for part in folder.split("/"):
            above = f"{above}/{part}" if above else part
            matched, _ = self.folder(above)
            if matched and self.closed(above):
                return True
        return False
