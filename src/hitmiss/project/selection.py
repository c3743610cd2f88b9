"""Which files the steps of a target read: what a changed path can reach.

Pure: a Dockerfile and options in, answers out; only the `follow` it is given looks at links on disk. Where something
cannot be decided from the text (a variable of the base image, a pattern that BuildKit refuses) the whole context
counts: a needed rebuild is never missed, a needless one is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import Dockerfile
from hitmiss.project.operations import Key, Operation, Pass, Question
from hitmiss.project.patterns import Match, Matcher, PatternError, clean, crosses_folders, glob, has_wildcards
from hitmiss.project.platforms import shown
from hitmiss.project.scope import Scope
from hitmiss.project.stages import State
from hitmiss.project.syntax import Instruction, heredoc_word
from hitmiss.project.words import WordError

MAIN: Final = ""
"""The main context's name; every other name is that of a named context."""

Follow = Callable[[str, tuple[str, ...]], Iterable[tuple[str, ...]]]
"""Context and the parts of a source path (wildcards in them) → the parts of every path it means through links on disk.
"""

_ELSEWHERE: Final = ("http://", "https://", "git://", "ssh://", "git@")
_NO_DISK: Final = ("docker-image://", "target:", "oci-layout://", "input:", "github.com/", *_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class StepRef:
    """A step by BuildKit's numbers: stage (`stage-N` when unnamed), index from 1; `start` is its first line."""

    stage: str
    index: int
    start: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What one source of a step selects of a context: a path or pattern in parts, filters for what lies under.

    `first` is the first part where that is a plain name.
    """

    context: str
    parts: tuple[str, ...]
    tests: tuple[Match, ...]
    first: str | None
    include: Matcher | None = None
    exclude: Matcher | None = None

    def covers(self, path: str, *, folder: bool = True) -> bool:
        """Whether a change of `path` can change what is selected; a `folder` above the selection can too."""
        if not path:
            return True
        found = path.split("/")
        if not all(test(part) for test, part in zip(self.tests, found, strict=False)):
            return False
        if len(found) <= len(self.tests):
            return folder or len(found) == len(self.tests)
        rest = "/".join(found[len(self.tests) :])
        if self.include and not (self.include.matches(rest) or (folder and self.include.may_match_under(rest))):
            return False
        return not (self.exclude and self.exclude.matches(rest) and (not folder or self._sure(rest)))

    def _sure(self, rest: str) -> bool:
        """Whether nothing under an excluded path can be excepted from the exclusion."""
        return self.exclude is not None and (not self.exclude.has_exceptions or self.exclude.shuts(rest))


class Reach:
    """What the steps of one target read of each context."""

    def __init__(self, selections: Sequence[tuple[StepRef, Selection]], *, everything: bool = False) -> None:
        self.everything = everything
        """True where nothing could be decided: every path reaches every step."""
        self.selections = tuple(sorted(selections, key=lambda pair: pair[0].start))
        # By context and first folder, so that a burst of thousands of paths meets few selections each; None is for
        # those that begin with a wildcard or select all.
        self._by_folder: dict[tuple[str, str | None], list[tuple[StepRef, Selection]]] = {}
        for pair in self.selections:
            self._by_folder.setdefault((pair[1].context, pair[1].first), []).append(pair)

    def reads(self, context: str, path: str, *, folder: bool = True) -> bool:
        """Whether a change of `path` can reach a step.

        `path` is relative to `context` ("" is the main one), with `/`; it may be gone. `folder` says that it is, was or
        may be a folder: one above a selection counts. "" is the whole context.
        """
        if self.everything:
            return True
        return any(each.covers(path, folder=folder) for _, each in self._near(context, path))

    def steps_reading(self, context: str, path: str, *, folder: bool = True) -> tuple[StepRef, ...]:
        """The steps that a change of `path` can reach directly, in the order of the outline; none where nothing is
        decided.
        """
        found = {step for step, each in self._near(context, path) if each.covers(path, folder=folder)}
        return tuple(step for step in dict.fromkeys(step for step, _ in self.selections) if step in found)

    def _near(self, context: str, path: str) -> Sequence[tuple[StepRef, Selection]]:
        """The selections that may cover `path`."""
        if not path:
            return [pair for pair in self.selections if pair[1].context == context]
        first = path.partition("/")[0]
        return [*self._by_folder.get((context, first), ()), *self._by_folder.get((context, None), ())]


EVERYTHING: Final = Reach((), everything=True)


def reach_of(
    dockerfile: Dockerfile | None,
    target: str = "",
    build_args: Mapping[str, str] | None = None,
    contexts: Mapping[str, str] | None = None,
    platforms: Sequence[str] = (),
    *,
    build_platform: str = "",
    triggers: Mapping[str, Sequence[str]] | None = None,
    follow: Follow | None = None,
) -> Reach:
    """The reach of `target`; of everything when `dockerfile` is None (it does not parse) or BuildKit would refuse it.

    `contexts` are the named contexts as given (name → value), `triggers` the ONBUILD lines of base images by the name
    in FROM. `follow` (see `links.py`) finds sources behind symbolic links, which BuildKit follows.
    """
    if dockerfile is None:
        return EVERYTHING
    named = {name for name, value in (contexts or {}).items() if not value.startswith(_NO_DISK)}
    question = Question(dockerfile, target, build_args or {}, contexts or {}, triggers or {}, build_platform)
    wanted = tuple(dict.fromkeys(shown(platform) for platform in platforms)) or (build_platform,)
    keys: dict[object, Key] = {}
    found: dict[Key, list[tuple[StepRef, Selection]]] = {}
    try:
        for platform in wanted:
            run = Pass(question, platform, keys)
            for operation in run.in_order():
                if operation.key not in found and operation.instruction:
                    found[operation.key] = [(_ref(operation), each) for each in _selections(operation, named, follow)]
            last = run.last.get(run.graph.target)
            if last and last.command is None and last.state.context in named:
                found[last.key] = [(_ref(last), _all_of(last))]
    except UsageError:
        return EVERYTHING
    return Reach([pair for pairs in found.values() for pair in pairs])


def _selections(operation: Operation, named: set[str], follow: Follow | None) -> Iterator[Selection]:
    for selection in _own(operation, named):
        yield selection
        if follow:
            for parts in follow(selection.context, selection.parts):
                if other := _selection(selection.context, parts, selection.include, selection.exclude):
                    yield other


def _own(operation: Operation, named: set[str]) -> Iterator[Selection]:
    command, scope, below = operation.command, operation.scope, operation.below
    if command is None or scope is None:
        return
    if below and below.command is None and below.state.context in named:
        yield _all_of(below)
    match command.instruction.keyword:
        case "COPY" | "ADD":
            context = _origin(command.source) if command.source else MAIN
            if context is not None and (context == MAIN or context in named):
                yield from _copied(command.instruction, scope, context)
        case "RUN":
            for mount, source in command.mounts:
                context = (_origin(source) if source else None) if mount.source_stage else MAIN
                if mount.kind == "cache" and context == MAIN:
                    continue
                if context is None or not (context == MAIN or context in named):
                    continue
                if mount.kind in ("bind", "cache") or "$" in mount.kind:
                    yield _source(context, mount.source, scope, globs=False)


def _ref(operation: Operation) -> StepRef:
    return StepRef(operation.state.name, operation.index, operation.instruction.start if operation.instruction else 0)


def _all_of(operation: Operation) -> Selection:
    """A stage or step that is put on a context reads all of it."""
    return Selection(operation.state.context or MAIN, (), (), None)


def _origin(state: State) -> str | None:
    """The named context whose files `state` holds unchanged; None where it is a stage with steps or an image."""
    while True:
        if state.context is not None:
            changed = state.stage is not None and not state.replaced and state.commands_with_output()
            return None if changed else state.context
        if state.base is None or state.commands_with_output():
            return None
        state = state.base


def _copied(instruction: Instruction, scope: Scope, context: str) -> Iterator[Selection]:
    """The selections of a COPY's or ADD's sources."""
    if len(instruction.args) < 2:
        return
    try:
        patterns = instruction.flag_values("exclude")
        exclude = Matcher(patterns) if patterns else None
    except PatternError:
        exclude = None
    parents = instruction.flag("parents").lower() == "true"
    for text in instruction.args[:-1]:
        if not _is_heredoc(text) and not text.startswith(_ELSEWHERE):
            yield _source(context, text, scope, globs=True, parents=parents, exclude=exclude)


def _is_heredoc(text: str) -> bool:
    try:
        return heredoc_word(text) is not None
    except WordError:
        return False


def _source(
    context: str, text: str, scope: Scope, *, globs: bool, parents: bool = False, exclude: Matcher | None = None
) -> Selection:
    """What one source selects; everything where that cannot be decided."""
    everything = Selection(context, (), (), None)
    try:
        word = scope.fill(text)
        if not word.decided:
            return everything
        source, include = word.text, None
        if parents:
            pivot, sep, pattern = source.partition("/./")
            source, pattern = (pivot, pattern) if sep else ("/", source)
            include = Matcher((clean("/" + pattern).lstrip("/") or ".",))
            if clean("/" + pattern) == "/":
                include = None
    except (WordError, PatternError):
        return everything
    parts = tuple(part for part in clean("/" + source).split("/") if part)
    return _selection(context, parts, include, exclude, globs=globs) or everything


def _selection(
    context: str, parts: tuple[str, ...], include: Matcher | None, exclude: Matcher | None, *, globs: bool = True
) -> Selection | None:
    """A selection of a path in parts, with wildcards if `globs`; None for a pattern that BuildKit refuses."""
    tests: list[Match] = []
    in_pattern = False
    plain = bool(parts) and not (globs and has_wildcards(parts[0]))
    for part in parts:
        in_pattern = in_pattern or (globs and has_wildcards(part))
        if not in_pattern:
            tests.append(part.__eq__)
            continue
        try:
            if crosses_folders(part):
                # The parts cannot be told apart from here on.
                return Selection(context, parts[: len(tests)], tuple(tests), parts[0] if tests and plain else None)
            tests.append(glob(part))
        except PatternError:
            return None
    return Selection(context, parts, tuple(tests), parts[0] if parts and plain else None, include, exclude)
