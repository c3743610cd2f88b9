"""What a build has made, asked after it: the history of its image, and what a registry keeps of each layer.

Three things know it, and each is asked only where the build put something: the engine that holds the image (a few
milliseconds at its socket), the archive that was written, the registry that it was pushed to. What a registry keeps of
each layer stands in the manifest that the engine's record of the build holds, whatever the driver is. Nothing raises:
what cannot be found out is not known.
"""

from __future__ import annotations

import asyncio
import csv
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from hitmiss.build.layered import Entry, Told
from hitmiss.docker import client, endpoint
from hitmiss.errors import HitmissError
from hitmiss.settings import BuildOptions

ASK_S = 5.0
"""How long the engine or a registry may take to answer, in seconds."""
_MOST_JSON = 16 * 1024 * 1024
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OLD_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_MAY_MISS = ("", "WORKDIR")
"""Instructions that may make no layer."""
_ARCHIVES = ("oci", "docker")

Fields = Mapping[str, str]
"""The fields of an output or a cache, as given on the command line."""


class Blob(msgspec.Struct):
    digest: str = ""
    size: int = 0
    platform: dict[str, Any] | None = None


class Manifest(msgspec.Struct):
    """A manifest, or an index of them."""

    config: Blob = msgspec.field(default_factory=Blob)
    layers: list[Blob] = []
    manifests: list[Blob] = []


class _Line(msgspec.Struct):
    """A line of the history in an image's configuration."""

    created_by: str = ""
    empty_layer: bool = False


class _Configuration(msgspec.Struct):
    history: list[_Line] = []


class _Aged(msgspec.Struct, rename="pascal"):
    """A line of the engine's `/images/NAME/history`."""

    created_by: str = ""
    size: int = 0


def fields_of(given: str) -> Fields:
    """`type=oci,dest=x.tar` by its fields; a bare word is a folder for an output, an image for a cache."""
    try:
        row = next(csv.reader([given]), [])
    except csv.Error:
        return {}
    return {key.strip().lower(): value for key, equals, value in (part.partition("=") for part in row) if equals}


def kept(options: BuildOptions) -> bool:
    """Whether an image is made that somebody could ask about."""
    kinds = [fields_of(output).get("type", "local") for output in options.outputs]
    return not kinds or options.push or options.load or any(kind in ("image", "registry", *_ARCHIVES) for kind in kinds)


async def told(options: BuildOptions, image: str, ref: str, builder: str, cwd: Path) -> tuple[Told, ...]:
    """What is known of the image that a build made: `image` is its digest, `ref` the engine's record of the build.

    One for each platform that was asked for; none where nothing is known.
    """
    platforms = options.platform_list() or ("",)
    several = len(platforms) > 1
    return tuple(
        each
        for each in await asyncio.gather(
            *(_told(options, image, ref, builder, cwd, platform, several) for platform in platforms)
        )
        if each.history or each.packed is not None
    )


async def _told(
    options: BuildOptions, image: str, ref: str, builder: str, cwd: Path, platform: str, several: bool
) -> Told:
    shown = platform if several else ""
    manifest_asked = asyncio.create_task(_manifest(ref, builder, shown))
    history = await _on_engine(options, image, builder, platform)
    if not history:
        for path in _archives(options, cwd):
            if found := await asyncio.to_thread(_archived, path, shown):
                manifest_asked.cancel()
                return found
        history = await _on_registry(options, image, builder, platform)
    manifest = await manifest_asked
    packed = tuple(layer.size for layer in manifest.layers) if manifest else None
    return Told(shown, image, history, packed, manifest.config.size if manifest else 0)


async def _manifest(ref: str, builder: str, platform: str) -> Manifest | None:
    """The manifest in the engine's record of a build; None where the record has none."""
    if not ref:
        return None
    words = ["history", "inspect", "attachment", ref.rpartition("/")[2]]
    words += ["--platform", platform] if platform else []
    words += ["--builder", builder] if builder else []
    for kind in (_MANIFEST, _OLD_MANIFEST):
        try:
            answer = await client.ask(*words, "--type", kind, timeout_s=ASK_S)
            if not answer.code and answer.out.strip():
                return msgspec.json.decode(answer.out, type=Manifest)
        except (HitmissError, OSError, msgspec.DecodeError):
            return None
    return None


async def _on_engine(options: BuildOptions, image: str, builder: str, platform: str) -> tuple[Entry, ...]:
    """The image's history as the engine tells it that holds the image, with the sizes of its files."""
    own = endpoint.socket_path(builder)
    loaded = options.load or any(fields_of(each).get("type") == "docker" for each in options.outputs)
    socket = own or (endpoint.socket_path(endpoint.context()) if loaded else None)
    if socket is None:
        return ()
    names = [image, *options.tags[:1]] if loaded and not own else [image]
    queries = [f"?platform={quote(_platform_json(platform))}", ""] if platform else [""]
    for name in filter(None, names):
        for query in queries if "," not in ",".join(options.platforms) else queries[:1]:
            try:
                path = f"/images/{quote(name, safe='/:@')}/history{query}"
                lines = msgspec.json.decode(await endpoint.get(socket, path, timeout_s=ASK_S), type=list[_Aged])
                return _aged(lines, foreign=bool(platform))
            except (OSError, msgspec.DecodeError):
                continue
    return ()


