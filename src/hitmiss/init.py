"""`hitmiss init`: a settings file, with comments, from what is in a folder.

What it writes changes nothing until somebody takes a `#` away, but for a folder with several Dockerfiles that no bake
or compose file speaks for: there each becomes a target.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from hitmiss import settings
from hitmiss.errors import UsageError
from hitmiss.naming import fitted
from hitmiss.project import dockerfile, find
from hitmiss.project.dockerfile import Dockerfile, DockerfileError
from hitmiss.project.mounts import mounts_of
from hitmiss.settings import looks_secret
from hitmiss.settings_rules import ENV_NAME

NAME: Final = "hitmiss.toml"

_DOCKERFILE: Final = re.compile(r"(docker|container)file([._-].+)?|.+\.(docker|container)file", re.IGNORECASE)
_NOT_ONE: Final = re.compile(r".*(\.dockerignore|~|\.(bak|orig|swp|tmp))", re.IGNORECASE)
_SHUT: Final = frozenset({"node_modules", "vendor", "venv", "site-packages", "target", "__pycache__"})
"""Folders that hold other people's projects, or nobody's; those with a dot in front are left out too."""
_DEEPEST: Final = 3
_MOST: Final = 20
"""Dockerfiles that are written of."""
_MOST_ARGS: Final = 6
_SHELVES: Final = frozenset({"docker", "dockerfiles", "build", "deploy", "ci", "images", "containers"})
"""Folders in which people keep Dockerfiles of what lies outside."""

_SET_BY_ITSELF: Final = re.compile(r"(TARGET|BUILD)(PLATFORM|OS|ARCH|VARIANT|STAGE)")
"""Arguments that the engine sets."""

_HEAD: Final = """\
# The settings of hitmiss for this project. Everything here may be left out.
# A setting behind a # is not in force: it shows the default, or an example.

# What a save during a build does: restart, queue or manual.
#on-change = "restart"
# Milliseconds of quiet after a save before a build starts.
#settle = 100
#theme = "hitmiss-dark"
# Paths whose saves start nothing, written as in a .dockerignore.
#watch = { ignore = ["docs/**", "*.md"] }

#[keys]
#rebuild = "r"
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A Dockerfile: its path from the project's folder (with `/`), and what is in it, None where it does not parse."""

    path: str
    parsed: Dockerfile | None


def run(project: str, *, only_print: bool) -> int:
    """Write the file, or print it; gives the exit code. Raises `UsageError` where there is one already."""
    folder = Path(project)
    if not folder.is_dir():
        raise UsageError(f"{project} is not a folder.", "Name the project's folder.")
    text, names = compose(folder)
    if only_print:
        _say(text)
        return 0
    place = folder / NAME
    _require_none(folder)
    try:
        with place.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise _is_there(place) from None
    except OSError as error:
        raise UsageError(
            f"{place} cannot be written: {error.strerror}.", "`hitmiss init --print` shows what would be in it."
        ) from error
    what = f"{len(names)} targets: {', '.join(names)}" if names else "all of it behind a #, for you to choose from"
    _say(f"Wrote {place} ({what}).\n")
    return 0


