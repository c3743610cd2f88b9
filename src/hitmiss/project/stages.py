"""How the stages of a Dockerfile hang together: bases, `--from`, mounts, named contexts, ONBUILD.

Pure. The rules are those of BuildKit's `dockerfile2llb` (`buildDispatchStates`, `buildStageDependencyGraph`), quirks
included, because step numbers and stage names of the stream come from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import Dockerfile, Stage
from hitmiss.project.mounts import Mount, mounts_of
from hitmiss.project.scope import Values, fill
from hitmiss.project.syntax import DockerfileError, Instruction, read
from hitmiss.project.words import WordError

SCRATCH = "scratch"


@dataclass(slots=True, eq=False)
class Command:
    """An instruction in a stage; `source` is what its `--from` names; `mounts` pairs a RUN's mounts with theirs."""

    instruction: Instruction
    source: State | None = None
    mounts: tuple[tuple[Mount, State | None], ...] = ()
    triggered: bool = False

    def sources(self) -> Iterator[State]:
        """Every stage, image or context that the command reads from."""
        if self.source:
            yield self.source
        yield from (state for _, state in self.mounts if state)


@dataclass(slots=True, eq=False)
class State:
    """A stage, or (when `stage` is None) an image or context that only a `--from` names.

    `base_name` is the filled-in base, `base` the stage it means (None: an image, a context or scratch), `context` the
    named context that stands in for the stage or for its base.
    """

    stage: Stage | None
    base_name: str
    base: State | None = None
    context: str | None = None
    replaced: bool = False
    platform: str = ""
    commands: list[Command] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The stage's name or `stage-N`; the base's name for what is no stage."""
        return self.stage.shown if self.stage else self.base_name

    def commands_with_output(self) -> bool:
        """Whether the stage changes the files that it starts with."""
        return any(command.instruction.keyword in ("ADD", "COPY", "RUN", "WORKDIR") for command in self.commands)

    def needs(self) -> Iterator[State]:
        """What this stage is built on or reads from directly."""
        if self.base:
            yield self.base
        for command in self.commands:
            yield from command.sources()


@dataclass(frozen=True, slots=True)
class Graph:
    """All states in BuildKit's order (stages as written, then what `--from` names), and those that the target needs."""

    states: tuple[State, ...]
    target: State
    needed: tuple[State, ...]
    alone: bool
    """BuildKit leaves the stage's name out of the steps' names: there is one state only."""


def graph_of(
    dockerfile: Dockerfile,
    target: str,
    values: Values,
    contexts: Mapping[str, str],
    triggers: Mapping[str, Sequence[str]],
) -> Graph:
    """Tie the stages together; `values` are what FROM lines may use, `triggers` the ONBUILD lines of base images by
    name.

    Raises `DockerfileError` for what BuildKit refuses here, `UsageError` for an unknown target.
    """
    builder = _Builder(dockerfile, values, {familiar(name): name for name in contexts}, triggers)
    return builder.graph(target)


def familiar(image: str) -> str:
    """An image's name in the short form under which named contexts are looked up."""
    for prefix in ("docker.io/library/", "docker.io/", "index.docker.io/library/", "index.docker.io/"):
        if image.startswith(prefix):
            image = image.removeprefix(prefix)
            break
    return image.removesuffix(":latest")


