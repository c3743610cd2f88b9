"""What is remembered of the builds of one project on one builder, and what that says of the results in the cache.

It reads and writes the store, and knows neither the files as they are nor the engine: what the engine holds it is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from hitmiss.build.model import BuiltImage, Note, Status, Verdict
from hitmiss.cache import plan as planning
from hitmiss.cache.facts import BuildFacts, Key, Known, Seen
from hitmiss.cache.keys import Keys, shapes_of
from hitmiss.cache.layers import alike
from hitmiss.cache.operations import Operations
from hitmiss.docker import gone
from hitmiss.docker.listing import Listing
from hitmiss.history.store import StepName, Store
from hitmiss.inquiry import Engine
from hitmiss.past import past_of
from hitmiss.snapshot import Past

_PAST = 40
"""So many earlier builds are compared with."""


class Recollection:
    """The latest builds of one project on one builder. Its methods may be called in any thread."""

    def __init__(self, store: Store, project: Path, builder: str) -> None:
        self.builder = builder
        self.salt = store.salt()
        self.score = (0, 0)
        """Of all planned steps of the project: how many came out as planned, and how many they are."""
        self.history: tuple[Past, ...] = ()
        """The builds as lines of the history, newest first; empty until they were asked for."""
        self._store = store
        self._project = project
        self._lock = threading.RLock()
        self._past: list[BuildFacts] = []
        self._latest = -1
        """The number of the latest build that `_past` and `history` know of."""
        self._known: dict[Key, Known] = {}
        """Those of the keys of `_past` that were confirmed."""

    def builds(self) -> list[BuildFacts]:
        """The latest builds, newest first, without those that were canceled.

        Those that another hitmiss has built meanwhile are among them.
        """
        with self._lock:
            latest = self.number()
            if latest > self._latest:
                self._latest = latest
                self._past = self._store.builds(self._project, self.builder, limit=_PAST, canceled=False)
                self._known = self._store.known(self.builder, {key for build in self._past for key in build.keys})
                self.score = self._store.plan_score(self._project)
                self.history = tuple(map(past_of, self._store.builds(self._project, self.builder, limit=_PAST)))
            return self._past

    def number(self) -> int:
        """The number of the latest build of the project, on whatever builder."""
        return self._store.latest(self._project)

    def elsewhere(self) -> bool:
        """Whether the project was built, and never on this builder."""
        return not self.builds() and bool(self._store.summaries(self._project, 1))

    def expected(self) -> Mapping[StepName, float]:
        """The seconds that each step should take."""
        return self._store.expected(self._project, self.builder)

    def keys(self, operations: Operations, contents: Sequence[Sequence[bytes]]) -> Keys:
        """The keys of operations that read these contents."""
        return Keys(operations, contents, salt=self.salt, same_as=self._store.aliases(self.builder))

    def known(self, keys: Iterable[Key]) -> dict[Key, Known]:
        """Those of the keys that were confirmed on this builder, by builds of any project."""
        return self._store.known(self.builder, keys)

    def known_before(self, facts: BuildFacts, before: planning.Memory) -> dict[Key, Known]:
        """Those of a build's keys that were known when it began; what runs beside it may be remembered already."""
        return {
            key: before.known.get(key, each)
            for key, each in self.known(facts.keys).items()
            if key in before.known or each.seen < facts.started
        }

    def records(self) -> set[str]:
        """The engine's records of the results of these builds."""
        with self._lock:
            return {each.record for each in self._known.values()}

    def memory(self, facts: BuildFacts, engine: Engine) -> planning.Memory:
        """What is known of a build's keys, and of those of the earlier ones, with the records that the engine has."""
        past = self.builds()
        known = self._known | self.known(facts.keys)
        lost: frozenset[Key] = frozenset()
        if engine.records is not None:
            seen = self.saw(engine.records, engine.asked, at_rest=engine.at_rest, built=engine.built)
            lost = gone.lost(known, engine.records, seen, at_rest=engine.at_rest)
        doubted = {key for build in past for key in build.doubted}
        shapes = shapes_of(past, salt=self.salt)
        return planning.Memory(known, lost, shapes, doubted, alike(facts, past, salt=self.salt))

    def saw(self, records: Listing, asked: float, *, at_rest: bool = True, built: bool = False) -> Seen:
        """Take note of all records there were when the engine was `asked`, in seconds since 1970."""
        told: Callable[[Seen], Seen] = partial(
            gone.noticed, records=records, asked=asked, at_rest=at_rest, built=built, now=time.time()
        )
        return self._store.saw_records(self.builder, asked, told)

    def learned(self, aliases: Mapping[Key, Key]) -> None:
        """Keep which keys BuildKit takes for the same."""
        if aliases:
            self._store.remember_aliases(self.builder, aliases)

    def made_before(self, number: int, target: str) -> tuple[int, tuple[BuiltImage, ...]]:
        """The images of the latest build of a target before build `number`, and its number; 0 where there is none."""
        past = (each for each in self.builds() if each.number < number and each.target == target and each.made)
        latest = next(past, None)
        return (latest.number, latest.made) if latest else (0, ())

    def remember_images(self, number: int, images: tuple[BuiltImage, ...]) -> None:
        """Keep what a build made, which is found out after it was remembered."""
        self._store.remember_images(self._project, number, images)
        with self._lock:
            self._past = [
                msgspec.structs.replace(each, made=images) if each.number == number else each for each in self.builds()
            ]

    def remember(
        self, facts: BuildFacts, before: planning.Memory, records: Mapping[str, str], unsure: Collection[int]
    ) -> int:
        """Keep the build; gives its number.

        `before` is what was known when it began, `records` the engine's records of its steps, `unsure` the operations
        that read files which changed while they were sent: their results confirm nothing.

        A lost result that nobody read is called a hit, and is no less lost. In a build that failed BuildKit calls a
        step cached that was never built (where a COPY finds no file, all above it): there a hit confirms nothing new.
        """
        succeeded = facts.status is Status.SUCCEEDED
        sure = facts.keys if succeeded else before.known
        again = _again(facts, before) if succeeded else set()
        confirmed = {
            facts.keys[step.operation]: step.id
            for step in facts.steps
            if step.operation >= 0
            and step.confirmed
            and step.operation not in unsure
            and (
                step.ran
                or step.note is Note.IMPORTED
                or step.operation in again
                or (facts.keys[step.operation] not in before.lost and facts.keys[step.operation] in sure)
            )
        }
        others = {step.id for step in facts.steps if step.ran or step.note is Note.IMPORTED or step.operation in again}
        records = dict.fromkeys(others, "") | dict(records)
        self.builds()
        kept = self._store.remember(
            facts,
            confirmed=confirmed,
            records={key: records[step_id] for key, step_id in confirmed.items() if step_id in records},
        )
        with self._lock:
            if kept.number <= self._latest:  # somebody has asked meanwhile, and it was there
                return kept.number
            if kept.number > max(self._latest + 1, facts.number):  # another hitmiss has built meanwhile
                self.builds()
                return kept.number
            self._latest = kept.number
            self._known |= self.known(confirmed)
            self.score = self.score[0] + facts.plan_right, self.score[1] + facts.plan_steps
            self.history = (past_of(kept), *self.history)[:_PAST]
            if kept.status is not Status.CANCELED:
                self._past = [kept, *self._past][:_PAST]
        return kept.number


def _again(facts: BuildFacts, before: planning.Memory) -> set[int]:
    """The places of operations whose result was lost before the build, and that it found made anew."""
    steps = [step for step in facts.steps if step.operation >= 0]
    hits = {step.operation for step in steps if step.verdict is Verdict.HIT}
    ran = {step.operation for step in steps if step.ran}
    lost = {place for place in hits if facts.keys[place] in before.lost}
    return planning.remade(facts.operations, hits, ran, lost)
