"""Which stages a target needs and which steps BuildKit will show for them, known before any build starts.

Pure: it reads no file and starts no process. The rules are those of BuildKit's `dockerfile2llb`;
`tests/engine/test_outline.py` holds them against a real engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hitmiss.project import platforms as names
from hitmiss.project.dockerfile import Dockerfile
from hitmiss.project.mounts import mounts_of
from hitmiss.project.scope import Scope, Values, global_values, platform_values
from hitmiss.project.stages import SCRATCH, Command, Graph, State, graph_of
from hitmiss.project.syntax import Instruction, heredoc_word
from hitmiss.project.words import SPACE, WordError

_COUNTED = frozenset({"ADD", "COPY", "RUN", "WORKDIR"})


@dataclass(frozen=True, slots=True)
class StepOutline:
    """One step that BuildKit will show.

    `index` and `of` are BuildKit's own numbers (from 1). `instruction` is the text after the brackets of the stream's name as far as the
    Dockerfile decides it: variables that come from the base image stay as written, and a FROM lacks the digest that the
    stream appends. `text` is the line as written (continuations joined), `start` and `end` its lines from 1, both included.
    `platform` is what the stream prints before the stage ("" unless several platforms are built).
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


@dataclass(frozen=True, slots=True)
class StageOutline:
    """One stage that the target needs.

    `name` is the stage's name or `stage-N`. `shown` is what the stream puts between the brackets: the same, or "" where BuildKit leaves
    the name out (one stage only, and nothing named by a `--from` or `--mount`). `index` is the stage's place in the file from 0,
    `platform` the platform it is built for ("" unless several are), `needs` the names of the stages it reads directly.
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
    in FROM. With two or more `platforms` there is one outline a stage and platform; a step that two platforms share is listed
    under the first. Raises `UsageError` for an unknown target, `DockerfileError` for what BuildKit refuses.
    """
    wanted = tuple(dict.fromkeys(names.shown(platform) for platform in platforms)) or (build_platform,)
    several = len(wanted) > 1
    out: list[StageOutline] = []
    seen: set[tuple[str, str, int, str]] = set()
    for platform in wanted:
        run = _Outliner(dockerfile, target, build_args or {}, contexts or {}, triggers or {}, build_platform, platform)
        for outline in run.outlines(several):
            kept = tuple(step for step in outline.steps if (step.platform, step.stage, step.index, step.text) not in seen)
            seen.update((step.platform, step.stage, step.index, step.text) for step in outline.steps if several)
            if kept or not outline.steps:
                out.append(replace(outline, steps=kept))
    return tuple(out)


class _Outliner:
    def __init__(
        self,
        dockerfile: Dockerfile,
        target: str,
        build_args: Mapping[str, str],
        contexts: Mapping[str, str],
        triggers: Mapping[str, Sequence[str]],
        build_platform: str,
        platform: str,
    ) -> None:
        self.dockerfile = dockerfile
        self.platform = platform
        self.build_args = build_args
        stage = target or dockerfile.stages[-1].name
        automatic = platform_values(build_platform, platform, stage, build_args)
        self.values: Values = global_values(dockerfile.arguments, automatic, build_args, dockerfile.escape)
        self.graph: Graph = graph_of(dockerfile, target, self.values, contexts, triggers)
        self.scopes: dict[State, Scope] = {}
        self.at: dict[State, str] = {}

    def outlines(self, several: bool) -> list[StageOutline]:
        found: list[StageOutline] = []
        for state in self.graph.needed:
            if state.stage and not state.replaced:
                steps = self.steps(state, several)
                needs = dict.fromkeys(other.name for other in state.needs() if other.stage and other is not state)
                shown = "" if self.graph.alone else state.name
                stage = state.stage
                platform = self.platform if several else ""
                found.append(
                    StageOutline(state.name, shown, stage.index, platform, stage.start, stage.end, steps, tuple(needs))
                )
        return found

    def scope(self, state: State) -> Scope:
        if state.base and state.base in self.scopes:
            return self.scopes[state.base].child()
        if state.base_name == SCRATCH and state.context is None and state.base is None:
            return Scope.of_scratch(self.values, self.build_args, self.dockerfile.escape)
        return Scope(self.values, self.build_args, self.dockerfile.escape)

    def steps(self, state: State, several: bool) -> tuple[StepOutline, ...]:
        scope = self.scopes[state] = self.scope(state)
        base = state.base
        own = names.shown(state.platform) if state.platform else self.platform
        self.at[state] = self.at.get(base, own) if base else own
        from_image = base is None and state.base_name != SCRATCH
        of = from_image + sum(c.triggered or c.instruction.keyword in _COUNTED for c in state.commands)
        found: list[StepOutline] = []

        def show(instruction: Instruction, name: str, at: str) -> None:
            number = len(found) + 1
            text = instruction.original.strip(SPACE)
            found.append(
                StepOutline(
                    state.name, number, of, name, text, instruction.start, instruction.end, instruction.keyword,
                    at if several else "",
                )
            )  # fmt: skip

        if from_image and state.context is None and state.stage:
            show(state.stage.instructions[0], f"FROM {_image(state.base_name)}", self.at[state])
        for command in state.commands:
            scope.enter(command.instruction)
            keyword = command.instruction.keyword
            if keyword in _COUNTED and not (keyword == "WORKDIR" and scope.workdir == "/"):
                show(command.instruction, _name(command, scope), self.at[state] + _crossing(self.at[state], scope))
        return tuple(found)


def _name(command: Command, scope: Scope) -> str:
    """A step's name as BuildKit makes it: variables filled in, keyword in capitals."""
    instruction = command.instruction
    text = instruction.original.strip(SPACE)
    extra: dict[str, str] = {}
    if instruction.keyword == "RUN":
        if instruction.heredocs and instruction.args and heredoc_word(instruction.args[0]):
            text += f" ({_summary(instruction.heredocs[0].content)})"
        extra = {mount.env: "****" for mount in mounts_of(instruction) if mount.kind == "secret" and mount.env}
    with suppress(WordError):
        text = scope.fill(text, raw=instruction.keyword == "RUN", extra=extra).text
    keyword, sep, rest = text.partition(" ")
    return ("ONBUILD " if command.triggered else "") + keyword.upper() + sep + rest


def _summary(content: str) -> str:
    lines = content.strip(SPACE).replace("\r\n", "\n").split("\n")
    return lines[0] + ("..." if len(lines) > 1 else "")


def _image(name: str) -> str:
    """An image's full name, as BuildKit prints it (without the digest)."""
    name, at, digest = name.partition("@")
    first, slash, _ = name.partition("/")
    if not slash or not (set(first) & {".", ":"} or first == "localhost" or first != first.lower()):
        name = "docker.io/" + (name if slash else f"library/{name}")
    if not at and ":" not in name.rpartition("/")[2]:
        name += ":latest"
    return name + at + digest


def _crossing(base: str, scope: Scope) -> str:
    """The `->arm64` of a stage that declared TARGETPLATFORM or its parts and builds for another platform."""
    if not base:
        return ""
    system, machine, _ = names.parts(base)
    wanted: list[str] | None = None
    for name, value in scope.env.items():
        if name == "TARGETPLATFORM" and value:
            return names.crossing(base, value)
        if name in ("TARGETOS", "TARGETARCH", "TARGETVARIANT"):
            wanted = wanted or ["", "", ""]
            wanted[("TARGETOS", "TARGETARCH", "TARGETVARIANT").index(name)] = value or ""
    if wanted is None:
        return ""
    return names.crossing(base, "/".join(filter(None, (wanted[0] or system, wanted[1] or machine, wanted[2]))))
