"""The stream decoder alone, against `json.loads` of the same lines; and the decoder with the fold behind it."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from hitmiss.build.fold import Fold
from hitmiss.build.model import Build, Status
from hitmiss.build.progress import decode
from tests.bench.place import Place
from tests.bench.table import Row, median, ratio
from tests.support.streams import raw

RECORDED, TIMES = "first", 100
GOAL = 1.0


def _load(lines: list[bytes]) -> None:
    for line in lines:
        json.loads(line)


def _decode(lines: list[bytes]) -> None:
    for line in lines:
        decode(line)


def _decode_and_fold(lines: list[bytes]) -> None:
    fold = Fold(Build(number=1, status=Status.RUNNING))
    for number, line in enumerate(lines):
        event = decode(line)
        if event is not None:
            fold.hear(event, number / 100)
    fold.build(9.0)


def _timed(work: Callable[[list[bytes]], None], lines: list[bytes]) -> float:
    began = time.process_time()
    for _ in range(TIMES):
        work(lines)
    return time.process_time() - began


def decoding(place: Place) -> list[Row]:
    """A recorded first build, a hundred times over."""
    lines = [line for line in raw(RECORDED).split(b"\n") if line.startswith(b"{")]
    size, count = sum(map(len, lines)) * TIMES, len(lines) * TIMES
    plain, folded = [], []
    for number in range(place.pairs(15, 5) + 1):
        loads, ours, both = _timed(_load, lines), _timed(_decode, lines), _timed(_decode_and_fold, lines)
        if number:
            plain.append((ours, loads))
            folded.append((both, loads))
    rates = [(size / 1e6 / ours, count / ours) for ours, _ in plain]
    fold_rates = [count / both for both, _ in folded]
    what = f"a recorded build, {len(lines)} events, {TIMES} times"
    return [
        ratio("stream", f"decoder against json.loads: {what}", plain, sides=("hitmiss", "json"), goal=GOAL),
        median("stream", "decoder alone", [rate for rate, _ in rates], unit="MB/s"),
        median("stream", "decoder alone", [rate for _, rate in rates], unit="events/s"),
        median(
            "stream",
            "decoder and fold",
            fold_rates,
            unit="events/s",
            note=f"{statistics.median(both / loads for both, loads in folded):.1f}× the time of json.loads",
        ),
    ]
