"""A Dockerfile's text as instructions with their lines: the grammar, read the way BuildKit's own parser reads it.

Pure: text in, values out. BuildKit's parser is the judge: `tests/unit/test_dockerfile.py` holds this one against it
(the `dockerfile` library, which is that parser) on written and generated texts. It is not used at run time because it
has no wheel for Linux on arm64 and its errors name no line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from hitmiss.errors import UsageError
from hitmiss.project.words import SPACE, WordError, expand

LONGEST_LINE: Final = 65_535
"""Bytes in a line, its end not counted, that BuildKit's parser can hold."""

_BLANKS: Final = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*")
_HEREDOC: Final = re.compile(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)")
_LEADING_TABS: Final = re.compile(r"(?m)^\t+")
_DIRECTIVES: Final = ("syntax", "escape", "check")
_WITH_HEREDOCS: Final = frozenset({"ADD", "COPY", "RUN"})


class DockerfileError(UsageError):
    """A Dockerfile that BuildKit would not take.

    `line` is the first line of the instruction at fault, from 1 (0 when no line is at fault); `reason` is BuildKit's
    sentence.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        where = f"Dockerfile line {line}: " if line else "Dockerfile: "
        super().__init__(where + reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Heredoc:
    """One here-document: its name, the text between, whether variables are filled in, whether leading tabs are cut."""

    name: str
    content: str = ""
    expand: bool = True
    chomp: bool = False
    fd: int = 0

    @property
    def text(self) -> str:
        """The content as the step gets it: without leading tabs where `<<-` asks for that."""
        return _LEADING_TABS.sub("", self.content) if self.chomp else self.content


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `start` and `end` are lines from 1, both included, bodies of heredocs too.

    `keyword` is in capitals, `original` the logical line (continuations joined, comments out), `flags` the `--x[=y]`
    words, `args` the rest as BuildKit's parser splits it (ENV and LABEL: key, value, key, value…; HEALTHCHECK: type,
    command). `trigger` is the instruction inside an ONBUILD.
    """

    keyword: str
    original: str
    start: int
    end: int
    flags: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    json: bool = False
    heredocs: tuple[Heredoc, ...] = ()
    trigger: Instruction | None = None

    def flag(self, name: str, default: str = "") -> str:
        """The value of `--name=value`, "true" for a bare `--name`, else `default`."""
        values = self.flag_values(name)
        return values[-1] if values else default

    def flag_values(self, name: str) -> tuple[str, ...]:
        """Every value of a flag that may be repeated, in order; "true" for a bare one."""
        found = (flag[2:].partition("=") for flag in self.flags)
        return tuple(value if sep else "true" for key, sep, value in found if key == name)


def read(text: str) -> tuple[str, tuple[tuple[str, str], ...], tuple[Instruction, ...]]:
    """The escape character, the directives (`syntax`, `escape`, `check` with their values) and the instructions of
    `text`.

    Raises `DockerfileError` where BuildKit's parser would fail.
    """
    return _Parser(text).read()


def heredoc_word(word: str) -> Heredoc | None:
    """What a word such as `<<-"EOF"` announces; None where it is not a heredoc."""
    found = _HEREDOC.fullmatch(word)
    if not found or not found[3]:
        return None
    rest = found[3]
    plain = expand(rest, _nothing_set, skip_unset=True).words
    if len(plain) != 1:
        return None
    raw = expand(rest, _nothing_set, skip_unset=True, raw_quotes=True).words
    if len(raw) != 1:
        raise WordError(f"internal lexing of heredoc produced inconsistent results: {rest}")
    return Heredoc(plain[0], "", _quotes(plain[0]) == _quotes(raw[0]), found[2] == "-", int(found[1] or 0))


