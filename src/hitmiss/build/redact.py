"""Takes known secret values out of a stream before anything keeps or shows it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from hitmiss.build.progress import CheckWarning, Event, Log, Progress, Status, Text, Vertex, encode
from hitmiss.build.step_names import StepNames, parted

HIDDEN = "•••"
_SHORTEST = 4
"""Shorter values would blank out half of every log."""
_COMMON = frozenset(
    {"auto", "build", "cache", "client", "context", "default", "docker", "exporting", "extracting", "failed", "false",
     "files", "from", "image", "importing", "internal", "layer", "load", "local", "manifest", "naming", "none", "null",
     "pulling", "pushing", "root", "sha256", "true", "with", "writing"}
)  # fmt: skip
"""Values of switches, and words of BuildKit's own by which the stream is read: blanked out, they would hide nothing."""


class Redactor:
    """Replaces each of `values` by three dots, in names, errors, logs, warnings and plain text.

    A value is also found as it stands inside quotes (BuildKit quotes the command of a step that failed), where quotes,
    backslashes and line ends are escaped. `names` knows what to call steps in whose names one stands.

    One redactor is for one stream. What a step writes comes in pieces, cut anywhere: the end of a piece that may be the
    beginning of a value is held until it is known what follows, or the step has ended.
    """

    def __init__(self, values: Iterable[str], names: StepNames | None = None) -> None:
        self._names = names or StepNames()
        plain = {each for each in values if len(each.strip()) >= _SHORTEST and each.strip().lower() not in _COMMON}
        quoted = {json.dumps(value, ensure_ascii=False)[1:-1] for value in plain}
        known = sorted(plain | quoted, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, known))) if known else None
        encoded = [value.encode("utf-8", "surrogateescape") for value in known]
        self._bytes = re.compile(b"|".join(map(re.escape, encoded))) if known else None
        self._longest = max(map(len, encoded), default=0)
        self._begun: dict[bytes, list[bytes]] = {}
        """The values by their first bytes: by one, two, three and four of them."""
        for value in encoded:
            for length in range(1, _SHORTEST + 1):
                self._begun.setdefault(value[:length], []).append(value)
        self._held: dict[tuple[str, int], bytes] = {}
        """By vertex and stream."""

    def __bool__(self) -> bool:
        return self._text is not None or bool(self._names)

    def text(self, text: str) -> str:
        """`text` without the secrets."""
        return self._text.sub(HIDDEN, text) if self._text else text

    def event(self, event: Event) -> Event:
        """The next `event` of the stream without the secrets; the same object when it holds none."""
        if not self:
            return event
        if isinstance(event, Text):
            clean = self.text(self._names.line(event.text))
            return event if clean == event.text else Text(clean)
        changed = msgspec.structs.replace(
            event,
            vertexes=tuple(map(self._vertex, event.vertexes)) if event.vertexes else event.vertexes,
            statuses=tuple(map(self._status, event.statuses)) if event.statuses else event.statuses,
            logs=self._logs(event),
            warnings=tuple(map(self._warning, event.warnings)) if event.warnings else event.warnings,
        )
        return event if changed == event else changed

    def rest(self) -> Progress | None:
        """What is held still when the stream is over; None where nothing is."""
        logs = [self._let_go(key) for key in tuple(self._held)]
        return Progress(logs=tuple(logs)) if logs else None

    def line(self, line: bytes, event: Event, clean: Event) -> bytes:
        """The line to record for `line`, which was decoded as `event`, of which `clean` was made.

        Fields that hitmiss does not know are not looked into: a line that holds a secret anywhere is written anew from
        what was decoded.
        """
        holds = clean is not event or (self._bytes and self._bytes.search(line))
        return encode(clean) if holds else line

    def _vertex(self, vertex: Vertex) -> Vertex:
        group = vertex.progress_group
        return msgspec.structs.replace(
            vertex,
            name=self._name(vertex.name),
            error=self.text(vertex.error),
            progress_group=msgspec.structs.replace(group, name=self._name(group.name)) if group else None,
        )

    def _name(self, name: str) -> str:
        if not name:
            return name
        # Target, platform and stage are the project's own words, by which a step is known.
        head, text = parted(self._names.clean(name))
        return head + self.text(text)

    def _status(self, status: Status) -> Status:
        return msgspec.structs.replace(status, id=self.text(status.id), name=self.text(status.name))

    def _logs(self, event: Progress) -> tuple[Log, ...] | None:
        """What is written in an event, and what was held of steps that end with it."""
        if not self._bytes:
            return event.logs
        found = [self._log(log, self._bytes) for log in event.logs or ()]
        ended = {vertex.digest: vertex.completed for vertex in event.vertexes or () if vertex.completed}
        found += [self._let_go(key, ended[key[0]]) for key in tuple(self._held) if key[0] in ended]
        return tuple(log for log in found if log) or (None if event.logs is None else ())

    def _log(self, log: Log, known: re.Pattern[bytes]) -> Log | None:
        """A piece of what a step writes, with what was held before it; None where all of it is held now."""
        key = log.vertex, log.stream
        data = self._held.pop(key, b"") + log.data
        parts: list[bytes] = []
        at, end = 0, self._beginning(data, 0)
        while (found := known.search(data, at)) and found.start() < end:
            parts += [data[at : found.start()], HIDDEN.encode()]
            at = found.end()
            if at > end:
                end = self._beginning(data, at)
        if end < len(data):
            self._held[key] = data[end:]
        clean = b"".join((*parts, data[at:end]))
        return msgspec.structs.replace(log, data=clean) if clean or not data else None

    def _beginning(self, data: bytes, at: int) -> int:
        """Where, from `at` on, the end of `data` may be the beginning of a secret; its length where none may."""
        size = len(data)
        for place in range(max(at, size - self._longest + 1), size):
            begun = self._begun.get(data[place : place + _SHORTEST], ())
            if any(len(value) > size - place and value.startswith(data[place:]) for value in begun):
                return place
        return size

    def _let_go(self, key: tuple[str, int], when: datetime | None = None) -> Log:
        """What was held of a step's stream, which ended at that time."""
        vertex, stream = key
        return Log(vertex, stream, self._raw(self._held.pop(key)), when)

    def _warning(self, warning: CheckWarning) -> CheckWarning:
        detail = tuple(map(self._raw, warning.detail)) if warning.detail else warning.detail
        return msgspec.structs.replace(warning, short=self._raw(warning.short), detail=detail)

    def _raw(self, data: bytes) -> bytes:
        return self._bytes.sub(HIDDEN.encode(), data) if self._bytes else data
