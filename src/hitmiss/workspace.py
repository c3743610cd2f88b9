"""What is to be built in a folder: the images that its settings, bake files, compose files or Dockerfile speak of.

It reads settings, asks docker's own tools how bake and compose files read, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hitmiss.docker import bake
from hitmiss.docker.targets import Target
from hitmiss.errors import UsageError
from hitmiss.naming import Naming
from hitmiss.project.find import Kind, Source, find
from hitmiss.project.units import Unit, closure, in_order, units
from hitmiss.runner import Command
from hitmiss.settings import BuildOptions, Settings

_ONE_IMAGE = ("tags", "build_contexts", "outputs", "file")
"""Options that speak of one image: with them, and a Dockerfile there, it is the Dockerfile that is meant."""


class Workspace(msgspec.Struct, frozen=True):
    """The images that can be built, and those that are.

    `units` are all of them, needed ones first; `chosen` those that are built, `groups` names that stand for several.
    `cwd` is where all paths start from, `files` are the places of what says what the units are. `given` is the file
    that was asked for, `asked` the targets. `ways` are the ways to build the folder, `notices` what there is to say of
    what was read.
    """

    kind: Kind
    units: tuple[Unit, ...]
    chosen: tuple[str, ...]
    cwd: Path
    files: tuple[Path, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = {}
    ways: tuple[Kind, ...] = ()
    flags: BuildOptions = BuildOptions()
    given: str = ""
    asked: str = ""
    baked: bytes = b""
    notices: tuple[str, ...] = ()
    arguments: Mapping[str, Mapping[str, str]] = {}
    """Build arguments in place of those of the files and flags: name of the unit → name → value."""

    @property
    def at_once(self) -> bool:
        """Whether one client builds several targets, rather than one for each."""
        return self.kind in (Kind.BAKE, Kind.COMPOSE)

    def unit(self, name: str) -> Unit:
        """The unit of that name."""
        return next(unit for unit in self.units if unit.name == name)

    def makes(self, name: str) -> dict[str, str]:
        """The images that the units beside this one make: tag → name of the unit."""
        return {tag: unit.name for unit in self.units if unit.name != name for tag in unit.options.tags}

    @property
    def sets(self) -> dict[str, tuple[str, ...]]:
        """Names that stand for several units: the groups, and "all" where none of them means just that."""
        names = tuple(unit.name for unit in self.units)
        whole = len(names) > 1 and "all" not in names and set(names) not in map(set, self.groups.values())
        return {**({"all": names} if whole else {}), **self.groups}

    def wanted(self) -> tuple[Unit, ...]:
        """What is chosen, and what that needs, in order; with the arguments that stand in for others."""
        return tuple(map(self._argued, closure(self.units, self.chosen)))

    def choose(self, given: str) -> Workspace:
        """With other targets: names of units or groups, comma separated. Raises `UsageError` for an unknown one."""
        names, sets = _names(given), self.sets
        known = {unit.name for unit in self.units}
        for name in names:
            if name not in known and name not in sets:
                offered = ", ".join(sorted({*known, *self.groups}))
                raise UsageError(f"There is no target called {name}.", f"Targets: {offered}.")
        chosen = dict.fromkeys(each for name in names for each in sets.get(name, (name,)))
        return msgspec.structs.replace(self, chosen=tuple(chosen), asked=given)

    def command(self, options: Mapping[str, BuildOptions]) -> Command:
        """What builds several targets at once; of each target's `options`, what is said of the cache holds for it."""
        words = bake.words(self.flags, options, kind=self.kind)
        # What nobody asked for is built for others alone: bake keeps no image of it either.
        more = [f"--set={name}.output=type=cacheonly" for name in options if name not in self.chosen]
        file = bake.without_cache(bake.argued(self.baked, self.arguments), options)
        return Command((words[0], *more, *words[1:]), file)

    def stands_on(self, name: str) -> frozenset[str]:
        """The targets whose steps show among those of this one, because one client builds it on their results."""
        before = {unit.name: unit.linked.values() for unit in self.units}
        found: set[str] = set()
        waiting = [name]
        while waiting:
            waiting += [each for each in before[waiting.pop()] if each not in found and not found.add(each)]  # type: ignore[func-returns-value]
        return frozenset(found)

    def on(self, builder: str) -> Workspace:
        """The same, built by another builder; "" is docker's own choice."""
        units = tuple(
            msgspec.structs.replace(unit, options=msgspec.structs.replace(unit.options, builder=builder))
            for unit in self.units
        )
        return msgspec.structs.replace(self, units=units, flags=msgspec.structs.replace(self.flags, builder=builder))

    def title(self) -> str:
        """What is chosen, in words: a group's name, a target's, or how many there are."""
        chosen = set(self.chosen)
        group = next((name for name, members in self.sets.items() if set(members) == chosen), "")
        return group or ", ".join(self.chosen)

    def targets(self) -> tuple[Target, ...]:
        """What can be chosen, groups first."""
        groups = [Target(name, description=", ".join(members)) for name, members in self.sets.items()]
        units = [Target(unit.name, file=self._file(unit)) for unit in self.units if unit.name not in self.sets]
        return (*groups, *units)

    def _file(self, unit: Unit) -> str:
        """The unit's Dockerfile, as it is reached from the project's folder."""
        if unit.inline:
            return "inline"
        context = unit.options.context
        file = Path(unit.options.file or ("Dockerfile" if "://" in context else f"{context}/Dockerfile"))
        return os.path.relpath(file, self.cwd) if file.is_absolute() else os.path.normpath(file)

    def _argued(self, unit: Unit) -> Unit:
        values = self.arguments.get(unit.name)
        return msgspec.structs.replace(unit, options=unit.options.with_arguments(values)) if values else unit

    async def again(self, settings: Settings) -> Workspace:
        """The same, as the files say it now; what was asked for stays so where it still is there."""
        flags = msgspec.structs.replace(self.flags, context=".", file=self.given)
        space = msgspec.structs.replace(await _read(flags, settings, self.cwd), arguments=self.arguments)
        asked = _names(self.asked)
        gone = [name for name in asked if name not in space.sets and name not in {unit.name for unit in space.units}]
        if gone:
            text = f"There is no target called {' or '.join(gone)} any more."
            space = msgspec.structs.replace(space, notices=(*space.notices, text))
        return _chosen(space, ",".join(name for name in asked if name not in gone))


