"""What a project offers in place of what a build did not find: its stages, and the files of its context.

It reads folders when it is asked, and nothing before: a build that succeeds asks nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hitmiss.build.trouble import Known
from hitmiss.errors import UsageError
from hitmiss.project import context, dockerfile
from hitmiss.project.ignore import NOTHING_IGNORED, IgnoreRules
from hitmiss.settings import BuildOptions

_MOST_FILES = 20_000
"""So many files of the context are looked through for one of a name."""


def nearby(
    options: BuildOptions,
    *,
    cwd: Path,
    own: str = "",
    given: Sequence[str] = (),
    makes: Mapping[str, str] | None = None,
) -> Known:
    """What is known of the project that `options` names.

    `own` is the builder's platform, `given` are the ids of the secrets that are given, `makes` are the targets that
    make images, by the images' names.
    """
    known = Known(makes=makes or {}, given=tuple(given), context=options.context, own=own)
    try:
        contexts = context.resolve(options.context, dockerfile=options.file or None, cwd=cwd)
        rules = contexts.rules().get(context.MAIN, NOTHING_IGNORED)
    except UsageError:
        return known
    stages, bases = _stages(contexts.dockerfile)
    known = dataclasses.replace(known, stages=stages, bases=bases)
    if contexts.root is None:
        return known
    folder = _Folder(contexts.root, rules)
    return dataclasses.replace(
        known,
        ignore_file=next((path.name for path in contexts.ignore_files if path.is_file()), ".dockerignore"),
        entries=folder.entries,
        rule=folder.rule,
        leads=folder.leads,
        windows=folder.windows,
        odd=folder.odd,
    )


def _stages(place: Path | None) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The names of the stages, and the image that each stands on in the end, by the name that is shown."""
    try:
        parsed = dockerfile.parse(place.read_bytes().decode("utf-8", "replace") if place else "")
    except (OSError, dockerfile.DockerfileError):
        return (), {}
    bases: dict[str, str] = {}
    for stage in parsed.stages:
        bases[stage.shown] = bases.get(stage.base.lower(), stage.base)
    return tuple(dict.fromkeys(stage.name for stage in parsed.stages if stage.name)), bases


class _Folder:
    """A context on disk; paths are relative to it."""

    def __init__(self, root: Path, rules: IgnoreRules) -> None:
        self._root, self._rules = root, rules

    def entries(self, path: str) -> Sequence[str]:
        try:
            return sorted(each.name for each in (self._root / path).iterdir())
        except (OSError, ValueError):
            return ()

    def rule(self, path: str) -> str:
        """The last rule that alone leaves out what is there."""
        if not os.path.lexists(self._root / path) or not self._rules.ignores(path):
            return ""
        alone = (rule for rule in reversed(self._rules.patterns) if not rule.startswith("!"))
        return next((rule for rule in alone if IgnoreRules((rule,)).ignores(path)), "")

    def leads(self, path: str) -> str:
        place = self._root / path
        for each in (place, *place.parents):
            if each == self._root:
                break
            if each.is_symlink() and not each.resolve().is_relative_to(self._root.resolve()):
                return str(each.readlink())
        return ""

    def windows(self, name: str) -> str:
        for path in itertools.islice(self._files(), _MOST_FILES):
            if path.name == name and _first_line(path).endswith(b"\r\n"):
                return path.relative_to(self._root).as_posix()
        return ""

    def odd(self) -> str:
        for path in itertools.islice(self._files(), _MOST_FILES):
            name = path.relative_to(self._root).as_posix()
            shown = os.fsencode(name).decode("utf-8", "replace")
            if shown != name and not self._rules.ignores(name):
                return shown
        return ""

    def _files(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self._root):
            yield from (Path(folder, name) for name in names)


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.readline(1000)
    except OSError:
        return b""
