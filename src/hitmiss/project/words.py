"""Quotes, escapes and `$variables` in a Dockerfile's words, by BuildKit's rules.

Pure: text in, text out. The rules are those of BuildKit's `frontend/dockerfile/shell` package (read, not copied),
which differ from a shell's in places: `${x#pattern}` and `${x/a/b}` work, command substitution does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What Go counts as white space (`unicode.IsSpace`); Python's own set is larger."""

_SPECIAL_NAMES: Final = frozenset("@*#?-$!0")
_ESCAPABLE_IN_QUOTES: Final = frozenset('"$')

Lookup = Callable[[str], str | None]
"""A variable's value, or None when it is not set."""


class WordError(ValueError):
    """A word that BuildKit cannot read; the message is BuildKit's own."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A word after expansion, and the names in it that `lookup` did not know."""

    text: str
    words: tuple[str, ...]
    unset: frozenset[str]


def expand(
    word: str,
    lookup: Lookup,
    *,
    escape: str = "\\",
    raw_quotes: bool = False,
    raw_escapes: bool = False,
    skip_quotes: bool = False,
    skip_unset: bool = False,
) -> Expanded:
    """Fill the variables of `word` in and take its quotes off.

    `raw_quotes` and `raw_escapes` keep quotes and escapes, `skip_quotes` gives quotes no meaning, `skip_unset` leaves
    unset variables as written. Raises `WordError`.
    """
    reader = _Reader(word.removeprefix("\ufeff"), lookup, escape, raw_quotes, raw_escapes, skip_quotes, skip_unset)
    try:
        text, words = reader.until("")
    except WordError as error:
        raise WordError(f"failed to process {word!r}: {error}") from None
    return Expanded(text, tuple(words), frozenset(reader.unset))


@dataclass(slots=True)
class _Words:
    """Splits what is added to it into words at unquoted white space."""

    done: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        for char in text:
            if char not in SPACE:
                self.current.append(char)
            else:
                self.flush()

    def add_raw(self, text: str) -> None:
        self.current.append(text)

    def flush(self) -> list[str]:
        word = "".join(self.current)
        if word:
            self.done.append(word)
            self.current.clear()
        return self.done


