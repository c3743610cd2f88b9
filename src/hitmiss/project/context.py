"""What is watched: the folders and files on disk that a build reads, and what of them BuildKit will see.

It looks at folders, and nothing else: no process, no screen, no database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hitmiss.errors import UsageError
from hitmiss.project import ignore
from hitmiss.project.ignore import NOTHING_IGNORED, IgnoreRules
from hitmiss.project.tree import count

MAIN: Final = ""
"""The main context's name; every other name is that of a named context."""

_REMOTE: Final = re.compile(r"(https?|git|ssh)://|git@|github\.com/")
_NAMED_ELSEWHERE: Final = ("docker-image://", "target:", "oci-layout://", "input:")


@dataclass(frozen=True, slots=True)
class Contexts:
    """Where the inputs of a build are on disk. All paths are absolute.

    `root` is the main context's folder, None where it is not a folder (a URL, git, stdin); `dockerfile` is the
    Dockerfile, None where it is not on disk; `ignore_files` are the places where BuildKit looks for the main
    context's ignore file, in order of precedence, whether they exist or not; `named` are the named contexts that are
    folders (name → path); `unwatched` are the contexts that are built but not watched (name → value as given; "" is
    the main one).
    """

    root: Path | None
    dockerfile: Path | None
    ignore_files: tuple[Path, ...]
    named: Mapping[str, Path]
    unwatched: Mapping[str, str]

    def folders(self) -> tuple[tuple[str, Path], ...]:
        """Every context that is a folder on disk: (name, path), the main one ("") first."""
        main = ((MAIN, self.root),) if self.root else ()
        return (*main, *self.named.items())

    def definitions(self) -> tuple[tuple[str, Path], ...]:
        """The Dockerfile and every place of an ignore file, whether it exists or not: (context, path)."""
        files = (self.dockerfile, *self.ignore_files) if self.dockerfile else self.ignore_files
        return (
            *((MAIN, path) for path in files),
            *((name, path / ".dockerignore") for name, path in self.named.items()),
        )

    def rules(self) -> dict[str, IgnoreRules]:
        """The ignore rules now in force for each context of `folders`; raises `UsageError` for a refused pattern."""
        found = {name: _rules((path / ".dockerignore",)) for name, path in self.named.items()}
        return {MAIN: _rules(self.ignore_files)} | found if self.root else found


@dataclass(frozen=True, slots=True)
class Census:
    """What BuildKit sees of the contexts: the number of files (links too), and folders that could not be read."""

    files: int
    unreadable: tuple[str, ...]


def resolve(
    path: str = ".",
    *,
    dockerfile: str | None = None,
    named: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Contexts:
    """Find the inputs of `docker build [-f dockerfile] [--build-context name=value…] path`, as buildx does.

    Raises `UsageError` where a context or the Dockerfile is not there.
    """
    here = (cwd or Path.cwd()).absolute()
    folders: dict[str, Path] = {}
    unwatched: dict[str, str] = {}
    root = _main(path, here)
    if root is None:
        unwatched[MAIN] = path
    for name, value in (named or {}).items():
        if value.startswith(_NAMED_ELSEWHERE) or _REMOTE.match(value):
            unwatched[name] = value
        else:
            folders[name] = _named(name, value, here)
    found = _dockerfile(dockerfile, root, here)
    ignore_files = [root / ".dockerignore"] if root else []
    if found and root:
        ignore_files.insert(0, found.with_name(found.name + ".dockerignore"))
    return Contexts(root, found, tuple(ignore_files), folders, unwatched)


class Folders(Protocol):
    """Contexts of one target, or of several."""

    def folders(self) -> tuple[tuple[str, Path], ...]:
        """Every context that is a folder on disk, by its name."""
        ...

    def rules(self) -> dict[str, IgnoreRules]:
        """The ignore rules now in force for each of them."""
        ...


def census(contexts: Folders, rules: Mapping[str, IgnoreRules] | None = None) -> Census:
    """Count the files that BuildKit would see. A context that is gone counts as empty.

    Raises `UsageError` for a refused ignore pattern, unless `rules` are given.
    """
    files = 0
    unreadable: list[str] = []
    rules = contexts.rules() if rules is None else rules
    for name, path in contexts.folders():
        seen, shut = count(str(path), rules.get(name, NOTHING_IGNORED))
        files += seen
        unreadable += (str(path / folder) for folder in shut)
    return Census(files, tuple(unreadable))


def _main(path: str, here: Path) -> Path | None:
    if path == "-":
        return None
    place = _absolute(path, here)
    if _is_folder(place):
        if not os.access(place, os.R_OK | os.X_OK):
            raise UsageError(
                f"The build context {path} cannot be read: permission denied.", f"`ls -ld {place}` shows why."
            )
        return place
    if _REMOTE.match(path):
        return None
    if place.exists():
        raise UsageError(
            f"The build context {path} is a file, not a folder.", "Name the folder that holds the sources."
        )
    raise UsageError(f"The build context {path} does not exist.", "Name the folder that holds the sources.")


def _named(name: str, value: str, here: Path) -> Path:
    place = _absolute(value, here)
    if not _is_folder(place):
        state = "is a file, not a folder" if place.exists() else "does not exist"
        raise UsageError(
            f"The build context {name}={value} {state}.", "Give a folder, or a URL or docker-image://NAME."
        )
    return place


def _dockerfile(given: str | None, root: Path | None, here: Path) -> Path | None:
    if given == "-" or (given and given.startswith(("http://", "https://"))):
        return None
    if not given:
        if root is None:
            return None
        place = root / "Dockerfile"
    elif root is None and not Path(given).is_absolute():
        return None
    else:
        place = _absolute(given, here)
    if place.name == "Dockerfile" and not place.exists() and place.with_name("dockerfile").exists():
        place = place.with_name("dockerfile")
    if not os.path.lexists(place) or _is_folder(place):
        shown = given or str(place)
        state = "is a folder" if _is_folder(place) else "does not exist"
        raise UsageError(f"The Dockerfile {shown} {state}.", "Name one with -f, or make one there.")
    return place


def _absolute(path: str, here: Path) -> Path:
    return Path(os.path.normpath(here / path))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _rules(places: tuple[Path, ...]) -> IgnoreRules:
    for place in places:
        try:
            return ignore.parse(place.read_bytes())
        except OSError:
            continue
    return NOTHING_IGNORED
