"""What is to be built in a folder: the images that its settings, bake files, compose files or Dockerfile speak of.

It reads settings, asks docker's own tools how bake and compose files read, and keeps nothing.
"""

from __future__ import annotations

import asyncio
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
    `cwd` is where all paths start from, `files` say what the units are (`given`: the one that was asked for). `ways`
    are the ways to build the folder, `notices` what there is to say of what was read.
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
    baked: bytes = b""
    notices: tuple[str, ...] = ()

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

    def wanted(self) -> tuple[Unit, ...]:
        """What is chosen, and what that needs, in order."""
        return closure(self.units, self.chosen)

    def choose(self, given: str) -> Workspace:
        """With other targets: names of units or groups, comma separated. Raises `UsageError` for an unknown one."""
        names = [name.strip() for name in given.split(",") if name.strip()]
        known = {unit.name for unit in self.units}
        for name in names:
            if name not in known and name not in self.groups:
                offered = ", ".join(sorted({*known, *self.groups}))
                raise UsageError(f"There is no target called {name}.", f"Targets: {offered}.")
        chosen = dict.fromkeys(each for name in names for each in self.groups.get(name, (name,)))
        return msgspec.structs.replace(self, chosen=tuple(chosen))

    def command(self, names: tuple[str, ...], options: BuildOptions) -> Command:
        """What builds several targets at once; of `options` what is said of the cache holds for all of them."""
        words = bake.words(self.flags, names, kind=self.kind)
        more = ["--no-cache"] * options.no_cache
        more += [f"--set=*.no-cache-filter={','.join(options.no_cache_filter)}"] * bool(options.no_cache_filter)
        return Command((words[0], *more, *words[1:]), self.baked)

    def stands_on(self, name: str) -> frozenset[str]:
        """The targets whose steps show among those of this one, because one client builds it on their results."""
        before = {unit.name: unit.linked.values() for unit in self.units}
        found: set[str] = set()
        waiting = [name]
        while waiting:
            waiting += [each for each in before[waiting.pop()] if each not in found and not found.add(each)]  # type: ignore[func-returns-value]
        return frozenset(found)

    def title(self) -> str:
        """What is chosen, in words: a group's name, a target's, or how many there are."""
        chosen = set(self.chosen)
        group = next((name for name, members in self.groups.items() if set(members) == chosen), "")
        if group or len(chosen) == 1:
            return group or self.chosen[0]
        return "all" if chosen == {unit.name for unit in self.units} else ", ".join(self.chosen)

    def targets(self) -> tuple[Target, ...]:
        """What can be chosen, groups first."""
        groups = [Target(name, description=", ".join(members)) for name, members in self.groups.items()]
        whole = (
            Target(",".join(self.chosen), True, description="all that is built now") if len(self.chosen) > 1 else None
        )
        known = {target.name for target in groups}
        units = [
            Target(unit.name, self.chosen == (unit.name,), base=unit.options.file or "Dockerfile")
            for unit in self.units
            if unit.name not in known
        ]
        return (*((whole,) if whole and not groups else ()), *groups, *units)

    async def again(self, settings: Settings) -> Workspace:
        """The same, as the files say it now; what was chosen stays chosen where it still is there."""
        asked = msgspec.structs.replace(self.flags, context=".", file=self.given)
        space = await open_workspace(asked, settings, cwd=self.cwd)
        known = {unit.name for unit in space.units}
        kept = tuple(name for name in self.chosen if name in known)
        new = tuple(name for name in space.chosen if name not in {unit.name for unit in self.units})
        return msgspec.structs.replace(space, chosen=(*kept, *new) or space.chosen)


def alone(options: BuildOptions, cwd: Path) -> Workspace:
    """One Dockerfile, as `docker build` would take it."""
    return Workspace(Kind.DOCKERFILE, (Unit("", options),), ("",), cwd, flags=options)


async def open_workspace(options: BuildOptions, settings: Settings, *, cwd: Path) -> Workspace:
    """What `options` ask for; its context is the folder that is looked at.

    Raises `UsageError` for files that cannot be read as they are and for unknown targets, `EngineError` where docker's
    tools are missing.
    """
    folder = cwd / options.context
    if options.context == "-" or not folder.is_dir():
        return alone(options, cwd)
    flags = msgspec.structs.replace(options, context=".", target="", file="")
    ways = find(folder, options.file if "://" not in options.file and options.file != "-" else "")
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
    space = msgspec.structs.replace(space, ways=tuple(each.kind for each in ways), given=options.file)
    if options.target:
        return space.choose(options.target)
    if not space.chosen:
        offered = ", ".join(unit.name for unit in space.units)
        raise UsageError(f"The {space.kind} has no default group.", f"Name a target with --target: {offered}.")
    return space


def _expected(ways: tuple[Source, ...], options: BuildOptions) -> Source | None:
    """The way that people expect: the Dockerfile where options speak of one image, else the first."""
    one = any(getattr(options, field) for field in _ONE_IMAGE if field != "file")
    plain = next((way for way in ways if way.kind is Kind.DOCKERFILE), None)
    return plain if one and plain else next(iter(ways), None)


async def _baked(way: Source, flags: BuildOptions, folder: Path) -> Workspace:
    baked = await bake.resolve(way, flags, cwd=folder)
    if flags.tags and len(baked.default) > 1:
        raise UsageError("-t names one image, and several are built.", "Name one of them with --target.")
    found = in_order(baked.units)
    return Workspace(way.kind, found, baked.default, folder, way.files, baked.groups, flags=flags, baked=baked.file)


def _settings_files(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in (folder / "hitmiss.toml", folder / "pyproject.toml") if path.is_file())
