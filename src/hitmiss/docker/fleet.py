"""All builders: listed, made, started, stopped and removed.

python-on-whales makes, stops and removes them, in a thread. buildx itself is asked for what the library lacks: its list
drops which builder is the current one and what is wrong with one, and a start (it may pull an image) must be cancelled
with the question.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hitmiss.docker import client, endpoint, storage
from hitmiss.docker.builders import DOCKER, SNAPSHOTTER, BuilderInfo, platforms_of, version_of
from hitmiss.errors import HitmissError, UsageError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

CONTAINER, REMOTE, KUBERNETES = DRIVERS = ("docker-container", "remote", "kubernetes")
"""The drivers of builders that can be made."""

_LIST_S, _START_S = 30.0, 600.0
"""How long buildx may take, in seconds: it waits up to 20 s for a builder that does not answer; a start pulls."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a builder. `endpoint` is where it runs: a docker context, an address; `error` why it does not."""

    name: str
    endpoint: str = ""
    status: str = ""
    platforms: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A builder of the list. `context` says that it is the engine of a docker context: nobody made it with buildx."""

    info: BuilderInfo
    nodes: tuple[Node, ...] = ()
    context: bool = False

    @property
    def name(self) -> str:
        """The builder's name."""
        return self.info.name


@dataclass(frozen=True, slots=True)
class Wanted:
    """A builder to make; `endpoint` is where a remote one listens."""

    name: str
    driver: str = CONTAINER
    endpoint: str = ""


class Fleet:
    """The builders of this user. It keeps nothing; all that is asked may raise `HitmissError`."""

    def known(self) -> tuple[Listed, ...]:
        """The builders that docker's own files speak of, at once: how they are is not known yet."""
        made = [_made(path) for path in _files(endpoint.instances())]
        contexts = [
            Listed(BuilderInfo(name, DOCKER), (Node(name, address),), context=True)
            for name, address in endpoint.contexts().items()
        ]
        return _sorted([*contexts, *(each for each in made if each)])

    async def listed(self) -> tuple[Listed, ...]:
        """The builders as they are."""
        answer = await client.ask("ls", "--format", "{{json .}}", timeout_s=_LIST_S)
        if answer.code:
            raise client.error_of(answer.err) or HitmissError(client.last_sentence(answer.err))
        try:
            found = parse_list(answer.out)
        except msgspec.DecodeError as error:
            raise HitmissError(f"buildx listed the builders in words that hitmiss cannot read ({error}).") from None
        where = endpoint.contexts()
        return tuple(_placed(each, where) if each.context else each for each in found)

    async def size(self, name: str) -> int | None:
        """The bytes that a builder's cache holds; None where it does not tell."""
        with contextlib.suppress(HitmissError, OSError):
            return (await storage.usage(name)).total
        return None

    async def create(self, wanted: Wanted) -> None:
        """Make a builder; it is started by its first build, or by `start`."""
        if endpoint.exists(wanted.name):
            raise UsageError(f"There is a builder called {wanted.name} already.", "Choose another name.")
        words = ["create", "--name", wanted.name, "--driver", wanted.driver]
        words += [wanted.endpoint] if wanted.endpoint else []
        await _do(
            lambda docker: docker.buildx.create(
                name=wanted.name, driver=wanted.driver, context_or_endpoint=wanted.endpoint or None
            ),
            *words,
        )

    async def start(self, name: str) -> None:
        """Start a builder, and wait until it runs."""
        answer = await client.ask("inspect", "--bootstrap", name, timeout_s=_START_S)
        if answer.code:
            raise _error(answer.err)

    async def stop(self, name: str) -> None:
        """Stop a builder; its cache stays."""
        await _do(lambda docker: docker.buildx.stop(name), "stop", name)

    async def remove(self, name: str) -> None:
        """Remove a builder with all that it has."""
        await _do(lambda docker: docker.buildx.remove(name), "rm", name)


def recorded(name: str) -> BuilderInfo:
    """What docker's own files say of a builder: its driver, and whether it loads what it builds."""
    made = _made(endpoint.instance(name)) if name else None
    if made:
        return made.info
    return BuilderInfo(name, DOCKER if endpoint.is_context(name) else "")


async def _do(act: Callable[[DockerClient], object], *words: str) -> None:
    """Let python-on-whales act; without a `docker` command buildx itself is told by `words`."""
    if shutil.which("docker") is None:
        answer = await client.ask(*words)
        if answer.code:
            raise _error(answer.err)
        return
    await asyncio.to_thread(_act, act)


def _act(act: Callable[[DockerClient], object]) -> None:
    """Runs in a thread."""
    from python_on_whales import DockerClient
    from python_on_whales.exceptions import DockerException

    try:
        act(DockerClient())
    except DockerException as error:
        raise _error(error.stderr or "") from None
    except OSError as error:
        raise HitmissError(f"docker could not be started: {error.strerror}.") from None


