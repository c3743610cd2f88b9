"""The builder that works for us: its name, driver, platforms and BuildKit; and whether its engine answers.

python-on-whales is asked in a thread and imported there, because importing it takes 0.2 s. It never starts, makes or
installs anything here: without a `docker` command buildx itself is asked, and so it is for what the library drops.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hitmiss.docker import client, endpoint
from hitmiss.errors import EngineError, HitmissError

if TYPE_CHECKING:
    from python_on_whales import Builder

DOCKER = "docker"
"""The driver of a builder that is a docker engine itself."""

SNAPSHOTTER = "org.mobyproject.buildkit.worker.snapshotter"
"""The label by which buildx knows an engine with the containerd image store (docker/buildx, `driver/docker`)."""

_ALIVE_S = 2.0
"""How long a living engine may take to answer a ping, in seconds."""


@dataclass(frozen=True, slots=True)
class BuilderInfo:
    """A builder. `platforms` are those of all its nodes, each once.

    `status` is BuildKit's word for its first node (`running`, `inactive`, `stopped` …); `error` is one sentence when
    the builder does not work for a reason of its own; `buildkit_version` is empty where the engine does not say.
    `image_store` says that a docker engine has the containerd image store, `loads` that a builder gives what it builds
    to the engine without being asked to (its option `default-load`), `several` that it has more than one node.
    """

    name: str
    driver: str = ""
    platforms: tuple[str, ...] = ()
    status: str = ""
    error: str = ""
    buildkit_version: str = ""
    image_store: bool = False
    loads: bool = False
    several: bool = False


async def builder_info(name: str | None = None) -> BuilderInfo:
    """The builder of that name, or the current one.

    Raises `EngineError` when there is no such builder, no client, or its engine does not answer.
    """
    if shutil.which("docker") is None:
        return parse_inspect(await _inspect(name))
    info = await asyncio.to_thread(_ask_whales, name or None)
    # The library drops what is wrong with a builder, and its options; one without a driver could not be reached.
    return info if info.driver == DOCKER else parse_inspect(await _inspect(name or info.name))


async def engine_alive(builder: str | None = None) -> bool:
    """Whether the engine behind the builder answers.

    A ping of 1 ms where it listens on a unix socket (no process is started); else the builder is asked. A builder in a
    container of its own is taken for alive when the engine that runs the container is.
    """
    socket = endpoint.socket_path(builder)
    try:
        if socket is not None:
            await endpoint.get(socket, "/_ping", timeout_s=_ALIVE_S)
            return True
        return not (await builder_info(builder)).error
    except (OSError, HitmissError):
        return False


def parse_inspect(text: str) -> BuilderInfo:
    """`buildx inspect`'s lines as a builder. Raises `EngineError` when they say that its engine does not answer."""
    fields: dict[str, str] = {}
    found = re.findall(r"^([A-Z][\w ]*):[ \t]*(.*)$", text, re.MULTILINE)
    for key, value in found:
        fields.setdefault(key, value.strip())
    error = fields.get("Error", "")
    if error and (known := client.error_of(error)):
        raise known
    return BuilderInfo(
        name=fields.get("Name", ""),
        driver=fields.get("Driver", ""),
        platforms=platforms_of(fields.get("Platforms", "").split(",")),
        status=fields.get("Status", ""),
        error=error,
        buildkit_version=version_of(fields.get("BuildKit version", "")),
        image_store=f" {SNAPSHOTTER}:" in text,
        loads='default-load="true"' in fields.get("Driver Options", ""),
        several=sum(key == "Name" for key, _ in found) > 2,  # its own, and one for each node
    )


async def _inspect(name: str | None) -> str:
    return (await client.ask_well("inspect", *([name] if name else []))).decode("utf-8", "replace")


def _ask_whales(name: str | None) -> BuilderInfo:
    """Runs in a thread."""
    from python_on_whales import DockerClient
    from python_on_whales.exceptions import DockerException

    try:
        builder = DockerClient().buildx.inspect(name)
        return _info(builder)
    except DockerException as error:
        text = error.stderr or ""
        raise client.error_of(text) or EngineError(
            f"The builder cannot be asked: {client.last_sentence(text).rstrip('.')}.", "`docker buildx ls` lists them."
        ) from None
    except (ValueError, IndexError, OSError) as error:
        # A builder that goes while it is looked at, or an answer that the library cannot read.
        raise EngineError(f"The builder cannot be asked: {error}.", "`docker buildx ls` lists them.") from None


def _info(builder: Builder) -> BuilderInfo:
    nodes = builder.nodes or []
    first = nodes[0] if nodes else None
    return BuilderInfo(
        name=builder.name or "",
        driver=builder.driver or "",
        platforms=platforms_of([platform for node in nodes for platform in node.platforms or ()]),
        status=(first.status or "") if first else "",
        buildkit_version=version_of((first.version or "") if first else ""),
        image_store=any(SNAPSHOTTER in (node.labels or {}) for node in nodes),
        several=len(nodes) > 1,
    )


def platforms_of(listed: list[str]) -> tuple[str, ...]:
    """Each once, without the star of those that were set by hand."""
    return tuple(dict.fromkeys(each.strip().removesuffix("*") for each in listed if each.strip()))


def version_of(text: str) -> str:
    """`v0.25.1` → `0.25.1`; distributions' engines say `v0.0.0+unknown`, which says nothing."""
    return "" if "unknown" in text else text.removeprefix("v")
