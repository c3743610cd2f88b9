"""What the engine keeps about a build that came to its end, and about the images that it has.

Both are asked for without starting anything: the provenance of a build's record through buildx, an image's
configuration at the engine's socket (a few milliseconds) or, where there is none, through the client.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from hitmiss.cache.operations import Image
from hitmiss.docker import client, endpoint
from hitmiss.errors import HitmissError

_ASK_S = 5.0
"""How long the engine may take to answer, in seconds."""


async def fetch(ref: str, builder: str | None = None, platform: str = "") -> bytes | None:
    """The provenance of a build's record, for one of its platforms; None where the engine has none (a failed build).

    Raises `EngineError` when buildx cannot be started or takes too long.
    """
    words = ["history", "inspect", "attachment", ref.rpartition("/")[2], "--type", "provenance"]
    words += ["--platform", platform] if platform else []
    words += ["--builder", builder] if builder else []
    answer = await client.ask(*words, timeout_s=_ASK_S)
    return None if answer.code or not answer.out.strip() else answer.out


async def images(names: Iterable[str], builder: str | None = None) -> dict[str, Image]:
    """What the engine knows of these images; those that it does not have are left out."""
    wanted = tuple(dict.fromkeys(names))
    found = await asyncio.gather(*(image(name, builder) for name in wanted))
    return {name: each for name, each in zip(wanted, found, strict=True) if each}


async def image(name: str, builder: str | None = None) -> Image | None:
    """What the engine knows of an image by its name in a FROM; None where it does not have it or cannot be asked."""
    found = await inspected(name, builder)
    return image_of(found) if found else None


async def inspected(name: str, builder: str | None = None, *, version: str = "/v1.44") -> Inspected | None:
    """An image as the engine describes it in that version of its API ("": its newest); None as for `image`."""
    socket = endpoint.socket_path(builder)
    try:
        if socket:
            body = await endpoint.get(socket, f"{version}/images/{quote(name, safe='/:@')}/json", timeout_s=_ASK_S)
            return msgspec.json.decode(body, type=Inspected)
        return await _through_client(name, builder)
    except (OSError, HitmissError, msgspec.DecodeError):
        return None


async def _through_client(name: str, builder: str | None) -> Inspected | None:
    """The same through `docker image inspect`; buildx itself knows only the images of registries."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    words = [docker, *(["--context", builder] if builder else []), "image", "inspect", name]
    answer = await client.run(words, timeout_s=_ASK_S)
    return next(iter(msgspec.json.decode(answer.out or b"[]", type=list[Inspected])), None)


class _Config(msgspec.Struct, rename="pascal"):
    env: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    shell: list[str] | None = None
    on_build: list[str] | None = None


class _RootFS(msgspec.Struct, rename="pascal"):
    layers: list[str] | None = None


class _Descriptor(msgspec.Struct):
    digest: str = ""
    annotations: dict[str, str] | None = None
    """Only what was built or loaded on the engine has any."""


class Inspected(msgspec.Struct, rename="pascal"):
    """An image as the engine describes it."""

    id: str = ""
    repo_digests: list[str] | None = None
    config: _Config | None = None
    root: _RootFS | None = msgspec.field(name="RootFS", default=None)
    descriptor: _Descriptor | None = None


def image_of(inspected: Inspected) -> Image:
    """The part of an image's description that decides what is built on it."""
    config = inspected.config or _Config()
    layers = (inspected.root.layers if inspected.root else None) or []
    pairs = (each.partition("=") for each in config.env or ())
    digests = [each.rpartition("@")[2] for each in inspected.repo_digests or ()]
    digest = (inspected.descriptor.digest if inspected.descriptor else "") or next(iter(digests), inspected.id)
    chain = "sha256:" + hashlib.sha256("\n".join(layers).encode()).hexdigest()
    return Image(
        identity=digest or chain,
        known=True,
        env=tuple((name, value) for name, _, value in pairs),
        workdir=config.working_dir or "",
        user=config.user or "",
        shell=tuple(config.shell or ()),
        triggers=tuple(config.on_build or ()),
        digest=digest,
        layers=chain if layers else "",
    )
