"""What a builder cannot do of what is asked for, said before the build rather than after it.

Pure: a builder and the options of a build in, sentences out. The rules are buildx's own (docker/buildx, `build/opt.go`,
`build/build.go`, and `Features` of each driver); those of the `docker` driver are held against real engines in
`tests/engine/test_builder_limits.py`, where each that is named there fails exactly when a sentence is said.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping

from hitmiss.docker.builders import DOCKER, BuilderInfo
from hitmiss.settings import BuildOptions

_STORE = "turn on its engine's containerd image store, or take a docker-container builder"
_CONTAINER = "take a docker-container builder"
_OF_ENGINE = ("gha", "inline", "local", "registry")
"""The caches that a docker engine knows (moby/moby, `builder/builder-next`); BuildKit itself knows more."""

_Row = Mapping[str, str]


def limits(builder: BuilderInfo, options: BuildOptions) -> tuple[str, ...]:
    """What this builder cannot do of this build, one sentence each with its mend; nothing while its driver is unknown.

    What it would do otherwise than somebody expects (an image that stays in the builder) is said as well.
    """
    if not builder.driver:
        return ()
    asked = _Asked(options)
    own = _engine(builder, asked) if builder.driver == DOCKER else _buildkit(builder, asked)
    return (*own, *_foreign(builder, asked))


class _Asked:
    """The options that depend on the builder, read as buildx reads them."""

    def __init__(self, options: BuildOptions) -> None:
        self.platforms = tuple(dict.fromkeys(options.platform_list()))
        self.cache_to = [row.get("type", "registry") for row in map(_row, options.cache_to)]
        self.cache_from = [row.get("type", "registry") for row in map(_row, options.cache_from)]
        self.outputs = [_output(each) for each in options.outputs]
        self.outputs += [{"type": "docker"}] if options.load else []
        self.push = options.push or any(_pushes(row) for row in self.outputs)
        self.nothing_out = not self.outputs and not options.push
        self.attests = _attests(options)
        self.hosts = options.add_hosts

    @property
    def kinds(self) -> list[str]:
        """The types of the outputs."""
        return [row.get("type", "") for row in self.outputs]


def _engine(builder: BuilderInfo, asked: _Asked) -> Iterator[str]:
    """A builder that is a docker engine."""
    name = builder.name
    if any(row.get("push-by-digest") == "true" and _pushes(row) for row in asked.outputs):
        yield f"{name} cannot push by digest: {_CONTAINER}."
    for kind in dict.fromkeys(each for each in asked.cache_from if each not in _OF_ENGINE):
        # The build goes on without it.
        yield f"{name} cannot read a cache of type={kind}: {_CONTAINER}, or read it from a registry."
    if builder.image_store:
        for kind in dict.fromkeys(each for each in asked.cache_to if each not in _OF_ENGINE):
            yield f"{name} cannot write a cache of type={kind}: {_CONTAINER}, or write it to a registry."
    else:
        for kind in dict.fromkeys(each for each in asked.cache_to if each != "inline"):
            yield f"{name} cannot write a cache of type={kind}, only an inline one: {_STORE}."
        if len(asked.platforms) > 1:
            yield f"{name} builds one platform at a time, and {len(asked.platforms)} are asked for: {_STORE}."
        for kind, row in zip(asked.kinds, asked.outputs, strict=True):
            if kind == "oci" or (kind == "docker" and row.get("dest")):
                yield f"{name} cannot write a file of type={kind}: {_STORE}."
        if asked.attests:
            yield f"{name} cannot attach {asked.attests} to an image: {_STORE}."
    if _tar_of_several(asked) and builder.image_store:
        yield _NO_LIST


def _buildkit(builder: BuilderInfo, asked: _Asked) -> Iterator[str]:
    """A builder that is a BuildKit of its own."""
    name = builder.name
    if asked.nothing_out and not builder.loads:
        yield f"{name} keeps what it builds to itself: give --load for an image here, or --push for a registry."
    if _tar_of_several(asked):
        yield _NO_LIST
    elif "docker" in asked.kinds and len(asked.platforms) > 1:
        yield f"--load takes {len(asked.platforms)} platforms only into an engine with the containerd image store: " + (
            "turn that on, or --push."
        )
    if builder.several and len(asked.platforms) > 1:
        for kind in dict.fromkeys(each for each in asked.kinds if each in ("oci", "tar")):
            yield f"{name} has several nodes, whose results do not fit into one type={kind}: --push them."
    if any(host.endswith("host-gateway") for host in asked.hosts):
        yield f"{name} knows no host-gateway: give --add-host an address."


_NO_LIST = "A file of type=docker holds one platform: write type=oci for several."


def _tar_of_several(asked: _Asked) -> bool:
    return len(asked.platforms) > 1 and any(row.get("type") == "docker" and row.get("dest") for row in asked.outputs)


def _foreign(builder: BuilderInfo, asked: _Asked) -> Iterator[str]:
    """Platforms that the builder's machine does not run."""
    missing = [each for each in asked.platforms if not _runs(each, builder.platforms)]
    if builder.platforms and missing and "local" not in missing:
        arches = ",".join(dict.fromkeys(each.split("/")[1] for each in missing if "/" in each))
        yield (
            f"{builder.name} runs no {', '.join(missing)}, so a RUN for it fails: emulate it with "
            f"`docker run --privileged --rm tonistiigi/binfmt --install {arches or 'all'}`."
        )


def _runs(platform: str, own: tuple[str, ...]) -> bool:
    """Whether a platform is one of the builder's; a variant that is not said may be any of them."""
    return platform == "local" or any(
        each == platform or each.startswith(f"{platform}/") or _plain(platform) == each for each in own
    )


def _plain(platform: str) -> str:
    """Platforms as BuildKit lists them: `amd64` is linux's, `linux/arm64/v8` is `linux/arm64`."""
    whole = platform if "/" in platform else f"linux/{platform}"
    whole = {"linux/x86_64": "linux/amd64", "linux/aarch64": "linux/arm64"}.get(whole, whole)
    return whole.removesuffix("/v8")


def _attests(options: BuildOptions) -> str:
    """What is to be attached to the image, by name; "" for nothing. `false` and `disabled=true` take it away."""
    names = [
        name
        for name, value in (("provenance", options.provenance), ("an SBOM", options.sbom))
        if value and value.lower() not in ("false", "0", "disabled=true")
    ]
    rows = [row for row in map(_row, options.attests) if row.get("disabled") != "true"]
    names += ["an SBOM" if row.get("type") == "sbom" else row.get("type", "an attestation") for row in rows]
    return " and ".join(dict.fromkeys(names))


def _pushes(row: _Row) -> bool:
    return row.get("type") == "registry" or row.get("push") == "true"


def _output(given: str) -> _Row:
    """An output; a path alone is a folder, `-` a tar on standard output."""
    if "=" not in given:
        return {"type": "tar" if given == "-" else "local", "dest": given}
    return _row(given)


def _row(given: str) -> _Row:
    """`type=registry,ref=…` by its keys; a reference alone is one of a registry."""
    try:
        parts = next(csv.reader([given]), [])
    except csv.Error:
        return {}
    return {key.strip().lower(): value for key, _, value in (part.partition("=") for part in parts)}
