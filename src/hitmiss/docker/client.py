"""Finding the client, asking it questions, and the engine's errors in plain words.

The buildx plugin's binary is called directly where it can be found: the `docker` command in front of it costs 85 ms of
a 315 ms build. Questions run to their end and give their output; the streamed build is `build.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from hitmiss.docker import endpoint
from hitmiss.errors import EngineError, HitmissError, UsageError

REQUIRED = (0, 19)
"""The oldest buildx that has all that is used: rawjson (0.13), `--call` (0.16), prune's space limits (0.19)."""

_BUILDX = "docker-buildx"


@dataclass(frozen=True, slots=True)
class Client:
    """How buildx is started: the words of the command, the plugin's binary itself where it was found."""

    buildx: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question gave: exit code, stdout, and stderr as text."""

    code: int
    out: bytes
    err: str


@cache
def find_client() -> Client:
    """Find buildx: the plugin's binary where docker looks for it, else `docker buildx`.

    Raises `EngineError` when neither docker nor buildx is on this machine.
    """
    if plugin := find_plugin(_BUILDX):
        return Client(plugin)
    docker = shutil.which("docker")
    if docker:
        return Client((docker, "buildx"))
    raise EngineError(
        "Neither docker nor its buildx plugin was found on this machine.",
        "Install Docker Engine: https://docs.docker.com/engine/install/",
    )


def find_plugin(name: str) -> tuple[str, ...] | None:
    """How a plugin of docker is started: its binary where docker looks for it, or on the path; None: it is not there.

    The binaries of buildx and compose work without the `docker` command in front of them.
    """
    for folder in _plugin_folders():
        binary = folder / (f"{name}.exe" if sys.platform == "win32" else name)
        if binary.is_file() and os.access(binary, os.X_OK):
            return (str(binary),)
    found = shutil.which(name)
    return (found,) if found else None


def _plugin_folders() -> list[Path]:
    """Where the docker command looks for plugins (docker/cli, `cli-plugins/manager`), in its order."""
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        extra = json.loads((config / "config.json").read_bytes()).get("cliPluginsExtraDirs", [])
        folders = [Path(folder) for folder in extra if isinstance(folder, str)]
    except (OSError, ValueError, AttributeError, TypeError):
        folders = []
    folders.append(config / "cli-plugins")
    if sys.platform == "win32":
        roots = [os.environ.get("PROGRAMDATA", ""), os.environ.get("PROGRAMFILES", "")]
        return folders + [Path(root) / "Docker" / "cli-plugins" for root in roots if root]
    system = ["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"]
    folders += [Path(root) / "docker" / "cli-plugins" for root in system]
    folders += [
        Path("/opt/homebrew/lib/docker/cli-plugins"),
        Path("/Applications/Docker.app/Contents/Resources/cli-plugins"),
    ]
    return folders


def environment(command: Sequence[str] = ()) -> dict[str, str]:
    """The environment for a command: ours, told not to resolve provenance again for the metadata file (10 ms a build).

    A command with `--builder` is put into the docker context that this builder needs.
    """
    env = {**os.environ, "BUILDX_METADATA_PROVENANCE": "disabled"}
    builder = next((name for word, name in pairwise(command) if word == "--builder"), "")
    if needed := endpoint.needed_context(builder):
        env.pop("DOCKER_HOST", None)
        env["DOCKER_CONTEXT"] = needed
    return env


async def ask(*words: str, cwd: Path | None = None, timeout_s: float = 60.0, sends: bytes | None = None) -> Answer:
    """Run one buildx command to its end, with `sends` on its standard input.

    Raises `EngineError` when it cannot be started or takes too long.
    """
    return await run(
        [*find_client().buildx, *words], cwd=cwd, timeout_s=timeout_s, sends=sends, name=f"docker buildx {words[0]}"
    )


async def run(
    command: list[str], *, cwd: Path | None = None, timeout_s: float = 60.0, sends: bytes | None = None, name: str = ""
) -> Answer:
    """Run a command of docker's to its end, as `ask` does; `name` is what an error calls it."""
    stdin = asyncio.subprocess.DEVNULL if sends is None else asyncio.subprocess.PIPE
    process = await start(command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stdin=stdin)
    answered = False
    try:
        out, err = await asyncio.wait_for(process.communicate(sends), timeout_s)
        answered = True
    except TimeoutError:
        raise EngineError(
            f"`{name or Path(command[0]).name}` gave no answer in {timeout_s:.0f} s.", "Is the engine busy or hung?"
        ) from None
    finally:
        if not answered:
            await end(process)
    return Answer(process.returncode or 0, out, err.decode("utf-8", "replace"))