def alone(options: BuildOptions, cwd: Path) -> Workspace:
    """One Dockerfile, as `docker build` would take it."""
    return Workspace(Kind.DOCKERFILE, (Unit("", options),), ("",), cwd, flags=options)


async def open_workspace(options: BuildOptions, settings: Settings, *, cwd: Path) -> Workspace:
    """What `options` ask for; its context is the folder that is looked at.

    Raises `UsageError` for files that cannot be read as they are and for unknown targets, `EngineError` where docker's
    tools are missing.
    """
    space = await _read(options, settings, cwd)
    return space if space.kind is Kind.DOCKERFILE else _chosen(space, options.target)


async def _read(options: BuildOptions, settings: Settings, cwd: Path) -> Workspace:
    """All that there is, with nothing chosen but what is built when nobody asks for more."""
    folder = cwd / options.context
    if options.context == "-" or not folder.is_dir():
        return alone(options, cwd)
    flags = msgspec.structs.replace(options, context=".", target="", file="")
    named = options.file if "://" not in options.file and options.file != "-" else ""
    given = _place(named, folder, cwd) if named else ""
    ways = find(folder, given, os.environ)
    if settings.targets and not options.file:
        notices: list[str] = []
        found = in_order(await asyncio.to_thread(units, settings, flags, folder, Naming(folder), notices.append))
        names = tuple(unit.name for unit in found)
        space = Workspace(
            Kind.SETTINGS, found, names, folder, _settings_files(folder), flags=flags, notices=tuple(notices)
        )
    else:
        way = _expected(ways, options)
        if way is None or way.kind is Kind.DOCKERFILE:
            return msgspec.structs.replace(alone(options, cwd), ways=tuple(each.kind for each in ways))
        space = await _baked(way, flags, folder)
    return msgspec.structs.replace(space, ways=tuple(each.kind for each in ways), given=given)


def _chosen(space: Workspace, asked: str) -> Workspace:
    """With the targets that are asked for, "" for those that are meant when none is."""
    space = space.choose(asked) if asked else space
    if not space.chosen:
        offered = ", ".join(unit.name for unit in space.units)
        what = "group called default" if space.kind is Kind.BAKE else "service that an active profile wants"
        raise UsageError(f"The {space.kind} has no {what}.", f"Name a target with --target: {offered}.")
    if space.at_once and space.flags.tags and len(space.chosen) > 1:
        raise UsageError("-t names one image, and several are built.", "Name one of them with --target.")
    return space


def _names(given: str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()]


def _place(given: str, folder: Path, cwd: Path) -> str:
    """The file that was asked for: its place from where we stand, as docker reads it, or from the folder."""
    places = (cwd / given, folder / given)
    return str(next((place for place in places if place.exists()), places[0]).absolute())


def _expected(ways: tuple[Source, ...], options: BuildOptions) -> Source | None:
    """The way that people expect: the Dockerfile where options speak of one image, else the first."""
    one = any(getattr(options, field) for field in _ONE_IMAGE if field != "file")
    plain = next((way for way in ways if way.kind is Kind.DOCKERFILE), None)
    return plain if one and plain else next(iter(ways), None)


async def _baked(way: Source, flags: BuildOptions, folder: Path) -> Workspace:
    if way.given and not way.given.is_file():
        raise UsageError(f"The {way.kind} {way.given} does not exist.", "Name one with -f that is there.")
    baked = await bake.resolve(way, flags, cwd=folder)
    return Workspace(
        way.kind,
        in_order(baked.units),
        baked.default,
        folder,
        way.watched,
        baked.groups,
        flags=flags,
        baked=baked.file,
        notices=baked.notices,
    )


def _settings_files(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in (folder / "hitmiss.toml", folder / "pyproject.toml") if path.is_file())
