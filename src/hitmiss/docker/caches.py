"""Caches of other builds: what an exported one holds, and those that buildx passes over in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from hitmiss.docker import client
from hitmiss.docker.images import ASK_S, Manifest, blob_path, fields_of
from hitmiss.errors import HitmissError
from hitmiss.settings import BuildOptions

_GITHUB = "type=gha"
_ADDRESSES = ("ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL")
_TOKEN = "ACTIONS_RUNTIME_TOKEN"  # noqa: S105 - the name of a variable


def passed_over(options: BuildOptions, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The caches that buildx leaves out without a word, one sentence each.

    GitHub's is used only where its address and token are known (docker/buildx, `buildflags.CacheOptionsEntry`).
    """
    given = [fields_of(each) for each in (*options.cache_from, *options.cache_to)]
    for fields in given:
        address = any(fields.get(name) for name in ("url", "url_v2")) or any(map(environment.get, _ADDRESSES))
        if fields.get("type") == "gha" and not (address and (fields.get("token") or environment.get(_TOKEN))):
            return (
                f"{_GITHUB} is left out: GitHub's cache needs {_TOKEN} and {_ADDRESSES[1]}, "
                "which only a GitHub Actions job has.",
            )
    return ()


async def cache_written(given: str, layers: Sequence[str], builder: str, cwd: Path) -> int | None:
    """How many bytes of these layers a cache holds that a build has exported; None where that cannot be told."""
    fields = fields_of(given)
    kind = fields.get("type", "registry")
    wanted = set(layers)
    if kind == "local" and fields.get("dest"):
        return await asyncio.to_thread(_stored, cwd / fields["dest"], wanted)
    name = fields.get("ref", "" if "=" in given else given)
    if kind != "registry" or not name:
        return None
    words = ["imagetools", "inspect", *(["--builder", builder] if builder else []), "--raw", "--", name]
    try:
        answer = await client.ask(*words, timeout_s=ASK_S)
        if answer.code:
            return None
        found = msgspec.json.decode(answer.out, type=Manifest)
    except (HitmissError, OSError, msgspec.DecodeError):
        return None
    sizes = {layer.digest: layer.size for layer in (*found.layers, *found.manifests)}
    return sum(size for digest, size in sizes.items() if digest in wanted)


def _stored(folder: Path, layers: set[str]) -> int | None:
    try:
        return sum((folder / blob_path(digest)).stat().st_size for digest in layers)
    except OSError:
        return None