async def ask_well(*words: str, cwd: Path | None = None) -> bytes:
    """Run one buildx command to its end and give its stdout; raises what its error output means where it fails."""
    answer = await ask(*words, cwd=cwd)
    if answer.code:
        raise error_of(answer.err) or HitmissError(last_sentence(answer.err))
    return answer.out


async def start(
    command: list[str], *, cwd: Path | None, stdout: int, stdin: int | None = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Start a client command in a process session of its own, so that the terminal's signals do not reach it.

    Raises `EngineError` when the command is not there any more, `UsageError` when the folder is not.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=environment(command),
            stdin=stdin,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    if await _canceled_before(starting):  # asyncio loses hold of a process whose start is cancelled half way
        with contextlib.suppress(OSError):
            await end(starting.result())
        raise asyncio.CancelledError
    try:
        return starting.result()
    except (FileNotFoundError, NotADirectoryError) as error:
        if cwd is not None and not cwd.is_dir():
            raise UsageError(f"The folder {cwd} is gone.", "Start hitmiss in a folder that is there.") from error
        find_client.cache_clear()
        raise EngineError(f"{error.filename} is gone.", "Install Docker's buildx plugin again.") from error
    except OSError as error:
        raise EngineError(
            f"buildx could not be started: {error.strerror}.", "Free memory or processes and try again."
        ) from error


def interrupt(process: asyncio.subprocess.Process) -> None:
    """Ask a client command and its children to stop, as Ctrl-C would."""
    _signal(process, signal.SIGINT)


def kill(process: asyncio.subprocess.Process) -> None:
    """End a client command and its children at once."""
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))


async def end(process: asyncio.subprocess.Process) -> None:
    """End a client command and its children by force, and wait until they are gone and their pipes closed.

    Whoever is canceled meanwhile is so afterwards: nothing would wait for the process any more.
    """
    kill(process)
    canceled, over = False, False
    while not over:
        ending = asyncio.create_task(process.communicate())
        canceled |= await _canceled_before(ending)
        over = not ending.cancelled()  # as all tasks are that there are when the loop ends: a new one is not
    if canceled:
        raise asyncio.CancelledError


async def _canceled_before(task: asyncio.Task[Any]) -> bool:
    """Wait for the end of a task come what may; whether its waiter was canceled meanwhile."""
    canceled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            canceled = True
    return canceled


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    try:
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


async def version() -> tuple[int, int, int]:
    """buildx's version. Raises `EngineError` when it is older than `REQUIRED` or does not run."""
    answer = await ask("version")
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", answer.out.decode("utf-8", "replace"))
    if answer.code or not found:
        raise EngineError(
            "Docker's buildx plugin is missing or does not run.",
            "Install it: https://docs.docker.com/go/buildx/",
        )
    major, minor, patch = (int(part) for part in found.groups())
    if (major, minor) < REQUIRED:
        wanted = ".".join(map(str, REQUIRED))
        raise EngineError(
            f"buildx {major}.{minor}.{patch} is too old: hitmiss needs {wanted} or newer.",
            "Update Docker, or its buildx plugin.",
        )
    return major, minor, patch


