"""Which files the steps of a target read: what a changed path can reach.

Pure: a Dockerfile and options in, answers out; it never looks at the disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hitmiss.project.dockerfile import Dockerfile

MAIN = ""
"""The main context's name; every other name is that of a named context."""


@dataclass(frozen=True, slots=True)
class StepRef:
    """A step, named as BuildKit names it: stage (`stage-N` when unnamed) and index."""

    stage: str
    index: int
    start: int


class Reach:
    """What the steps of one target read of each context."""

    everything: bool

    def reads(self, context: str, path: str) -> bool:
        """Whether a change of `path` (relative to `context`, posix; a file, a folder, or gone) can reach a step."""
        raise NotImplementedError

    def steps_reading(self, context: str, path: str) -> tuple[StepRef, ...]:
        """The steps that a change of `path` can reach, in the order of the outline."""
        raise NotImplementedError


def reach_of(
    dockerfile: Dockerfile | None,
    target: str = "",
    build_args: Mapping[str, str] | None = None,
    contexts: Mapping[str, str] | None = None,
    platforms: Sequence[str] = (),
) -> Reach:
    """The reach of `target`; of everything when `dockerfile` is None (it does not parse) or the target is unknown."""
    raise NotImplementedError
