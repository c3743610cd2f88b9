"""Why each step missed: one cause a step, one root a chain.

Pure. Every step that ran is compared with the nearest earlier build that had it (`matching.py`): what it was put on,
what it is, which files and stages it read. What differs first is the cause.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from hitmiss.build.model import Cause, CauseKind, FileChange
from hitmiss.cache import matching, variables
from hitmiss.cache.facts import BuildFacts, Key, Known, StepFacts
from hitmiss.cache.keys import stage_input
from hitmiss.cache.matching import Match
from hitmiss.cache.operations import Kind, Operation, Selected
from hitmiss.cache.plan import Request

Changes = Callable[[BuildFacts, str, tuple[Selected, ...]], tuple[FileChange, ...]]
"""An earlier build, a context, what is read of it → what differs there now."""


_RIVALS = 6
"""So many equally near builds are compared file by file."""


class Evidence(msgspec.Struct, frozen=True):
    """What the causes are found from.

    `now` is the build to explain (or one that is planned), `ran` the ids of its steps that ran (or will), `past`
    earlier builds of the project on this builder, the latest first. `known` are the keys seen on the builder before
    it, `elsewhere` says that the project was built on another builder.
    """

    now: BuildFacts
    ran: Collection[str]
    past: Sequence[BuildFacts]
    known: Mapping[Key, Known]
    changes: Changes
    request: Request = Request()
    elsewhere: bool = False


def causes(evidence: Evidence) -> dict[str, Cause]:
    """The cause of every step that ran, by the step's id."""
    return _Explainer(evidence).all()


