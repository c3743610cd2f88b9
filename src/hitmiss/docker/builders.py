"""The builder that works for us: its name, driver, platforms and BuildKit; and whether its engine answers.

buildx itself is asked, in some 60 ms. python-on-whales drops what is wrong with a builder, and its options; it starts
two processes for one answer, and with its import takes 0.4 s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hitmiss.docker import client, endpoint
from hitmiss.errors import HitmissError

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

    Raises `EngineError` when there is no such builder, no client, or its engine does not answer; `HitmissError` with
    buildx's own words when something else is wrong.
    """
    text = await client.ask_well("inspect", *([name] if name else []))
    return parse_inspect(text.decode("utf-8", "replace"))


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


def platforms_of(listed: list[str]) -> tuple[str, ...]:
    """Each once, without the star of those that were set by hand."""
    return tuple(dict.fromkeys(each.strip().removesuffix("*") for each in listed if each.strip()))


def version_of(text: str) -> str:
    """`v0.25.1` → `0.25.1`; distributions' engines say `v0.0.0+unknown`, which says nothing."""
    return "" if "unknown" in text else text.removeprefix("v")
