"""The wire: one line of BuildKit's progress stream → typed values.

The stream is what `docker buildx build --progress=rawjson` writes to stderr: one JSON object a line with any of
`vertexes`, `statuses`, `logs` and `warnings` (BuildKit's `client.SolveStatus`). Lines between and after them can be
plain text (the CLI's own warnings, the source excerpt and `ERROR: …` of a failed build): they are kept as text.

This is the only module that knows the wire's field names. It reads no file and starts nothing.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class ProgressGroup(msgspec.Struct, frozen=True):
    """Several vertices that the frontend shows as one step (`COPY --link` and its merge)."""

    id: str = ""
    name: str = ""
    weak: bool = False


class Vertex(msgspec.Struct, frozen=True):
    """A node of the build graph. The same digest is sent again whenever something about it is known."""

    digest: str
    name: str = ""
    inputs: tuple[str, ...] | None = None
    started: datetime | None = None
    completed: datetime | None = None
    cached: bool = False
    error: str = ""
    progress_group: ProgressGroup | None = msgspec.field(default=None, name="progressGroup")


class Status(msgspec.Struct, frozen=True):
    """Progress inside a vertex: bytes of the context sent, layers pulled, exports."""

    id: str
    vertex: str = ""
    name: str = ""
    current: int = 0
    total: int = 0
    timestamp: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None


class Log(msgspec.Struct, frozen=True):
    """Raw bytes that a step wrote (`stream` 1 is stdout, 2 stderr); they may end inside a character."""

    vertex: str = ""
    stream: int = 1
    data: bytes = b""
    timestamp: datetime | None = None


class Position(msgspec.Struct, frozen=True):
    """A place in a source file; lines count from 1."""

    line: int = 0
    character: int = 0


class Range(msgspec.Struct, frozen=True):
    """A piece of a source file, both ends included."""

    start: Position = Position()
    end: Position = Position()


class SourceInfo(msgspec.Struct, frozen=True):
    """The file that a warning speaks of."""

    filename: str = ""


class CheckWarning(msgspec.Struct, frozen=True):
    """A Dockerfile check that found something."""

    vertex: str = ""
    level: int = 0
    short: bytes = b""
    detail: tuple[bytes, ...] | None = None
    url: str = ""
    source_info: SourceInfo | None = msgspec.field(default=None, name="sourceInfo")
    range: tuple[Range, ...] | None = None


class Progress(msgspec.Struct, frozen=True):
    """One line of the stream."""

    vertexes: tuple[Vertex, ...] | None = None
    statuses: tuple[Status, ...] | None = None
    logs: tuple[Log, ...] | None = None
    warnings: tuple[CheckWarning, ...] | None = None


class Text(msgspec.Struct, frozen=True):
    """A line of the stream that is not progress: what the client says in plain words."""

    text: str


Event = Progress | Text

_decoder = msgspec.json.Decoder(Progress)


def decode(line: bytes) -> Event | None:
    """One line of the stream as a value; None for a blank line.

    Never raises: what is no progress object (not JSON, cut off, of other types) comes back as `Text`. Fields that
    are not known are ignored. Times keep microseconds.
    """
    line = line.rstrip()
    if not line:
        return None
    if line.startswith(b"{"):
        try:
            return _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return Text(line.decode("utf-8", "replace"))


def encode(event: Event) -> bytes:
    """A value as the line of the stream that `decode` reads it from."""
    return event.text.encode() if isinstance(event, Text) else msgspec.json.encode(event)


class LineSplitter:
    """Chunks of bytes → whole lines, with a bound on what one line may hold.

    BuildKit's lines reach hundreds of kilobytes (a warning carries the whole Dockerfile, a log up to 2 MiB in base64),
    so the bound is generous; a line beyond it is cut there, and what follows is dropped up to its end.
    """

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their line ends."""
        first, newline, rest = chunk.partition(b"\n")
        self._hold(first)
        if not newline:
            return []
        lines = [self._take()]
        *whole, last = rest.split(b"\n")
        lines += whole
        self._hold(last)
        return lines

    def close(self) -> list[bytes]:
        """What was left after the last line end."""
        return [self._take()] if self._held else []

    def _hold(self, part: bytes) -> None:
        part = part[: self._limit - self._held]
        if part:
            self._parts.append(part)
            self._held += len(part)

    def _take(self) -> bytes:
        line = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        return line
