"""What a case of the matrix is: a project, builds in a row with what is changed before each, and what must come of it.

Values only. A step is named as `stage beginning-of-its-instruction`, with `stage@platform` where there are several
platforms. In every text `NONCE` stands for a word of this case alone, so that no two cases share a cache; `URL` for the
address of the case's own web server; `SIDE` for a folder beside the project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.matrix.runner import Run

Deed = Callable[["Run"], object]
"""One change: of the project's folder, of the options, of the engine."""

FIRST = "first-build"
FILES = "files-changed"
INSTRUCTION = "instruction-changed"
ARGUMENT = "argument-changed"
ENVIRONMENT = "environment-changed"
BASE = "base-image-changed"
INSERTED = "step-inserted"
REMOVED = "step-removed"
STAGE = "stage-output-changed"
PARENT = "parent-missed"
REMOTE = "remote-changed"
PLATFORM = "platform-changed"
NO_CACHE = "no-cache"
EVICTED = "evicted"
UNKNOWN = "unknown"

ALL_KINDS = frozenset(
    {FIRST, FILES, INSTRUCTION, ARGUMENT, ENVIRONMENT, BASE, INSERTED, REMOVED}
    | {STAGE, PARENT, REMOTE, PLATFORM, NO_CACHE, EVICTED}
)
"""The closed list of causes, without `unknown`."""


@dataclass(frozen=True)
class Miss:
    """A step that must miss, and why.

    `files` are `change path`; a folder above one of them, or one of `also`, may be named too. `root` is the step where
    the chain began ("" is this one). `old` and `new` have to be in the cause's texts, `said` in its sentence.
    """

    step: str
    kind: str
    files: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    root: str = ""
    old: str = ""
    new: str = ""
    said: str = ""


Misses = tuple[Miss, ...]


def miss(
    step: str,
    kind: str,
    *files: str,
    below: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    root: str = "",
    old: str = "",
    new: str = "",
    said: str = "",
) -> Misses:
    """A step that misses for a reason of its own, and those `below` that miss because of it.

    With `root` the chain began elsewhere: this step has read what another stage wrote.
    """
    first = Miss(step, kind, files, also, root, old, new, said)
    return (first, *(Miss(each, PARENT, root=root or step) for each in below))


def each(kind: str, *steps: str) -> Misses:
    """Steps that miss each on its own."""
    return tuple(Miss(step, kind) for step in steps)


HITS: Misses = ()
"""Every step hits."""


@dataclass(frozen=True)
class Build:
    """One build: what is done before it, and what must come of it.

    `misses` of None: only the verdicts and the plan are compared. `notes` are those that hits must have. `open` are the
    steps of which the plan may say `depends`, as another step's bytes decide. `free` may do either. `once` are options
    of this build alone. `fails` says that the build does.
    """

    deeds: tuple[Deed, ...] = ()
    misses: Misses | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    fails: bool = False


@dataclass(frozen=True)
class Case:
    """A project and its builds. Before them there is a first one: all that misses there was never built.

    `files` are written first, their text followed by the nonce; `setup` comes after them. `secrets` are values that
    must be in no report and in no file that is kept. `shares` says that a step of the first build may hit.
    """

    name: str
    dockerfile: str
    builds: tuple[Build, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    setup: tuple[Deed, ...] = ()
    options: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    first: Build = field(default_factory=Build)
    shares: bool = False


def then(
    *deeds: Deed,
    misses: Misses | None = HITS,
    notes: Mapping[str, str] | None = None,
    open: tuple[str, ...] = (),  # noqa: A002 - reads well where cases are written
    free: tuple[str, ...] = (),
    once: tuple[str, ...] = (),
    fails: bool = False,
) -> Build:
    """A build after these deeds; unless told, every step hits."""
    return Build(deeds, misses, notes or {}, open, free, once, fails)
