"""One vertex of the stream as it has been reported so far, and what its name says.

`fold.py` makes steps of these. The order in which the reports come does not matter: the stream of a running build, the
one that `history logs` replays and one with lines twice give the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from hitmiss.build.model import Piece
from hitmiss.build.progress import Status, Vertex

_NAME = re.compile(r"^\[(?P<head>[^\]]*?) *(?P<index>\d+)/(?P<of>\d+)\] (?P<text>.*)$", re.DOTALL)
_CONTEXT = re.compile(r"^\[(?:\S+ )*(?:internal\] load build context|context [^\]]+\] load from client)")
_PULLS = re.compile(r"^(?:sha256:|extracting |pulling )")
_CANCELED = re.compile(r"context cancell?ed$")
_LINK = "LINK "
_MOST_PIECES = 500
"""So many pieces of one vertex are kept."""

Intervals = Mapping[datetime, datetime | None]
"""Start → end, None while it goes on; in the engine's clock."""


class Name(msgspec.Struct, frozen=True):
    """What a vertex's name says: `[linux/amd64 build  2/11] RUN make`."""

    platform: str | None
    stage: str
    index: int
    of: int
    text: str
    link: bool


def read_name(name: str, group: str = "") -> Name | None:
    """The parts of a step's name, None for BuildKit's own work.

    The index is padded when a stage has ten steps or more; the sole stage of a Dockerfile is not named
    (BuildKit, `dockerfile2llb.prefixCommand`). `group` is the name of the vertex's progress group.
    """
    match = _NAME.match(name)
    if not match:
        return None
    platform = None
    stage = ""
    for word in match["head"].split():
        if "/" in word:
            platform = word
        else:
            stage = word
    text = match["text"]
    copied = text.removeprefix(_LINK)
    link = copied != text and group.endswith(f"] {copied}")
    return Name(platform, stage, int(match["index"]), int(match["of"]), copied if link else text, link)


class Seen:
    """One vertex as it has been reported so far: intervals merged, the last word kept."""

    __slots__ = (
        "_cached",
        "_pieces",
        "_ran",
        "_sent",
        "activity",
        "digest",
        "error",
        "inputs",
        "intervals",
        "name",
        "pulled",
        "since",
    )

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.name = ""
        self.inputs: tuple[str, ...] = ()
        self.intervals: dict[datetime, datetime | None] = {}
        self._cached = False
        self._ran = False
        self.error = ""
        self.pulled = False
        """Whether layers of an image were fetched or unpacked for it."""
        self.activity = ""
        self.since: float | None = None
        """Since when it runs, on our clock."""
        self._sent: dict[str, int] = {}
        self._pieces: dict[str, Piece] = {}

    def hear(self, vertex: Vertex, now: float) -> None:
        """A report of it."""
        self.name = self.name or vertex.name
        self.inputs = vertex.inputs or self.inputs
        self._cached = self._cached or vertex.cached
        self._ran = self._ran or bool(vertex.inputs and vertex.started and not vertex.cached)
        self.error = vertex.error or self.error
        if vertex.started is not None:
            self.intervals[vertex.started] = vertex.completed or self.intervals.get(vertex.started)
        self.since = (self.since if self.since is not None else now) if self.running else None

    def hear_status(self, status: Status) -> None:
        """Progress inside it."""
        self._sent[status.id] = max(self._sent.get(status.id, 0), status.current)
        if status.id in self._pieces or len(self._pieces) < _MOST_PIECES:
            self._pieces[status.id] = _piece(status, self._pieces.get(status.id))
        self.pulled = self.pulled or bool(_PULLS.match(status.id))
        self.activity = "" if status.completed else _words(status)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All that it told of its pieces."""
        return tuple(self._pieces.values())

    @property
    def fetched(self) -> tuple[Piece, ...]:
        """The layers that were fetched for it."""
        return tuple(piece for piece in self._pieces.values() if piece.name.startswith("sha256:"))

    @property
    def cached(self) -> bool:
        """Whether its result was there already.

        BuildKit calls whatever stands above a hit cached, even what runs at that moment because another step reads it
        (`solver/progress.go`, vertexStream.append). A report that names inputs, a start, and not that it is cached, is
        made of what runs alone (`solver/jobs.go`, sharedOp.Exec): where a key is made of nothing else, or an imported
        result is fetched, no inputs are named (sharedOp.CacheMap, `util/progress/controller`).
        """
        return self._cached and not self._ran

    @property
    def looked_at(self) -> bool:
        """Whether BuildKit did anything for it, if only to see that it has it."""
        return self._cached or bool(self.intervals)

    @property
    def running(self) -> bool:
        """Whether BuildKit works on it now."""
        return any(end is None for end in self.intervals.values())

    @property
    def canceled(self) -> bool:
        """Whether it was stopped, by the user or because another step failed."""
        return bool(_CANCELED.search(self.error))

    @property
    def context_bytes(self) -> int:
        """Bytes of a build context that were sent for it."""
        return sum(self._sent.values()) if _CONTEXT.match(self.name) else 0


def covered_s(intervals: Iterable[Intervals]) -> float:
    """Seconds that ended intervals cover together; what overlaps counts once."""
    total = 0.0
    reached: datetime | None = None
    for start, end in sorted((start, end) for each in intervals for start, end in each.items() if end is not None):
        begin = start if reached is None else max(start, reached)
        total += max(0.0, (end - begin).total_seconds())
        reached = end if reached is None else max(end, reached)
    return total


def _piece(status: Status, before: Piece | None) -> Piece:
    spent = (status.completed - status.started).total_seconds() if status.started and status.completed else 0.0
    known = before or Piece(status.id)
    current, total = max(known.current, status.current), max(known.total, status.total)
    return Piece(status.id, current, total, max(spent, known.duration_s), known.done or status.completed is not None)


def _words(status: Status) -> str:
    """What a running piece of work says of itself: `extracting`, `12.3 of 40.1 MB`."""
    if status.total:
        return f"{status.current / 1e6:.1f} of {status.total / 1e6:.1f} MB"
    return status.id.split(" sha256:")[0] if not status.id.startswith("sha256:") else ""
