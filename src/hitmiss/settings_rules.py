"""What a settings file may say: each key, what it takes in words, and how a wrong one is told.

Pure: a table in, a checked table out. It knows no file; `settings.py` adds the file and the line. What stands in
`args` and `secrets` is never repeated in a sentence, for it may be nobody's business.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec

Path = tuple[str | int, ...]

PLACEHOLDERS: Final = ("branch", "version", "sha", "date")
"""What a tag may hold in braces."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_CHAR: Final = r"(?:\\.|[^\\\]-])"
_CLASS: Final = rf"\[\^?+(?:{_CHAR}(?:-{_CHAR})?)+\]"
_PATTERN: Final = re.compile(rf"(?:[^\\\[]|\\.|{_CLASS})+", re.DOTALL)
_CLASSES: Final = re.compile(rf"{_CLASS}|\\.", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\[A-Za-z0-9]")
_RANGE: Final = re.compile(rf"({_CHAR})(?:-({_CHAR}))?", re.DOTALL)
_LONGEST: Final = 60


class WrongError(Exception):
    """A setting that is not allowed: where it is, what is wrong with it, and what is allowed there."""

    def __init__(self, path: Path, message: str, mend: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.mend = mend


class Rule(msgspec.Struct, frozen=True):
    """What one setting takes. `takes` says it in words; of the others only those that hold for it are given.

    `kinds` are the types of a plain value, `test` says what is wrong with one (a sentence about it, or ""), `keys` are
    the keys of a table, `each` is the rule of every entry of a list or of a table whose keys are `named` by the user.
    `hidden` values are not repeated; `why` is what is said of a value of the wrong kind.
    """

    takes: str
    kinds: tuple[type, ...] = ()
    test: Callable[[Any], str] | None = None
    keys: Mapping[str, Rule] = {}
    each: Rule | None = None
    named: re.Pattern[str] | None = None
    hidden: bool = False
    why: str = ""


def check(table: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    """The table with its values made ready (an argument's number as text); raises `WrongError`."""
    ready: dict[str, Any] = _checked(dict(table), rule, ())
    _check_names(ready.get("targets", {}))
    return ready


def shown(path: Path) -> str:
    """A setting's name as one writes it: `targets.app.tags`, `targets."my app"`."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += ("." if words else "") + _cut(part if _BARE.fullmatch(part) else repr(part))
    return words


def _checked(value: Any, rule: Rule, path: Path) -> Any:
    if rule.keys:
        return _table(value, rule, path)
    if rule.named:
        return _entries(value, rule, path)
    if rule.each:
        if not isinstance(value, list):
            _refuse(value, rule, path)
        return [_checked(each, rule.each, (*path, at)) for at, each in enumerate(value)]
    if type(value) not in rule.kinds:
        _refuse(value, rule, path)
    if rule.test and (said := rule.test(value)):
        _refuse(value, rule, path, said)
    return _text(value) if Decimal in rule.kinds else value


def _table(value: Any, rule: Rule, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(value, rule, path)
    for key in value:
        if key not in rule.keys:
            near = difflib.get_close_matches(key.replace("_", "-").lower(), rule.keys, 1)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise WrongError(
                (*path, key), f"{shown((*path, key))} is no setting.{guess}", f"Allowed: {', '.join(rule.keys)}."
            )
    ready = {key: _checked(each, rule.keys[key], (*path, key)) for key, each in value.items()}
    if rule.test and (said := rule.test(value)):
        _refuse(value, rule, path, said)
    return ready


def _entries(value: Any, rule: Rule, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(value, rule, path)
    assert rule.named
    assert rule.each
    for key in value:
        if not rule.named.fullmatch(key):
            raise WrongError((*path, key), f"{shown((*path, key))} has a name that is not allowed.", _takes(rule))
    return {key: _checked(each, rule.each, (*path, key)) for key, each in value.items()}


def _refuse(value: Any, rule: Rule, path: Path, said: str = "") -> NoReturn:
    name = shown(path)
    if said or rule.why:
        message = f"{name} {said or rule.why}"
    elif isinstance(value, dict):
        message = f"{name} cannot be a table."
    elif isinstance(value, list):
        message = f"{name} cannot be a list."
    elif rule.hidden:
        message = f"{name} has a value that is not allowed."
    else:
        message = f"{name} = {_value(value)} is not allowed."
    raise WrongError(path, message, _takes(rule))


def _takes(rule: Rule) -> str:
    return f"It takes {rule.takes}."


def _value(value: Any) -> str:
    return _cut(repr(value) if isinstance(value, str) else _text(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_names(targets: Mapping[str, Any]) -> None:
    """Targets may name each other; those names must be there."""
    allowed = f"Targets: {', '.join(targets)}."
    for name, target in targets.items():
        for at, need in enumerate(target.get("needs", ())):
            if need not in targets:
                path: Path = ("targets", name, "needs", at)
                raise WrongError(path, f"{shown(path)} = {_value(need)} is no target.", allowed)
        for key, value in target.get("contexts", {}).items():
            if value.startswith("target:") and value.removeprefix("target:") not in targets:
                path = ("targets", name, "contexts", key)
                raise WrongError(path, f"{shown(path)} = {_value(value)} is no target.", allowed)


# Tests of values


def _filled(text: str) -> str:
    return "" if text.strip() else "is empty."


def _tag(text: str) -> str:
    for found in _PLACEHOLDER.finditer(text):
        if found[1] not in PLACEHOLDERS:
            return f"has a placeholder that is not known: {_value(found[0])}."
    return _filled(text)


def _pattern(text: str) -> str:
    """As the watch's own patterns have it, which cannot be asked from here: their room stands above the settings."""
    text = text.strip()
    bare = text.removeprefix("!").strip()
    path = _clean(bare) if bare.strip("/") or text == "/" else ""
    mark = "!" if text.startswith("!") else ""
    # BuildKit reads a line twice, and refuses one of which nothing is left but the exclamation mark.
    again = _clean((mark + (path[1:] if len(path) > 1 and path.startswith("/") else path)).strip())
    if _PATTERN.fullmatch(path) and again != "!" and not _runs_backwards(path):
        return ""
    return f"has a pattern that cannot be read: {_value(text)}."


def _runs_backwards(pattern: str) -> bool:
    """Whether a class has a range such as `[b-a]`, or one that ends in an escaped letter, which stands for another."""
    classes = (each for each in _CLASSES.findall(pattern) if each.startswith("["))
    ranges = (each for text in classes for each in _RANGE.findall(text[1:-1].removeprefix("^")))
    return any(high and (high[-1] < low[-1] or _ESCAPED.search(low + high)) for low, high in ranges)


def _clean(path: str) -> str:
    """As Go's `path.Clean`: two slashes in front are one."""
    return posixpath.normpath(re.sub("/+", "/", path))


def _one_place(secret: Mapping[str, str]) -> str:
    return "" if len(secret) == 1 else "names no place, or two."


# The rules

_ANY: Final = re.compile(r".+", re.DOTALL)
_ANY_NAME: Final = re.compile(r"[^=,\s]+")
_TARGET_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PLATFORM: Final = re.compile(r"local|[a-z0-9]+(/[a-z0-9_.]+){1,2}")
ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _words(takes: str, test: Callable[[str], str] = _filled) -> Rule:
    return Rule(takes, kinds=(str,), test=test)


def _list(takes: str, test: Callable[[str], str] = _filled) -> Rule:
    return Rule(f"a list of {takes}", each=_words(f"a list of {takes}", test))


def _map(takes: str, each: Rule, named: re.Pattern[str] = _ANY_NAME) -> Rule:
    return Rule(f"a table of {takes}", each=each, named=named)


def _one_of(*words: str) -> Rule:
    said = f"{', '.join(words[:-1])} or {words[-1]}"
    return Rule(said, kinds=(str,), test=lambda text: "" if text in words else f"= {_value(text)} is not allowed.")


def _matching(takes: str, pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda text: "" if pattern.fullmatch(text) else f"= {_value(text)} is not {takes}."


_SWITCH: Final = Rule("true or false", kinds=(bool,))
_VALUE: Final = Rule("text, a number, true or false", kinds=(str, int, bool, Decimal), hidden=True)
_PATTERNS: Final = _list('paths from the top of the context, written as in a .dockerignore ("src/**")', _pattern)
_PLACE: Final = '{ env = "NAME" } or { file = "path" }'
_SECRET: Final = Rule(
    f"the place of the secret: {_PLACE}",
    keys={
        "env": Rule(
            "the name of an environment variable",
            kinds=(str,),
            test=lambda text: "" if ENV_NAME.fullmatch(text) else "is no name of an environment variable.",
            hidden=True,
        ),
        "file": Rule("the path of a file", kinds=(str,), test=_filled, hidden=True),
    },
    test=_one_place,
    why="is written out, and a secret's value never belongs in a file that others read.",
)

TARGET: Final = Rule(
    "a table: [targets.NAME]",
    keys={
        "context": _words("the path of a folder, or a URL"),
        "dockerfile": _words("the path of a Dockerfile"),
        "target": _words("the name of a stage"),
        "needs": _list("names of other targets"),
        "args": _map('arguments (VERSION = "3")', _VALUE),
        "secrets": _map(f"secrets, each {_PLACE}", _SECRET),
        "contexts": _map(
            'named contexts (shared = "../shared")', _words('the path of a folder, a URL, or "target:NAME"')
        ),
        "tags": _list(f"names of the image; they may hold {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}", _tag),
        "platforms": _list(
            "platforms, one each (linux/amd64)", _matching("one platform, such as linux/amd64", _PLATFORM)
        ),
        "cache-from": _list('cache sources ("type=registry,ref=NAME")'),
        "cache-to": _list('cache destinations ("type=inline")'),
        "push": _SWITCH,
        "load": _SWITCH,
        "outputs": _list('outputs ("type=local,dest=PATH")'),
        "labels": _map('labels ("org.example.team" = "web")', _VALUE),
        "triggers": _PATTERNS,
    },
)

SETTINGS: Final = Rule(
    "a table",
    keys={
        "on-change": _one_of("restart", "queue", "manual"),
        "settle": Rule(
            "a whole number of milliseconds from 0 to 60000",
            kinds=(int,),
            test=lambda ms: "" if 0 <= ms <= 60_000 else f"= {ms} is not allowed.",
        ),
        "theme": Rule("the name of a theme", kinds=(str,)),
        "keys": _map('actions and keys (rebuild = "r")', Rule('a key or keys ("f5,r")', kinds=(str,)), _ANY),
        "watch": Rule('a table: watch = { ignore = ["docs/**"] }', keys={"ignore": _PATTERNS}),
        "targets": _map("targets: [targets.NAME]", TARGET, _TARGET_NAME),
    },
)
"""Every key of a settings file."""