def last_sentence(text: str) -> str:
    """What an error output says was wrong, without the client's prefixes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith(_ERROR)]
    said = " ".join(lines[errors[-1] :]) if errors else lines[-1] if lines else "buildx failed without a word."
    return re.sub(
        r"^(?:ERROR|error|Error)(?: response from daemon)?: (?:failed to (?:build|solve|receive status): )*", "", said
    )


def error_of(text: str) -> EngineError | None:
    """What the client's words say about the engine or about itself; None when they speak of something else.

    What stands before the error is not looked at: it may be the output of a step. Neither is what the engine itself
    found wrong (`failed to solve`): a registry that refuses the connection is no engine that does.
    """
    errors = list(re.finditer(rf"^\s*(?:{'|'.join(_ERROR)})", text, re.MULTILINE))
    text = text[errors[-1].start() :].strip() if errors else text
    lower = text.lower()
    if _LOST.search(lower):
        return EngineError(
            "The Docker engine went away in the middle of the work.",
            "Start it again; the next build begins by itself.",
        )
    if "failed to solve: " in lower:
        return None
    if "permission denied" in lower and (
        "docker.sock" in lower or "docker daemon socket" in lower or "docker api" in lower
    ):
        return EngineError(
            "No permission on the Docker engine's socket.",
            "Run `sudo usermod -aG docker $USER` and log in again.",
        )
    if any(words in lower for words in _NO_ENGINE):
        where = _address(text)
        named = where == os.environ.get("DOCKER_HOST") and not where.startswith(("unix://", "npipe://"))
        return EngineError(
            f"No Docker engine answers on {where}.",
            "DOCKER_HOST names it: mend or unset that, or start the engine there."
            if named
            else "Start it: `sudo systemctl start docker`, or open Docker Desktop.",
        )
    found = re.search(r'no builder "([^"]+)" found', text)
    if found:
        return EngineError(f"There is no builder called {found[1]}.", "`docker buildx ls` lists them.")
    if _PODMAN.search(lower):
        return EngineError(
            "`docker` is podman here, which has no BuildKit.",
            "Install Docker's buildx plugin, or Docker Engine: https://docs.docker.com/engine/install/",
        )
    if any(words in lower for words in _NO_PLUGIN):
        return EngineError("Docker's buildx plugin is missing.", "Install it: https://docs.docker.com/go/buildx/")
    if any(words in lower for words in _OLD):
        wanted = ".".join(map(str, REQUIRED))
        return EngineError(
            f"This buildx is too old: hitmiss needs {wanted} or newer.",
            "Update Docker, or its buildx plugin.",
        )
    return None


def _address(text: str) -> str:
    """Where the engine was looked for."""
    found = re.search(r"(?:at|to) ((?:unix|tcp|npipe|ssh|https?)://\S+?)[.:;,]*(?:\s|$)", text)
    return found[1] if found else os.environ.get("DOCKER_HOST") or "its socket"


_ERROR = ("ERROR:", "error:", "Error:", "Error response")
"""What the client's last word begins with."""

_NO_ENGINE = (
    "cannot connect to the docker daemon",
    "is the docker daemon running",
    "failed to connect to the docker api",
    "error during connect",
    "connect: no such file or directory",
    "connect: connection refused",
    "docker endpoint for ",
)
_LOST = re.compile(
    r"^(?:error: )?(?:failed to build: )?(?:failed to (?:solve|receive status): )?(?:rpc error: code = )?unavailable\b"
    r"|^(?:error: )?(?:failed to build: )?failed to receive status: .*(?:\beof\b|transport|connection|socket)"
    r"|^(?!.*failed to solve: ).*(?:error reading from server: eof|transport is closing|closing transport"
    r"|connection reset by peer|use of closed network connection|code = unavailable)",
    re.DOTALL,
)
"""The connection to the engine broke."""

_NO_PLUGIN = ("is not a docker command", "unknown command: docker buildx", "usage:  docker [options] command")
"""The docker command without its plugin takes `buildx` and its options for its own."""

_PODMAN = re.compile(r"see 'podman |unrecognized command `podman |emulate docker cli using podman")
"""What podman says under docker's name of commands and options that it does not know."""

_OLD = ("unknown flag: ", "unknown shorthand flag: ", "invalid progress mode", "unknown progress")
