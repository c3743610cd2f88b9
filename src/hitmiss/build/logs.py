"""A step's raw output as the lines that a terminal would show, and the book that keeps them for all steps.

Pure: bytes in, lines of plain text and colours out; it knows no screen. Memory is bounded: the oldest rows go first,
and `StepLog.note` says how many went. A line longer than `COLUMNS` goes on in the next row.
"""

from __future__ import annotations

import codecs
from collections import deque
from itertools import chain, islice

from hitmiss.build.terminal import LogLine, Pen, Span, Writer, has_controls

__all__ = ["LogBook", "LogLine", "Pen", "Span", "StepLog"]

COLUMNS = 8192
MAX_ROWS = 50_000
MAX_SIZE = 8 * 1024 * 1024
MAX_BOOK_SIZE = 64 * 1024 * 1024

ROW_SIZE, SPAN_SIZE = 56, 64
"""What a row and a colour span count towards a memory bound, beside one for each character: about their bytes."""


class StepLog:
    """The output of one step, its newest rows within bounds.

    Rows are numbered from 0, the oldest row kept. `dropped_rows + i` names row `i` for good.
    """

    def __init__(self, *, columns: int = COLUMNS, max_rows: int = MAX_ROWS, max_size: int = MAX_SIZE) -> None:
        self.dropped_rows = 0
        self.dropped_lines = 0
        """What was dropped in whole lines; a long line counts once, however many rows it took."""
        self.revision = 0
        """Grows whenever something that a reader can see may have changed."""
        self.size = 0
        """What the finished rows count towards a memory bound."""
        self._max_rows, self._max_size = max_rows, max_size
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""
        self._writer = Writer(columns)
        self._rows: deque[str | LogLine] = deque()
        self._last: tuple[int, LogLine] = (-1, LogLine(""))

    def feed(self, data: bytes) -> None:
        """Take the next bytes of output, cut anywhere."""
        text = self._unfinished + self._decoder.decode(data)
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        *lines, last = text.split("\n")
        if lines:
            all_plain = text.isascii() and not has_controls(text)
            self._add(self._writer.write_line(lines[0]))
            if all_plain and self._writer.fresh and max(map(len, lines)) <= self._writer.columns:
                self._rows.extend(lines[1:])
                self.size += sum(map(len, lines[1:])) + ROW_SIZE * (len(lines) - 1)
            else:
                self._add_lines(lines[1:])
        rows: list[LogLine] = []
        self._unfinished = self._writer.write(last, rows)
        self._add(rows)
        self.revision += 1
        self._drop(self._max_rows, self._max_size)

    def _add_lines(self, lines: list[str]) -> None:
        writer = self._writer
        for line in lines:
            if writer.fresh and len(line) <= writer.columns and line.isascii() and not has_controls(line):
                self._rows.append(line)
                self.size += len(line) + ROW_SIZE
            else:
                self._add(writer.write_line(line))

    def _add(self, rows: list[LogLine]) -> None:
        for row in rows:
            self._rows.append(row if row.spans or row.continues else row.text)
            self.size += _size(row)

    def close(self) -> None:
        """The output has ended: half a character becomes U+FFFD, half an escape sequence is dropped."""
        text = self._unfinished + self._decoder.decode(b"", True)
        self._unfinished = ""
        if text or self._writer.row.touched:
            rows = self._writer.write_line(text)
            self._add(rows if rows[-1].text or len(rows) > 1 else [])
        self.revision += 1
        self._drop(self._max_rows, self._max_size)

    def _drop(self, max_rows: int, max_size: int) -> None:
        """Drop rows from the front until what is left is within these bounds."""
        rows = self._rows
        while len(rows) > max_rows or self.size > max_size:
            row = rows.popleft()
            self.dropped_rows += 1
            if isinstance(row, str):
                self.size -= len(row) + ROW_SIZE
                self.dropped_lines += 1
            else:
                self.size -= _size(row)
                self.dropped_lines += not row.continues

    def forget(self) -> None:
        """Drop every finished row; the counts of what was dropped stay."""
        self._drop(0, 0)
        self.revision += 1

    @property
    def line_count(self) -> int:
        """Rows kept, the unfinished last one included."""
        return len(self._rows) + self._writer.row.touched

    @property
    def settled(self) -> int:
        """Rows before this one, counted from the first row ever, never change again."""
        return self.dropped_rows + len(self._rows)

    @property
    def note(self) -> str:
        """`… 12,345 earlier lines dropped`, or nothing."""
        if not self.dropped_rows:
            return ""
        lines = max(1, self.dropped_lines)
        return f"… {lines:,} earlier line{'s' * (lines != 1)} dropped"

    def line(self, index: int) -> LogLine:
        """Row `index` of those kept."""
        if not 0 <= index < self.line_count:
            raise IndexError(index)
        if index == len(self._rows):
            if self._last[0] != self.revision:
                self._last = (self.revision, self._writer.row.line())
            return self._last[1]
        row = self._rows[index]
        return row if isinstance(row, LogLine) else LogLine(row)

    def texts(self, start: int = 0) -> list[str]:
        """The plain text of the rows from `start` on, quicker than row by row."""
        rows = [row if isinstance(row, str) else row.text for row in islice(self._rows, start, None)]
        if self._writer.row.touched and start < self.line_count:
            rows.append(self.line(self.line_count - 1).text)
        return rows

    def plain_text(self, start: int = 0, end: int | None = None) -> str:
        """Rows `start` to `end` as text to copy: rows that were cut for length are joined again."""
        end = self.line_count if end is None else end
        last = [self._writer.row.line()] if self._writer.row.touched else []
        parts: list[str] = []
        for row in islice(chain(self._rows, last), start, end):
            parts.append(row if isinstance(row, str) else row.text)
            if not (isinstance(row, LogLine) and row.continues):
                parts.append("\n")
        return "".join(parts).removesuffix("\n")


