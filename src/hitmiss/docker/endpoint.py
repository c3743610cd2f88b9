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


def contexts() -> dict[str, str]:
    """The docker contexts by name, each with the address of its engine; that of `default` is the environment's."""
    found = {"default": address("default")}
    for meta in sorted((_config_folder() / "contexts" / "meta").glob("*/meta.json")):
        if name := _text(meta, "Name"):
            found[name] = _text(meta, "Endpoints", "docker", "Host")
    return found


def instance(builder: str) -> Path:
    """Where buildx keeps a builder that `buildx create` made (docker/buildx, `store.NodeGroupByName`)."""
    return instances() / builder.lower()


def instances() -> Path:
    """The folder of the builders that `buildx create` made: a JSON file each."""
    own = os.environ.get("BUILDX_CONFIG")
    return (Path(own) if own else _config_folder() / "buildx") / "instances"


def is_context(builder: str) -> bool:
    """Whether a builder is the engine of a docker context; `default` is the context of the environment."""
    if not builder or instance(builder).is_file():
        return False
    return builder == "default" or _meta(builder).is_file()


def exists(builder: str) -> bool:
    """Whether there is a builder of that name; its engine is not asked."""
    return is_context(builder) or bool(builder and instance(builder).is_file())


def needed_context(builder: str) -> str:
    """The docker context that a client must be in for this builder; "" where any will do.

    buildx builds on the engine of a context only from within it (docker/buildx, `builder.Validate`: "use `docker
    --context=…`"); DOCKER_CONTEXT puts it there where DOCKER_HOST is not set, and `--builder` may say so too.
    """
    return builder if builder != context() and is_context(builder) else ""


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
    return _text(_meta(name), "Endpoints", "docker", "Host")


def _meta(name: str) -> Path:
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return _config_folder() / "contexts" / "meta" / digest / "meta.json"


def _text(path: Path, *keys: str) -> str:
    """The text under these keys of a JSON file, empty when there is none."""
    try:
        value: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
