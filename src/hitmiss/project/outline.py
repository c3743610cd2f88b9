"""Which stages a target needs and which steps BuildKit will show for them, known before any build starts.

Pure: it reads no file and starts no process. The rules are those of BuildKit's `dockerfile2llb`;
`tests/engine/test_outline.py` holds them against a real engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hitmiss.project import platforms as names
from hitmiss.project.dockerfile import Dockerfile
from hitmiss.project.mounts import mounts_of
from hitmiss.project.operations import Key, Operation, Pass, Question, full_name, stream_platform
from hitmiss.project.scope import Scope
from hitmiss.project.stages import Command
from hitmiss.project.syntax import Instruction, heredoc_word
from hitmiss.project.words import SPACE, WordError


@dataclass(frozen=True, slots=True)
class StepOutline:
    """One step that BuildKit will show.

    `index` and `of` are BuildKit's own numbers (from 1). `instruction` is the text after the brackets of the stream's
    name as far as the Dockerfile decides it: variables that come from the base image stay as written, and a FROM
    lacks the digest that the stream appends. `text` is the line as written (continuations joined, with the bodies of
    its heredocs), `start` and `end` its lines from 1, both included. `platform` is what the stream prints before the
    stage ("" unless several platforms are built). `names` are the names under which the stream may show the step,
    likeliest first: steps that are the same work come once, under one of their names. `lines` are the lines (start,
    end) of those other steps.
    """

    stage: str
    index: int
    of: int
    instruction: str
    text: str
    start: int
    end: int
    keyword: str
    platform: str = ""
    names: tuple[str, ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    told: str = ""
    """`instruction` with the variables whose names look secret as written; "" where there are none in it."""


@dataclass(frozen=True, slots=True)
class StageOutline:
    """One stage that the target needs; it may have no step of its own.

    `name` is the stage's name or `stage-N`. `shown` is what the stream puts between the brackets: the same, or ""
    where BuildKit leaves the name out (one stage only, and nothing named by a `--from` or `--mount`). `index` is the
    stage's place in the file from 0, `platform` the platform it is built for ("" unless several are), `needs` the
    names of the stages it reads directly.
    """

    name: str
    shown: str
    index: int
    platform: str
    start: int
    end: int
    steps: tuple[StepOutline, ...]
    needs: tuple[str, ...] = ()


def steps_of(
    dockerfile: Dockerfile,
    target: str = "",
    build_args: Mapping[str, str] | None = None,
    platforms: Sequence[str] = (),
    contexts: Mapping[str, str] | None = None,
    *,
    build_platform: str = "",
    triggers: Mapping[str, Sequence[str]] | None = None,
) -> tuple[StageOutline, ...]:
    """The stages that `target` needs ("" is the last one) in Dockerfile order, which is an order of dependencies.

    `contexts` are the named contexts as given (name → value), `triggers` the ONBUILD lines of base images by the name
    in FROM. With two or more `platforms` there is one outline a stage and platform; a step that several share is
    under the first of them. Raises `UsageError` for an unknown target, `DockerfileError` for what BuildKit refuses.
    """
    question = Question(dockerfile, target, build_args or {}, contexts or {}, triggers or {}, build_platform)
    wanted = tuple(dict.fromkeys(names.shown(platform) for platform in platforms)) or (build_platform,)
    several = len(wanted) > 1
    keys: dict[object, Key] = {}
    passes = [Pass(question, platform, keys) for platform in wanted]
    shared = _shared(passes)
    out: list[StageOutline] = []
    for run in passes:
        out += _stages(run, shared, several)
    return tuple(out)


def _shared(passes: Sequence[Pass]) -> dict[Key, list[tuple[Pass, Operation]]]:
    """The operations that run, by key, the one whose name BuildKit shows first.

    Within a platform the one met last gives the name; between platforms it is a race, the first wins here.
    """
    found: dict[Key, list[tuple[Pass, Operation]]] = {}
    for run in passes:
        own: dict[Key, list[tuple[Pass, Operation]]] = {}
        for operation in run.in_order():
            own.setdefault(operation.key, []).insert(0, (run, operation))
        for key, group in own.items():
            found.setdefault(key, []).extend(group)
    return found


def _stages(run: Pass, shared: Mapping[Key, list[tuple[Pass, Operation]]], several: bool) -> list[StageOutline]:
    found: list[StageOutline] = []
    for state in run.graph.needed:
        stage = state.stage
        if stage is None or state.replaced:
            continue
        steps: list[StepOutline] = []
        for operation in run.operations[state]:
            group = [each for each in shared.get(operation.key, ()) if each[1].instruction]
            if operation.index and group and operation is next((o for _, o in group if o.index), None):
                steps.append(_step(operation, shared[operation.key], several))
        runs = any(operation.key in shared for operation in run.operations[state])
        if steps or not (runs or run.operations[state]):
            needs = dict.fromkeys(other.name for other in state.needs() if other.stage and other is not state)
            found.append(
                StageOutline(
                    state.name, "" if run.graph.alone else state.name, stage.index, run.platform if several else "",
                    stage.start, stage.end, tuple(steps), tuple(needs),
                )
            )  # fmt: skip
    return found


def _step(operation: Operation, group: Sequence[tuple[Pass, Operation]], several: bool) -> StepOutline:
    instruction = operation.instruction
    assert instruction is not None
    titles = dict.fromkeys(_title(run, each, several) for run, each in group)
    others = dict.fromkeys((each.instruction.start, each.instruction.end) for _, each in group if each.instruction)
    others.pop((instruction.start, instruction.end), None)
    return StepOutline(
        operation.state.name, operation.index, operation.of, _text(operation), _written(instruction),
        instruction.start, instruction.end, instruction.keyword, stream_platform(operation) if several else "",
        tuple(titles), tuple(others), _told(operation),
    )  # fmt: skip


def _written(instruction: Instruction) -> str:
    bodies = "".join(f"\n{doc.content}{doc.name}" for doc in instruction.heredocs)
    return instruction.original.strip(SPACE) + bodies


def _title(run: Pass, operation: Operation, several: bool) -> str:
    """A step's whole name in the stream."""
    if not operation.index:
        return _text(operation)
    width = len(str(operation.of))
    place = (
        stream_platform(operation) if several else "",
        "" if run.graph.alone else operation.state.name,
        f"{operation.index:{width}}/{operation.of}",
    )
    return f"[{' '.join(filter(None, place))}] {_text(operation)}"