def _size(row: LogLine) -> int:
    return len(row.text) + ROW_SIZE + SPAN_SIZE * len(row.spans)


class LogBook:
    """The logs of all steps of a build, within one bound; the oldest finished ones are given up first."""

    def __init__(self, max_size: int = MAX_BOOK_SIZE) -> None:
        self.max_size = max_size
        self.size = 0
        self._logs: dict[str, StepLog] = {}
        self._finished: dict[str, None] = {}

    def feed(self, step_id: str, data: bytes) -> None:
        """Add output to a step's log."""
        log = self._logs.setdefault(step_id, StepLog())
        before = log.size
        log.feed(data)
        self.size += log.size - before
        self._finished.pop(step_id, None)
        self._keep_within_bound(step_id)

    def finish(self, step_id: str) -> None:
        """The step has ended: its log is complete, and may be given up when memory is short."""
        if (log := self._logs.get(step_id)) is not None:
            before = log.size
            log.close()
            self.size += log.size - before
            self._finished[step_id] = None

    def get(self, step_id: str) -> StepLog | None:
        """The step's log; None when it never wrote anything."""
        return self._logs.get(step_id)

    def take(self, step_id: str) -> StepLog | None:
        """The step's log, which is no longer kept here."""
        log = self._logs.pop(step_id, None)
        self._finished.pop(step_id, None)
        self.size -= log.size if log else 0
        return log

    def put(self, step_id: str, log: StepLog) -> None:
        """Keep what a step wrote before it was known here; nothing where it has written since."""
        if self._logs.setdefault(step_id, log) is log:
            self.size += log.size
            self._keep_within_bound(step_id)

    def _keep_within_bound(self, writing: str) -> None:
        """Forget whole logs: finished ones in the order they finished, then others in the order they began."""
        if self.size <= self.max_size:
            return
        for step_id in chain(list(self._finished), self._logs):
            log = self._logs[step_id]
            if self.size <= self.max_size:
                return
            if step_id != writing:
                self.size -= log.size
                log.forget()
