"""Which step of an earlier build is the same step as one of now: by what it is, never by digest or position alone.

Pure. Steps are the same where their stage and text agree; an edited step is found by laying the texts of both stages
side by side. Which stage of the earlier build is the same one, whatever it is called now, `stages.py` tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from hitmiss.cache import stages
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.operations import Kind
from hitmiss.cache.pairs import Pair


def below(build: BuildFacts, place: int) -> int:
    """The operation that one is put on: its first input by key; -1 where it is put on nothing."""
    for each in build.operations.all[place].inputs:
        if not each.selected:
            return each.operation
    return -1


def chain(build: BuildFacts, place: int) -> Iterator[int]:
    """All that an operation stands on, the nearest first; both sides of a merge are in it."""
    waiting = [place]
    seen = {place}
    while waiting:
        at = waiting.pop(0)
        if at != place:
            yield at
        for each in build.operations.all[at].inputs:
            if not each.selected and each.operation not in seen:
                seen.add(each.operation)
                waiting.append(each.operation)


def base_of(build: BuildFacts, place: int) -> int:
    """The image (or context) that an operation stands on in the end; -1 for scratch."""
    kinds = (Kind.IMAGE, Kind.LOCAL, Kind.REMOTE)
    return next((at for at in chain(build, place) if build.operations.all[at].kind in kinds), -1)


def match(now: BuildFacts, step: StepFacts, past: Sequence[BuildFacts]) -> Pair | None:
    """The nearest earlier build that had this step, and the step there; None where it is new.

    Nearest is the build in which most of what the step reads was as it is now, the latest of equals.
    """
    return next(iter(matches(now, step, past)), None)


def matches(now: BuildFacts, step: StepFacts, past: Sequence[BuildFacts]) -> list[Pair]:
    """All nearest earlier builds that had this step, the latest first; they may differ in the files that it read."""
    best: list[Pair] = []
    most = -1
    for build in past:
        for other in same(now, step, build):
            if not other.confirmed:
                continue
            score = _likeness(now, step, build, other)
            if score > most:
                best, most = [], score
            if score == most:
                best.append(Pair(now, step, build, other))
    if best:
        return best
    edited = _edited(now, step, past)
    return [edited] if edited else []


def same(now: BuildFacts, step: StepFacts, then: BuildFacts) -> list[StepFacts]:
    """The steps of `then` that are this one by stage and text."""
    there = _steps(then, stages.counterpart(now, step.stage, then), step.platform)
    wanted = stages.text(now, step, then)
    return [each for each in there if stages.text(then, each) == wanted]


def nearest(now: BuildFacts, past: Sequence[BuildFacts], step: StepFacts) -> BuildFacts | None:
    """The build that is most like this one among those that had the step's stage; the latest of equals."""
    keys = set(now.keys)
    having = [build for build in past if _work(build, stages.counterpart(now, step.stage, build), step.platform)]
    return max(having, key=lambda build: len(keys & set(build.keys)), default=None)


def _likeness(now: BuildFacts, step: StepFacts, then: BuildFacts, other: StepFacts) -> int:
    one, two = now.operations.all[step.operation], then.operations.all[other.operation]
    score = 8 * (one.own == two.own) + 2 * (one.platform == two.platform) - min(abs(step.index - other.index), 1)
    for number, (mine, theirs) in enumerate(zip(one.inputs, two.inputs, strict=False)):
        if not mine.selected and not theirs.selected:
            score += 16 * (now.keys[mine.operation] == then.keys[theirs.operation])
        elif now.contents[step.operation][number] or then.contents[other.operation][number]:
            score += 4 * (now.contents[step.operation][number] == then.contents[other.operation][number])
            score += now.operations.all[mine.operation].kind is then.operations.all[theirs.operation].kind
        else:
            score += 4 * (now.keys[mine.operation] == then.keys[theirs.operation])
    return score


def _edited(now: BuildFacts, step: StepFacts, past: Sequence[BuildFacts]) -> Pair | None:
    then = nearest(now, past, step)
    other = _laid(now, step, then) if then else None
    return Pair(now, step, then, other, edited=True) if then and other else None


def _laid(now: BuildFacts, step: StepFacts, then: BuildFacts) -> StepFacts | None:
    """Lay both stages side by side: the step of `then` that was edited into `step`; None where there is none."""
    mine = _work(now, step.stage, step.platform)
    theirs = _work(then, stages.counterpart(now, step.stage, then), step.platform)
    before = [stages.text(then, each) for each in theirs]
    texts = [stages.text(now, each, then) for each in mine]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, texts, autojunk=False).get_opcodes():
        if tag != "equal" and any(each.id == step.id for each in mine[j1:j2]):
            return _partner(mine[j1:j2], theirs[i1:i2], step)
    return None


def _partner(mine: Sequence[StepFacts], theirs: Sequence[StepFacts], step: StepFacts) -> StepFacts | None:
    """Pair the steps of a block that differs: of one instruction, in order, the most alike ones."""
    same = [each for each in theirs if _word(each) == _word(step)]
    rivals = [each for each in mine if _word(each) == _word(step)]
    if not same:
        return None
    if len(same) >= len(rivals):
        place = rivals.index(step)
        return max(same, key=lambda each: _ratio(each, step)) if len(same) > len(rivals) else same[place]
    taken = max(rivals, key=lambda each: max(_ratio(other, each) for other in same))
    if len(same) == 1:
        return same[0] if taken.id == step.id else None
    chosen = {max(rivals, key=lambda each: _ratio(other, each)).id: other for other in same}
    return chosen.get(step.id)


def _ratio(one: StepFacts, other: StepFacts) -> float:
    return SequenceMatcher(None, one.text, other.text, autojunk=False).ratio()


def _word(step: StepFacts) -> str:
    return step.text.split(maxsplit=1)[0].upper() if step.text else ""


def _steps(build: BuildFacts, stage: str, platform: str) -> list[StepFacts]:
    return [each for each in build.steps if each.stage == stage and each.platform == platform and each.operation >= 0]


def _work(build: BuildFacts, stage: str, platform: str) -> list[StepFacts]:
    """The steps of a stage, without the image that it begins with."""
    return [each for each in _steps(build, stage, platform) if _word(each) != "FROM"]
