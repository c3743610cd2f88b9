"""What a save comes to: which members of a crew read what was saved, and the words for one that none reads.

It asks the crew and changes nothing; when to build is the schedule's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from hitmiss.crew import Crew
from hitmiss.project import watch
from hitmiss.project.units import unwatched
from hitmiss.runner import secret_files
from hitmiss.settings import Settings

Changes = Mapping[str, Sequence[watch.Change]]
"""What changed in the contexts of each member, by its name."""


@dataclass(frozen=True)
class Reach:
    """The members that a save reaches, and those that read it and find what their last build was given."""

    reached: frozenset[str]
    same: frozenset[str]


def defined(changes: Changes, *, back: bool) -> set[str]:
    """The members whose definition was saved, or is `back` with its folder."""
    return {name for name, mine in changes.items() if back or any(change.definition for change in mine)}


def reach(crew: Crew, settings: Settings, changes: Changes, named: Set[str]) -> Reach:
    """What the changes reach, beside the members that are `named` already."""
    read = {
        name
        for name, mine in changes.items()
        if crew.members[name].reads([each for each in mine if not unwatched(settings, each.path)])
    }
    same = {
        name
        for name in read - named
        if crew.members[name].sources.same_as_before(changes[name], crew.began(name), over=not crew.builds(name))
    }
    return Reach(frozenset(named | (read - same)), frozenset(same))


def beside_definitions(crew: Crew, changes: Changes) -> dict[str, list[watch.Change]]:
    """The changes that are not of the files which say what the targets are, or that a target reads as well."""
    files = {str(path) for path in crew.space.files}
    found = {}
    for name, member in crew.members.items():
        folders = dict(member.definition.contexts.folders())
        mine = [
            each
            for each in changes.get(name, ())
            if f"{folders.get(each.context, '')}/{each.path}" not in files or member.reads([each])
        ]
        if mine:
            found[name] = mine
    return found


def same_words(changes: Changes) -> str:
    """The sentence for a save of what the last build was given."""
    return f"{printable(_paths(changes)[0])}: saved as it was"


def unread_words(crew: Crew, changes: Changes, no_cache_key: str) -> str:
    """The sentence for a save that no step reads; `no_cache_key` builds with a secret that was saved."""
    paths = _paths(changes)
    secrets = _secret_paths(crew)
    if path := next((path for path in paths if path in secrets), ""):
        return (
            f"{printable(path)}: BuildKit does not count a secret's value, so no step runs; "
            f"{no_cache_key} builds with it"
        )
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{printable(paths[0])}{more}: no step of {crew.title() or 'the target'} reads it"


def printable(path: str) -> str:
    """A path as it can stand in a sentence, whatever its name has in it."""
    return path.encode("utf-8", "replace").decode("utf-8", "replace") if path.isprintable() else ascii(path)[1:-1]


def _paths(changes: Changes) -> list[str]:
    return sorted({change.path for mine in changes.values() for change in mine})


def _secret_paths(crew: Crew) -> set[str]:
    """The files of the contexts that secrets are read from, as the watch names them."""
    found = set()
    for member in crew.members.values():
        folders = member.definition.contexts.folders()
        for file in secret_files(member.unit.options, crew.space.cwd):
            found |= {os.path.relpath(os.path.realpath(file), os.path.realpath(folder)) for _, folder in folders}
    return found
