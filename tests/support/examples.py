"""The example projects that ship with hitmiss, as projects of a test, and stand-ins for the images they build on."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import hitmiss
from tests.support import images
from tests.support.engine import PrivateEngine
from tests.support.project import Project

FOLDER = Path(hitmiss.__file__).parent / "examples"
UV = "ghcr.io/astral-sh/uv:0.8.17"
BASES: dict[str, tuple[str, ...]] = {
    "webapp": ("python:3.12-slim",),
    "logs": ("python:3.12-slim", "python:3.13-slim", "ghcr.io/astral-sh/uv:0.5.11"),
    "voice": ("python:3.12-slim", UV),
    "shop": ("python:3.12-slim", "node:22-slim"),
    "uvapp": ("python:3.12-slim", UV),
    "poetry-ci": ("python:3.12-slim",),
}
"""Name of each example → the hub's images that it needs, with those that its README says to try."""

REGISTRY = "localhost:5000"
"""The registry that the settings of an example name."""


def copy(name: str, folder: Path, *, registry: str = REGISTRY) -> Path:
    """A copy of an example that may be written to; only its settings may get another registry."""
    shutil.copytree(FOLDER / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))
    settings = folder / "hitmiss.toml"
    if registry != REGISTRY and settings.exists():
        settings.write_text(settings.read_text().replace(REGISTRY, registry))
    return folder


def load_bases(engine: PrivateEngine, name: str, *, marker: str = "", pace_ms: int = 0) -> tuple[str, ...]:
    """Load the stand-ins that an example needs, each an image of its own; gives their names.

    With another `marker` the names move to other images.
    """
    archive = images.archive_apart(BASES[name], marker, pace_ms)
    for line in engine.api("POST", "/images/load?quiet=1", archive).splitlines():
        if "error" in (said := json.loads(line)):
            raise OSError(f"loading images: {said['error']}")
    return BASES[name]


def add_line(project: Project, name: str, line: str = "# changed") -> None:
    """Save a file with one more line, so that its size is another."""
    project.save(name, project.read(name) + line + "\n")


def replace(project: Project, name: str, old: str, new: str) -> None:
    """Save a file with `new` in place of `old`, which is in it."""
    text = project.read(name)
    assert old in text, f"{name} has no {old!r}"
    project.save(name, text.replace(old, new))


def content(engine: PrivateEngine, image: str) -> dict[str, tarfile.TarInfo]:
    """Path (without the first slash) → what the image has there."""
    number = engine.docker("create", image).stdout.strip()
    try:
        tar = engine.api("GET", f"/containers/{number}/export")
    finally:
        engine.api("DELETE", f"/containers/{number}")
    with tarfile.open(fileobj=io.BytesIO(tar)) as files:
        return {info.name: info for info in files}


def needed(name: str) -> set[str]:
    """The images that the Dockerfiles of an example name in FROM and --from, with arguments at their defaults."""
    found: set[str] = set()
    for path in (FOLDER / name).rglob("*ockerfile*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        text = path.read_text()
        defaults = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
        stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
        words = {*re.findall(r"^FROM (\S+)", text, re.MULTILINE), *re.findall(r"--from=(\S+)", text)}
        for argument, value in defaults.items():
            words = {word.replace(f"${{{argument}}}", value) for word in words}
        found |= words - stages
    return found
