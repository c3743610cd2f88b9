"""The operations of a build: what BuildKit runs, each with what it reads.

Values only; nothing here reads a file, starts a process or knows a screen. Two roads lead to them. `derive.py` makes
them from a Dockerfile, before it is built and where a build failed; the program goes by these. `llb.py` reads them out
of the engine's provenance: what BuildKit was really given, which every test of operations holds the others against.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

StepRef = tuple[str, str, int]
"""A step by BuildKit's numbers: platform ("" unless several are built), stage (`stage-N` when unnamed), index."""


class Kind(StrEnum):
    """What sort of operation it is, in BuildKit's own terms."""

    EXEC = "exec"
    FILE = "file"
    MERGE = "merge"
    IMAGE = "image"
    LOCAL = "local"
    REMOTE = "remote"
    """A URL, a git repository, an OCI layout: whatever else BuildKit fetches."""


class Selected(msgspec.Struct, frozen=True):
    """What is read of an input: a path, or a pattern where `wildcards`, from its root, with `/`.

    `include` and `exclude` are patterns for what lies under it; `follow` says that a link at its end is followed.
    """

    source: str
    wildcards: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow: bool = False


class Input(msgspec.Struct, frozen=True):
    """One input: the place of an operation in `Operations.all`, and what is read of it.

    Without `selected`, the input counts by its key; with it, by the content of what is selected.
    """

    operation: int
    selected: tuple[Selected, ...] = ()


class Operation(msgspec.Struct, frozen=True):
    """One operation. What counts for its key is `kind`, `platform`, `own` and `inputs`, nothing else.

    `own` is what it is apart from its inputs, as pairs of a name and a text, sorted: for an exec `args` (JSON), `cwd`,
    `user`, `network`, `security`, `mounts` (JSON) and one `env NAME` for each variable; for a file operation
    `actions` (JSON, without what the inputs say); for an image `identity`; for a context `name`; for what is fetched
    `identity` and the attributes that count. A value that only the base image knows stands as the Dockerfile has it.
    """

    kind: Kind
    own: tuple[tuple[str, str], ...]
    inputs: tuple[Input, ...] = ()
    platform: str = ""

    def value(self, name: str) -> str:
        """One part of `own`; "" where it has none."""
        return next((value for key, value in self.own if key == name), "")

    @property
    def environment(self) -> dict[str, str]:
        """The variables of an exec."""
        return {key[4:]: value for key, value in self.own if key.startswith("env ")}


class Operations(msgspec.Struct, frozen=True):
    """The operations of a build, inputs before what reads them, and which of them each step of the stream is.

    `steps` points at the operation whose verdict the stream shows under the step's name. `linked` are the steps of
    other targets that this one builds on: their ids there, by the places of their operations.
    """

    all: tuple[Operation, ...]
    steps: Mapping[StepRef, int]
    linked: Mapping[int, str] = {}


class Image(msgspec.Struct, frozen=True):
    """What is known of a base image: the `identity` of its files, and its configuration.

    `identity` is the digest of its manifest (or configuration); where none is known, that of the chain of its layers.
    `known` is false where the configuration could not be had.
    """

    identity: str
    known: bool = False
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    user: str = ""
    shell: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    digest: str = ""
    """The manifest's (or image's) digest, for people to read."""
    layers: str = ""
    """What stands for the chain of its layers; "" where they are not known."""
