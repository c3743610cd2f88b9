"""The first difference between a step that ran and the same step of an earlier build.

Pure. `causes.py` decides what is compared, and follows the chains. Here is the order in which differences are looked
for; the kinds have rooms of their own: what it is put on (`ground.py`), what its text means (`meaning.py`), its
files (`changed_files.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from hitmiss.build.model import Cause, CauseKind
from hitmiss.cache import changed_files, ground, matching, meaning
from hitmiss.cache.facts import BuildFacts, Key, Known, StepFacts
from hitmiss.cache.keys import stage_input
from hitmiss.cache.operations import Kind, Operation
from hitmiss.cache.pairs import Pair
from hitmiss.cache.plan import Request


def _nowhere(_context: str, _path: str) -> bool:
    return False


class Evidence(msgspec.Struct, frozen=True):
    """What the causes are found from.

    `now` is the build to explain (or one that is planned), `ran` the ids of its steps that ran (or will), `past`
    earlier builds of the project on this builder, the latest first. `known` are the keys seen on the builder before
    it, `lost` those of them whose result is gone; `elsewhere` says that the project was built on another builder.
    """

    now: BuildFacts
    ran: Collection[str]
    past: Sequence[BuildFacts]
    known: Mapping[Key, Known]
    changes: changed_files.Changes
    request: Request = Request()
    elsewhere: bool = False
    there: changed_files.There = _nowhere
    lost: Collection[Key] = frozenset()


class Differences:
    """Compares the steps of one build with those of earlier ones."""

    def __init__(self, evidence: Evidence, found: Mapping[str, Cause]) -> None:
        """`found` are the causes so far, by the step's id: whoever finds one adds it."""
        self._e = evidence
        self._now = evidence.now
        self._found = found
        self.step_at = {step.operation: step for step in self._now.steps if step.operation >= 0}
        """The steps by their operations."""

    def first(self, pair: Pair) -> Cause:
        """The first difference between a step and its counterpart."""
        # Another image of the same layers decides only where nothing else does (`cache/layers.py`).
        base = ground.base(pair)
        alike = base is not None and ground.has_same_layers(pair)
        return (
            (None if alike else base)
            or _edited(pair)
            or ground.position(pair)
            or ground.other_stage(pair)
            or meaning.instruction(pair)
            or meaning.environment(pair)
            or self._files(pair)
            or self._stage(pair)
            or base
            or _platforms(pair)
            or self._deeper(pair)
            or self._beneath(pair)
            or _unknown(pair)
        )

    def own(self, pair: Pair) -> Cause | None:
        """The same of the step by itself, whatever it is put on."""
        return _edited(pair) or meaning.environment(pair) or self._files(pair)

    def ran_in(self, place: int) -> StepFacts | None:
        """The uppermost step that ran in the stage that ends at an operation."""
        for at in (place, *matching.chain(self._now, place)):
            other = self.step_at.get(at)
            if other and other.id in self._found:
                return other
        return None

    def _files(self, pair: Pair) -> Cause | None:
        return changed_files.files(pair, self._e.changes, self._e.there)

    def _stage(self, pair: Pair) -> Cause | None:
        """Whether a stage, an image or an address that it copies from gives something else."""
        one, two = pair.one, pair.two
        for number, each in enumerate(one.inputs):
            if not stage_input(self._now.operations, pair.step.operation, number) or number >= len(two.inputs):
                continue
            theirs = two.inputs[number].operation
            if self._now.keys[each.operation] == pair.then.keys[theirs]:
                continue
            source = self._now.operations.all[each.operation]
            if source.kind is Kind.REMOTE:
                if named := pair.variables_in(pair.step.text):
                    return pair.by_variable(named)
                return pair.cause(CauseKind.REMOTE_CHANGED, f"{address([source])} gives something else.")
            if source.kind is Kind.IMAGE:
                return ground.copied(pair, each.operation, theirs, self.step_at.get(each.operation))
            if ran := self.ran_in(each.operation):
                said = f"It reads other bytes of {ran.stage} than in build {pair.then.number}."
                began = self._found[ran.id].root
                return Cause(CauseKind.STAGE_OUTPUT_CHANGED, began, said, against=pair.then.number)
            if came := self._elsewhere(pair, each.operation, theirs):
                target, began = came
                said = f"It reads other bytes of {target} than in build {pair.then.number}."
                return Cause(CauseKind.STAGE_OUTPUT_CHANGED, began, said, against=pair.then.number)
            return self._other_stage_that_hit(pair, each.operation, theirs)
        return None

    def _other_stage_that_hit(self, pair: Pair, mine: int, theirs: int) -> Cause:
        """All of the stage that it reads hit, but is not what it read then."""
        kind = CauseKind.STAGE_OUTPUT_CHANGED
        if found := self._first_other(pair.then, (mine, *matching.chain(self._now, mine))):
            step, cause = found
            said = f"It reads other bytes of {step.stage}. {step.instruction}: {cause.detail}"
            return pair.cause(kind, said, files=cause.files, old=cause.old, new=cause.new)
        gone, come = ground.more_steps(pair, mine, theirs)
        if gone:
            return pair.cause(kind, f"It reads other bytes of {gone.stage}: a step there is gone.", old=gone.text)
        if come:
            return pair.cause(kind, f"It reads other bytes of {come.stage}: a step there is new.", new=come.text)
        return pair.cause(kind, "The stage that it reads is not as it was.")

    def _deeper(self, pair: Pair) -> Cause | None:
        """What it stands on hit, but is not what it stood on then: the difference of the first such step."""
        found = self._first_other(pair.then, matching.chain(self._now, pair.step.operation))
        if found is None:
            return None
        step, cause = found
        return msgspec.structs.replace(cause, root=pair.step.id, detail=f"{step.instruction}: {cause.detail}")

    def _first_other(self, then: BuildFacts, places: Iterable[int]) -> tuple[StepFacts, Cause] | None:
        """The lowest of the steps at `places` that is not what it was in an earlier build, with its difference."""
        lower = [self.step_at[at] for at in places if at in self.step_at]
        for each in reversed(lower):
            other = matching.match(self._now, each, [then])
            if other is None or self._now.keys[each.operation] == then.keys[other.before.operation]:
                continue
            cause = self.first(other)
            if cause.kind is not CauseKind.UNKNOWN:
                return each, cause
        return None

    def _beneath(self, pair: Pair) -> Cause | None:
        """What it stands on is no step of this target but of another one, and not what it was."""
        came = self._elsewhere(pair, *ground.put_on(pair))
        if came is None:
            return None
        target, began = came
        if began == pair.step.id:
            said = f"The target {target}, which it is built on, is not what it was."
            return pair.cause(CauseKind.BASE_IMAGE_CHANGED, said)
        said = f"A step of {target}, which it is built on, ran."
        return Cause(CauseKind.PARENT_MISSED, began, said, against=pair.then.number)

    def _elsewhere(self, pair: Pair, mine: int, theirs: int) -> tuple[str, str] | None:
        """The other target that puts out the operation `mine`, where that is not what `theirs` was; and the id of the
        step where that began: one of that target that ran, or where all of them hit, the step itself.
        """
        operations, keys = self._now.operations, self._now.keys
        last, before = _uppermost(self._now, mine), _uppermost(pair.then, theirs)
        if last < 0 or last in self.step_at or (before >= 0 and keys[last] == pair.then.keys[before]):
            return None
        known = {*pair.then.keys, *self._e.known}
        began, waiting, seen = pair.step.id, [last], {last}
        while waiting:
            at = waiting.pop(0)
            if at in operations.linked and at not in self.step_at:
                if keys[at] in known:
                    continue
                # Where it began is this one, or below it.
                began, waiting, seen = operations.linked[at], [], {at}
            below = sorted(operations.all[at].inputs, key=lambda each: bool(each.selected))
            waiting += [each.operation for each in below if each.operation not in seen]
            seen.update(waiting)
        return operations.linked[last].partition(":")[0], began


