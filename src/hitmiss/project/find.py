"""What of a folder can be built: bake files, compose files, Dockerfiles. It looks at names, and reads no file."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Source:
    """One way to build a folder. `files` are those that say what is built; `given` is the one that was asked for."""

    kind: Kind
    files: tuple[Path, ...]
    given: Path | None = None


def kind_of(name: str) -> Kind:
    """What kind of file one with this name is, as people name them."""
    lower = Path(name).name.lower()
    if lower.endswith((".hcl", ".json")):
        return Kind.BAKE
    return Kind.COMPOSE if lower.endswith((".yaml", ".yml")) else Kind.DOCKERFILE


def find(folder: Path, given: str = "") -> tuple[Source, ...]:
    """The ways to build a folder, the one that people expect first; with `given`, what that file is."""
    if given:
        path = folder / given
        return (Source(kind_of(given), (path,), path),)
    ways = (
        Source(Kind.BAKE, _there(folder, BAKE_FILES)),
        Source(Kind.COMPOSE, _there(folder, COMPOSE_FILES)[:1]),
        Source(Kind.DOCKERFILE, _there(folder, ("Dockerfile", "dockerfile"))[:1]),
    )
    return tuple(_whole(folder, way) for way in ways if way.files)


def _whole(folder: Path, way: Source) -> Source:
    """With the files that are read beside the first."""
    if way.kind is Kind.BAKE:
        return Source(way.kind, (*way.files, *_there(folder, (*COMPOSE_FILES, ".env"))))
    if way.kind is Kind.COMPOSE:
        return Source(way.kind, (*way.files, *_there(folder, (*COMPOSE_OVERRIDES, ".env"))))
    return way


def _there(folder: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    try:
        return tuple(path for path in (folder / name for name in names) if path.is_file())
    except OSError:  # a folder that cannot be read: whoever builds it says so
        return ()
