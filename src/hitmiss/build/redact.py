"""Takes known secret values out of a stream before anything keeps or shows it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import msgspec

from hitmiss.build.progress import CheckWarning, Event, Log, Status, Text, Vertex
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
    """

    def __init__(self, values: Iterable[str], names: StepNames | None = None) -> None:
        self._names = names or StepNames()
        plain = {each for each in values if len(each.strip()) >= _SHORTEST and each.strip().lower() not in _COMMON}
        quoted = {json.dumps(value, ensure_ascii=False)[1:-1] for value in plain}
        known = sorted(plain | quoted, key=len, reverse=True)
        self._text = re.compile("|".join(map(re.escape, known))) if known else None
        encoded = (value.encode("utf-8", "surrogateescape") for value in known)
        self._bytes = re.compile(b"|".join(map(re.escape, encoded))) if known else None

    def __bool__(self) -> bool:
        return self._text is not None or bool(self._names)

    def text(self, text: str) -> str:
        """`text` without the secrets."""
        return self._text.sub(HIDDEN, text) if self._text else text

    def event(self, event: Event) -> Event:
        """`event` without the secrets; the same object when it holds none."""
        if not self:
            return event
        if isinstance(event, Text):
            clean = self.text(self._names.line(event.text))
            return event if clean == event.text else Text(clean)
        changed = msgspec.structs.replace(
            event,
            vertexes=tuple(map(self._vertex, event.vertexes)) if event.vertexes else event.vertexes,
            statuses=tuple(map(self._status, event.statuses)) if event.statuses else event.statuses,
            logs=tuple(map(self._log, event.logs)) if event.logs else event.logs,
            warnings=tuple(map(self._warning, event.warnings)) if event.warnings else event.warnings,
        )
        return event if changed == event else changed

    def line(self, line: bytes, event: Event | None) -> bytes:
        """The line to record for `line`, which was decoded as `event`.

        Fields that hitmiss does not know are not looked into: a line that holds a secret anywhere is written anew from
        what was decoded.
        """
        if event is None or not self:
            return line
        clean = self.event(event)
        if clean is event and not (self._bytes and self._bytes.search(line)):
            return line
        return clean.text.encode() if isinstance(clean, Text) else msgspec.json.encode(clean)

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

    def _log(self, log: Log) -> Log:
        return msgspec.structs.replace(log, data=self._raw(log.data))

    def _warning(self, warning: CheckWarning) -> CheckWarning:
        detail = tuple(map(self._raw, warning.detail)) if warning.detail else warning.detail
        return msgspec.structs.replace(warning, short=self._raw(warning.short), detail=detail)

    def _raw(self, data: bytes) -> bytes:
        return self._bytes.sub(HIDDEN.encode(), data) if self._bytes else data
