"""What a step is put on, now and in an earlier build: the base image, the stage that FROM names, the step above. Pure.

None of these functions follows a chain: what missed above a step is `causes.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from hitmiss.build.model import Cause, CauseKind
from hitmiss.cache import matching, variables
from hitmiss.cache.facts import BuildFacts, Key, StepFacts
from hitmiss.cache.layers import by_identity
from hitmiss.cache.operations import Kind
from hitmiss.cache.pairs import Pair
from hitmiss.project.stages import SCRATCH

_FROM = re.compile(r"\bfrom=([^\s,]+)")
"""What a COPY or a mount reads."""


def base(pair: Pair) -> Cause | None:
    """Whether it stands on another image (or context) in the end."""
    mine, theirs = _base_of(pair)
    if _key(pair.now, mine) == _key(pair.then, theirs):
        return None
    new = _image(pair.now, mine, _bases(pair.now, pair.step))
    old = _image(pair.then, theirs, _bases(pair.then, pair.before))
    if mine < 0 or theirs < 0:
        # An edited one may have got --link, or lost it, and stand on nothing for that.
        if pair.edited:
            return None
    else:
        here, there = pair.now.operations.all[mine], pair.then.operations.all[theirs]
        if here.kind is not Kind.IMAGE and new == old:
            return None
        # A folder is built for no platform.
        if here.kind is there.kind is Kind.IMAGE and here.platform != there.platform:
            return built_for(pair, there.platform, here.platform)
    argument = _named_by(pair, pair.step)
    said = f"The argument {argument} names another base image." if argument else "The base image is another one."
    return pair.cause(CauseKind.BASE_IMAGE_CHANGED, said, old=old, new=new)


def has_same_layers(pair: Pair) -> bool:
    """Whether the base is another image of the same layers."""
    mine, theirs = _base_of(pair)
    return _layers(pair.now, mine) == _layers(pair.then, theirs) != ""


def built_for(pair: Pair, old: str, new: str) -> Cause:
    """It is built for another platform."""
    return pair.cause(CauseKind.PLATFORM_CHANGED, f"It is built for {new} now.", old=old, new=new)


def copied(pair: Pair, mine: int, theirs: int, line: StepFacts | None) -> Cause:
    """An image that it copies from, and does not stand on, is not what it was; `line` is the FROM that names it."""
    names = _FROM.findall(pair.step.text)
    old, new = _image(pair.then, theirs, names), _image(pair.now, mine, names)
    said = "The image that it copies from is another one."
    if line and (argument := _named_by(pair, line)):
        said = f"The argument {argument} names another image to copy from."
    elif (name := new.partition("@")[0]) == old.partition("@")[0]:
        said = f"It copies from {name}, which is another image now."
    return pair.cause(CauseKind.BASE_IMAGE_CHANGED, said, old=old, new=new)


def position(pair: Pair) -> Cause | None:
    """Whether a step above it is gone or went below it, or a known one came between."""
    mine, theirs = put_on(pair)
    if _key(pair.now, mine) == _key(pair.then, theirs):
        return None
    gone, come = more_steps(pair, mine, theirs)
    if gone:
        below = any(matching.same(pair.then, gone, pair.now))
        said = "A step that stood above it stands below it now." if below else "A step above it is gone."
        return pair.cause(CauseKind.STEP_REMOVED, said, old=gone.text)
    if come:
        above = any(matching.same(pair.now, come, pair.then))
        said = "A step that stood below it stands above it now." if above else "A step above it is new."
        return pair.cause(CauseKind.STEP_INSERTED, said, new=come.text)
    if mine >= 0 and theirs >= 0 and _all_keys(pair.now, mine) == _all_keys(pair.then, theirs):
        return pair.cause(CauseKind.STEP_INSERTED, "Where it stands, the steps above it are in another order.")
    return None


def more_steps(pair: Pair, mine: int, theirs: int) -> tuple[StepFacts | None, StepFacts | None]:
    """The lowest step that stood above the operation `mine` then and is gone; else the lowest that is new."""
    gone = _between(pair.then, theirs, _key(pair.now, mine)) or _beside(pair.then, theirs, pair.now, mine)
    if gone:
        return gone[-1], None
    come = _between(pair.now, mine, _key(pair.then, theirs)) or _beside(pair.now, mine, pair.then, theirs)
    return None, come[-1] if come else None


def other_stage(pair: Pair) -> Cause | None:
    """Whether the FROM of its stage names another stage."""
    mine, theirs = put_on(pair)
    if _key(pair.now, mine) == _key(pair.then, theirs):
        return None
    here, there = _from_lines(pair.now, pair.step), _from_lines(pair.then, pair.before)
    pairs = zip(here, there, strict=False)
    new, old = next(((one, two) for one, two in pairs if one.name != two.name), (None, None))
    if not new or not old or not (new.is_stage or old.is_stage):
        return None
    named = variables.in_from(pair.now, pair.then, new.written)
    said = f"The argument {named[0].name} names another base." if named else "It is built on another stage."
    return pair.cause(CauseKind.BASE_IMAGE_CHANGED, said, old=old.name, new=new.name)


def base_image(build: BuildFacts, step: StepFacts) -> str:
    """The image that the stage of a step is built on in the end, for people."""
    return next((_digested(build, name) for name in reversed(_bases(build, step))), "")


def put_on(pair: Pair) -> tuple[int, int]:
    """The operation that it is put on, and the one that it was put on (`matching.below`)."""
    return matching.below(pair.now, pair.step.operation), matching.below(pair.then, pair.before.operation)


def _base_of(pair: Pair) -> tuple[int, int]:
    return matching.base_of(pair.now, pair.step.operation), matching.base_of(pair.then, pair.before.operation)


def _named_by(pair: Pair, step: StepFacts) -> str:
    """The build argument that names another image in the FROM lines that a step stands on; "" where none does."""
    written = " ".join(base.written for base in _from_lines(pair.now, step))
    named = variables.in_from(pair.now, pair.then, written)
    return next((each.name for each in named if each.kind is CauseKind.ARGUMENT_CHANGED), "")


def _layers(build: BuildFacts, place: int) -> str:
    """The layers of the image that an operation is; "" where they are not known."""
    identity = build.operations.all[place].value("identity") if place >= 0 else ""
    return by_identity(build.images.values()).get(identity, "")


def _key(build: BuildFacts, place: int) -> Key | None:
    """The key of an operation; None where there is none: scratch."""
    return build.keys[place] if place >= 0 else None


def _between(build: BuildFacts, place: int, key: Key | None) -> list[StepFacts]:
    """The steps from `place` down to the operation of that key (None: to scratch), the uppermost first; none where it
    is not below.
    """
    if place < 0:
        return []
    steps = {each.operation: each for each in build.steps}
    found: list[StepFacts] = []
    for at in _below(build, place):
        if build.keys[at] == key:
            return found
        if at in steps:
            found.append(steps[at])
    return found if key is None else []


def _beside(build: BuildFacts, place: int, other: BuildFacts, there: int) -> list[StepFacts]:
    """The steps that `place` stands on and `there` does not, the uppermost first, where that is all that differs: a
    copy with --link lies beside what it is put on, and not between two steps.
    """
    mine, theirs = _all_keys(build, place), _all_keys(other, there)
    if not theirs < mine:
        return []
    steps = {each.operation: each for each in build.steps}
    return [steps[at] for at in _below(build, place) if at in steps and build.keys[at] in mine - theirs]


def _all_keys(build: BuildFacts, place: int) -> set[Key]:
    """The keys of all that an operation is and stands on; where lines are merged, of the lines."""
    return {build.keys[at] for at in _below(build, place) if build.operations.all[at].kind is not Kind.MERGE}


def _below(build: BuildFacts, place: int) -> Iterator[int]:
    if place >= 0:
        yield place
        yield from matching.chain(build, place)


def _image(build: BuildFacts, place: int, names: Collection[str] = ()) -> str:
    """A base for people: its name (of several the one among `names`) and the beginning of its digest, or the folder."""
    if place < 0:
        return SCRATCH
    operation = build.operations.all[place]
    identity = operation.value("identity")
    given = [name for name, image in build.images.items() if image.identity == identity]
    if not given:
        name = operation.value("name")
        return build.contexts.get(name, name) or identity
    return _digested(build, next((name for name in given if name in names), given[0]))


def _bases(build: BuildFacts, step: StepFacts) -> list[str]:
    """What the FROM lines name that its stage is built on."""
    return [base.name for base in _from_lines(build, step)]


def _from_lines(build: BuildFacts, step: StepFacts) -> tuple[variables.Base, ...]:
    """What they name, and how."""
    return variables.bases(build, step.stage, step.platform)


def _digested(build: BuildFacts, name: str) -> str:
    image = build.images.get(name)
    return f"{name}@{(image.digest or image.identity).removeprefix('sha256:')[:12]}" if image else name
