"""Which of the engine's cache records is which step's: told by the text that both carry, and by the time.

Pure. A build of 1,000 steps meets thousands of records, so nothing here compares each with each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence, Set
from datetime import datetime, timedelta

from hitmiss.build.model import Build, Step, Verdict
from hitmiss.build.vertices import read_name
from hitmiss.docker.listing import EXEC, CacheRecord, Listing

_SLACK = timedelta(milliseconds=50)
"""How far a record's time may lie outside of its step's."""


def tie(before: Set[str], after: Listing, build: Build) -> dict[str, str]:
    """The record of each step of a build that has ended, by the step's id; steps that cannot be told are left out.

    `before` are the ids that there were when it began. A step that ran left a new one behind, made while it ran. One
    that hit has the only record with its text, if there is but one. A FROM has none of its own. A record that is in use
    may stand for another one (`gone.py`), so nothing is told of it.
    """
    texts = after.texts
    fresh = [(created, record) for created, record in after.regular if not record.in_use and record.id not in before]
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
            if len(same) == 1 and same[0] not in taken and same[0] not in after.used:
                tied[step.id] = same[0]
    return tied


def named(records: Listing, ours: Set[str], build: Build) -> frozenset[str]:
    """The steps of a build of which there is a record with their text that is none of `ours`, by their ids."""
    return frozenset(step.id for step in build.steps if any(each not in ours for each in records.texts.of(step)))


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
        if told or (is_run and record.description.startswith(EXEC)):
            name = read_name(record.description)
            stage, platform = (name.stage, name.platform) if name else ("", None)
            elsewhere = stage not in ("", step.stage) or platform not in (None, step.platform)
            found.append(((not told, elsewhere, abs((created - end).total_seconds())), step.id, record.id))
    return found