def _uppermost(build: BuildFacts, place: int) -> int:
    """The first operation from `place` down that is a step, of this target or another one; -1 where there is none."""
    steps = {*build.operations.linked, *(step.operation for step in build.steps)}
    down = (place, *matching.chain(build, place)) if place >= 0 else ()
    return next((at for at in down if at in steps), -1)


def address(sources: Sequence[Operation]) -> str:
    """What is fetched, for people."""
    found = list(dict.fromkeys(each.value("identity") for each in sources if each.kind is Kind.REMOTE))
    return f"one of {', '.join(found)}" if len(found) > 1 else found[0] if found else "the address"


def _edited(pair: Pair) -> Cause | None:
    if not pair.edited:
        return None
    said = "The instruction was edited."
    return pair.cause(CauseKind.INSTRUCTION_CHANGED, said, old=pair.before.text, new=pair.step.text)


def _platforms(pair: Pair) -> Cause | None:
    one, two = pair.one.platform, pair.two.platform
    return ground.built_for(pair, two, one) if one != two else None


def _unknown(pair: Pair) -> Cause:
    number = pair.then.number
    if pair.then.keys[pair.before.operation] in pair.then.doubted:
        said = f"Build {number} read its files while they changed, and not as they are now."
        return pair.cause(CauseKind.FILES_CHANGED, said)
    said = f"Compared with build {number}: instruction, files, variables, base and stages are equal."
    return pair.cause(CauseKind.UNKNOWN, said)