class _Builder:
    def __init__(
        self, dockerfile: Dockerfile, values: Values, contexts: Mapping[str, str], triggers: Mapping[str, Sequence[str]]
    ) -> None:
        self.dockerfile = dockerfile
        self.values = values
        self.contexts = contexts
        self.triggers = triggers
        self.states: list[State] = []
        self.by_name: dict[str, State] = {}

    def graph(self, target: str) -> Graph:
        for stage in self.dockerfile.stages:
            self.add_stage(stage)
        own = list(self.states)
        wanted = self.by_name.get(target.lower()) if target else own[-1]
        if wanted is None:
            names = ", ".join(stage.name for stage in self.dockerfile.stages if stage.name) or "none has a name"
            raise UsageError(f"There is no stage {target!r} in the Dockerfile.", f"Its stages: {names}.")
        for state in own:
            if state.stage and not state.replaced:
                state.commands = [self.command(instruction) for instruction in state.stage.instructions[1:]]
        alone = len(self.states) == 1
        self.refuse_circles(own)
        needed = self.with_triggers(wanted)
        return Graph(tuple(self.states), wanted, tuple(state for state in self.states if state in needed), alone)

    def add_stage(self, stage: Stage) -> None:
        state = State(stage, self.word(stage.base, stage))
        if not state.base_name:
            raise DockerfileError(f"base name ({stage.base}) should not be blank", stage.start)
        state.platform = self.word(stage.platform, stage) if stage.platform else ""
        state.context = self.contexts.get(stage.name) if stage.name and stage.name != "context" else None
        state.replaced = state.context is not None
        if not state.replaced:
            state.base = self.by_name.get(state.base_name)
            if state.base is None:
                state.context = self.context_for(state.base_name)
        self.states.append(state)
        if stage.name:
            self.by_name[stage.name] = state

    def word(self, text: str, stage: Stage) -> str:
        try:
            return fill(text, self.values, complete=True, escape=self.dockerfile.escape).text
        except WordError as error:
            raise DockerfileError(str(error), stage.start) from None

    def context_for(self, image: str) -> str | None:
        if image.lower() in (SCRATCH, "context"):
            return None
        return self.contexts.get(familiar(image))

    def command(self, instruction: Instruction) -> Command:
        if instruction.keyword == "COPY" and (name := instruction.flag("from")):
            return Command(instruction, self.source(name, instruction))
        if instruction.keyword == "RUN":
            mounts = tuple((mount, self.mounted(mount.source_stage)) for mount in mounts_of(instruction))
            return Command(instruction, None, mounts)
        return Command(instruction)

    def source(self, name: str, instruction: Instruction) -> State:
        if name.isascii() and name.removeprefix("-").removeprefix("+").isdecimal():
            index = int(name)
            if not 0 <= index < len(self.states):
                raise DockerfileError(f"invalid stage index {index}", instruction.start)
            return self.states[index]
        return self.mounted(name)

    def mounted(self, name: str) -> State:
        """The stage called `name`, or a new state for the image or context of that name."""
        # A mount without from= counts as one from scratch: BuildKit registers a state for it too.
        found = self.by_name.get((name or SCRATCH).lower())
        if found is None:
            found = State(None, name or SCRATCH, context=self.context_for(name or SCRATCH))
            self.states.append(found)
        return found

    def with_triggers(self, target: State) -> set[State]:
        """What the target needs, once the ONBUILD lines of every needed base have been added to the stage on it."""
        done: set[State] = set()
        while True:
            needed = _reachable(target)
            fresh = [state for state in self.states if state in needed and state not in done]
            if not fresh:
                return needed
            for state in fresh:
                done.add(state)
                if state.stage and not state.replaced:
                    state.commands[:0] = [self.triggered(line, state.stage) for line in self.lines_for(state)]

    def lines_for(self, state: State) -> list[str]:
        if state.base is None:
            return list(self.triggers.get(state.base_name, ()))
        found = (command.instruction for command in state.base.commands if not command.triggered)
        return [_expression(instruction) for instruction in found if instruction.keyword == "ONBUILD"]

    def triggered(self, line: str, stage: Stage) -> Command:
        try:
            _, _, (instruction, *_) = read(line)
        except DockerfileError as error:
            raise DockerfileError(error.reason, stage.start) from None
        placed = Instruction(
            instruction.keyword, instruction.original, stage.start, stage.instructions[0].end, instruction.flags,
            instruction.args, instruction.json, instruction.heredocs,
        )  # fmt: skip
        command = self.command(placed)
        command.triggered = True
        return command

    def refuse_circles(self, states: list[State]) -> None:
        finished: set[State] = set()
        for first in states:
            path: list[tuple[State, Iterator[State]]] = [(first, first.needs())]
            open_: set[State] = {first}
            while path:
                state, rest = path[-1]
                following = next(rest, None)
                if following is None:
                    path.pop()
                    open_.discard(state)
                    finished.add(state)
                elif following in open_:
                    line = first.stage.start if first.stage else 0
                    raise DockerfileError(f"circular dependency detected on stage: {following.name}", line)
                elif following not in finished:
                    open_.add(following)
                    path.append((following, following.needs()))


def _reachable(target: State) -> set[State]:
    found = {target}
    waiting = [target]
    while waiting:
        for state in waiting.pop().needs():
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found


def _expression(instruction: Instruction) -> str:
    """The text after ONBUILD, with the bodies of its heredocs."""
    inner = instruction.trigger
    text = inner.original if inner else ""
    return text + "".join(f"\n{doc.content}{doc.name}" for doc in instruction.heredocs)