def _aged(lines: Sequence[_Aged], *, foreign: bool) -> tuple[Entry, ...]:
    """The history, the oldest line first.

    An engine does not say which lines have no layer: those without files, but a COPY has one even so. Of an image that
    may be `foreign` it unpacks only what it has to, and says 0 of all else (containerd's image store).
    """
    found = [Entry(line.created_by, line.size) for line in reversed(lines)]
    packed = foreign and any(not each.size and each.keyword in ("RUN", "COPY", "ADD") for each in found)
    return tuple(
        Entry(each.text, None if packed and not each.size else each.size, not each.size and each.keyword in _MAY_MISS)
        for each in found
    )


def _platform_json(platform: str) -> str:
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    parts = {"os": system, "architecture": architecture, "variant": variant}
    return json.dumps({key: value for key, value in parts.items() if value})


async def _on_registry(options: BuildOptions, image: str, builder: str, platform: str) -> tuple[Entry, ...]:
    """The history in the configuration that was pushed."""
    name = _pushed_as(options)
    if not name or not image:
        return ()
    words = ["imagetools", "inspect", *(["--builder", builder] if builder else [])]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    try:
        answer = await client.ask(*words, "--format", "{{json .Image}}", "--", f"{repository}@{image}", timeout_s=ASK_S)
        if answer.code:
            return ()
        found: dict[str, msgspec.Raw] = msgspec.json.decode(answer.out, type=dict[str, msgspec.Raw])
        raw = answer.out if "history" in found else found.get(platform) or next(iter(found.values()))
        return _entries(msgspec.json.decode(raw, type=_Configuration))
    except (HitmissError, OSError, msgspec.DecodeError, StopIteration):
        return ()


def _pushed_as(options: BuildOptions) -> str:
    """The name under which the image was pushed, "" where it was not."""
    for output in map(fields_of, options.outputs):
        pushes = output.get("type") == "registry" or output.get("push") == "true"
        if pushes and (name := output.get("name", "").partition(",")[0] or next(iter(options.tags), "")):
            return name
    return next(iter(options.tags), "") if options.push else ""


def _entries(configuration: _Configuration) -> tuple[Entry, ...]:
    return tuple(Entry(line.created_by, None, line.empty_layer) for line in configuration.history)


# Archives


def _archives(options: BuildOptions, cwd: Path) -> list[Path]:
    outputs = map(fields_of, options.outputs)
    return [cwd / each["dest"] for each in outputs if each.get("type") in _ARCHIVES and each.get("dest", "-") != "-"]


def _archived(path: Path, platform: str) -> Told | None:
    """What an archive (or folder) in OCI's layout says of the image in it; None for anything else."""
    try:
        if path.is_dir():
            return _laid_out(lambda name: (path / name).read_bytes(), platform)
        with tarfile.open(path, "r:") as archive:
            members = {member.name.removeprefix("./"): member for member in archive}

            def read(name: str) -> bytes:
                file = archive.extractfile(members[name])
                return file.read(_MOST_JSON) if file else b""

            return _laid_out(read, platform)
    except (OSError, KeyError, tarfile.TarError, msgspec.DecodeError):
        return None


def _laid_out(read: Callable[[str], bytes], platform: str) -> Told | None:
    found, digest = msgspec.json.decode(read("index.json"), type=Manifest), ""
    while found.manifests:
        chosen = _of_platform(found.manifests, platform)
        digest = chosen.digest
        found = msgspec.json.decode(read(blob_path(digest)), type=Manifest)
    configuration = msgspec.json.decode(read(blob_path(found.config.digest)), type=_Configuration)
    packed = tuple(layer.size for layer in found.layers)
    return Told(platform, digest, _entries(configuration), packed, found.config.size)


def _of_platform(manifests: Sequence[Blob], platform: str) -> Blob:
    for each in manifests:
        parts = each.platform or {}
        name = "/".join(str(parts[key]) for key in ("os", "architecture", "variant") if parts.get(key))
        if platform and name == platform:
            return each
    return next((each for each in manifests if (each.platform or {}).get("os") != "unknown"), manifests[0])


def blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def files_written(output: Fields, cwd: Path) -> int | None:
    """The size of the file that an output wrote; None where it wrote none."""
    dest = output.get("dest", "-")
    try:
        path = cwd / dest
        return path.stat().st_size if dest != "-" and path.is_file() else None
    except OSError:
        return None
