"""Why each step missed: one cause a step, one root a chain.

Pure. Every step that ran is compared with the nearest earlier build that had it (`matching.py`): what it was put on,
what it is, which files and stages it read. What differs first (`differences.py`) is the cause.
"""

from __future__ import annotations

from math import inf

import msgspec

from hitmiss.build.model import Cause, CauseKind
from hitmiss.cache import changed_files, ground, matching, variables
from hitmiss.cache.changed_files import Changes
from hitmiss.cache.differences import Differences, Evidence, address
from hitmiss.cache.facts import StepFacts
from hitmiss.cache.keys import stage_input
from hitmiss.cache.operations import Kind, Operation
from hitmiss.cache.pairs import Pair, root

__all__ = ["Changes", "Evidence", "causes", "differences"]

_RIVALS = 6
"""So many equally near builds are compared file by file."""


def causes(evidence: Evidence) -> dict[str, Cause]:
    """The cause of every step that ran, by the step's id."""
    return _Explainer(evidence).all()


def differences(evidence: Evidence) -> dict[str, Cause]:
    """What makes each step that `ran` another one than before, by the step's id: its own difference, if it has one."""
    return _Explainer(evidence).apart()


class _Explainer:
    """Goes through the steps of one build from below; `found` are the causes so far, by the step's id."""

    def __init__(self, evidence: Evidence) -> None:
        self.e = evidence
        self.now = evidence.now
        self.found: dict[str, Cause] = {}
        self.differences = Differences(evidence, self.found)
        self.step_at = self.differences.step_at

    def all(self) -> dict[str, Cause]:
        for step in sorted(self.now.steps, key=lambda step: step.operation):
            if step.id in self.e.ran:
                self.found[step.id] = self._cause(step) if step.operation >= 0 else _untied(step)
        return self._counted()

    def apart(self) -> dict[str, Cause]:
        """The causes, of each step by itself: what it is put on counts only where nothing else differs."""
        self.all()
        for step in self.now.steps:
            cause = self.found.get(step.id)
            if cause and cause.kind is CauseKind.PARENT_MISSED:
                self.found[step.id] = self._apart(step, cause)
        return self._counted()

    def _apart(self, step: StepFacts, cause: Cause) -> Cause:
        found = self._nearest(step)
        if own := found and self.differences.own(found):
            return own
        began = next((each for each in self.now.steps if each.id == cause.root), step)
        return msgspec.structs.replace(cause, detail=f"It is put on {began.instruction}, which is another step.")

    # The order in which causes are looked for

    def _cause(self, step: StepFacts) -> Cause:
        if asked := self._asked(step):
            how = "--no-cache" if self.e.request.everything else f"--no-cache-filter {asked}"
            return root(step, CauseKind.NO_CACHE, f"{how} asked for it.")
        above = self._missed_above(step)
        if self.now.keys[step.operation] in self.e.known:
            return self._known_before(step, above)
        found = self._nearest(step)
        if above:
            new = self.found[above.id].kind is CauseKind.FIRST_BUILD
            if new and found and (switched := _switched(found)):
                return switched
            if found or not new:
                return self._parent(step, above, found)
        if found is None:
            return self._new(step, above)
        return self.differences.first(found)

    def _asked(self, step: StepFacts) -> str:
        """The stage that has this step and was asked to run; two stages may share one step, "" where there is none."""
        if not (self.e.request.everything or self.e.request.stages):
            return ""
        sharing = (stage for (_, stage, _), place in self.now.operations.steps.items() if place == step.operation)
        return next((stage for stage in (step.stage, *sharing) if self.e.request.includes(stage)), "")

    def _nearest(self, step: StepFacts) -> Pair | None:
        """What a step is compared with: of builds that are equally near, the one with the fewest files that differ.

        One that reads other files of which nothing is kept comes last.
        """
        rivals = matching.matches(self.now, step, self.e.past)
        distinct = {each.contents[1]: each for each in reversed(rivals)}
        if len(distinct) < 2:
            return next(iter(rivals), None)

        def differing(found: Pair) -> float:
            mine, theirs = found.contents
            return len(changed_files.differing(found, self.e.changes)) or (0 if mine == theirs else inf)

        latest = sorted(distinct.values(), key=lambda each: -each.then.number)
        return min(latest[:_RIVALS], key=differing)

    def _known_before(self, step: StepFacts, above: StepFacts | None) -> Cause:
        """Nothing it depends on is new, and yet it ran."""
        number = self.e.known[self.now.keys[step.operation]].number
        operation = self._operation(step)
        reads = [self.now.operations.all[each.operation] for each in operation.inputs]
        if above and self._beyond_keys(above):
            return self._parent(step, above, None)
        if any(each.kind is Kind.REMOTE for each in reads) and not self._gone(step):
            return root(
                step, CauseKind.REMOTE_CHANGED,
                f"What {address(reads)} gives is not what it gave in build {number}.", against=number,
            )  # fmt: skip
        for source in self._stages_that_ran(step):
            if self._beyond_keys(source):
                began = self.found[source.id].root
                return Cause(
                    CauseKind.STAGE_OUTPUT_CHANGED, began, f"It reads other bytes of {source.stage}.", against=number
                )
        return root(
            step, CauseKind.EVICTED,
            f"Same inputs as build {number}, whose result is gone from the cache: pruned or collected.",
            against=number,
        )  # fmt: skip

    def _new(self, step: StepFacts, above: StepFacts | None) -> Cause:
        """No earlier build had this step, as it is or edited."""
        past = self.e.past
        tried = [build for build in past if matching.same(self.now, step, build)]
        if tried:
            # A step that failed and is tried again is still what it was edited into then.
            before = matching.match(self.now, step, [build for build in past if build not in tried])
            if before:
                return self.differences.first(before)
            number = tried[0].number
            return root(step, CauseKind.FIRST_BUILD, f"It never ran to its end: see build {number}.", against=number)
        if past and step.platform and not any(step.platform == each.platform for b in past for each in b.steps):
            return self._platform(step, above)
        then = matching.nearest(self.now, past, step)
        if then is None:
            elsewhere = " It was built on another builder." if self.e.elsewhere and not past else ""
            return root(step, CauseKind.FIRST_BUILD, f"It was never built on this builder.{elsewhere}")
        return root(
            step, CauseKind.STEP_INSERTED, f"It is new since build {then.number}.", new=step.text, against=then.number
        )

    def _platform(self, step: StepFacts, above: StepFacts | None) -> Cause:
        if above:
            return self._parent(step, above, None)
        before = ", ".join(dict.fromkeys(p for build in self.e.past[:1] for p in build.platforms))
        return root(
            step, CauseKind.PLATFORM_CHANGED, f"It was never built for {step.platform}.", old=before or None,
            new=step.platform,
        )  # fmt: skip

    def _parent(self, step: StepFacts, above: StepFacts, found: Pair | None) -> Cause:
        cause = self.found[above.id]
        through = (*cause.through, *((above.id,) if above.id != cause.root else ()))
        also = ""
        if found:
            own = self.differences.own(found)
            also = f" By itself it would have run too: {own.detail}" if own else ""
        began = next((each for each in self.now.steps if each.id == cause.root), above)
        return Cause(
            CauseKind.PARENT_MISSED, cause.root, f"{began.instruction} ran.{also}", against=cause.against,
            through=through,
        )  # fmt: skip

    # The way through the operations

    def _operation(self, step: StepFacts) -> Operation:
        return self.now.operations.all[step.operation]

    def _beyond_keys(self, step: StepFacts) -> bool:
        """Whether a chain began with what no key can tell: somebody asked for it, or a URL gave something else."""
        began = self.found.get(self.found[step.id].root)
        return began is not None and began.kind in (CauseKind.NO_CACHE, CauseKind.REMOTE_CHANGED)

    def _gone(self, step: StepFacts) -> bool:
        """Whether its result is gone from the cache, or that of a step above it: with that one BuildKit forgot both."""
        if self.now.keys[step.operation] in self.e.lost:
            return True
        above = (self.step_at.get(at) for at in matching.chain(self.now, step.operation))
        return any(each and each.id in self.found and self.found[each.id].kind is CauseKind.EVICTED for each in above)

    def _missed_above(self, step: StepFacts) -> StepFacts | None:
        """The nearest step that it is put on, where that ran; a hit in between ends the chain."""
        waiting = [each.operation for each in self._operation(step).inputs if not each.selected]
        while waiting:
            at = waiting.pop(0)
            other = self.step_at.get(at)
            if other is None:
                waiting += [each.operation for each in self.now.operations.all[at].inputs if not each.selected]
            elif other.id in self.found and (self._beyond_keys(other) or self.now.keys[at] not in self.e.known):
                return other
        return None

    def _stages_that_ran(self, step: StepFacts) -> list[StepFacts]:
        found = [
            self.differences.ran_in(each.operation)
            for number, each in enumerate(self._operation(step).inputs)
            if stage_input(self.now.operations, step.operation, number)
        ]
        return [each for each in found if each]

    def _counted(self) -> dict[str, Cause]:
        """Tell every root how many steps ran because of it."""
        below: dict[str, int] = {}
        for step_id, cause in self.found.items():
            if cause.root != step_id:
                below[cause.root] = below.get(cause.root, 0) + 1
        return {
            step_id: msgspec.structs.replace(cause, below=below[step_id]) if step_id in below else cause
            for step_id, cause in self.found.items()
        }


def _switched(found: Pair) -> Cause | None:
    """Whether its FROM names another stage, one that was there before and that nothing built on: it tells why."""
    cause = ground.other_stage(found)
    return cause if cause and variables.bases(found.then, cause.new or "", found.before.platform) else None


def _untied(step: StepFacts) -> Cause:
    return root(step, CauseKind.UNKNOWN, "Its operation is not known: the Dockerfile does not tell of this step.")
