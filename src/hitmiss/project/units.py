"""The images of a project, each with what it needs: their order, what stands on what, and which saves reach which.

Pure: values in, values out. It looks at no disk and starts no process.
"""

from __future__ import annotations

import graphlib
import os.path
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

import msgspec

from hitmiss.errors import UsageError
from hitmiss.project import ignore
from hitmiss.project.ignore import IgnoreRules
from hitmiss.project.patterns import clean
from hitmiss.settings import OPTIONS, BuildOptions, Secret, Settings, Target

_LINK: Final = "target:"
_ELSEWHERE: Final = re.compile(r"-$|[a-z][a-z0-9+.-]*://|target:|input:|git@|github\.com/", re.IGNORECASE)
"""Places that are no path: stdin, URLs, `docker-image://NAME`, `target:NAME`."""

_ONE_IMAGE: Final = ("file", "target", "tags", "outputs")
"""Options that cannot be meant for several images."""

_BY_NAME: Final = ("build_args", "labels", "build_contexts")
"""Options of the form NAME=VALUE: a flag replaces the entry of its name, and the others stay."""


class Unit(msgspec.Struct, frozen=True):
    """One image to build.

    `needs` are the units that are built before it, `triggers` the patterns of the saves that rebuild it (none: every
    save), `linked` its named contexts that are the result of another unit (context → unit), `inline` a Dockerfile
    given as text.
    """

    name: str
    options: BuildOptions
    needs: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    linked: Mapping[str, str] = {}
    inline: str = ""

    def before(self) -> tuple[str, ...]:
        """The names of the units that are built before this one."""
        return tuple(dict.fromkeys((*self.needs, *self.linked.values())))


class Names(Protocol):
    """Whoever knows what the placeholders of a tag stand for."""

    def fill(self, tag: str) -> str: ...


# What stands on what


def in_order(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """The units, each behind those that it needs, and otherwise as they were given.

    Raises `UsageError` for a need that is no unit, and for a circle of needs.
    """
    known = {unit.name: unit for unit in units}
    for unit in known.values():
        for need in unit.before():
            if need not in known:
                raise UsageError(f"{unit.name} needs {need}, and there is no such target.", _allowed(known))
    try:
        graphlib.TopologicalSorter({name: unit.before() for name, unit in known.items()}).prepare()
    except graphlib.CycleError as error:
        raise _circle(error.args[1]) from None
    found: dict[str, Unit] = {}
    for name in known:
        _put(name, known, found)
    return tuple(found.values())


def closure(units: Iterable[Unit], names: Iterable[str]) -> tuple[Unit, ...]:
    """The units that must be built for those named, in order; raises `UsageError` for a name that is no unit."""
    units = tuple(units)
    return _reached(units, names, {unit.name: unit.before() for unit in units})


def dependants(units: Iterable[Unit], names: Iterable[str]) -> tuple[Unit, ...]:
    """The units that stand on those named, directly or not, in order and without those named.

    Raises `UsageError` for a name that is no unit.
    """
    units, names = tuple(units), tuple(names)
    above: dict[str, list[str]] = {}
    for unit in units:
        for need in unit.before():
            above.setdefault(need, []).append(unit.name)
    return tuple(unit for unit in _reached(units, names, above) if unit.name not in names)


def _reached(units: Iterable[Unit], names: Iterable[str], edges: Mapping[str, Sequence[str]]) -> tuple[Unit, ...]:
    ordered = in_order(units)
    known = {unit.name: unit for unit in ordered}
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in known:
            raise UsageError(f"There is no target called {name}.", _allowed(known))
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, ())
    return tuple(unit for unit in ordered if unit.name in seen)


def _put(name: str, known: Mapping[str, Unit], found: dict[str, Unit]) -> None:
    """Put a unit, and before it those that it needs; a chain may be longer than Python's stack."""
    waiting = [name]
    while waiting:
        last = waiting[-1]
        missing = [need for need in known[last].before() if need not in found]
        waiting += reversed(missing)
        if not missing:
            found.setdefault(waiting.pop(), known[last])


def _circle(nodes: Sequence[str]) -> UsageError:
    """`nodes` as graphlib gives them: each is needed by the next, and the first is the last."""
    around = nodes[::-1]
    pairs = [f"{one} needs {other}" for one, other in pairwise(around)]
    if len(pairs) == 1:
        return UsageError(f"{pairs[0]}: it cannot be built before itself.", "Take that need away.")
    told = f"{', '.join(pairs[:-1])}, and {pairs[-1]}"
    return UsageError(f"{told}: none of them can be built first.", "Take one of these needs away.")


def _allowed(known: Iterable[str]) -> str:
    return f"Targets: {', '.join(known)}."


# Saves


def triggered(unit: Unit, path: str) -> bool:
    """Whether a save of `path` (relative to the unit's context) rebuilds the unit; without triggers every save does.

    Triggers are written like lines of a `.dockerignore`: from the top of the context, a folder stands for what is in
    it, `**` crosses folders, `!` takes back. Raises `UsageError` for a pattern that cannot be read.
    """
    return not unit.triggers or _rules(unit.triggers).ignores(_relative(path))


