"""What of a folder can be built: bake files, compose files, Dockerfiles.

It looks at names; of what is in the files it reads only which compose files a `.env` names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

BAKE_FILES = ("docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl")
"""What `buildx bake` reads by itself (docker/buildx, `bake.DefaultFilenames`), beside the compose files."""

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""What `docker compose` takes by itself, the first that is there (compose-go, `cli.DefaultFileNames`)."""

COMPOSE_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


class Kind(StrEnum):
    """What kind of file says what is built."""

    DOCKERFILE = "Dockerfile"
    BAKE = "bake file"
    COMPOSE = "compose file"
    SETTINGS = "settings"


_SUFFIXES = (".yaml", ".yml", ".hcl", ".env")
"""What files are called that others of the folder may take in: `include`, `extends`, `env_file`, one more `-f`."""


@dataclass(frozen=True, slots=True)
class Source:
    """One way to build a folder.

    `files` are those that say what is built; `given` is the one that was asked for. `watched` are the places of all
    that could have a say, whether there is something or not.
    """

    kind: Kind
    files: tuple[Path, ...]
    given: Path | None = None
    watched: tuple[Path, ...] = ()


def kind_of(name: str) -> Kind:
    """What kind of file one with this name is, as people name them."""
    lower = Path(name).name.lower()
    if lower.endswith((".hcl", ".json")):
        return Kind.BAKE
    return Kind.COMPOSE if lower.endswith((".yaml", ".yml")) else Kind.DOCKERFILE


def find(folder: Path, given: str = "", environment: Mapping[str, str] = {}) -> tuple[Source, ...]:
    """The ways to build a folder, the one that people expect first; with `given`, what that file is.

    Of the `environment` `COMPOSE_FILE` counts, which may also stand in the folder's `.env`.
    """
    if given:
        path = folder / given
        return (Source(kind_of(given), (path,), path, (path, path.parent / ".env", *_beside(folder))),)
    named = _named(folder, environment)
    compose = named or _there(folder, COMPOSE_FILES)[:1]
    overrides = () if named else _there(folder, COMPOSE_OVERRIDES)
    places = _at(folder, (*COMPOSE_FILES, *COMPOSE_OVERRIDES, ".env"))
    bake = _there(folder, BAKE_FILES)
    ways = (
        Source(
            Kind.BAKE,
            (*bake, *_there(folder, COMPOSE_FILES)) if bake else (),
            watched=_unique(_at(folder, BAKE_FILES), places, _beside(folder)),
        ),
        Source(
            Kind.COMPOSE,
            (*compose, *overrides) if compose else (),
            watched=_unique(named, places, _beside(folder)),
        ),
        Source(Kind.DOCKERFILE, _there(folder, ("Dockerfile", "dockerfile"))[:1]),
    )
    return tuple(way for way in ways if way.files)


def _named(folder: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The compose files that `COMPOSE_FILE` names, as `docker compose` reads it."""
    values = _dotenv(folder) | dict(environment)
    separator = values.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return tuple(folder / name for name in values.get("COMPOSE_FILE", "").split(separator) if name)


def _dotenv(folder: Path) -> dict[str, str]:
    """The lines of a `.env` that name compose files; all else in it is docker's to read."""
    try:
        lines = (folder / ".env").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines)
    names = ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR")
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs if name.strip() in names}


def _beside(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that others may take in."""
    try:
        return tuple(sorted(each for each in folder.iterdir() if each.name.endswith(_SUFFIXES) and each.is_file()))
    except OSError:
        return ()


def _at(folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(folder / name for name in names)


def _there(folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    try:
        return tuple(path for path in _at(folder, names) if path.is_file())
    except OSError:  # a folder that cannot be read: whoever builds it says so
        return ()


def _unique(*groups: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(path for group in groups for path in group))
