"""The work behind the steps of a target: which steps are one and the same operation, and which of them runs at all.

Pure. BuildKit merges equal operations (two stages FROM one image, the same RUN on the same base) into one and shows
it under the name that it met last on its way from the target down; this walks the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hitmiss.project import platforms as names
from hitmiss.project.dockerfile import Dockerfile
from hitmiss.project.scope import Base, Scope, Values, global_values, platform_values
from hitmiss.project.stages import SCRATCH, Command, Graph, State, graph_of
from hitmiss.project.syntax import Instruction
from hitmiss.project.words import WordError

Key = int
"""Equal for operations that BuildKit takes for the same."""

IMAGE_CONTEXT: Final = "docker-image://"
"""How the value of a named context begins that is an image."""

_OTHER_CONTEXTS: Final = ("oci-layout://", "target:", "input:")
_PLATFORM_PARTS: Final = ("TARGETOS", "TARGETARCH", "TARGETVARIANT")
_SHOWN: Final = frozenset({"ADD", "COPY", "RUN", "WORKDIR"})


@dataclass(slots=True, eq=False)
class Operation:
    """One operation: the FROM of an image or context, or a step on top of another operation.

    `state` is the stage, image or context it belongs to, `below` what it is put on, `inputs` all that it reads.
    `index` and `of` are BuildKit's numbers (0 where it shows none), `command` is None for a FROM, `scope` a copy as
    it stood at that step (None for a FROM).
    """

    key: Key
    state: State
    below: Operation | None = None
    inputs: tuple[Operation, ...] = ()
    index: int = 0
    of: int = 0
    command: Command | None = None
    scope: Scope | None = None
    platform: str = ""

    @property
    def instruction(self) -> Instruction | None:
        """The instruction it comes from; None for an image that only a --from names."""
        if self.command:
            return self.command.instruction
        return self.state.stage.instructions[0] if self.state.stage else None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The options of a build that change every RUN, as given: `ulimits` are `name=soft:hard`, `hosts` are `name:ip`."""

    network: str = ""
    hosts: tuple[str, ...] = ()
    ulimits: tuple[str, ...] = ()
    shm_size: str = ""
    cgroup_parent: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What to build: the Dockerfile and the options that decide its steps.

    `contexts` are the named contexts as given (name → value), `triggers` the ONBUILD lines of base images by the name
    in FROM, `build_platform` the builder's own platform ("" when not known). `bases` are the configurations of base
    images, by that name too, where they are known. `linked` are the named contexts that are what another target puts
    out (a bake file's `target:`), by the context's name.
    """

    dockerfile: Dockerfile
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    triggers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    build_platform: str = ""
    bases: Mapping[str, Base] = field(default_factory=dict)
    around: Surroundings = Surroundings()
    linked: Mapping[str, Question] = field(default_factory=dict)


class Pass:
    """One pass over the stages of a target for one platform. `keys` is shared between the passes of a build."""

    def __init__(self, question: Question, platform: str, keys: dict[object, Key]) -> None:
        """Raises `UsageError` for an unknown target, `DockerfileError` for what BuildKit refuses."""
        self.question = question
        self.platform = platform
        self.keys = keys
        dockerfile = question.dockerfile
        stage = question.target or dockerfile.stages[-1].name
        automatic = platform_values(question.build_platform, platform, stage, question.build_args)
        self.values: Values = global_values(dockerfile.arguments, automatic, question.build_args, dockerfile.escape)
        self.graph: Graph = graph_of(dockerfile, question.target, self.values, question.contexts, question.triggers)
        self.scopes: dict[State, Scope] = {}
        self.platforms: dict[State, str] = {}
        self.last: dict[State, Operation | None] = {}
        self.operations: dict[State, list[Operation]] = {}
        # Images and contexts that only a --from names stand behind the stages that read them.
        for state in sorted(self.graph.needed, key=lambda state: state.stage is not None):
            self._lay_out(state)

    def in_order(self) -> Iterator[Operation]:
        """Every operation that the target needs, in the order in which BuildKit writes them down: inputs first."""
        seen: set[Operation] = set()
        first = self.last.get(self.graph.target)
        waiting: list[tuple[Operation, bool]] = [(first, False)] if first else []
        while waiting:
            operation, done = waiting.pop()
            if done:
                yield operation
            elif operation not in seen:
                seen.add(operation)
                waiting.append((operation, True))
                waiting += ((following, False) for following in reversed(operation.inputs))

    def _lay_out(self, state: State) -> None:
        """The operations of one stage, image or context; those it needs were laid out before."""
        own = names.shown(state.platform) if state.platform else self.platform
        platform = self.platforms[state] = self.platforms.get(state.base, own) if state.base else own
        found: list[Operation] = []
        self.operations[state] = found
        from_image = state.base is None and (state.base_name != SCRATCH or state.replaced)
        counted = [each for each in state.commands if each.triggered or each.instruction.keyword in _SHOWN]
        # The ONBUILD lines of an image are known only after its FROM was numbered.
        known_first = [each for each in counted if not each.triggered or state.base is not None]
        last = self.last.get(state.base) if state.base else None
        index = 0
        if from_image:
            shown = state.context is None and state.stage is not None
            index = int(shown)
            root = (
                ("context", state.context)
                if state.context is not None
                else ("image", full_name(state.base_name), platform)
            )
            last = Operation(self._key(root), state, None, (), index, (1 + len(known_first)) * shown, platform=platform)
            found.append(last)
        scope = self.scopes[state] = self._start(state)
        for command in () if state.replaced else state.commands:
            scope.enter(command.instruction)
            keyword = command.instruction.keyword
            # A WORKDIR of / is counted, but there is nothing to do for it.
            if keyword in _SHOWN and not (keyword == "WORKDIR" and scope.workdir == "/"):
                index += 1
                inputs = self._inputs(command, last)
                key = self._key(_work(command, scope, platform, last, inputs))
                last = Operation(
                    key, state, last, inputs, index, from_image + len(counted), command, scope.frozen(), platform
                )  # fmt: skip
                found.append(last)
        self.last[state] = last

    def _start(self, state: State) -> Scope:
        if state.base and state.base in self.scopes:
            return self.scopes[state.base].child()
        rest = (self.values, self.question.build_args, self.question.dockerfile.escape)
        if (state.base_name == SCRATCH and not state.replaced) or is_files(state, self.question.contexts):
            return Scope.of_scratch(*rest)
        linked = self.question.linked.get(state.context) if state.context is not None else None
        base = self.question.bases.get(image_of(state, self.question.contexts))
        base = configuration(linked, self.platform) if linked else base
        return Scope.of_base(base, *rest) if base else Scope(*rest)

    def _inputs(self, command: Command, below: Operation | None) -> tuple[Operation, ...]:
        """What an operation reads, in BuildKit's order: what it is put on, then the other sources."""
        found = [below]
        if command.source and any(not arg.startswith("<<") for arg in command.instruction.args[:-1]):
            found.append(self.last.get(command.source))
        for _, state in sorted(command.mounts, key=lambda pair: pair[0].target):
            if state:
                found.append(self.last.get(state))
        return tuple(dict.fromkeys(operation for operation in found if operation))

    def _key(self, work: object) -> Key:
        return self.keys.setdefault(work, len(self.keys))


def configuration(question: Question, platform: str) -> Base:
    """What a target's image tells those that build on it."""
    run = Pass(question, platform, {})
    scope = run.scopes[run.graph.target]
    env = tuple((name, value) for name, value in scope.lasting.items() if value is not None)
    return Base(env, scope.workdir or "/", scope.user or "", scope.shell or ())


def _work(
    command: Command, scope: Scope, platform: str, below: Operation | None, inputs: tuple[Operation, ...]
) -> tuple[object, ...]:
    """All that makes an operation what it is, as far as the Dockerfile tells."""
    instruction = command.instruction
    common = (instruction.keyword, below.key if below else None, tuple(each.key for each in inputs))
    docs = tuple((doc.name, doc.content, doc.chomp) for doc in instruction.heredocs)
    if instruction.keyword == "RUN":
        env = tuple(sorted(scope.env.items()))
        own = (instruction.args, instruction.json, docs, instruction.flags, scope.workdir, scope.user, scope.shell)
        return (*common, platform, own, env)
    # Operations on files do not depend on the platform.
    words: list[str] = []
    for text in (*instruction.flags, *instruction.args):
        try:
            words.append(scope.fill(text).text)
        except WordError:
            words.append(text)
    if instruction.keyword == "WORKDIR":
        return (*common, scope.workdir, tuple(words) if scope.workdir is None else (), scope.user)
    expanded = tuple(sorted(scope.env.items())) if any(doc.expand for doc in instruction.heredocs) else ()
    return (*common, tuple(words), docs, scope.workdir, expanded)


def stream_platform(operation: Operation) -> str:
    """What the stream prints before a step's stage when several platforms are built: `linux/amd64->arm64`.

    The arrow is that of a stage that declared TARGETPLATFORM or its parts and builds for another platform.
    """
    base, scope = operation.platform, operation.scope
    if not base or scope is None:
        return base
    system, machine, _ = names.parts(base)
    wanted: list[str] | None = None
    for name, value in scope.env.items():
        if name == "TARGETPLATFORM" and value:
            return base + names.crossing(base, value)
        if name in _PLATFORM_PARTS:
            wanted = wanted or ["", "", ""]
            wanted[_PLATFORM_PARTS.index(name)] = value or ""
    if wanted is None:
        return base
    return base + names.crossing(base, "/".join(filter(None, (wanted[0] or system, wanted[1] or machine, wanted[2]))))


def image_of(state: State, contexts: Mapping[str, str]) -> str:
    """The name of the image that a stage starts from or a `--from` names; "" where another context stands in."""
    if state.context is None:
        return state.base_name
    value = contexts.get(state.context, "")
    return value.removeprefix(IMAGE_CONTEXT) if value.startswith(IMAGE_CONTEXT) else ""


def is_files(state: State, contexts: Mapping[str, str]) -> bool:
    """Whether a named context stands in that has no configuration: a folder, a repository, an archive."""
    value = contexts.get(state.context or "", "")
    return state.context is not None and not value.startswith((IMAGE_CONTEXT, *_OTHER_CONTEXTS))


_HUB = "docker.io"


def full_name(image: str) -> str:
    """An image's full name, as BuildKit prints it (without the digest that it appends).

    Source: `splitDockerDomain` in github.com/distribution/reference.
    """
    name, at, digest = image.partition("@")
    domain, slash, rest = name.partition("/")
    if not slash or not (set(domain) & {".", ":"} or domain == "localhost" or domain != domain.lower()):
        domain, rest = _HUB, name
    if domain in (_HUB, "index.docker.io"):
        domain, rest = _HUB, rest if "/" in rest else f"library/{rest}"
    name = f"{domain}/{rest}"
    if not at and ":" not in name.rpartition("/")[2]:
        name += ":latest"
    return name + at + digest
