"""Which stages an image is made of: the target's own, and those that it is built on. Pure."""

from __future__ import annotations

from hitmiss.errors import UsageError
from hitmiss.project.operations import Pass, Question
from hitmiss.project.stages import State
from hitmiss.project.syntax import DockerfileError


def lineage(question: Question, platform: str = "") -> tuple[str, ...]:
    """The names of the stages whose steps made the target's files, from the base to the target.

    A stage that is what another target puts out is not among them, nor is one that is only copied from.
    """
    try:
        state: State | None = Pass(question, platform or question.build_platform, {}).graph.target
    except (DockerfileError, UsageError):
        return ()
    found: list[str] = []
    while state is not None and state.stage is not None and not state.replaced:
        found.append(state.name)
        state = state.base
    return tuple(reversed(found))
