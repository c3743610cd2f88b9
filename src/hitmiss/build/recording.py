"""A progress stream written to a file, and played from one.

A recording is JSON lines: a header (`hitmiss.recording/1`: what was built, from which Dockerfile), then one record a
line of the stream with the seconds since the build's start, then the outcome. A plain `--progress=rawjson` stream that
somebody saved is played as well, by its own time stamps. No secret is ever in one: the header holds no build argument,
and the runner takes known secret values out of every line before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from hitmiss.build.model import Status
from hitmiss.build.progress import Progress, decode
from hitmiss.errors import UsageError

SCHEMA = "hitmiss.recording/1"


class Header(msgspec.Struct, frozen=True):
    """What was recorded."""

    schema: str = ""
    project: str = ""
    target: str = ""
    builder: str = ""
    platforms: tuple[str, ...] = ()
    dockerfile_name: str = "Dockerfile"
    dockerfile: str = ""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the stream at `t` seconds since the build's start, or how the build ended."""

    t: float = 0.0
    line: str | None = None
    start: Header | None = None
    end: Status | None = None
    error: str = ""
    advice: str = ""
    image: str | None = None
    ref: str = ""


class Writer:
    """Writes a recording as the build goes. A disk that is full ends the recording, never the build."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: IO[bytes] | None = path.open("wb")
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}.", "Give another file to --record."
            ) from error
        self._path = path
        self.error = ""

    def begin(self, header: Header) -> None:
        """A build starts."""
        self._write(Record(start=header))

    def line(self, t: float, line: bytes) -> None:
        """One line of the stream, `t` seconds after the build's start."""
        self._write(Record(t=round(t, 4), line=line.decode("utf-8", "replace")))

    def end(self, t: float, status: Status, error: str, image: str | None, ref: str, advice: str = "") -> None:
        """The build is over."""
        self._write(Record(t=round(t, 4), end=status, error=error, advice=advice, image=image, ref=ref), flush=True)

    def close(self) -> None:
        """No more builds."""
        if self._file:
            try:
                self._file.close()
            except OSError as error:
                self._failed(error)
            self._file = None

    def _write(self, record: Record, *, flush: bool = False) -> None:
        if not self._file:
            return
        try:
            self._file.write(msgspec.json.encode(record) + b"\n")
            if flush:
                self._file.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self.error = f"The recording {self._path} ends here: {error.strerror}."
        file, self._file = self._file, None
        if file:
            try:
                file.close()
            except OSError:
                return


def read(path: Path) -> list[Record]:
    """All records of a recording, or of a saved rawjson stream, in order.

    A recording that was cut off is played up to the cut: a build without an end gets the status `canceled`. Raises
    `UsageError` when the file is not there or holds no build.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a file that `--record` wrote.") from error
    records = list(_own(raw)) or list(_foreign(raw))
    if not any(record.line is not None for record in records):
        raise UsageError(f"{path} holds no build.", "Name a file that `--record` wrote, or a saved rawjson stream.")
    if records[-1].end is None:
        records.append(Record(t=records[-1].t, end=Status.CANCELED, error="The recording was cut off here."))
    return records


_decoder = msgspec.json.Decoder(Record)


def _own(raw: bytes) -> Iterator[Record]:
    started = False
    for line in raw.splitlines():
        try:
            record = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if not started:
                return
            continue
        if record.start is not None:
            started = record.start.schema == SCHEMA
        if not started:
            return
        yield record


def _foreign(raw: bytes) -> Iterator[Record]:
    """A stream that was saved as it came; its records are timed by the stream's own time stamps."""
    began = None
    t = 0.0
    failed = ""
    lines = raw.splitlines()
    if not any(isinstance(event := decode(line), Progress) and event.vertexes for line in lines[:200]):
        return
    yield Record(start=Header(schema=SCHEMA, project="recording"))
    for line in lines:
        event = decode(line)
        if isinstance(event, Progress):
            stamps = [v.completed or v.started for v in event.vertexes or ()]
            stamps += [s.timestamp for s in event.statuses or ()] + [entry.timestamp for entry in event.logs or ()]
            known = [stamp for stamp in stamps if stamp is not None]
            if known:
                began = began or min(known)
                t = max(t, (max(known) - began).total_seconds())
            failed = next((v.error for v in event.vertexes or () if v.error), failed)
        yield Record(t=t, line=line.decode("utf-8", "replace"))
    yield Record(t=t, end=Status.FAILED if failed else Status.SUCCEEDED, error=failed)
