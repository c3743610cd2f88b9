"""A step and the same step of an earlier build: what one comparison looks at, and how it says what it found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hitmiss.build.model import Cause, CauseKind, FileChange
from hitmiss.cache import variables
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.operations import Operation


class Pair(msgspec.Struct, frozen=True):
    """A step of `now`, and the step of `then` that it is compared with; `edited` says that its text is another one.

    In what follows the first of two things is the one of now, as `one` is before `two`.
    """

    now: BuildFacts
    step: StepFacts
    then: BuildFacts
    before: StepFacts
    edited: bool = False

    @property
    def one(self) -> Operation:
        """What the step does."""
        return self.now.operations.all[self.step.operation]

    @property
    def two(self) -> Operation:
        """What it did then."""
        return self.then.operations.all[self.before.operation]

    @property
    def contents(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """What it reads and what it read, input by input (`BuildFacts.contents`)."""
        return self.now.contents[self.step.operation], self.then.contents[self.before.operation]

    def variables_in(self, text: str) -> list[variables.Variable]:
        """The variables that are named in a text of its stage and are not what they were."""
        return variables.in_text(self.now, self.step, self.then, self.before, text)

    def cause(
        self,
        kind: CauseKind,
        detail: str,
        *,
        files: tuple[FileChange, ...] = (),
        old: str | None = None,
        new: str | None = None,
    ) -> Cause:
        """The cause that begins with this step, found by this comparison."""
        return root(self.step, kind, detail, files=files, old=old, new=new, against=self.then.number)

    def by_variable(self, changed: Sequence[variables.Variable]) -> Cause:
        """The cause that one of these variables is; an argument goes before what the platform or an ENV sets."""
        kinds = (CauseKind.ARGUMENT_CHANGED, CauseKind.PLATFORM_CHANGED, CauseKind.ENVIRONMENT_CHANGED)
        first = min(changed, key=lambda each: kinds.index(each.kind))
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        word = "argument" if first.kind is CauseKind.ARGUMENT_CHANGED else "variable"
        said = f"The {word} {first.name} {became(first.old, first.new)}{more}."
        if first.kind is CauseKind.PLATFORM_CHANGED:
            said = f"The platform is another one, and with it {first.name}{more}."
        return self.cause(first.kind, said, old=assigned(first.name, first.old), new=assigned(first.name, first.new))


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
    """A cause that begins with a step; `against` is the number of the build that it was compared with."""
    return Cause(kind, step.id, detail, files, old, new, against)


def became(old: str | None, new: str | None) -> str:
    """What became of something that has a value."""
    return "is new" if old is None else "is gone" if new is None else "has another value"


def assigned(name: str, value: str | None) -> str | None:
    """`NAME=value`; None where there is no value."""
    return None if value is None else f"{name}={value}"
