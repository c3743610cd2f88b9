"""The operations of a build out of the engine's own record of it: the provenance of a build that came to its end.

Pure: the document in, values out. The graph in it is BuildKit's own (LLB); `canonical.py` says what of it counts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from hitmiss.cache.canonical import Fields, Operated
from hitmiss.cache.operations import Image, Operations, StepRef
from hitmiss.project import platforms as names
from hitmiss.project.operations import full_name

_IMAGE = "docker-image://"
_LOCAL = "local://"
_MAIN = "context"
_KEPT = ("http.filename", "http.checksum", "git.keepgitdir", "git.checksum")
"""The attributes of a source that count."""


class Provenance(msgspec.Struct, frozen=True):
    """What a record says of a build.

    `operations` has the place of every vertex that was asked for as a step, `places` that of every vertex by digest.
    `images` are the base images by full name with the digest they had, `dockerfile` is the text that was built.
    """

    operations: Operations
    places: Mapping[str, int]
    images: Mapping[str, str]
    dockerfile: str = ""


def from_provenance(
    document: bytes | Sequence[bytes],
    steps: Mapping[str, StepRef] | None = None,
    images: Mapping[str, Image] | None = None,
) -> Operations:
    """The operations of a build from its provenance (of several platforms: all of them); see `read`."""
    return read(document, steps, images).operations


def read(
    document: bytes | Sequence[bytes],
    steps: Mapping[str, StepRef] | None = None,
    images: Mapping[str, Image] | None = None,
) -> Provenance:
    """What a build's provenance says.

    `steps` are the steps by the digest that the stream gave their vertex; `images` is what is known of base images by
    any of their names: one that has the digest of the record stands there with its identity. Raises `ValueError` for
    what is no such document.
    """
    known = {full_name(name): image for name, image in (images or {}).items()}
    out = Operated()
    places: dict[str, int] = {}
    found: dict[str, str] = {}
    dockerfile = ""
    for each in [document] if isinstance(document, bytes) else document:
        try:
            reader = _Reader(msgspec.json.decode(each), known, out)
            places |= reader.places()
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"This provenance cannot be read: {error!r}") from error
        found |= reader.images
        dockerfile = dockerfile or reader.dockerfile()
    tied: dict[StepRef, int] = {}
    for digest, step in (steps or {}).items():
        if digest in places:
            # What an ADD fetches stands under the same name as the ADD, which comes after it.
            tied[step] = max(places[digest], tied.get(step, 0))
    return Provenance(Operations(tuple(out.all), tied), places, found, dockerfile)


class _Reader:
    """One document."""

    def __init__(self, document: Any, known: Mapping[str, Image], out: Operated) -> None:
        self.known = known
        self.out = out
        self.images: dict[str, str] = {}
        # SLSA 0.2, and 1.0 as newer engines write it.
        definition = document.get("buildDefinition")
        self.config: Fields = definition["internalParameters"]["buildConfig"] if definition else document["buildConfig"]
        if definition:
            metadata = document["runDetails"]["metadata"]
            self.more: Fields = metadata.get("buildkit_metadata") or {}
        else:
            self.more = (document.get("metadata") or {}).get("https://mobyproject.org/buildkit@v1#metadata") or {}

    def places(self) -> dict[str, int]:
        """Add the operations; their places by the digest of their vertex."""
        by_id: dict[str, int] = {}
        for step in self.config["llbDefinition"]:
            inputs = [by_id[each.partition(":")[0]] for each in step.get("inputs") or ()]
            place = self._add(step["op"], inputs)
            if place is not None:
                by_id[step["id"]] = place
        return {digest: by_id[name] for digest, name in self.config["digestMapping"].items() if name in by_id}

    def dockerfile(self) -> str:
        """The text of the Dockerfile; "" where the record does not have it."""
        infos: list[Fields] = (self.more.get("source") or {}).get("infos") or []
        data = next((each["data"] for each in infos if each.get("language") == "Dockerfile" and "data" in each), "")
        return base64.b64decode(data).decode("utf-8", "surrogateescape")

    def _add(self, op: Fields, inputs: list[int]) -> int | None:
        work = op["Op"]
        match next(iter(work), None):
            case "source":
                return self._source(work["source"], _platform(op))
            case "exec":
                return self.out.exec(
                    inputs, work["exec"]["meta"], work["exec"].get("mounts") or [], _platform(op), work["exec"]
                )
            case "file":
                return self.out.file(inputs, list(_actions(work["file"])))
            case "merge":
                merged = [inputs[each.get("input", 0)] for each in work["merge"]["inputs"]]
                return self.out.merge(merged)
            case None:
                # The end of the graph: what the build gives.
                return None
        raise ValueError(f"BuildKit has an operation that is not known here: {', '.join(work)}")

    def _source(self, source: Fields, platform: str) -> int:
        identifier: str = source["identifier"]
        attributes: Fields = source.get("attrs") or {}
        if identifier.startswith(_IMAGE):
            name, _, digest = identifier.removeprefix(_IMAGE).partition("@")
            self.images[name] = digest
            image = self.known.get(name) or self.known.get(f"{name}@{digest}")
            if image is None and digest:
                image = self.known.get(f"{name.removesuffix(':latest')}@{digest}")
            if image and (not digest or not image.digest or image.digest == digest):
                return self.out.image(image.identity, platform, name)
            return self.out.image(digest or name, platform, name)
        if identifier.startswith(_LOCAL):
            name = identifier.removeprefix(_LOCAL)
            return self.out.local("" if name == _MAIN else name)
        return self.out.remote(identifier, {name: attributes[name] for name in _KEPT if attributes.get(name)})


def _actions(file: Fields) -> Iterator[Fields]:
    for each in file["actions"]:
        yield {
            "input": each.get("input", 0),
            "secondaryInput": each.get("secondaryInput", 0),
            "output": each.get("output", 0),
            "Action": each["Action"],
        }


def _platform(op: Fields) -> str:
    found = op.get("platform") or {}
    named = "/".join(filter(None, (found.get("OS"), found.get("Architecture"), found.get("Variant"))))
    return names.shown(named) if named else ""