def _text(operation: Operation) -> str:
    if operation.command and operation.scope:
        return _name(operation.command, operation.scope)
    return f"FROM {full_name(operation.state.base_name)}"


def _told(operation: Operation) -> str:
    """The step's name for people, where BuildKit's holds the value of a credential."""
    if not operation.command or not operation.scope:
        return ""
    hidden = operation.scope.credentials()
    text = _name(operation.command, operation.scope, hidden) if hidden else ""
    return text if text != _text(operation) else ""


def _name(command: Command, scope: Scope, hidden: Collection[str] = ()) -> str:
    """A step's name as BuildKit makes it: variables filled in but those that are `hidden`, keyword in capitals."""
    instruction = command.instruction
    text = instruction.original.strip(SPACE)
    extra: dict[str, str] = {}
    if instruction.keyword == "RUN":
        if instruction.heredocs and instruction.args and heredoc_word(instruction.args[0]):
            text += f" ({_summary(instruction.heredocs[0].content)})"
        extra = {mount.env: "****" for mount in mounts_of(instruction) if mount.kind == "secret" and mount.env}
    with suppress(WordError):
        raw = instruction.keyword == "RUN"
        filled = scope.without(text, hidden, raw=raw, extra=extra) if hidden else None
        text = scope.fill(text, raw=raw, extra=extra).text if filled is None else filled
    keyword, sep, rest = text.partition(" ")
    return ("ONBUILD " if command.triggered else "") + keyword.upper() + sep + rest


def _summary(content: str) -> str:
    lines = content.strip(SPACE).replace("\r\n", "\n").split("\n")
    return lines[0] + ("..." if len(lines) > 1 else "")