def unwatched(settings: Settings, path: str) -> bool:
    """Whether the watch rules say that a save of `path` (relative to its context) starts nothing."""
    ignored = settings.watch.ignore
    return bool(ignored) and _rules(ignored).ignores(_relative(path))


@lru_cache(maxsize=256)
def _rules(patterns: tuple[str, ...]) -> IgnoreRules:
    try:
        return ignore.parse("\n".join(patterns))
    except UsageError:
        raise UsageError(
            f"One of these patterns cannot be read: {', '.join(patterns)}.", "They are written as in a .dockerignore."
        ) from None


def _relative(path: str) -> str:
    short = clean(path.replace(os.sep, "/")).lstrip("/")
    return "" if short == "." else short


# Units from the settings file


def units(
    settings: Settings, flags: BuildOptions, folder: Path, names: Names, notice: Callable[[str], None] = lambda _: None
) -> tuple[Unit, ...]:
    """The targets of the settings file in `folder` as units, in the file's order; none where it has no targets.

    What `flags` say wins, for every target; build arguments, labels and contexts win name by name, and secrets are
    added. Paths of the file start from `folder`. Raises `UsageError` for a flag that can be meant for one image only,
    and for a tag with a placeholder that has no value here.
    """
    targets = settings.targets
    for option in OPTIONS:
        if len(targets) > 1 and option.field in _ONE_IMAGE and getattr(flags, option.field):
            raise UsageError(
                f"{option.flag} is for one image, and the settings have {len(targets)}: {', '.join(targets)}.",
                "Say it in the table of the target that is meant.",
            )
    left_out: dict[str, list[str]] = {}
    found = tuple(_unit(name, target, flags, folder, names, left_out) for name, target in targets.items())
    for why, tags in left_out.items():
        notice(f"{f'{len(tags)} tags are' if len(tags) > 1 else f'The tag {tags[0]} is'} left out: {why}")
    return found


def _unit(
    name: str, target: Target, flags: BuildOptions, folder: Path, names: Names, left_out: dict[str, list[str]]
) -> Unit:
    """One target as a unit; `left_out` is told of tags without a value, by the reason."""
    options = BuildOptions(
        context=_at(folder, target.context),
        file=_at(folder, target.dockerfile) if target.dockerfile else "",
        target=target.target,
        tags=() if flags.tags else tuple(_tags(target.tags, names, left_out)),
        build_args=_pairs(target.args),
        secrets=tuple(_secret(key, secret, folder) for key, secret in target.secrets.items()),
        build_contexts=_pairs({key: _at(folder, value) for key, value in target.contexts.items()}),
        cache_from=tuple(_local(folder, value) for value in target.cache_from),
        cache_to=tuple(_local(folder, value) for value in target.cache_to),
        platforms=target.platforms,
        labels=_pairs(target.labels),
        push=target.push,
        load=target.load,
        outputs=tuple(_output(folder, value) for value in target.outputs),
    )
    linked = {key: value.removeprefix(_LINK) for key, value in target.contexts.items() if value.startswith(_LINK)}
    flagged = flags.named_contexts()
    linked = {key: value for key, value in linked.items() if key not in flagged}
    return Unit(name, _over(options, flags), target.needs, target.triggers, linked)


def _tags(given: Iterable[str], names: Names, left_out: dict[str, list[str]]) -> Iterator[str]:
    for tag in given:
        try:
            yield names.fill(tag)
        except UsageError as error:
            left_out.setdefault(error.message, []).append(tag)


def _over(options: BuildOptions, flags: BuildOptions) -> BuildOptions:
    """A target's options with the flags of the command line laid over them."""
    changed: dict[str, object] = {}
    for option in OPTIONS:
        own, given = getattr(options, option.field), getattr(flags, option.field)
        if not given:
            continue
        if option.field in _BY_NAME:
            replaced = {each.partition("=")[0] for each in given}
            given = (*(each for each in own if each.partition("=")[0] not in replaced), *given)
        elif option.field == "secrets":  # buildx takes the last of one id
            given = (*own, *given)
        changed[option.field] = given
    return msgspec.structs.replace(options, **changed)


def _pairs(table: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in table.items())


def _secret(name: str, secret: Secret, folder: Path) -> str:
    place = f"env={secret.env}" if secret.env else f"src={_at(folder, secret.file)}"
    return f"{_quoted(f'id={name}')},{_quoted(place)}"


def _quoted(field: str) -> str:
    """A field of an option that buildx reads as a row of CSV."""
    return '"' + field.replace('"', '""') + '"' if set(field) & set(',"\n\r') else field


def _output(folder: Path, value: str) -> str:
    return _local(folder, value) if "=" in value else _at(folder, value)


def _local(folder: Path, value: str) -> str:
    """A cache or an output whose path starts from `folder`; one that names no path stays as it is."""
    return ",".join(_moved(folder, field) for field in value.split(","))


def _moved(folder: Path, field: str) -> str:
    key, _, place = field.partition("=")
    return f"{key}={_at(folder, place)}" if key in ("src", "dest") else field


def _at(folder: Path, place: str) -> str:
    if _ELSEWHERE.match(place):
        return place
    return os.path.normpath(folder / place)