def _error(words: str) -> HitmissError:
    """What buildx said of a builder that it could not make, start, stop or remove, in one sentence."""
    for pattern, sentence, mend in _SAID:
        if found := re.search(pattern, words):
            return HitmissError(found.expand(sentence), found.expand(mend))
    # What `buildx rm` says last is only that something failed.
    found = re.search(r"^failed to remove \S+: (.+)$", words, re.MULTILINE)
    words = found[1] if found else words
    if known := client.error_of(words):
        return known
    said = client.last_sentence(words).strip().rstrip(".")
    return HitmissError(f"{said[:1].upper()}{said[1:]}.")


_SAID = (
    (
        r'failed to resolve reference "(\S*moby/buildkit:[^"]+)"',
        r"The builder's own image \1 cannot be fetched.",
        "Look at the network, or load the image into the engine.",
    ),
    (r"context builder cannot be removed, run `([^`]+)`", "It is a docker context.", r"`\1` removes it."),
    (
        r"cannot determine Kubernetes namespace|KUBERNETES_MASTER",
        "No Kubernetes cluster is set up here.",
        "Log in to one, or name its file in KUBECONFIG.",
    ),
    (
        r"invalid name (.+?), name needs to start",
        r"A builder cannot be called \1.",
        "A name starts with a letter and has letters, digits and . _ - only.",
    ),
    (r"(\S+) is a reserved name", r"\1 is a name that docker keeps for itself.", "Choose another one."),
    (r"no remote endpoint provided", "A remote builder needs an endpoint.", "Such as tcp://HOST:1234."),
    (r"unrecognized url scheme|unsupported (?:url )?scheme", "That is no endpoint.", "Such as tcp://HOST:1234."),
    (
        r"context deadline exceeded|failed to find driver|Unavailable: connection error",
        "The builder does not answer.",
        "Is its BuildKit running, and is the address right?",
    ),
)
"""buildx's words (`commands/create.go`, `commands/rm.go`, `store/util.go`, `driver`), and what is said of them."""


# What buildx tells


class _Node(msgspec.Struct, rename="pascal"):
    name: str = ""
    endpoint: str = ""
    status: str = ""
    version: str = ""
    err: str = ""
    platforms: list[str] | None = None
    driver_opts: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _Builder(msgspec.Struct, rename="pascal"):
    """A builder in `buildx ls --format json`, and in the file that buildx keeps of it."""

    name: str
    driver: str = ""
    err: str = ""
    nodes: list[_Node] | None = None


def parse_list(out: bytes) -> tuple[Listed, ...]:
    """The builders of `buildx ls --format '{{json .}}'`, which says each once for itself and once for each node."""
    found = [msgspec.json.decode(line, type=_Builder) for line in out.splitlines() if line.strip()]
    return _sorted([_listed(each) for each in {each.name: each for each in found}.values()])


def _listed(builder: _Builder) -> Listed:
    nodes = tuple(
        Node(node.name, node.endpoint, node.status, platforms_of(node.platforms or []), _reason(node.err))
        for node in builder.nodes or ()
        if node.name
    )
    raw = builder.nodes or [_Node()]
    first = next((node.error for node in nodes if node.error), "")
    error = _reason(builder.err) or first
    return Listed(
        BuilderInfo(
            builder.name,
            builder.driver,
            platforms=platforms_of([platform for node in nodes for platform in node.platforms]),
            status=raw[0].status or ("error" if error else ""),
            error=error,
            buildkit_version=version_of(raw[0].version),
            image_store=any(SNAPSHOTTER in (node.labels or {}) for node in raw),
            loads=any((node.driver_opts or {}).get("default-load") == "true" for node in raw),
            several=len(nodes) > 1,
        ),
        nodes,
        context=endpoint.is_context(builder.name),
    )


def _placed(builder: Listed, contexts: dict[str, str]) -> Listed:
    """A docker context with the address of its engine, which buildx calls by the context's name."""
    address = contexts.get(builder.name, "")
    info = builder.info if builder.info.driver else replace(builder.info, driver=DOCKER)  # its engine is away
    nodes = builder.nodes or (Node(builder.name, status=info.status),)
    return replace(builder, info=info, nodes=tuple(replace(node, endpoint=address or node.endpoint) for node in nodes))


def _reason(words: str) -> str:
    if not words:
        return ""
    return str(client.error_of(words) or client.last_sentence(words))


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _made(path: Path) -> Listed | None:
    """A builder as buildx keeps it; None for a file that is none."""
    try:
        return _listed(msgspec.json.decode(path.read_bytes(), type=_Builder))
    except (OSError, msgspec.DecodeError):
        return None


def _sorted(builders: list[Listed]) -> tuple[Listed, ...]:
    """Docker's own first, `default` before all, then by name."""
    return tuple(sorted(builders, key=lambda each: (each.name != "default", not each.context, each.name)))
