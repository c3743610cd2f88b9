"""Which of the engine's cache records is which step's: told by the text that both carry, and by the time.

Pure. `cache_records.py` asks for the records, and says whose result is gone. A build of 1,000 steps meets thousands of
records, so nothing here compares each with each.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence, Set
from datetime import datetime, timedelta

import msgspec

from hitmiss.build.model import Build, Step, Verdict
from hitmiss.build.vertices import read_name
from hitmiss.docker.cache_records import CacheRecord

_SLACK = timedelta(milliseconds=50)
"""How far a record's time may lie outside of its step's."""

_EXEC = "mount / from exec "


def tie(before: Set[str], after: Iterable[CacheRecord], build: Build) -> dict[str, str]:
    """The record of each step of a build that has ended, by the step's id; steps that cannot be told are left out.

    `before` are the ids that there were when it began. A step that ran left a new one behind, made while it ran. One
    that hit has the only record with its text, if there is but one. A FROM has none of its own.
    """
    regular = sorted(
        ((each.created, each) for each in after if each.type == "regular" and each.created), key=lambda each: each[0]
    )
    texts = _Texts(record for _, record in regular)
    fresh = [(created, record) for created, record in regular if record.id not in before]
    times = [created for created, _ in fresh]
    steps = [step for step in build.steps if step.instruction[:5].upper() != "FROM "]
    fits = sorted(
        fit
        for step in steps
        if step.verdict is Verdict.MISS and step.started
        for fit in _fits(step, step.started, fresh, times, texts.of(step))
    )
    tied: dict[str, str] = {}
    taken: set[str] = set()
    for _, step_id, record_id in fits:
        if step_id not in tied and record_id not in taken:
            tied[step_id] = record_id
            taken.add(record_id)
    for step in steps:
        if step.verdict is Verdict.HIT:
            same = texts.of(step)
            if len(same) == 1 and same[0] not in taken:
                tied[step.id] = same[0]
    return tied


def named(records: Iterable[CacheRecord], build: Build) -> frozenset[str]:
    """The steps of a build of which there is a record with their text, by their ids."""
    texts = _Texts(each for each in records if each.type == "regular")
    return frozenset(step.id for step in build.steps if texts.of(step))


_Fit = tuple[tuple[bool, bool, float], str, str]
"""How well a record fits a step (less is better), the step's id, the record's."""


def _fits(
    step: Step,
    started: datetime,
    fresh: Sequence[tuple[datetime, CacheRecord]],
    times: Sequence[datetime],
    same: Collection[str],
) -> list[_Fit]:
    """The new records that can be those of a step that ran; `same` are the ids of those with its text.

    A RUN whose text does not show in the record's (a secret was taken out of it) is told by the time alone.
    """
    end = started + timedelta(seconds=step.duration_s)
    is_run = step.instruction[:4].upper() == "RUN "
    found: list[_Fit] = []
    for created, record in fresh[bisect_left(times, started - _SLACK) : bisect_right(times, end + _SLACK)]:
        told = record.id in same
        if told or (is_run and record.description.startswith(_EXEC)):
            name = read_name(record.description)
            stage, platform = (name.stage, name.platform) if name else ("", None)
            elsewhere = stage not in ("", step.stage) or platform not in (None, step.platform)
            found.append(((not told, elsewhere, abs((created - end).total_seconds())), step.id, record.id))
    return found


_NAME = re.compile(r"\[[^\]]*?(\d+)/\d+\] (.*)", re.DOTALL)
_FLAG = re.compile(r"""--[a-z]+(?:=(?:"[^"]*"|'[^']*'|\S)*)?\s+""")
_HEREDOC = re.compile(r"<<-?\S+ \((.*?)(?:\.\.\.)?\)$", re.DOTALL)


class _Texts:
    """Records by their descriptions.

    `[stage 2/4] COPY a b`, the step's name, for COPY, ADD and WORKDIR (`LINK COPY` is the merge of a `COPY --link`, not
    the copy); `mount / from exec /bin/sh -c COMMAND` for RUN.
    """

    def __init__(self, records: Iterable[CacheRecord]) -> None:
        self._named: dict[tuple[int, str], list[str]] = {}
        self._commands: list[tuple[str, str]] = []
        for record in records:
            if record.description.startswith(_EXEC):
                self._commands.append((record.id, _plain(record.description.removeprefix(_EXEC))))
            elif name := _NAME.fullmatch(record.description):
                self._named.setdefault((int(name[1]), _plain(name[2])), []).append(record.id)

    def of(self, step: Step) -> Sequence[str]:
        """The ids of those that have a step's text."""
        text = step.instruction
        if text[:4].upper() != "RUN ":
            return self._named.get((step.index, _plain(text)), ())
        wanted = _command(text)
        return [record for record, done in self._commands if _ends(done, wanted)]


def _ends(done: str, wanted: str) -> bool:
    return done == wanted or done.endswith(f" {wanted}") or (wanted.endswith("…") and wanted[:-1] in done)


def _command(text: str) -> str:
    """What a RUN runs, as the record's description ends with it; "…" at its end: it only holds that."""
    rest = text[4:].lstrip()
    while flag := _FLAG.match(rest):
        rest = rest[flag.end() :]
    if heredoc := _HEREDOC.match(rest):
        return _plain(heredoc[1]) + "…"
    if rest.startswith("<<"):
        return _plain(rest) + "…"
    try:
        words = msgspec.json.decode(rest, type=list[str])
    except msgspec.DecodeError:
        return _plain(rest)
    return _plain(" ".join(words))


def _plain(text: str) -> str:
    return " ".join(text.split())