class _Explainer:
    def __init__(self, evidence: Evidence) -> None:
        self.e = evidence
        self.now = evidence.now
        self.found: dict[str, Cause] = {}
        self.step_at = {step.operation: step for step in self.now.steps if step.operation >= 0}

    def all(self) -> dict[str, Cause]:
        for step in sorted(self.now.steps, key=lambda step: step.operation):
            if step.id in self.e.ran:
                self.found[step.id] = self._cause(step) if step.operation >= 0 else self._untied(step)
        return self._counted()

    # The order in which causes are looked for

    def _cause(self, step: StepFacts) -> Cause:
        if self.e.request.includes(step.stage):
            how = "--no-cache" if self.e.request.everything else f"--no-cache-filter {step.stage}"
            return _root(step, CauseKind.NO_CACHE, f"{how} asked for it.")
        above = self._missed_above(step)
        if self.now.keys[step.operation] in self.e.known:
            return self._known_before(step, above)
        found = self._nearest(step)
        if above and self.found[above.id].kind is not CauseKind.FIRST_BUILD:
            return self._parent(step, above, found)
        if found is None:
            return self._new(step, above)
        return self._compared(step, found)

    def _nearest(self, step: StepFacts) -> Match | None:
        """What a step is compared with: of builds that are equally near, the one with the fewest files that differ."""
        rivals = matching.matches(self.now, step, self.e.past)
        distinct = {each.build.contents[each.step.operation]: each for each in reversed(rivals)}
        if len(distinct) < 2:
            return next(iter(rivals), None)
        one = self._operation(step)

        def differing(found: Match) -> int:
            two = found.build.operations.all[found.step.operation]
            return len(self._differing(step, found, one, two))

        latest = sorted(distinct.values(), key=lambda each: -each.build.number)
        return min(latest[:_RIVALS], key=differing)

    def _known_before(self, step: StepFacts, above: StepFacts | None) -> Cause:
        """Nothing it depends on is new, and yet it ran."""
        number = self.e.known[self.now.keys[step.operation]].number
        operation = self._operation(step)
        reads = [self.now.operations.all[each.operation] for each in operation.inputs]
        if above and self._beyond_keys(above):
            return self._parent(step, above, None)
        if any(each.kind is Kind.REMOTE for each in reads):
            return _root(
                step, CauseKind.REMOTE_CHANGED,
                f"What {_address(reads)} gives is not what it gave in build {number}.", against=number,
            )  # fmt: skip
        for source in self._stages_that_ran(step):
            if self._beyond_keys(source):
                root = self.found[source.id].root
                return Cause(
                    CauseKind.STAGE_OUTPUT_CHANGED, root, f"It reads other bytes of {source.stage}.", against=number
                )
        return _root(
            step, CauseKind.EVICTED,
            f"Same inputs as build {number}, whose result is gone from the cache: pruned or collected.",
            against=number,
        )  # fmt: skip

    def _new(self, step: StepFacts, above: StepFacts | None) -> Cause:
        """No earlier build had this step, as it is or edited."""
        past = self.e.past
        tried = [build for build in past if any(_is_same(each, step) for each in build.steps)]
        if tried:
            # A step that failed and is tried again is still what it was edited into then.
            before = matching.match(self.now, step, [build for build in past if build not in tried])
            if before:
                return self._compared(step, before)
            number = tried[0].number
            return _root(step, CauseKind.FIRST_BUILD, f"It never ran to its end: see build {number}.", against=number)
        if past and step.platform and not any(step.platform == each.platform for b in past for each in b.steps):
            return self._platform(step, above)
        then = matching.nearest(self.now, past, step.stage, step.platform)
        if then is None:
            elsewhere = " It was built on another builder." if self.e.elsewhere and not past else ""
            return _root(step, CauseKind.FIRST_BUILD, f"It was never built on this builder.{elsewhere}")
        return _root(
            step, CauseKind.STEP_INSERTED, f"It is new since build {then.number}.", new=step.text, against=then.number
        )

    def _platform(self, step: StepFacts, above: StepFacts | None) -> Cause:
        if above:
            return self._parent(step, above, None)
        before = ", ".join(dict.fromkeys(p for build in self.e.past[:1] for p in build.platforms))
        return _root(
            step, CauseKind.PLATFORM_CHANGED, f"It was never built for {step.platform}.", old=before or None,
            new=step.platform,
        )  # fmt: skip

    def _compared(self, step: StepFacts, found: Match) -> Cause:
        """The first difference between the step and its counterpart."""
        one, two = self._operation(step), found.build.operations.all[found.step.operation]
        return (
            self._base(step, found)
            or self._edited(step, found)
            or self._position(step, found)
            or self._instruction(step, found, one, two)
            or self._environment(step, found, one, two)
            or self._files(step, found, one, two)
            or self._stage(step, found, one, two)
            or self._platforms(step, found, one, two)
            or self._deeper(step, found)
            or self._unknown(step, found)
        )

    # One kind of difference each; None where it is not that

    def _parent(self, step: StepFacts, above: StepFacts, found: Match | None) -> Cause:
        cause = self.found[above.id]
        through = (*cause.through, *((above.id,) if above.id != cause.root else ()))
        also = ""
        if found:
            one, two = self._operation(step), found.build.operations.all[found.step.operation]
            own = (
                self._edited(step, found)
                or self._environment(step, found, one, two)
                or self._files(step, found, one, two)
            )
            also = f" By itself it would have run too: {own.detail}" if own else ""
        root = next((each for each in self.now.steps if each.id == cause.root), above)
        return Cause(
            CauseKind.PARENT_MISSED, cause.root, f"{root.instruction} ran.{also}", against=cause.against,
            through=through,
        )  # fmt: skip

    def _base(self, step: StepFacts, found: Match) -> Cause | None:
        mine, theirs = matching.base_of(self.now, step.operation), matching.base_of(found.build, found.step.operation)
        if mine < 0 or theirs < 0 or self.now.keys[mine] == found.build.keys[theirs]:
            return None
        new, old = _image(self.now, mine), _image(found.build, theirs)
        if self.now.operations.all[mine].kind is not Kind.IMAGE and new == old:
            return None
        here, there = self.now.operations.all[mine].platform, found.build.operations.all[theirs].platform
        if here != there:
            return self._built_for(step, there, here, found.build.number)
        return _root(
            step, CauseKind.BASE_IMAGE_CHANGED, "The base image is another one.", old=old, new=new,
            against=found.build.number,
        )  # fmt: skip

    def _edited(self, step: StepFacts, found: Match) -> Cause | None:
        if not found.edited and step.text == found.step.text:
            return None
        return _root(
            step, CauseKind.INSTRUCTION_CHANGED, "The instruction was edited.", old=found.step.text, new=step.text,
            against=found.build.number,
        )  # fmt: skip

    def _instruction(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        """Text that is the same, and means something else."""
        against = found.build.number
        if one.kind is not Kind.EXEC and one.own != two.own:
            named = variables.in_text(self.now, step.stage, found.build, found.step.stage, step.text)
            if named:
                return _of_variable(step, named, against)
            return _root(
                step, CauseKind.INSTRUCTION_CHANGED, "What it does was edited.", old=_first_change(two, one),
                new=_first_change(one, two), against=against,
            )  # fmt: skip
        if one.kind is Kind.EXEC and one.value("args") != two.value("args"):
            shell, before = _shell(one), _shell(two)
            if shell != before:
                return _root(step, CauseKind.ENVIRONMENT_CHANGED, "SHELL is another one.", old=before, new=shell,
                             against=against)  # fmt: skip
            return _root(
                step, CauseKind.INSTRUCTION_CHANGED, "Its script was edited.", old=_script(two), new=_script(one),
                against=against,
            )  # fmt: skip
        return None

    def _position(self, step: StepFacts, found: Match) -> Cause | None:
        """Whether a step above it is gone, or a known one came between."""
        mine, theirs = matching.below(self.now, step.operation), matching.below(found.build, found.step.operation)
        if mine < 0 or theirs < 0 or self.now.keys[mine] == found.build.keys[theirs]:
            return None
        if gone := _between(found.build, theirs, self.now.keys[mine]):
            text = gone[-1].text
            return _root(step, CauseKind.STEP_REMOVED, "A step above it is gone.", old=text, against=found.build.number)
        if come := _between(self.now, mine, found.build.keys[theirs]):
            text = come[-1].text
            return _root(step, CauseKind.STEP_INSERTED, "A step above it is new.", new=text, against=found.build.number)
        return None

    def _environment(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        if one.own == two.own or one.kind is not Kind.EXEC:
            return None
        against = found.build.number
        changed = variables.in_environment(
            self.now, step.stage, one.environment, found.build, found.step.stage, two.environment
        )
        if changed:
            return _of_variable(step, changed, against)
        if one.environment == two.environment and one.value("order") != two.value("order"):
            return _root(
                step, CauseKind.ENVIRONMENT_CHANGED, "Its variables are set in another order.",
                old=two.value("order"), new=one.value("order"), against=against,
            )  # fmt: skip
        for name, shown in (("cwd", "WORKDIR"), ("user", "USER")):
            if one.value(name) != two.value(name):
                return _root(
                    step, CauseKind.ENVIRONMENT_CHANGED, f"{shown} above it is another one.",
                    old=two.value(name) or "root", new=one.value(name) or "root", against=against,
                )  # fmt: skip
        named = variables.in_text(self.now, step.stage, found.build, found.step.stage, step.text)
        if named:
            return _of_variable(step, named, against)
        return _root(
            step, CauseKind.INSTRUCTION_CHANGED, "What it does was edited.", old=_first_change(two, one),
            new=_first_change(one, two), against=against,
        )  # fmt: skip

    def _files(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        mine, theirs = self.now.contents[step.operation], found.build.contents[found.step.operation]
        if all(new == old for new, old in zip(mine, theirs, strict=False)):
            return None
        files = self._differing(step, found, one, two)
        return _root(
            step, CauseKind.FILES_CHANGED, f"{_count(files)} changed since build {found.build.number}.", files=files,
            against=found.build.number,
        )  # fmt: skip

    def _differing(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> tuple[FileChange, ...]:
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
                return _root(step, CauseKind.REMOTE_CHANGED, f"{_address([source])} gives something else.",
                             against=found.build.number)  # fmt: skip
            if source.kind is Kind.IMAGE:
                return _root(
                    step, CauseKind.BASE_IMAGE_CHANGED, "The image that it copies from is another one.",
                    old=_image(found.build, two.inputs[number].operation), new=_image(self.now, each.operation),
                    against=found.build.number,
                )  # fmt: skip
            ran = self._ran_in(each.operation)
            if ran:
                return Cause(
                    CauseKind.STAGE_OUTPUT_CHANGED, self.found[ran.id].root,
                    f"It reads other bytes of {ran.stage} than in build {found.build.number}.",
                    against=found.build.number,
                )  # fmt: skip
            return _root(
                step, CauseKind.STAGE_OUTPUT_CHANGED, "The stage that it reads is not as it was.",
                against=found.build.number,
            )  # fmt: skip
        return None

    def _platforms(self, step: StepFacts, found: Match, one: Operation, two: Operation) -> Cause | None:
        if one.platform == two.platform:
            return None
        return self._built_for(step, two.platform, one.platform, found.build.number)

    def _built_for(self, step: StepFacts, old: str, new: str, against: int) -> Cause:
        return _root(
            step, CauseKind.PLATFORM_CHANGED, f"It is built for {new} now.", old=old, new=new, against=against
        )

    def _deeper(self, step: StepFacts, found: Match) -> Cause | None:
        """What it stands on hit, but is not what it stood on then: the difference of the first such step."""
        lower = [self.step_at[at] for at in matching.chain(self.now, step.operation) if at in self.step_at]
        for each in reversed(lower):
            other = matching.match(self.now, each, [found.build])
            if other is None or self.now.keys[each.operation] == other.build.keys[other.step.operation]:
                continue
            cause = self._compared(each, other)
            if cause.kind is not CauseKind.UNKNOWN:
                return msgspec.structs.replace(cause, root=step.id, detail=f"{each.instruction}: {cause.detail}")
        return None

    def _unknown(self, step: StepFacts, found: Match) -> Cause:
        return _root(
            step, CauseKind.UNKNOWN,
            f"Compared with build {found.build.number}: instruction, files, variables, base and stages are equal.",
            against=found.build.number,
        )  # fmt: skip

    def _untied(self, step: StepFacts) -> Cause:
        return _root(step, CauseKind.UNKNOWN, "Its operation is not known: the Dockerfile does not tell of this step.")

    # The way through the operations

    def _operation(self, step: StepFacts) -> Operation:
        return self.now.operations.all[step.operation]

    def _beyond_keys(self, step: StepFacts) -> bool:
        """Whether a chain began with what no key can tell: somebody asked for it, or a URL gave something else."""
        root = self.found.get(self.found[step.id].root)
        return root is not None and root.kind in (CauseKind.NO_CACHE, CauseKind.REMOTE_CHANGED)

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

    def _ran_in(self, place: int) -> StepFacts | None:
        """The uppermost step that ran in the stage that ends at `place`."""
        for at in (place, *matching.chain(self.now, place)):
            other = self.step_at.get(at)
            if other and other.id in self.found:
                return other
        return None

    def _stages_that_ran(self, step: StepFacts) -> list[StepFacts]:
        found = [
            self._ran_in(each.operation)
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


def _is_same(one: StepFacts, other: StepFacts) -> bool:
    return (one.stage, one.platform, one.text) == (other.stage, other.platform, other.text)


def _root(
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
    first = next((each for each in changed if each.kind is CauseKind.ARGUMENT_CHANGED), changed[0])
    word = "argument" if first.kind is CauseKind.ARGUMENT_CHANGED else "variable"
    more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
    what = "is new" if first.old is None else "is gone" if first.new is None else "has another value"
    return _root(
        step, first.kind, f"The {word} {first.name} {what}{more}.", old=_set(first.name, first.old),
        new=_set(first.name, first.new), against=against,
    )  # fmt: skip


def _set(name: str, value: str | None) -> str | None:
    return None if value is None else f"{name}={value}"


def _between(build: BuildFacts, place: int, key: Key) -> list[StepFacts]:
    """The steps from `place` down to the operation of that key, the uppermost first; none where it is not below."""
    steps = {each.operation: each for each in build.steps}
    found: list[StepFacts] = []
    for at in (place, *matching.chain(build, place)):
        if build.keys[at] == key:
            return found
        if at in steps:
            found.append(steps[at])
    return []


def _image(build: BuildFacts, place: int) -> str:
    """A base for people: its name and the beginning of its digest."""
    operation = build.operations.all[place]
    name = operation.value("name") or operation.value("identity")
    for given, image in build.images.items():
        if image.identity == operation.value("identity"):
            digest = (image.digest or image.identity).removeprefix("sha256:")[:12]
            return f"{given}@{digest}"
    return name


def _address(sources: Sequence[Operation]) -> str:
    return next((each.value("identity") for each in sources if each.kind is Kind.REMOTE), "the address")


def _count(changes: Sequence[FileChange]) -> str:
    number = len(dict.fromkeys(change.path for change in changes))
    return "1 file" if number == 1 else f"{number:,} files" if number else "What it reads"


def _first_change(one: Operation, other: Operation) -> str:
    theirs = dict(other.own)
    return next((value for name, value in one.own if theirs.get(name) != value), "")


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
