"""What the placeholders of a tag stand for: `{branch}`, `{version}`, `{sha}` and `{date}`.

It reads the files of a project that name its version, and asks git, once, when a tag wants to know.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from hitmiss.errors import UsageError
from hitmiss.settings_rules import PLACEHOLDERS

_LONGEST: Final = 128
"""Characters that a tag may have."""
_SHA: Final = 7
_PATIENCE_S: Final = 2.0
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_MEND: Final = "Take it out of the tags, or give the tag with -t."


class _Answer(NamedTuple):
    """What git said: its lines, and a sentence where it has none to say."""

    lines: tuple[str, ...] = ()
    why: str = ""


class Naming:
    """The placeholders of one folder, as they stand now; have a new one for each build."""

    def __init__(self, folder: Path, today: date | None = None) -> None:
        self._folder = folder
        self._today = today

    def fill(self, tag: str) -> str:
        """A tag with its placeholders filled in, made fit for where they stand.

        In the repository's part (before the colon) everything is lower-case; the part behind it is at most 128
        characters long, the branch giving way first. It may wait for git, for two seconds at most. Raises `UsageError`
        for a placeholder that has no value here.
        """
        values = {name: self.value(name) for name in dict.fromkeys(_PLACEHOLDER.findall(tag))}
        colon = tag.rfind(":")
        label = tag[colon + 1 :] if colon > tag.rfind("/") else ""
        name = tag[: len(tag) - len(label)]
        return _filled(name, values).lower() + _shortened(label, values)

    def value(self, name: str) -> str:
        """What one placeholder stands for; raises `UsageError` where it has no value here."""
        if name not in PLACEHOLDERS:
            raise UsageError(f"{{{name}}} is no placeholder.", f"Placeholders: {', '.join(PLACEHOLDERS)}.")
        if name == "date":
            return (self._today or date.today()).isoformat()
        found, why = self._version if name == "version" else self._head[name]
        if not (fit := fitted(found)):
            raise UsageError(f"{{{name}}} has no value: {why}", _MEND)
        return fit

    @cached_property
    def _head(self) -> dict[str, tuple[str, str]]:
        """Branch and commit, each with the reason why there is none."""
        answer = _git(self._folder, "rev-parse", "HEAD", "--symbolic-full-name", "HEAD")
        if len(answer.lines) != 2:
            return dict.fromkeys(("branch", "sha"), ("", answer.why))
        commit, ref = answer.lines
        branch = ref.removeprefix("refs/heads/")
        return {
            "branch": (branch if branch != ref else "", "a commit is checked out here, and no branch."),
            "sha": (commit[:_SHA], "git names no commit."),
        }

    @cached_property
    def _version(self) -> tuple[str, str]:
        for read in (_of_pyproject, _of_package, _of_version_file):
            if version := read(self._folder):
                return version, "it has no character that a tag may have."
        answer = _git(self._folder, "describe", "--tags")
        none = "neither pyproject.toml nor package.json nor VERSION has one, and git has no tag for it."
        return (answer.lines[0] if answer.lines else ""), none


def fitted(text: str) -> str:
    """A text made fit for a tag: other characters become `-`, and it begins with neither dot nor dash."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-")[:_LONGEST]


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _shortened(label: str, values: Mapping[str, str]) -> str:
    """The part behind the colon, its branch cut off where the whole would be too long."""
    full = _filled(label, values)
    times = label.count("{branch}")
    if len(full) <= _LONGEST or not times:
        return full
    too_many = -(-(len(full) - _LONGEST) // times)
    branch = values["branch"][:-too_many] or values["branch"][:1]
    return _filled(label, {**values, "branch": branch})


# Where a version is written


def _of_pyproject(folder: Path) -> str:
    try:
        table = tomllib.loads(_text(folder / "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return ""
    return _entry(table.get("project"), "version")


def _of_package(folder: Path) -> str:
    try:
        return _entry(json.loads(_text(folder / "package.json") or "{}"), "version")
    except ValueError:
        return ""


def _of_version_file(folder: Path) -> str:
    lines = _text(folder / "VERSION").split("\n")
    return next((line.strip() for line in lines if line.strip()), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _entry(table: Any, key: str) -> str:
    value = table.get(key) if isinstance(table, dict) else None
    return value.strip() if isinstance(value, str) else ""


# git


def _git(folder: Path, *words: str) -> _Answer:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return _Answer(why=f"git gave no answer within {_PATIENCE_S:.0f} seconds.")
    except OSError:
        return _Answer(why="git is not installed, or cannot be started here.")
    if done.returncode == 0:
        return _Answer(tuple(done.stdout.decode("utf-8", "replace").split("\n")[:-1]))
    return _Answer(why=_reason(done.stderr.decode("utf-8", "replace")))


def _reason(said: str) -> str:
    """Why git had no answer, in a sentence; its own words are not repeated."""
    if "not a git repository" in said:
        return "this folder is no git repository."
    if "dubious ownership" in said:
        return "git does not trust this folder, for it belongs to somebody else."
    return "this git repository has no commit yet."
