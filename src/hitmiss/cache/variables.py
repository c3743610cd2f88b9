"""Which build argument or ENV stands behind a difference between two builds of a step. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec

from hitmiss.build.model import CauseKind
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.stages import parsed_text
from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import Instruction
from hitmiss.project.platforms import crossing
from hitmiss.project.scope import declared, global_values, platform_values
from hitmiss.project.stages import Graph, State, graph_of
from hitmiss.settings import looks_secret

HIDDEN = "(hidden)"
_AUTOMATIC = platform_values("", "", "", {}).keys() - {"TARGETSTAGE"}
_NAME = re.compile(r"\$\{?([A-Za-z_]\w*)")


class Variable(msgspec.Struct, frozen=True):
    """A variable that differs: its old and new value for people (None: not set), and which of the two causes it is."""

    name: str
    kind: CauseKind
    old: str | None
    new: str | None


class Base(msgspec.Struct, frozen=True):
    """What a FROM names: as written, and with its variables filled in; `is_stage` tells a stage from an image."""

    written: str
    name: str
    is_stage: bool


class _Read(NamedTuple):
    """What decides how the stages of a Dockerfile hang together: `own` is the builder's platform, `platform` the one
    that is built for ("" where they are not known), `triggers` are the ONBUILD lines of images.
    """

    dockerfile: str
    target: str
    arguments: tuple[tuple[str, str], ...]
    own: str
    platform: str
    triggers: tuple[tuple[str, tuple[str, ...]], ...]


class _Setting(msgspec.Struct, frozen=True):
    """A variable as an ARG or ENV sets it; `around` are the variables that its text names, as they stood there."""

    argument: bool
    text: str | None
    around: dict[str, _Setting] = {}


def in_environment(
    now: BuildFacts, step: StepFacts, new: dict[str, str], then: BuildFacts, before: StepFacts, old: dict[str, str]
) -> list[Variable]:
    """The variables that a RUN saw with another value, the first of the Dockerfile first."""
    names = [name for name in {**new, **old} if new.get(name) != old.get(name)]
    mine, theirs = _settings(now, step), _settings(then, before)
    order = list({**mine, **theirs})
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    found: list[Variable] = []
    for name in names:
        setting, was = mine.get(name), theirs.get(name)
        if _by_platform(now, then, name, setting, was):
            found.append(Variable(name, CauseKind.PLATFORM_CHANGED, old.get(name), new.get(name)))
            continue
        if _by_argument(setting, was):
            found.append(_variable(name, CauseKind.ARGUMENT_CHANGED, old.get(name), new.get(name)))
            continue
        found += _further(now, then, setting, was) or [
            _variable(name, CauseKind.ENVIRONMENT_CHANGED, old.get(name), new.get(name))
        ]
    return found


def in_text(now: BuildFacts, step: StepFacts, then: BuildFacts, before: StepFacts, text: str) -> list[Variable]:
    """The variables named in `text` (or behind those) that differ between the stages of two steps."""
    return _behind(now, then, _settings(now, step), _settings(then, before), text)


def in_from(now: BuildFacts, then: BuildFacts, text: str) -> list[Variable]:
    """The same for the text of a FROM, which sees the head of the Dockerfile alone."""
    return _behind(now, then, _settings(now, None), _settings(then, None), text)


def lines(build: BuildFacts, step: StepFacts, keyword: str) -> list[str]:
    """What follows a keyword in the stage of a step and in what that is built on, those of the lowest first."""
    line = _line(_read(build, step.platform), step.stage)
    found = (each.instruction for state in reversed(line) for each in state.commands)
    return [" ".join(each.args) for each in found if each.keyword == keyword]


def bases(build: BuildFacts, stage: str, platform: str) -> tuple[Base, ...]:
    """What the FROM of a stage names, then what the FROM of that stage names, and so on down to the image.

    `platform` is that of its steps (`StepFacts.platform`).
    """
    line = _line(_read(build, platform), stage)
    return tuple(Base(each.stage.base, each.base_name, each.base is not None) for each in line if each.stage)


def _behind(
    now: BuildFacts, then: BuildFacts, mine: dict[str, _Setting], theirs: dict[str, _Setting], text: str
) -> list[Variable]:
    found: list[Variable] = []
    for name in dict.fromkeys(_NAME.findall(text)):
        setting, before = mine.get(name), theirs.get(name)
        if _by_platform(now, then, name, setting, before):
            if now.platforms != then.platforms:
                old, new = (_automatic(build, name) for build in (then, now))
                found.append(Variable(name, CauseKind.PLATFORM_CHANGED, old, new))
            continue
        new, old = _value(now, name, setting), _value(then, name, before)
        if new != old:
            argument = _by_argument(setting, before) or (not setting and not before)
            kind = CauseKind.ARGUMENT_CHANGED if argument else CauseKind.ENVIRONMENT_CHANGED
            found.append(_variable(name, kind, old, new))
        elif setting and setting.text == new:
            found += _further(now, then, setting, before)
    return found


def _further(now: BuildFacts, then: BuildFacts, setting: _Setting | None, before: _Setting | None) -> list[Variable]:
    """What stands behind a variable that is set by the same text in both builds."""
    if not setting or not before or setting.text is None or setting.text != before.text:
        return []
    return _behind(now, then, setting.around, before.around, setting.text)


def _by_argument(setting: _Setting | None, before: _Setting | None) -> bool:
    known = setting or before
    return known is not None and known.argument


def _by_platform(
    now: BuildFacts, then: BuildFacts, name: str, setting: _Setting | None, before: _Setting | None
) -> bool:
    """Whether BuildKit itself gives the variable its value, by the platforms of the build."""
    given = name in now.arguments or name in then.arguments
    plain = all(each and each.argument and each.text is None for each in (setting, before))
    return name in _AUTOMATIC and plain and not given


def _automatic(build: BuildFacts, name: str) -> str | None:
    """What BuildKit gives for it, where that is known: one platform was asked for."""
    platform = build.platforms[0] if len(build.platforms) == 1 else ""
    return platform_values("", platform, "", {})[name]


def _value(build: BuildFacts, name: str, setting: _Setting | None) -> str | None:
    if (setting is None or setting.argument) and name in build.arguments:
        return build.arguments[name]
    return setting.text if setting else None


def _variable(name: str, kind: CauseKind, old: str | None, new: str | None) -> Variable:
    if looks_secret(name):
        old, new = (HIDDEN if old is not None else None), (HIDDEN if new is not None else None)
    return Variable(name, kind, old, new)


def _read(build: BuildFacts, platform: str) -> _Read:
    """`platform` is that of a step: "" unless several are built, `own->other` where it is built for another one."""
    alone = build.platforms[0] if len(build.platforms) == 1 else build.build_platform
    own, _, _ = platform.partition("->")
    wanted = next((each for each in build.platforms if platform and own + crossing(own, each) == platform), platform)
    triggers = tuple((name, image.triggers) for name, image in build.images.items() if image.triggers)
    given = tuple(sorted(build.arguments.items()))
    return _Read(build.dockerfile, build.target, given, build.build_platform, wanted or alone, triggers)


def _settings(build: BuildFacts, step: StepFacts | None) -> dict[str, _Setting]:
    return _all_settings(_read(build, step.platform if step else ""), step.stage if step else None)


@lru_cache(maxsize=64)
def _all_settings(read: _Read, stage: str | None) -> dict[str, _Setting]:
    """Every variable that a stage, what it is built on, or the head of the Dockerfile sets; later ones win."""
    found: dict[str, _Setting] = {}
    parsed = parsed_text(read.dockerfile)
    for instruction in parsed.arguments if parsed else ():
        _take(instruction, found)
    for state in reversed(_line(read, stage)) if stage is not None else ():
        for command in state.commands:
            _take(command.instruction, found)
    return found


def _line(read: _Read, stage: str) -> tuple[State, ...]:
    """A stage, the stage that it is built on, and so on; none where BuildKit would refuse the Dockerfile."""
    graph = _graph(read)
    states = graph.states if graph else ()
    each = next((each for each in reversed(states) if each.stage and each.name == stage), None)
    found: list[State] = []
    while each:
        found.append(each)
        each = each.base
    return tuple(found)


@lru_cache(maxsize=64)
def _graph(read: _Read) -> Graph | None:
    parsed = parsed_text(read.dockerfile)
    if not parsed:
        return None
    stage = parsed.stage(read.target)
    name, arguments = stage.name if stage else "", dict(read.arguments)
    try:
        automatic = platform_values(read.own, read.platform, name, arguments)
        values = global_values(parsed.arguments, automatic, arguments, parsed.escape)
        return graph_of(parsed, name, values, {}, dict(read.triggers))
    except UsageError:
        return None


def _take(instruction: Instruction, found: dict[str, _Setting]) -> None:
    if instruction.keyword == "ARG":
        for name, default in declared(instruction):
            if default is not None or name not in found:
                found[name] = _Setting(True, default, _named(default or "", found))
    elif instruction.keyword == "ENV":
        # All values of one ENV are filled in before any of them is set.
        pairs = zip(instruction.args[::2], instruction.args[1::2], strict=False)
        found |= {name: _Setting(False, value, _named(value, found)) for name, value in pairs}


def _named(text: str, found: dict[str, _Setting]) -> dict[str, _Setting]:
    return {name: found[name] for name in _NAME.findall(text) if name in found}
