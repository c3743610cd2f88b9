"""The build arguments that a Dockerfile knows: where they are declared, and what they are when nobody sets them.

Pure. Those count that can matter to the target: the ones before the first FROM, and those of the stages it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import Dockerfile, DockerfileError, parse
from hitmiss.project.lineage import lineage
from hitmiss.project.operations import Pass, Question
from hitmiss.project.scope import declared, platform_values
from hitmiss.project.syntax import Instruction
from hitmiss.settings import looks_secret

_AUTOMATIC = frozenset(platform_values("", "", "", {}))
_EXPOSED = re.compile(
    r"(?:^|_)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
"""Names that BuildKit's own check calls sensitive (`frontend/dockerfile/linter`, SecretsUsedInArgOrEnv)."""
_CHECK = "SecretsUsedInArgOrEnv"


class Argument(msgspec.Struct, frozen=True):
    """One argument by its name.

    `default` is what it is when nobody sets it, with what it refers to filled in as far as that is known (None: not
    set at all); `line` is that of its first ARG, `stages` are the needed stages that declare it, "" for the head of the
    Dockerfile. An `automatic` one is set by BuildKit.
    """

    name: str
    default: str | None = None
    line: int = 0
    stages: tuple[str, ...] = ()
    automatic: bool = False

    @property
    def secret(self) -> bool:
        """Whether its value is nobody's business."""
        return looks_secret(self.name)


def arguments_of(question: Question) -> tuple[Argument, ...]:
    """The arguments that matter to what `question` builds, in the Dockerfile's order; none where it cannot be built."""
    unset = Question(
        question.dockerfile,
        question.target,
        {},
        question.contexts,
        question.triggers,
        question.build_platform,
        question.bases,
        question.around,
        question.linked,
    )
    try:
        run = Pass(question, question.build_platform, {})
        defaults = _defaults(unset)
    except (UsageError, DockerfileError):
        return ()
    found: dict[str, Argument] = {}
    for stage, instruction in _declarations(question.dockerfile, run):
        for name, _ in declared(instruction):
            known = found.get(name) or Argument(
                name, defaults.get(name), instruction.start, automatic=name in _AUTOMATIC
            )
            found[name] = msgspec.structs.replace(known, stages=tuple(dict.fromkeys((*known.stages, stage))))
    return tuple(sorted(found.values(), key=lambda each: each.line))


def arguments_in(text: str) -> tuple[Argument, ...]:
    """The arguments of a whole Dockerfile that cannot be built as it is: one may be missing a value."""
    try:
        dockerfile = parse(text)
    except DockerfileError:
        return ()
    found: dict[str, Argument] = {}
    places = [("", dockerfile.arguments), *((stage.shown, stage.instructions) for stage in dockerfile.stages)]
    for stage, instructions in places:
        for instruction in (each for each in instructions if each.keyword == "ARG"):
            for name, default in declared(instruction):
                known = found.get(name) or Argument(name, line=instruction.start, automatic=name in _AUTOMATIC)
                found[name] = msgspec.structs.replace(
                    known,
                    default=default if known.default is None else known.default,
                    stages=tuple(dict.fromkeys((*known.stages, stage))),
                )
    return tuple(found.values())


def exposed(question: Question) -> tuple[Argument, ...]:
    """The arguments that look like credentials and have a value: a build keeps it where others can read it.

    None where the Dockerfile says that it is known (`# check=skip=…`).
    """
    skipped = [value for name, value in question.dockerfile.directives if name.lower() == "check"]
    if any("skip=all" in value or _CHECK in value for value in skipped):
        return ()
    given = question.build_args
    return tuple(
        each
        for each in arguments_of(question)
        if _EXPOSED.search(each.name) and each.secret and given.get(each.name, each.default)
    )


def in_image(question: Question, argument: Argument) -> bool:
    """Whether the image itself tells of an argument: it does for its own stage and those that this one stands on, not
    for a stage that is only copied from.
    """
    inside = lineage(question)
    return any(stage in inside for stage in argument.stages)


def _defaults(unset: Question) -> dict[str, str | None]:
    """Name → what it is where nothing is given: what the head of the Dockerfile says, else the first stage's word."""
    found: dict[str, str | None] = {}
    run = Pass(unset, unset.build_platform, {})
    for stage, instruction in _declarations(unset.dockerfile, run):
        for name, written in declared(instruction):
            if found.get(name) is not None or written is None:
                continue
            known = run.values.get(name) if not stage else _in_stage(run, stage, name)
            found[name] = written if known is None else known
    return found


def _in_stage(run: Pass, stage: str, name: str) -> str | None:
    return next((run.scopes[state].env.get(name) for state in run.graph.needed if state.name == stage), None)


def _declarations(dockerfile: Dockerfile, run: Pass) -> Iterator[tuple[str, Instruction]]:
    """Every ARG that counts, with the stage that it stands in."""
    for instruction in dockerfile.arguments:
        yield "", instruction
    needed = {state.stage.index for state in run.graph.needed if state.stage and not state.replaced}
    for stage in dockerfile.stages:
        if stage.index in needed:
            for instruction in stage.instructions:
                if instruction.keyword == "ARG":
                    yield stage.shown, instruction