class _Parser:
    def __init__(self, text: str) -> None:
        self.escape = "\\"
        self.directives: dict[str, str] = {}
        self.in_directives = True
        self.number = 0
        self.lines = self.numbered(text.removeprefix("\ufeff"))
        self.continuation = _continuation(self.escape)

    def numbered(self, text: str) -> Iterator[str]:
        """The lines with their ends, counted in `number` as they are taken."""
        for line in re.findall(r"[^\n]*\n|[^\n]+", text):
            self.number += 1
            if len(line) > LONGEST_LINE // 4 and len(line.rstrip("\n").encode(errors="surrogateescape")) > LONGEST_LINE:
                raise DockerfileError(f"dockerfile line greater than max allowed size of {LONGEST_LINE}", self.number)
            yield line

    def read(self) -> tuple[str, tuple[tuple[str, str], ...], tuple[Instruction, ...]]:
        found: list[Instruction] = []
        for raw in self.lines:
            start = self.number
            line, ends = self.trimmed(self.cleaned(raw.rstrip("\r\n").lstrip(SPACE)))
            if ends and not line:
                continue
            line = self.joined(line, ends)
            try:
                instruction = self.instruction(line, start)
                found.append(self.with_heredocs(instruction, line))
            except (DockerfileError, WordError) as error:
                reason = error.reason if isinstance(error, DockerfileError) else str(error)
                raise DockerfileError(reason, start) from None
        if not found:
            raise DockerfileError("file with no instructions")
        return self.escape, tuple(self.directives.items()), tuple(found)

    def joined(self, line: str, ends: bool) -> str:
        """The whole logical line: what follows a continuation, without comments and empty lines."""
        parts = [line]
        while not ends and (raw := next(self.lines, None)) is not None:
            following = self.cleaned(raw.rstrip("\r\n"))
            if following.lstrip(SPACE):
                following, ends = self.trimmed(following)
                parts.append(following)
        return "".join(parts)

    def cleaned(self, line: str) -> str:
        """`line`, or nothing where it is a comment; a directive on it takes effect."""
        self.directive(line)
        return "" if line.lstrip(SPACE).startswith("#") else line

    def trimmed(self, line: str) -> tuple[str, bool]:
        """`line` without its continuation character, and whether the instruction ends with it."""
        cut = self.continuation.sub(r"\1", line)
        return cut, cut == line

    def directive(self, line: str) -> None:
        if not self.in_directives:
            return
        found = _DIRECTIVE.fullmatch(line[1:].lstrip(SPACE)) if line.startswith("#") else None
        name = found[1].lower() if found else ""
        if not found or name not in _DIRECTIVES:
            self.in_directives = False
            return
        if name in self.directives:
            raise DockerfileError(f"only one {name} parser directive can be used", self.number)
        self.directives[name] = found[2]
        if name == "escape":
            if found[2] not in ("\\", "`"):
                raise DockerfileError(f"invalid escape token '{found[2]}' does not match ` or \\", self.number)
            self.escape = found[2]
            self.continuation = _continuation(self.escape)

    def instruction(self, line: str, start: int) -> Instruction:
        keyword, _, rest = _partition_blanks(line.strip(SPACE))
        flags, rest = _builder_flags(rest, self.escape)
        rest = rest.strip(SPACE)
        keyword = keyword.upper()
        args, is_json, trigger = self.arguments(keyword, rest, start)
        return Instruction(keyword, line, start, self.number, flags, args, is_json, (), trigger)

    def arguments(self, keyword: str, rest: str, start: int) -> tuple[tuple[str, ...], bool, Instruction | None]:
        """An instruction's words, whether they were JSON, and the instruction inside it (ONBUILD)."""
        if not rest:
            return (), False, None
        match keyword:
            case "ONBUILD":
                inner = self.instruction(rest, start)
                return (), False, inner
            case "ENV" | "LABEL":
                return _pairs(rest, keyword, self.escape), False, None
            case "ARG":
                return tuple(_shell_words(rest, self.escape)), False, None
            case "FROM" | "EXPOSE":
                return tuple(_BLANKS.split(rest)), False, None
            case "ADD" | "COPY" | "VOLUME":
                listed = _json_list(rest)
                return (tuple(_BLANKS.split(rest)) if listed is None else listed), listed is not None, None
            case "CMD" | "ENTRYPOINT" | "RUN" | "SHELL":
                listed = _json_list(rest)
                return ((rest,) if listed is None else listed), listed is not None, None
            case "HEALTHCHECK":
                kind, command = _partition_space(rest)
                listed = _json_list(command) if command else None
                words = listed if listed is not None else ((command,) if command else ())
                return (kind, *words), listed is not None, None
        return (rest,), False, None

    def with_heredocs(self, instruction: Instruction, line: str) -> Instruction:
        """`instruction` with the bodies of the heredocs that its line announces."""
        inner = instruction.trigger or instruction
        if inner.keyword not in _WITH_HEREDOCS or inner.json or "<<" not in line:
            return instruction
        try:
            words = expand(line, _nothing_set, raw_quotes=True, raw_escapes=True, skip_unset=True).words
        except WordError:
            return instruction
        announced = [heredoc for word in words if (heredoc := heredoc_word(word))]
        if not announced:
            return instruction
        docs = tuple(self.body(heredoc) for heredoc in announced)
        return Instruction(
            instruction.keyword, instruction.original, instruction.start, self.number, instruction.flags,
            instruction.args, instruction.json, docs, instruction.trigger,
        )  # fmt: skip

    def body(self, heredoc: Heredoc) -> Heredoc:
        content: list[str] = []
        for raw in self.lines:
            line = raw.rstrip("\r\n")
            if (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name:
                return Heredoc(heredoc.name, "".join(content), heredoc.expand, heredoc.chomp, heredoc.fd)
            content.append(raw)
        raise DockerfileError("unterminated heredoc")


def _continuation(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(rf"([^{mark}]){mark}[ \t]*\Z|^{mark}[ \t]*\Z")


def _nothing_set(_: str) -> None:
    return None


def _quotes(word: str) -> int:
    return word.count("'") + word.count('"')


def _partition_blanks(text: str) -> tuple[str, str, str]:
    found = _BLANKS.search(text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _partition_space(text: str) -> tuple[str, str]:
    """The first word and what follows; BuildKit looks for the space byte by byte here too."""
    octets = _octets(text)
    at = next((i for i, char in enumerate(octets) if char in SPACE), len(octets))
    after = next((i for i in range(at, len(octets)) if octets[i] not in SPACE), len(octets))
    return _text(octets[:at]), _text(octets[after:])


def _octets(text: str) -> str:
    """`text` with one character for each byte of its UTF-8."""
    return text.encode(errors="surrogateescape").decode("latin-1")


def _text(octets: str) -> str:
    return octets.encode("latin-1").decode(errors="surrogateescape")


def _builder_flags(line: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The `--x` words in front of an instruction's arguments, unquoted, and what follows them.

    BuildKit reads them byte by byte, so a letter outside ASCII comes out as several; this does the same.
    """
    octets = _octets(line)
    flags: list[str] = []
    at = 0
    while True:
        while at < len(octets) and octets[at] in SPACE:
            at += 1
        if not octets.startswith("--", at):
            break
        word, end, quoted = _flag_word(octets, at, escape)
        at = end
        if word == "--":
            break
        if word or quoted:
            flags.append(word)
    return tuple(flags), _text(octets[at:])


def _flag_word(octets: str, at: int, escape: str) -> tuple[str, int, bool]:
    """One flag from `at`: its text without quotes and escapes, where it ends, and whether it had quotes."""
    out: list[str] = []
    quote = ""
    quoted = False
    while at < len(octets):
        char = octets[at]
        if not quote and char in SPACE:
            break
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
            quoted = True
        elif char == escape:
            at += 1
            out.append(octets[at : at + 1])
        else:
            out.append(char)
        at += 1
    return "".join(out), min(at, len(octets)), quoted


def _shell_words(rest: str, escape: str) -> list[str]:
    """The words of an ARG, ENV or LABEL: split at white space outside quotes; quotes and escapes stay."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    at = 0
    while at < len(rest):
        char = rest[at]
        if not quote and char in SPACE:
            if word:
                words.append("".join(word))
                word.clear()
        elif char == escape and quote != "'":
            if at + 1 < len(rest):
                word.append(rest[at : at + 2])
            at += 1
        else:
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            word.append(char)
        at += 1
    if word:
        words.append("".join(word))
    return words


def _pairs(rest: str, keyword: str, escape: str) -> tuple[str, ...]:
    """Key, value, key, value… of an ENV or LABEL, in the form with `=` or the old one (one pair, a blank between)."""
    words = _shell_words(rest, escape)
    if not words:
        return ()
    if "=" not in words[0]:
        key, _, value = _partition_blanks(rest)
        if not value and not _BLANKS.search(rest):
            raise DockerfileError(f"{keyword} must have two arguments")
        return key, value
    out: list[str] = []
    for word in words:
        key, sep, value = word.partition("=")
        if not sep:
            raise DockerfileError(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        out += (key, value)
    return tuple(out)


def _json_list(rest: str) -> tuple[str, ...] | None:
    """The strings of a JSON list; None where `rest` is none. Raises `DockerfileError` for a list of anything else."""
    if not rest.lstrip(SPACE).startswith("["):
        return None
    try:
        values: Any = json.loads(rest, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        raise DockerfileError("when using JSON array syntax, arrays must be comprised of strings only")
    return tuple(values)


def _no_constant(name: str) -> None:
    raise ValueError(name)