@dataclass(slots=True)
class _Reader:
    """One pass over a word. An empty string stands for the end of the text."""

    source: str
    lookup: Lookup
    escape: str
    raw_quotes: bool
    raw_escapes: bool
    skip_quotes: bool
    skip_unset: bool
    at: int = 0
    unset: set[str] = field(default_factory=set)

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        self.at += len(char)
        return char

    def value(self, name: str) -> str | None:
        value = self.lookup(name)
        if value is None:
            self.unset.add(name)
        return value

    def until(self, stop: str) -> tuple[str, list[str]]:
        """Read up to `stop` (eaten) or, when `stop` is empty, to the end."""
        out: list[str] = []
        words = _Words()
        while char := self.peek():
            if char == stop:
                self.at += 1
                return "".join(out), words.flush()
            if char == "$":
                text = self.dollar()
                words.add(text)
            elif char == "<":
                text = self.angle()
                words.add_raw(text)
            elif char in "'\"" and not self.skip_quotes:
                text = self.single() if char == "'" else self.double()
                words.add_raw(text)
            else:
                text = self.plain(words)
            out.append(text)
        if stop:
            raise WordError(f"unexpected end of statement while looking for matching {stop}")
        return "".join(out), words.flush()

    def plain(self, words: _Words) -> str:
        char = self.take()
        if char != self.escape:
            words.add(char)
            return char
        kept = char if self.raw_escapes else ""
        escaped = self.take()
        if kept + escaped:
            words.add_raw(kept + escaped)
        return kept + escaped

    def single(self) -> str:
        quote = self.take() if self.raw_quotes else self.take()[:0]
        end = self.source.find("'", self.at)
        if end < 0:
            raise WordError("unexpected end of statement while looking for matching single-quote")
        text = self.source[self.at : end]
        self.at = end + 1
        return quote + text + quote

    def double(self) -> str:
        quote = self.take() if self.raw_quotes else self.take()[:0]
        out = [quote]
        while char := self.peek():
            if char == '"':
                self.at += 1
                out.append(quote)
                return "".join(out)
            if char == "$":
                out.append(self.dollar())
                continue
            self.at += 1
            if char == self.escape:
                if self.raw_escapes:
                    out.append(char)
                following = self.peek()
                if not following:
                    continue
                if following in _ESCAPABLE_IN_QUOTES or following == self.escape:
                    char = self.take()
            out.append(char)
        raise WordError("unexpected end of statement while looking for matching double-quote")

    def angle(self) -> str:
        self.at += 1
        if self.peek() != "<":
            return "<"
        start = self.at
        self.at += 1
        while self.peek() and self.peek() in "\t\r ":
            self.at += 1
        return "<" + self.source[start : self.at]

    def name(self) -> str:
        first = self.peek()
        start = self.at
        if first.isdecimal():
            while self.peek().isdecimal():
                self.at += 1
        elif first and first in _SPECIAL_NAMES:
            self.at += 1
        else:
            while (char := self.peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
                self.at += 1
        return self.source[start : self.at]

    def dollar(self) -> str:
        self.at += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.value(name)
            return value if value is not None else ("$" + name if self.skip_unset else "")
        self.at += 1
        if not self.peek():
            raise WordError("syntax error: missing '}'")
        if self.peek() in "{}:":
            raise WordError("syntax error: bad substitution")
        name = self.name()
        modifier = self.take()
        if modifier == "}":
            value = self.value(name)
            return value if value is not None else ("${" + name + "}" if self.skip_unset else "")
        if modifier == "/":
            return self.replace(name)
        empty_is_unset = modifier == ":"
        shown = modifier
        if empty_is_unset:
            modifier = self.take()
            shown += modifier
        if not modifier or modifier not in "+-?#%":
            if empty_is_unset:
                self.until_brace(raw_escapes=False)
            raise WordError(f"unsupported modifier ({shown}) in substitution")
        return self.modified(name, modifier, shown, empty_is_unset)

    def modified(self, name: str, modifier: str, shown: str, empty_is_unset: bool) -> str:
        cuts = modifier in "#%"
        if empty_is_unset and cuts:
            raise WordError(f"unsupported modifier ({shown}) in substitution")
        word = self.until_brace(raw_escapes=cuts)
        value = self.value(name)
        if value is None and self.skip_unset:
            return "${" + name + shown + word + "}"
        missing = value is None or (empty_is_unset and not value)
        match modifier:
            case "-":
                return word if missing else value or ""
            case "+":
                return "" if missing else word
            case "?":
                if missing:
                    state = "unset" if value is None else "empty"
                    raise WordError(f"{name}: {word or f'is not allowed to be {state}'}")
                return value or ""
        greedy = word[:1] == modifier
        return _cut(word[1:] if greedy else word, value or "", greedy, at_end=modifier == "%")

    def until_brace(self, *, raw_escapes: bool, stop: str = "}") -> str:
        before = self.raw_escapes
        self.raw_escapes = raw_escapes
        try:
            return self.until(stop)[0]
        except WordError:
            if not self.peek():
                where = "'/' in ${}" if stop == "/" else "'}'"
                raise WordError(f"syntax error: missing {where}") from None
            raise
        finally:
            self.raw_escapes = before

    def replace(self, name: str) -> str:
        everywhere = self.peek() == "/"
        if everywhere:
            self.at += 1
        pattern = self.until_brace(raw_escapes=True, stop="/")
        replacement = self.until_brace(raw_escapes=True)
        value = self.value(name)
        if value is None and self.skip_unset:
            return "${" + name + "/" + pattern + "/" + replacement + "}"
        found = _pattern(pattern, greedy=True)
        if not everywhere:
            return found.sub(lambda _: replacement, value or "", count=1)
        # Go reads `$1` and `${name}` in the replacement as groups; there are none, so they vanish.
        plain = re.sub(r"\$(?:\{\w*\}|\w+)", "", replacement).replace("$$", "$")
        return found.sub(lambda _: plain, value or "")


def _pattern(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    """A shell pattern (`*`, `?`, escapes) as a regular expression."""
    out: list[str] = []
    chars = iter(range(len(pattern)))
    for i in chars:
        char = pattern[i]
        if char == "*":
            out.append(".*" if greedy else ".*?")
        elif char == "?":
            out.append(".")
        elif char != "\\":
            out.append(re.escape(char))
        elif pattern[i + 1 : i + 2] not in ("}", "/"):
            escaped = pattern[i + 1 : i + 2]
            if not escaped or escaped not in "*?\\":
                raise WordError(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'")
            out.append("\\" + escaped)
            next(chars)
    return re.compile("".join(out))


def _cut(pattern: str, value: str, greedy: bool, *, at_end: bool) -> str:
    """`value` without the shortest (or, greedy, longest) piece at its start or end that `pattern` matches."""
    if at_end:
        # The shortest match at the end is found on the reversed text, where it is the shortest at the start.
        turned = re.sub(r"(?s)(.)\\", r"\\\1", pattern[::-1])
        return _cut(turned, value[::-1], greedy, at_end=False)[::-1]
    found = _pattern(pattern, greedy=greedy).match(value)
    return value[found.end() :] if found else value
