"""The first difference between a step that ran and the same step of an earlier build: one kind of cause each.

Pure. `causes.py` decides what is compared, and follows the chains; here is what a single comparison finds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import msgspec

from hitmiss.build.model import Alteration, Cause, CauseKind, FileChange
from hitmiss.cache import actions, around, ignoring, matching, variables
from hitmiss.cache.facts import BuildFacts, Key, Known, Rules, StepFacts
from hitmiss.cache.keys import stage_input
from hitmiss.cache.layers import by_identity
from hitmiss.cache.matching import Match
from hitmiss.cache.operations import Kind, Operation, Selected
from hitmiss.cache.plan import Request
from hitmiss.project.entries import FOLDER
from hitmiss.project.stages import SCRATCH

Changes = Callable[[BuildFacts, str, tuple[Selected, ...]], tuple[FileChange, ...]]
"""An earlier build, a context, what is read of it → what differs there now."""


_FROM = re.compile(r"\bfrom=([^\s,]+)")
"""What a COPY or a mount reads."""

There = Callable[[str, str], bool]
"""A context and a path → whether it is on disk, for BuildKit to see or not."""


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
    changes: Changes
    request: Request = Request()
    elsewhere: bool = False
    there: There = _nowhere
    lost: Collection[Key] = frozenset()


class Differences:
    """Compares the steps of one build with those of earlier ones; `found` are the causes so far, by the step's id."""

    def __init__(self, evidence: Evidence) -> None:
        self.e = evidence
        self.now = evidence.now
        self.found: dict[str, Cause] = {}
        self.step_at = {step.operation: step for step in self.now.steps if step.operation >= 0}

    def compared(self, step: StepFacts, found: Match) -> Cause:
        """The first difference between the step and its counterpart."""
        one, two = self.operation(step), found.build.operations.all[found.step.operation]
        # Another image of the same layers decides only where nothing else does (`cache/layers.py`).
        base = self._base(step, found)
        alike = base is not None and self._has_same_layers(step, found)
        return (
            (None if alike else base)
            or self.edited(step, found)
            or self._position(step, found)
            or self._built_on(step, found)
            or self._instruction(step, found, one, two)
            or self.environment(step, found, one, two)
            or self.files(step, found, one, two)
            or self._stage(step, found, one, two)
            or base
            or self._platforms(step, found, one, two)
            or self._deeper(step, found)
            or self._beneath(step, found)
            or self._unknown(step, found)
        )

    # One kind of difference each; None where it is not that

    def _base(self, step: StepFacts, found: Match) -> Cause | None:
        mine, theirs = matching.base_of(self.now, step.operation), matching.base_of(found.build, found.step.operation)
        if _key(self.now, mine) == _key(found.build, theirs):
            return None
        new, old = (
            _image(self.now, mine, _bases(self.now, step)),
            _image(found.build, theirs, _bases(found.build, found.step)),
        )
        if mine < 0 or theirs < 0:
            # An edited one may have got --link, or lost it, and stand on nothing for that.
            if self.edited(step, found):
                return None
        else:
            here, there = self.now.operations.all[mine], found.build.operations.all[theirs]
            if here.kind is not Kind.IMAGE and new == old:
                return None
            if here.platform != there.platform:
                return self._built_for(step, there.platform, here.platform, found.build.number)
        argument = self._named_by(step, found)
        said = f"The argument {argument} names another base image." if argument else "The base image is another one."
        return root(step, CauseKind.BASE_IMAGE_CHANGED, said, old=old, new=new, against=found.build.number)

    def _has_same_layers(self, step: StepFacts, found: Match) -> bool:
        """Whether the base is another image of the same layers."""
        mine, theirs = (
            _layers(self.now, matching.base_of(self.now, step.operation)),
            _layers(found.build, matching.base_of(found.build, found.step.operation)),
        )
        return mine == theirs != ""

    def _copied(self, step: StepFacts, mine: int, found: Match, theirs: int) -> Cause:
        """An image that it copies from, and does not stand on, is not what it was."""
        names = _FROM.findall(step.text)
        old, new = _image(found.build, theirs, names), _image(self.now, mine, names)
        said = "The image that it copies from is another one."
        line = self.step_at.get(mine)
        if line and (argument := self._named_by(line, found)):
            said = f"The argument {argument} names another image to copy from."
        elif (name := new.partition("@")[0]) == old.partition("@")[0]:
            said = f"It copies from {name}, which is another image now."
        return root(step, CauseKind.BASE_IMAGE_CHANGED, said, old=old, new=new, against=found.build.number)

    def _named_by(self, step: StepFacts, found: Match) -> str:
        """The build argument that names another image in the FROM lines that a step stands on; "" where none does."""
        written = " ".join(base.written for base in variables.bases(self.now, step.stage))
        named = variables.in_from(self.now, found.build, written)
        return next((each.name for each in named if each.kind is CauseKind.ARGUMENT_CHANGED), "")

    def edited(self, step: StepFacts, found: Match) -> Cause | None:
        if not found.edited:
            return None
        return root(
            step, CauseKind.INSTRUCTION_CHANGED, "The instruction was edited.", old=found.step.text, new=step.text,
            against=found.build.number,
        )  # fmt: skip

    def _instruction(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        """Text that is the same, and means something else."""
        against = found.build.number
        if one.kind is not Kind.EXEC:
            return self._on_files(step, found, one, two)
        if one.value("args") != two.value("args"):
            shell, before = _shell(one), _shell(two)
            if shell != before:
                return root(step, CauseKind.ENVIRONMENT_CHANGED, "SHELL is another one.", old=before, new=shell,
                             against=against)  # fmt: skip
            return root(
                step, CauseKind.INSTRUCTION_CHANGED, "Its script was edited.", old=_script(two), new=_script(one),
                against=against,
            )  # fmt: skip
        return None

    def _on_files(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        """The same for a COPY, ADD or WORKDIR: what it reads, and what it does with that."""
        against = found.build.number
        mine, theirs = actions.read(one), actions.read(two)
        heredocs = _heredocs(self.now, one), _heredocs(found.build, two)
        reads = [each.selected for each in one.inputs], [each.selected for each in two.inputs]
        if mine == theirs and heredocs[0] == heredocs[1] and reads[0] == reads[1]:
            return None
        named = variables.in_text(self.now, step.stage, found.build, found.step.stage, step.text)
        if named:
            return _of_variable(step, named, against)
        if mine.rest != theirs.rest or heredocs[0] != heredocs[1]:
            return root(
                step, CauseKind.INSTRUCTION_CHANGED, "What it does was edited.", old=_first_change(two, one),
                new=_first_change(one, two), against=against,
            )  # fmt: skip
        if mine.timestamp != theirs.timestamp:
            text = "$SOURCE_DATE_EPOCH"
            named = variables.in_text(self.now, step.stage, found.build, found.step.stage, text)
            return _of_variable(step, named, against) if named else None
        if mine.folder != theirs.folder:
            return self._set_above(step, found, "WORKDIR", theirs.folder, mine.folder)
        if mine.user != theirs.user:
            return self._set_above(step, found, "USER", theirs.user, mine.user)
        return None

    def _set_above(self, step: StepFacts, found: Match, keyword: str, old: str, new: str) -> Cause:
        """A WORKDIR or USER above it is another one: by a variable in it, by an edit, or that of the base image."""
        against = found.build.number
        mine, theirs = (
            variables.lines(self.now, step.stage, keyword), variables.lines(found.build, found.step.stage, keyword)
        )  # fmt: skip
        named = variables.in_text(self.now, step.stage, found.build, found.step.stage, "\n".join(mine))
        if named:
            return _of_variable(step, named, against)
        if mine == theirs:
            said = f"{keyword} of the base image is another one."
            old, new = _base_image(found.build, found.step), _base_image(self.now, step)
            return root(step, CauseKind.BASE_IMAGE_CHANGED, said, old=old, new=new, against=against)
        said = f"{keyword} above it is another one."
        return root(step, CauseKind.ENVIRONMENT_CHANGED, said, old=old, new=new, against=against)

    def _position(self, step: StepFacts, found: Match) -> Cause | None:
        """Whether a step above it is gone, or a known one came between."""
        mine, theirs = matching.below(self.now, step.operation), matching.below(found.build, found.step.operation)
        if _key(self.now, mine) == _key(found.build, theirs):
            return None
        if gone := _between(found.build, theirs, _key(self.now, mine)):
            text = gone[-1].text
            return root(step, CauseKind.STEP_REMOVED, "A step above it is gone.", old=text, against=found.build.number)
        if come := _between(self.now, mine, _key(found.build, theirs)):
            text = come[-1].text
            return root(step, CauseKind.STEP_INSERTED, "A step above it is new.", new=text, against=found.build.number)
        return None

    def _built_on(self, step: StepFacts, found: Match) -> Cause | None:
        """Whether the FROM of its stage names another stage."""
        mine, theirs = matching.below(self.now, step.operation), matching.below(found.build, found.step.operation)
        if _key(self.now, mine) == _key(found.build, theirs):
            return None
        pairs = zip(variables.bases(self.now, step.stage), variables.bases(found.build, found.step.stage), strict=False)
        new, old = next(((one, two) for one, two in pairs if one.name != two.name), (None, None))
        if not new or not old or not (new.is_stage or old.is_stage):
            return None
        named = variables.in_from(self.now, found.build, new.written)
        said = f"The argument {named[0].name} names another base." if named else "It is built on another stage."
        return root(step, CauseKind.BASE_IMAGE_CHANGED, said, old=old.name, new=new.name, against=found.build.number)

    def environment(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        if one.own == two.own or one.kind is not Kind.EXEC:
            return None
        against = found.build.number
        changed = variables.in_environment(
            self.now, step.stage, one.environment, found.build, found.step.stage, two.environment
        )
        if changed:
            return _of_variable(step, changed, against)
        if one.environment == two.environment and one.value("order") != two.value("order"):
            return root(
                step, CauseKind.ENVIRONMENT_CHANGED, "Its variables are set in another order.",
                old=two.value("order"), new=one.value("order"), against=against,
            )  # fmt: skip
        for name, shown in (("cwd", "WORKDIR"), ("user", "USER")):
            if one.value(name) != two.value(name):
                return root(
                    step, CauseKind.ENVIRONMENT_CHANGED, f"{shown} above it is another one.",
                    old=two.value(name) or "root", new=one.value(name) or "root", against=against,
                )  # fmt: skip
        given, before = around.options(one), around.options(two)
        if option := next((name for name in {**given, **before} if given.get(name) != before.get(name)), None):
            new, old = given.get(option), before.get(option)
            return root(
                step, CauseKind.ENVIRONMENT_CHANGED, f"The option {option} {_what(old, new)}.", old=_set(option, old),
                new=_set(option, new), against=against,
            )  # fmt: skip
        text = " ".join((step.text, *around.ARGUMENTS))
        named = variables.in_text(self.now, step.stage, found.build, found.step.stage, text)
        if named:
            return _of_variable(step, named, against)
        return root(
            step, CauseKind.INSTRUCTION_CHANGED, "What it does was edited.", old=_first_change(two, one),
            new=_first_change(one, two), against=against,
        )  # fmt: skip

    def files(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        mine, theirs = self.now.contents[step.operation], found.build.contents[found.step.operation]
        if all(new == old for new, old in zip(mine, theirs, strict=False)):
            return None
        files = self.differing(step, found, one, two)
        changed = self._what_changed(files, found.build)
        return root(
            step, CauseKind.FILES_CHANGED, f"{changed} since build {found.build.number}.", files=files,
            against=found.build.number,
        )  # fmt: skip

    def _what_changed(self, files: Sequence[FileChange], then: BuildFacts) -> str:
        """`2 files changed`; what the ignore rules hid or showed is told as that."""
        said: list[str] = []
        told: set[tuple[str, str]] = set()
        for context, now in self.now.rules.items():
            there = partial(self.e.there, context)
            own = [change for change in files if change.context == context]
            turned = ignoring.turned(own, then.rules.get(context, Rules()), now, there)
            if turned.sentence:
                said.append(turned.sentence + (f" of {context}" if context else ""))
                told |= {(context, path) for path in (turned.file, *turned.hidden, *turned.shown)}
        rest = [change for change in files if (change.context, change.path) not in told and not _is_folder(change)]
        if not said:
            return f"{_count(files)} changed"
        return ", and ".join([*said, *([_count(rest, "other ") + " changed"] if rest else [])])

    def differing(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> tuple[FileChange, ...]:
        """The files of the contexts that a step reads and that are not as they were."""
        changes: list[FileChange] = []
        mine, theirs = self.now.contents[step.operation], found.build.contents[found.step.operation]
        for number, each in enumerate(one.inputs):
            source = self.now.operations.all[each.operation]
            if not each.selected or source.kind is not Kind.LOCAL:
                continue
            if number < len(theirs) and mine[number] == theirs[number]:
                continue
            before = two.inputs[number].selected if number < len(two.inputs) else ()
            selected = tuple(dict.fromkeys((*each.selected, *before)))
            changes += self.e.changes(found.build, source.value("name"), selected)
        return tuple(dict.fromkeys(changes))

    def _stage(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        for number, each in enumerate(one.inputs):
            if not stage_input(self.now.operations, step.operation, number) or number >= len(two.inputs):
                continue
            if self.now.keys[each.operation] == found.build.keys[two.inputs[number].operation]:
                continue
            source = self.now.operations.all[each.operation]
            if source.kind is Kind.REMOTE:
                named = variables.in_text(self.now, step.stage, found.build, found.step.stage, step.text)
                if named:
                    return _of_variable(step, named, found.build.number)
                return root(step, CauseKind.REMOTE_CHANGED, f"{address([source])} gives something else.",
                             against=found.build.number)  # fmt: skip
            if source.kind is Kind.IMAGE:
                return self._copied(step, each.operation, found, two.inputs[number].operation)
            ran = self.ran_in(each.operation)
            if ran:
                return Cause(
                    CauseKind.STAGE_OUTPUT_CHANGED, self.found[ran.id].root,
                    f"It reads other bytes of {ran.stage} than in build {found.build.number}.",
                    against=found.build.number,
                )  # fmt: skip
            return root(
                step, CauseKind.STAGE_OUTPUT_CHANGED, "The stage that it reads is not as it was.",
                against=found.build.number,
            )  # fmt: skip
        return None

    def _platforms(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        if one.platform == two.platform:
            return None
        return self._built_for(step, two.platform, one.platform, found.build.number)

    def _built_for(self, step: StepFacts, old: str, new: str, against: int) -> Cause:
        return root(step, CauseKind.PLATFORM_CHANGED, f"It is built for {new} now.", old=old, new=new, against=against)

    def _deeper(self, step: StepFacts, found: Match) -> Cause | None:
        """What it stands on hit, but is not what it stood on then: the difference of the first such step."""
        lower = [self.step_at[at] for at in matching.chain(self.now, step.operation) if at in self.step_at]
        for each in reversed(lower):
            other = matching.match(self.now, each, [found.build])
            if other is None or self.now.keys[each.operation] == other.build.keys[other.step.operation]:
                continue
            cause = self.compared(each, other)
            if cause.kind is not CauseKind.UNKNOWN:
                return msgspec.structs.replace(cause, root=step.id, detail=f"{each.instruction}: {cause.detail}")
        return None

    def _beneath(self, step: StepFacts, found: Match) -> Cause | None:
        """What it stands on is no step of this target but of another one, and not what it was."""
        mine = {self.now.keys[at] for at in matching.chain(self.now, step.operation) if at not in self.step_at}
        if mine <= {found.build.keys[at] for at in matching.chain(found.build, found.step.operation)}:
            return None
        said = "The target that it is built on is not what it was."
        return root(step, CauseKind.BASE_IMAGE_CHANGED, said, against=found.build.number)

    def _unknown(self, step: StepFacts, found: Match) -> Cause:
        if found.build.keys[found.step.operation] in found.build.doubted:
            return root(
                step, CauseKind.FILES_CHANGED,
                f"Build {found.build.number} read its files while they changed, and not as they are now.",
                against=found.build.number,
            )  # fmt: skip
        return root(
            step, CauseKind.UNKNOWN,
            f"Compared with build {found.build.number}: instruction, files, variables, base and stages are equal.",
            against=found.build.number,
        )  # fmt: skip

    def _untied(self, step: StepFacts) -> Cause:
        return root(step, CauseKind.UNKNOWN, "Its operation is not known: the Dockerfile does not tell of this step.")

    def operation(self, step: StepFacts) -> Operation:
        return self.now.operations.all[step.operation]

    def ran_in(self, place: int) -> StepFacts | None:
        """The uppermost step that ran in the stage that ends at `place`."""
        for at in (place, *matching.chain(self.now, place)):
            other = self.step_at.get(at)
            if other and other.id in self.found:
                return other
        return None


def root(
    step: StepFacts,
    kind: CauseKind,
    detail: str,
    *,
    files: tuple[FileChange, ...] = (),
    old: str | None = None,
    new: str | None = None,
    against: int = 0,
) -> Cause:
    return Cause(kind, step.id, detail, files, old, new, against)


def _of_variable(step: StepFacts, changed: Sequence[variables.Variable], against: int) -> Cause:
    kinds = (CauseKind.ARGUMENT_CHANGED, CauseKind.PLATFORM_CHANGED, CauseKind.ENVIRONMENT_CHANGED)
    first = min(changed, key=lambda each: kinds.index(each.kind))
    more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
    word = "argument" if first.kind is CauseKind.ARGUMENT_CHANGED else "variable"
    said = f"The {word} {first.name} {_what(first.old, first.new)}{more}."
    if first.kind is CauseKind.PLATFORM_CHANGED:
        said = f"The platform is another one, and with it {first.name}{more}."
    return root(
        step, first.kind, said, old=_set(first.name, first.old), new=_set(first.name, first.new), against=against
    )


def _what(old: str | None, new: str | None) -> str:
    """What became of something that has a value."""
    return "is new" if old is None else "is gone" if new is None else "has another value"


def _set(name: str, value: str | None) -> str | None:
    return None if value is None else f"{name}={value}"


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
    for at in (place, *matching.chain(build, place)):
        if build.keys[at] == key:
            return found
        if at in steps:
            found.append(steps[at])
    return found if key is None else []


def _image(build: BuildFacts, place: int, names: Collection[str] = ()) -> str:
    """A base for people: its name (of several the one among `names`) and the beginning of its digest."""
    if place < 0:
        return SCRATCH
    operation = build.operations.all[place]
    identity = operation.value("identity")
    given = [name for name, image in build.images.items() if image.identity == identity]
    if not given:
        return operation.value("name") or identity
    return _digested(build, next((name for name in given if name in names), given[0]))


def _bases(build: BuildFacts, step: StepFacts) -> list[str]:
    """What the FROM lines name that its stage is built on."""
    return [base.name for base in variables.bases(build, step.stage)]


def _base_image(build: BuildFacts, step: StepFacts) -> str:
    """The image that its stage is built on in the end, for people."""
    return next((_digested(build, name) for name in reversed(_bases(build, step))), "")


def _digested(build: BuildFacts, name: str) -> str:
    image = build.images.get(name)
    return f"{name}@{(image.digest or image.identity).removeprefix('sha256:')[:12]}" if image else name


def address(sources: Sequence[Operation]) -> str:
    """What is fetched, for people."""
    found = list(dict.fromkeys(each.value("identity") for each in sources if each.kind is Kind.REMOTE))
    return f"one of {', '.join(found)}" if len(found) > 1 else found[0] if found else "the address"


def _count(changes: Sequence[FileChange], which: str = "") -> str:
    number = len(dict.fromkeys(change.path for change in changes))
    return f"1 {which}file" if number == 1 else f"{number:,} {which}files" if number else "What it reads"


def _is_folder(change: FileChange) -> bool:
    return FOLDER in (change.old, change.new) and change.change is not Alteration.KIND


def _first_change(one: Operation, other: Operation) -> str:
    theirs = dict(other.own)
    return next((value for name, value in one.own if theirs.get(name) != value), "")


def _heredocs(build: BuildFacts, operation: Operation) -> list[tuple[tuple[str, str], ...]]:
    """What the heredocs of a COPY hold, variables filled in."""
    sources = [build.operations.all[each.operation] for each in operation.inputs if each.selected]
    return [each.own for each in sources if each.kind is Kind.FILE and not each.inputs]


def _words(operation: Operation) -> list[str]:
    try:
        found = json.loads(operation.value("args"))
    except ValueError:
        return []
    return [str(word) for word in found] if isinstance(found, list) else []


def _shell(operation: Operation) -> str:
    return " ".join(_words(operation)[:-1])


def _script(operation: Operation) -> str:
    return (_words(operation) or [""])[-1]
