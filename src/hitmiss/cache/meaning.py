"""Text that is the same and means something else: by a variable, WORKDIR, USER, SHELL, a build option. Pure."""

from __future__ import annotations

import json

from hitmiss.build.model import Cause, CauseKind
from hitmiss.cache import actions, around, variables
from hitmiss.cache.facts import BuildFacts
from hitmiss.cache.ground import base_image
from hitmiss.cache.operations import Kind, Operation
from hitmiss.cache.pairs import Pair, assigned, became


def instruction(pair: Pair) -> Cause | None:
    """Whether it does something else by its own text."""
    one, two = pair.one, pair.two
    if one.kind is not Kind.EXEC:
        return _on_files(pair)
    if one.value("args") == two.value("args"):
        return None
    shell, before = _shell(one), _shell(two)
    if shell != before:
        return pair.cause(CauseKind.ENVIRONMENT_CHANGED, "SHELL is another one.", old=before, new=shell)
    return pair.cause(CauseKind.INSTRUCTION_CHANGED, "Its script was edited.", old=_script(two), new=_script(one))


def environment(pair: Pair) -> Cause | None:
    """Whether what a RUN finds around it is something else."""
    one, two = pair.one, pair.two
    if one.own == two.own or one.kind is not Kind.EXEC:
        return None
    changed = variables.in_environment(pair.now, pair.step, one.environment, pair.then, pair.before, two.environment)
    if changed:
        return pair.by_variable(changed)
    if one.environment == two.environment and one.value("order") != two.value("order"):
        said = "Its variables are set in another order."
        return pair.cause(CauseKind.ENVIRONMENT_CHANGED, said, old=two.value("order"), new=one.value("order"))
    for name, shown in (("cwd", "WORKDIR"), ("user", "USER")):
        if one.value(name) != two.value(name):
            old, new = two.value(name) or "root", one.value(name) or "root"
            return pair.cause(CauseKind.ENVIRONMENT_CHANGED, f"{shown} above it is another one.", old=old, new=new)
    given, before = around.options(one), around.options(two)
    if option := next((name for name in {**given, **before} if given.get(name) != before.get(name)), None):
        is_now, was = given.get(option), before.get(option)
        said = f"The option {option} {became(was, is_now)}."
        return pair.cause(CauseKind.ENVIRONMENT_CHANGED, said, old=assigned(option, was), new=assigned(option, is_now))
    if named := pair.variables_in(" ".join((pair.step.text, *around.ARGUMENTS))):
        return pair.by_variable(named)
    return _edited(pair)


def _on_files(pair: Pair) -> Cause | None:
    """The same for a COPY, ADD or WORKDIR: what it reads, and what it does with that."""
    one, two = pair.one, pair.two
    mine, theirs = actions.read(one), actions.read(two)
    heredocs = _heredocs(pair.now, one), _heredocs(pair.then, two)
    reads = [each.selected for each in one.inputs], [each.selected for each in two.inputs]
    if mine == theirs and heredocs[0] == heredocs[1] and reads[0] == reads[1]:
        return None
    if named := pair.variables_in(pair.step.text):
        return pair.by_variable(named)
    if mine.rest != theirs.rest or heredocs[0] != heredocs[1]:
        return _edited(pair)
    if mine.timestamp != theirs.timestamp:
        named = pair.variables_in("$SOURCE_DATE_EPOCH")
        return pair.by_variable(named) if named else None
    if mine.folder != theirs.folder:
        return _set_above(pair, "WORKDIR", theirs.folder, mine.folder)
    if mine.user != theirs.user:
        return _set_above(pair, "USER", theirs.user, mine.user)
    return None


def _edited(pair: Pair) -> Cause:
    return pair.cause(
        CauseKind.INSTRUCTION_CHANGED,
        "What it does was edited.",
        old=_first_change(pair.two, pair.one),
        new=_first_change(pair.one, pair.two),
    )


def _set_above(pair: Pair, keyword: str, old: str, new: str) -> Cause:
    """A WORKDIR or USER above it is another one: by a variable in it, by an edit, or that of the base image."""
    mine = variables.lines(pair.now, pair.step, keyword)
    if named := pair.variables_in("\n".join(mine)):
        return pair.by_variable(named)
    if mine == variables.lines(pair.then, pair.before, keyword):
        said = f"{keyword} of the base image is another one."
        was, is_now = base_image(pair.then, pair.before), base_image(pair.now, pair.step)
        return pair.cause(CauseKind.BASE_IMAGE_CHANGED, said, old=was, new=is_now)
    return pair.cause(CauseKind.ENVIRONMENT_CHANGED, f"{keyword} above it is another one.", old=old, new=new)


def _first_change(one: Operation, other: Operation) -> str:
    theirs = dict(other.own)
    return next((value for name, value in one.own if theirs.get(name) != value), "")


def _heredocs(build: BuildFacts, operation: Operation) -> list[tuple[tuple[str, str], ...]]:
    """What the heredocs of a COPY hold, variables filled in."""
    sources = [build.operations.all[each.operation] for each in operation.inputs if each.selected]
    return [each.own for each in sources if each.kind is Kind.FILE and not each.inputs]


def _words(operation: Operation) -> list[str]:
    try:
        found = json.loads(operation.value("args"))
    except ValueError:
        return []
    return [str(word) for word in found] if isinstance(found, list) else []


def _shell(operation: Operation) -> str:
    return " ".join(_words(operation)[:-1])


def _script(operation: Operation) -> str:
    return (_words(operation) or [""])[-1]
