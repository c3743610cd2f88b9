"""Takes known secret values out of a stream before anything keeps or shows it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from hitmiss.build.progress import Event, Log, Text, Vertex

HIDDEN = "•••"
_SHORTEST = 4
"""Shorter values would blank out half of every log."""


class Redactor:
    """Replaces each of `values` by three dots, in names, errors, logs and plain text."""

    def __init__(self, values: Iterable[str]) -> None:
        known = sorted({value for value in values if len(value) >= _SHORTEST}, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, known))) if known else None
        self._bytes = re.compile(b"|".join(re.escape(value.encode()) for value in known)) if known else None

    def __bool__(self) -> bool:
        return self._text is not None

    def text(self, text: str) -> str:
        """`text` without the secrets."""
        return self._text.sub(HIDDEN, text) if self._text else text

    def event(self, event: Event) -> Event:
        """`event` without the secrets; the same object when it holds none."""
        if self._text is None:
            return event
        if isinstance(event, Text):
            return Text(self.text(event.text))
        vertexes = tuple(self._vertex(vertex) for vertex in event.vertexes or ())
        logs = tuple(self._log(log) for log in event.logs or ())
        if vertexes == (event.vertexes or ()) and logs == (event.logs or ()):
            return event
        return msgspec.structs.replace(event, vertexes=vertexes or None, logs=logs or None)

    def line(self, line: bytes, event: Event | None) -> bytes:
        """The line to record for `line`, which was decoded as `event`."""
        if event is None or not self:
            return line
        clean = self.event(event)
        if clean is event:
            return line
        return clean.text.encode() if isinstance(clean, Text) else msgspec.json.encode(clean)

    def _vertex(self, vertex: Vertex) -> Vertex:
        return msgspec.structs.replace(vertex, name=self.text(vertex.name), error=self.text(vertex.error))

    def _log(self, log: Log) -> Log:
        data = self._bytes.sub(HIDDEN.encode(), log.data) if self._bytes else log.data
        return log if data == log.data else msgspec.structs.replace(log, data=data)
