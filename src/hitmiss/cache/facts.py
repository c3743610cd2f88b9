"""What is remembered of a build: enough to explain any later one by it. Values only.

No value of a secret is in it but what the Dockerfile says itself: whoever makes these values has taken them out
(`runner.secret_values`, `settings.looks_secret`), or put a keyed hash in their place.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hitmiss.build.model import BuiltImage, Cause, Note, Place, Planned, Status, Verdict
from hitmiss.cache.operations import Image, Operations

Key = bytes
"""16 bytes: equal where BuildKit would hit if the record is still there. Made with the user's own salt."""


class StepFacts(msgspec.Struct, frozen=True):
    """One step of a remembered build; `operation` is its place in the operations, -1 where it could not be tied."""

    id: str
    stage: str
    index: int
    of: int
    instruction: str
    text: str = ""
    """The line as written, variables not filled in."""
    platform: str = ""
    place: Place | None = None
    operation: int = -1
    verdict: Verdict = Verdict.PENDING
    duration_s: float = 0.0
    planned: Planned | None = None
    expected_s: float | None = None
    cause: Cause | None = None
    note: Note | None = None
    alarm: str = ""

    @property
    def ran(self) -> bool:
        """Whether it missed and ended well, so that its result is in the cache."""
        return self.verdict is Verdict.MISS

    @property
    def confirmed(self) -> bool:
        """Whether the engine has its result: it ran to its end, or hit."""
        return self.verdict in (Verdict.MISS, Verdict.HIT)


class Rules(msgspec.Struct, frozen=True):
    """The ignore rules of a context: the name of their file ("" where there is none), and its patterns."""

    file: str = ""
    patterns: tuple[str, ...] = ()


class BuildFacts(msgspec.Struct, frozen=True):
    """One remembered build.

    `number` counts the builds of a project on this machine from 1 (0: not yet remembered). `keys` and `contents` stand
    beside `operations.all`: the key of each, and per input the digest of what was selected of it (b"" where the input
    counts by its key). `trees` names the root of the manifest of each context ("" is the main one). `arguments` are the
    build arguments given, `options` what else was asked for, as text. `images` are the base images by the name in FROM.
    `started` is in seconds since 1970.
    """

    number: int
    project: str
    builder: str
    target: str
    started: float
    status: Status
    duration_s: float = 0.0
    ref: str = ""
    platforms: tuple[str, ...] = ()
    dockerfile: str = ""
    dockerfile_name: str = "Dockerfile"
    arguments: Mapping[str, str] = {}
    options: tuple[str, ...] = ()
    contexts: Mapping[str, str] = {}
    images: Mapping[str, Image] = {}
    operations: Operations = Operations((), {})
    keys: tuple[Key, ...] = ()
    contents: tuple[tuple[bytes, ...], ...] = ()
    trees: Mapping[str, bytes] = {}
    secrets: Mapping[str, str] = {}
    """A keyed hash of each secret's value, by its id."""
    steps: tuple[StepFacts, ...] = ()
    part: str = ""
    """The target, where the project has several."""
    doubted: tuple[Key, ...] = ()
    """Keys whose result the engine may have or not: what was read for them changed while it was sent."""
    rules: Mapping[str, Rules] = {}
    """The ignore rules by context."""
    copies: Mapping[str, str] = {}
    """The engine's record of its own copy of each context, where that is known."""
    plan_right: int = 0
    plan_steps: int = 0
    """Of so many steps that were planned (`depends` is not counted), so many came out as planned."""
    made: tuple[BuiltImage, ...] = ()
    """The image that it made, one for each platform; it becomes known some time after the build."""
    build_platform: str = ""
    """The builder's own platform; "" where it is not known."""
    image: str | None = None
    """The digest that the client gave for what was made."""
    context_bytes: int = 0
    """Bytes of the contexts that were sent."""


class Seen(msgspec.Struct, frozen=True):
    """The cache records of a builder when it was last looked at, by their ids, with marks that tell them apart.

    `asked` is when it was asked, `pruned` when a prune was last noticed, in seconds since 1970; 0.0 for never. `hidden`
    are records that were there, though the engine did not list them; `renamed` are those that it will list by another
    id from now on, with that id.
    """

    asked: float = 0.0
    pruned: float = 0.0
    marks: dict[str, int] = {}
    hidden: frozenset[str] = frozenset()
    renamed: dict[str, str] = {}


class Known(msgspec.Struct, frozen=True):
    """A key that was seen on a builder: the build that confirmed it last, and the engine's record, if that is known."""

    number: int
    seen: float
    record: str = ""