def compose(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The text for a folder, and the targets that are in force in it."""
    files = dockerfiles(folder)
    others = [path.name for source in find.find(folder) if source.kind is not find.Kind.DOCKERFILE
              for path in source.files if path.name != ".env"]  # fmt: skip
    others = list(dict.fromkeys(others))
    in_force = len(files) > 1 and not others
    named = dict(zip(_names(files), files, strict=True))
    parts = [_HEAD, _introduction(files, others)]
    above = next((name for name, file in named.items() if _takes_a_base(file)), "")
    below = next((name for name in named if name != above), "")
    project = fitted(folder.resolve().name).lower() or "app"
    for name, file in named.items():
        image = name.lower() if len(named) > 1 else project
        parts.append(_target(name, file, folder, image, below if name == above else "", in_force))
    if not files:
        parts.append('#[targets.app]\n#dockerfile = "Dockerfile"\n#tags = ["app:latest", "app:{branch}"]\n')
    return "\n".join(parts), tuple(named) if in_force else ()


def dockerfiles(folder: Path) -> tuple[Found, ...]:
    """The Dockerfiles of a folder by any name, those at its top first."""
    found: list[Found] = []
    for path in _places(folder):
        parsed, text = None, ""
        try:
            text = (folder / path).read_text(encoding="utf-8")
            parsed = dockerfile.parse(text)
        except (OSError, UnicodeDecodeError, DockerfileError):
            if Path(path).name.lower() not in ("dockerfile", "containerfile") and not dockerfile.frontend(text):
                continue
        found.append(Found(path, parsed))
        if len(found) == _MOST:
            break
    return tuple(found)


def _places(folder: Path) -> list[str]:
    """Files that are called like a Dockerfile, as paths from the folder."""
    places: list[str] = []
    for top, folders, names in os.walk(folder):
        inside = Path(top).relative_to(folder)
        depth = len(inside.parts)
        folders[:] = [name for name in sorted(folders) if depth < _DEEPEST and name not in _SHUT and name[0] != "."]
        for name in sorted(names):
            path = (inside / name).as_posix()
            if _DOCKERFILE.fullmatch(name) and not _NOT_ONE.fullmatch(name) and _is_text(path):
                places.append(path)
    return sorted(places, key=lambda path: (path.count("/"), path))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _names(files: Sequence[Found]) -> list[str]:
    """A name for each target, after what tells its Dockerfile from the others."""
    names: list[str] = []
    for file in files:
        *folders, last = file.path.split("/")
        kind = re.sub(r"^(docker|container)file[._-]?|\.(docker|container)file$", "", last, flags=re.IGNORECASE)
        own = fitted(kind) or fitted(folders[-1] if folders and folders[-1] not in _SHELVES else "") or "app"
        longer = fitted("-".join((*folders, own)))
        name, number = own if own not in names else longer, 1
        while name in names:
            number += 1
            name = f"{longer}-{number}"
        names.append(name)
    return names


# The text


def _introduction(files: Sequence[Found], others: Sequence[str]) -> str:
    if others:
        said = (
            f"{_list(others)} {'says' if len(others) == 1 else 'say'} what is built here: picked up without a setting."
        )
        return f"# {said}\n# Targets in this file are built in its place.\n"
    if len(files) > 1:
        return (
            "# Each Dockerfile is a target. Take out what you do not build;\n"
            '# needs = ["NAME"] is for one that stands on another\'s image.\n'
        )
    where = f"{_text(files[0].path)} is built as it is" if files else "There is no Dockerfile here yet"
    return f"# {where}. To say more of it, take the # away from [targets…] and from what you need.\n"


def _target(name: str, file: Found, folder: Path, image: str, need: str, in_force: bool) -> str:
    """The table of one target; `need` is another that it may stand on."""
    mark = "" if in_force else "#"
    lines = [f"{mark}[targets.{_key(name)}]"]
    if (context := _context(file, folder)) != ".":
        lines.append(f"{mark}context = {_text(context)}")
    lines.append(f"{mark}dockerfile = {_text(file.path)}")
    if file.parsed:
        lines += _of_dockerfile(file.parsed)
    lines.append(f"#tags = [{_text(f'{image}:latest')}, {_text(f'{image}:{{branch}}')}]")
    if need:
        lines.append(f"#needs = [{_text(need)}]")
    lines.append('#triggers = ["src/**"]')
    return "\n".join(lines) + "\n"


def _of_dockerfile(parsed: Dockerfile) -> Iterator[str]:
    stages = [stage.name for stage in parsed.stages if stage.name]
    if stages:
        yield f"# Its stages: {', '.join(stages)}."
        yield f"#target = {_text(stages[-1])}"
    arguments = _arguments(parsed)
    plain = [f"{_key(key)} = {_text(value)}" for key, value in arguments.items() if not looks_secret(key)]
    if plain:
        yield f"#args = {{ {', '.join(plain[:_MOST_ARGS])} }}"
    secrets = dict.fromkeys(_secrets(parsed))
    if secrets:
        places = [f"{_key(name)} = {{ env = {_text(_variable(name))} }}" for name in secrets]
        yield f"#secrets = {{ {', '.join(places)} }}"


def _arguments(parsed: Dockerfile) -> dict[str, str]:
    """Names and defaults of the ARG lines that a build can set, the first of each; a default that is put together
    from others is left out.
    """
    found: dict[str, str] = {}
    lines = (*parsed.arguments, *(each for stage in parsed.stages for each in stage.instructions))
    for instruction in lines:
        for word in instruction.args if instruction.keyword == "ARG" else ():
            name, _, value = word.partition("=")
            plain = value.strip("\"'")
            if ENV_NAME.fullmatch(name) and not _SET_BY_ITSELF.fullmatch(name):
                found.setdefault(name, plain if "$" not in plain else "")
    return found


def _takes_a_base(file: Found) -> bool:
    """Whether a base image is given by an argument: such a Dockerfile may stand on the image of another."""
    return file.parsed is not None and any("$" in stage.base for stage in file.parsed.stages)


def _secrets(parsed: Dockerfile) -> Iterator[str]:
    for stage in parsed.stages:
        for instruction in stage.instructions:
            for mount in mounts_of(instruction):
                name = mount.options.get("id") or mount.target.rpartition("/")[2]
                if mount.kind == "secret" and re.fullmatch(r"[^=,\s]+", name):
                    yield name


def _context(file: Found, folder: Path) -> str:
    """The folder that a Dockerfile's sources are in: its own, or the project's."""
    own = file.path.rpartition("/")[0]
    if not own or not file.parsed:
        return "."
    sources = list(_sources(file.parsed))
    here = sum((folder / own / source).exists() for source in sources)
    above = sum((folder / source).exists() for source in sources)
    if here == above:
        return "." if own.rpartition("/")[2].lower() in _SHELVES else own
    return own if here > above else "."


def _sources(parsed: Dockerfile) -> Iterator[str]:
    """What COPY and ADD read of the context, as far as it is plain."""
    for stage in parsed.stages:
        for instruction in stage.instructions:
            if instruction.keyword in ("COPY", "ADD") and not instruction.flag("from"):
                for word in instruction.args[:-1]:
                    if not re.search(r"[*?\[$<]|://", word) and "\0" not in word:
                        yield word.lstrip("/") or "."


def _variable(secret: str) -> str:
    name = re.sub(r"\W", "_", secret, flags=re.ASCII).upper()
    return name if ENV_NAME.fullmatch(name) else f"SECRET_{name}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    """A text as TOML writes it."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _list(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


# The place


def _require_none(folder: Path) -> None:
    if os.path.lexists(folder / NAME):
        raise _is_there(folder / NAME)
    shared = folder / "pyproject.toml"
    if settings.load(folder) != settings.Settings():
        raise UsageError(f"{shared} has settings already, in [tool.hitmiss].", "`hitmiss init --print` shows others.")


def _is_there(place: Path) -> UsageError:
    return UsageError(f"{place} is there already, and stays as it is.", "`hitmiss init --print` shows a new one.")


def _say(text: str) -> None:
    try:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
