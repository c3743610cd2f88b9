"""What is missing on this machine, and the command that mends it. It looks and never changes anything.

`gather` looks, `judge` says what that means: a value in, values out, so that every sentence can be tested without the
machine that it is about.
"""

from __future__ import annotations

import asyncio
import locale
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec
import platformdirs

from hitmiss.build import trouble
from hitmiss.docker import builders, client, endpoint
from hitmiss.errors import EngineError, HitmissError

T = TypeVar("T")

MIN_WATCHES, MIN_INSTANCES = 65_536, 128
"""inotify's limits below which a large project, beside an editor and other watchers, may find no room."""
MIN_COLUMNS, MIN_LINES = 80, 24
_ASK_S = 5.0
"""How long the engine may take to say its version, in seconds."""
_JOIN_GROUP = "sudo usermod -aG docker $USER  # then log in again"


class Health(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `what` is a sentence, `mend` the command (or advice) that mends it, else empty."""

    name: str
    health: Health
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of the machine; an error in place of a value where it could not be had.

    `socket` is None where the engine listens elsewhere, and `permitted` where there is no socket; `inotify` is
    (watches, instances), None where there is none; `size` is (columns, lines), None when the output is no terminal.
    """

    address: str = ""
    socket: Path | None = None
    permitted: bool | None = None
    engine: str | HitmissError = ""
    buildx: tuple[int, int, int] | HitmissError = (0, 0, 0)
    plain_build: str = ""
    builder: builders.BuilderInfo | HitmissError = field(default_factory=lambda: builders.BuilderInfo(""))
    inotify: tuple[int, int] | None = None
    terminal: str = ""
    colours: str = ""
    no_color: bool = False
    encoding: str = "utf-8"
    size: tuple[int, int] | None = None
    data: Path = Path()
    data_error: str = ""
    editor: str = ""
    editor_found: bool = False


async def examine() -> tuple[Finding, ...]:
    """Look at everything hitmiss needs. Never raises a `HitmissError`: what cannot be looked at is a finding."""
    return judge(await gather())


async def gather() -> Facts:
    """Look at the machine. Asks the engine, buildx and the builder at the same time."""
    engine, buildx, builder = await asyncio.gather(
        _or_error(_engine_version()), _or_error(client.version()), _or_error(builders.builder_info())
    )
    socket = endpoint.socket_path(endpoint.context())
    data = Path(platformdirs.user_data_dir("hitmiss", appauthor=False))
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    return Facts(
        address=endpoint.address(endpoint.context()),
        socket=socket,
        permitted=os.access(socket, os.R_OK | os.W_OK) if socket and os.access(socket, os.F_OK) else None,
        engine=engine,
        buildx=buildx,
        plain_build=trouble.plain_build(os.environ),
        builder=builder,
        inotify=_inotify(),
        terminal=os.environ.get("TERM", ""),
        colours=os.environ.get("COLORTERM", ""),
        no_color=bool(os.environ.get("NO_COLOR")),
        encoding=(getattr(sys.stdout, "encoding", "") or locale.getpreferredencoding(False)),
        size=_terminal_size(),
        data=data,
        data_error=_write_error(data),
        editor=editor,
        editor_found=bool(editor) and shutil.which(_first_word(editor)) is not None,
    )


def judge(facts: Facts) -> tuple[Finding, ...]:
    """What the facts mean, in the order in which to mend it."""
    engine = (_engine(facts), _permission(facts), _buildx(facts), _builder(facts), _plain_build(facts))
    here = (_watching(facts), _terminal(facts), _colours(facts), _letters(facts), _data(facts), _editor(facts))
    return tuple(finding for finding in engine + here if finding is not None)


# What is seen


async def _or_error(question: Coroutine[object, object, T]) -> T | HitmissError:
    try:
        return await question
    except HitmissError as error:
        return error


class _Version(msgspec.Struct):
    version: str = msgspec.field(name="Version", default="")


async def _engine_version() -> str:
    """The engine's version; asked on its socket where it has one, else by way of the builder (then it is empty)."""
    socket = endpoint.socket_path(endpoint.context())
    if socket is None:
        await builders.builder_info()
        return ""
    try:
        return msgspec.json.decode(await endpoint.get(socket, "/version", timeout_s=_ASK_S), type=_Version).version
    except PermissionError:
        raise EngineError("No permission on the Docker engine's socket.", _JOIN_GROUP) from None
    except FileNotFoundError:
        raise EngineError(f"There is no engine: {socket} does not exist.", _start_command()) from None
    except (OSError, msgspec.DecodeError):
        raise EngineError(f"No engine answers on {socket}.", _start_command()) from None


def _start_command() -> str:
    return "sudo systemctl start docker" if sys.platform == "linux" else "Open Docker Desktop."


def _inotify() -> tuple[int, int] | None:
    folder = Path("/proc/sys/fs/inotify")
    try:
        watches, instances = ((folder / name).read_text() for name in ("max_user_watches", "max_user_instances"))
        return int(watches), int(instances)
    except (OSError, ValueError):
        return None


def _terminal_size() -> tuple[int, int] | None:
    try:
        columns, lines = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    except (OSError, ValueError):
        return None
    return columns, lines


def _write_error(folder: Path) -> str:
    """Why nothing can be written into the folder, or into the nearest one above that exists; empty when it can."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or "it cannot be written to"


def _first_word(command: str) -> str:
    try:
        return (shlex.split(command, posix=sys.platform != "win32") or [""])[0]
    except ValueError:
        return command


# What it means


def _engine(facts: Facts) -> Finding:
    if isinstance(facts.engine, HitmissError):
        return Finding("engine", Health.BAD, facts.engine.message, facts.engine.mend)
    version = f"Docker Engine {facts.engine}" if facts.engine else "The engine"
    return Finding("engine", Health.OK, f"{version} answers on {facts.address or 'its default address'}.")


def _permission(facts: Facts) -> Finding | None:
    if facts.permitted is None:
        return None
    if facts.permitted:
        return Finding("permission", Health.OK, f"You may use {facts.socket}.")
    return Finding("permission", Health.BAD, f"You may not use {facts.socket}.", _JOIN_GROUP)


def _buildx(facts: Facts) -> Finding:
    if isinstance(facts.buildx, HitmissError):
        return Finding("buildx", Health.BAD, facts.buildx.message, facts.buildx.mend)
    major, minor, patch = facts.buildx
    needed = ".".join(map(str, client.REQUIRED))
    return Finding("buildx", Health.OK, f"buildx {major}.{minor}.{patch} is new enough (needed: {needed}).")


def _builder(facts: Facts) -> Finding:
    builder = facts.builder
    if isinstance(builder, HitmissError):
        return Finding("builder", Health.BAD, builder.message, builder.mend)
    if builder.error:
        return Finding(
            "builder", Health.BAD, f"{builder.name}: {builder.error}", f"docker buildx inspect {builder.name}"
        )
    version = f"BuildKit {builder.buildkit_version}" if builder.buildkit_version else "BuildKit"
    platforms = f" for {builder.platforms[0]}" if builder.platforms else ""
    state = "" if builder.status in ("", "running") else f", {builder.status} (it starts with the first build)"
    return Finding(
        "builder", Health.OK, f"{builder.name} ({builder.driver} driver) builds with {version}{platforms}{state}."
    )


def _plain_build(facts: Facts) -> Finding | None:
    if not facts.plain_build:
        return None
    return Finding("buildkit", Health.WARN, facts.plain_build, "unset DOCKER_BUILDKIT")


def _watching(facts: Facts) -> Finding | None:
    if facts.inotify is None:
        return None
    watches, instances = facts.inotify
    have = f"inotify allows {watches:,} watches and {instances:,} instances"
    low = [f"fs.inotify.max_user_watches={8 * MIN_WATCHES}"] if watches < MIN_WATCHES else []
    low += [f"fs.inotify.max_user_instances={4 * MIN_INSTANCES}"] if instances < MIN_INSTANCES else []
    if not low:
        return Finding("watching", Health.OK, f"{have}.")
    return Finding(
        "watching", Health.WARN, f"{have}: a large project is polled instead.", f"sudo sysctl {' '.join(low)}"
    )


def _terminal(facts: Facts) -> Finding:
    if facts.size is None:
        return Finding("terminal", Health.OK, "The output is no terminal; `hitmiss build` needs none.")
    columns, lines = facts.size
    if facts.terminal in ("", "dumb"):
        what = f"TERM is {facts.terminal!r}" if facts.terminal else "TERM is not set"
        return Finding("terminal", Health.WARN, f"{what}, so the screen may not work.", "export TERM=xterm-256color")
    if columns < MIN_COLUMNS or lines < MIN_LINES:
        wanted = f"{MIN_COLUMNS} × {MIN_LINES}"
        return Finding(
            "terminal", Health.WARN, f"{columns} × {lines} is small.", f"Make the window {wanted} or larger."
        )
    return Finding("terminal", Health.OK, f"{facts.terminal}, {columns} × {lines}.")


def _colours(facts: Facts) -> Finding | None:
    if facts.size is None:
        return None
    if facts.no_color:
        return Finding("colours", Health.OK, "NO_COLOR is set: shapes and words say what colours would.")
    if facts.colours.lower() in ("truecolor", "24bit") or "direct" in facts.terminal or os.name == "nt":
        return Finding("colours", Health.OK, "The terminal has true colours.")
    if "256color" in facts.terminal:
        return Finding("colours", Health.OK, "The terminal has 256 colours.")
    return Finding(
        "colours",
        Health.WARN,
        "The terminal does not say that it has more than 16 colours.",
        "export COLORTERM=truecolor  # if it has them",
    )


def _letters(facts: Facts) -> Finding:
    if re.sub(r"[-_]", "", facts.encoding.lower()) == "utf8":
        return Finding("letters", Health.OK, "The locale is UTF-8.")
    return Finding(
        "letters",
        Health.WARN,
        f"The locale is {facts.encoding or 'not known'}, so glyphs may come out wrong.",
        "export LC_ALL=C.UTF-8",
    )


def _data(facts: Facts) -> Finding:
    if not facts.data_error:
        return Finding("history", Health.OK, f"Past builds are kept in {facts.data}.")
    return Finding(
        "history",
        Health.WARN,
        f"Past builds cannot be kept in {facts.data}: {facts.data_error}.",
        f"sudo chown -R $USER {shlex.quote(str(facts.data.parent))}"
        if sys.platform != "win32"
        else "Make it writable.",
    )


def _editor(facts: Facts) -> Finding:
    if not facts.editor:
        return Finding(
            "editor", Health.WARN, "No editor is chosen; `e` opens vi or what is there.", "export EDITOR=vim"
        )
    if not facts.editor_found:
        return Finding(
            "editor", Health.WARN, f"The editor {_first_word(facts.editor)} is not on PATH.", "export EDITOR=vim"
        )
    return Finding("editor", Health.OK, f"`e` opens {facts.editor}.")
