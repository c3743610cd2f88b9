"""Where the engine listens, and the few questions that are asked there directly, without a process.

Only unix sockets are spoken to; for everything else the callers have another way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from hitmiss.docker.current import current_builder

_DEFAULT_SOCKET = Path("/var/run/docker.sock")
_LIMIT = 64 * 1024 * 1024
"""The most bytes of an answer that are read: ten thousand cache records are 4 MB."""


def context() -> str:
    """The docker context in use, as docker/cli finds it; its name is also that of the builder on its engine."""
    if os.environ.get("DOCKER_HOST"):
        return "default"
    chosen = os.environ.get("DOCKER_CONTEXT") or _text(_config_folder() / "config.json", "currentContext")
    return chosen or "default"


def address(builder: str | None = None) -> str:
    """The address of the engine behind a builder (`unix:///var/run/docker.sock`, `tcp://…`), empty when not known.

    A builder called like a context is that context's engine; one in a container of its own has no address here.
    """
    name = builder or current_builder()
    if name != "default":
        return _address_of_context(name)
    unset = "" if sys.platform == "win32" else f"unix://{_DEFAULT_SOCKET}"
    return os.environ.get("DOCKER_HOST") or unset


def socket_path(builder: str | None = None) -> Path | None:
    """The unix socket of the engine behind a builder; None when it listens elsewhere or that is not known."""
    scheme, _, path = address(builder).partition("://")
    return Path(path) if scheme == "unix" and path and hasattr(asyncio, "open_unix_connection") else None


async def get(socket: Path, path: str, *, timeout_s: float) -> bytes:
    """The body of a GET to the engine's API. Raises `OSError` when there is none: no engine, or not a 200.

    HTTP/1.0, so that the answer comes in one piece and the engine closes the connection after it.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
                answer = await reader.read(_LIMIT)
                while more := await reader.read(_LIMIT):
                    answer += more
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError as error:
        raise OSError(f"no answer in {timeout_s:.0f} s") from error
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise OSError("the engine refused the question")
    return body


def _config_folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _address_of_context(name: str) -> str:
    """docker/cli keeps a context's endpoint in `contexts/meta/<sha256 of its name>/meta.json`."""
    folder = _config_folder() / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    return _text(folder / "meta.json", "Endpoints", "docker", "Host")


def _text(path: Path, *keys: str) -> str:
    """The text under these keys of a JSON file, empty when there is none."""
    try:
        value: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
