"""The contexts of several targets as one thing to watch: a folder that many of them read is watched once.

Pure but for the ignore files, which it reads when it is asked for rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hitmiss.project.context import MAIN, Contexts
from hitmiss.project.ignore import IgnoreRules
from hitmiss.project.watch import Change

Place = tuple[Path, Path | None]
"""A folder, and the ignore file that counts there: what two contexts must have in common to be one."""

_FILES = "\0files"
"""The context of the files that say what the targets are."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose context it is: the target's name, and the context's with that target."""

    target: str
    context: str


class Gathered:
    """Contexts by names of its own: folder and ignore file; those of a sole target keep theirs.

    So the same folders have the same names, whichever targets read them.

    Which ignore file counts is looked at once: where one comes or goes, gather again.
    """

    def __init__(self, targets: Mapping[str, Contexts], files: Sequence[Path] = ()) -> None:
        """`files` say what the targets are (bake and compose files): a change of theirs is one of a definition."""
        self._targets = dict(targets)
        self._files = tuple(files)
        self._owners: dict[str, list[Owner]] = {}
        self._paths: dict[str, Path] = {}
        places: dict[Place, str] = {}
        for target, contexts in self._targets.items():
            for context, path in contexts.folders():
                ignores = contexts.ignore_files if context == MAIN else (path / ".dockerignore",)
                counts = next((each for each in ignores if each.is_file()), None)
                name = places.setdefault((path, counts), self._name(target, context, (path, counts)))
                self._paths[name] = path
                self._owners.setdefault(name, []).append(Owner(target, context))

    def folders(self) -> tuple[tuple[str, Path], ...]:
        """Every folder to be watched, by its name here."""
        return tuple(self._paths.items())

    def definitions(self) -> tuple[tuple[str, Path], ...]:
        """The Dockerfiles, all places of ignore files, and the files that say what the targets are."""
        found = dict.fromkeys(
            (self._of(target, context), path)
            for target, contexts in self._targets.items()
            for context, path in contexts.definitions()
        )
        return (*found, *((_FILES, path) for path in self._files))

    def rules(self) -> dict[str, IgnoreRules]:
        """The ignore rules now in force for each of `folders`; raises `UsageError` for a refused pattern."""
        found: dict[str, IgnoreRules] = {}
        known: dict[str, dict[str, IgnoreRules]] = {}
        for name, owners in self._owners.items():
            owner = owners[0]
            if owner.target not in known:
                known[owner.target] = self._targets[owner.target].rules()
            found[name] = known[owner.target][owner.context]
        return found

    def told(self, change: Change) -> list[tuple[str, Change]]:
        """The targets that a change is of, each with the change as it sees it; none for one of `files`.

        One of a definition is of those alone whose definition it is.
        """
        owners = self._owners.get(change.context)
        if owners is None:
            target, _, context = change.context.rpartition(":")
            owners = [Owner(target, context)] if target in self._targets else []
        elif change.definition:
            place = self._paths[change.context] / change.path
            owners = [owner for owner in owners if (owner.context, place) in self._targets[owner.target].definitions()]
        return [(owner.target, replace(change, context=owner.context)) for owner in owners]

    def of_files(self, change: Change) -> bool:
        """Whether the change is one of the files that say what the targets are."""
        return change.context == _FILES

    def _name(self, target: str, context: str, place: Place | None = None) -> str:
        if len(self._targets) == 1:
            return context
        return f"{place[0]}\0{place[1] or ''}" if place else f"{target}:{context}"

    def _of(self, target: str, context: str) -> str:
        """The name here of a target's context; its own where it is no folder."""
        owner = Owner(target, context)
        return next((name for name, owners in self._owners.items() if owner in owners), self._name(target, context))
