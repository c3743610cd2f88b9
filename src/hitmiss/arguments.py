"""The build arguments of a session's targets: what they are and who set them, what was set here, what a change costs.

What is set here goes before the files and the flags until it is taken back, and is there again on the next start,
where flags go before it. It builds nothing: the session does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from hitmiss.aside import aside
from hitmiss.build.model import Planned
from hitmiss.cache.derive import image_names
from hitmiss.crew import Crew
from hitmiss.errors import HitmissError
from hitmiss.forecast import Forecaster, Plan
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine, ask
from hitmiss.member import Member
from hitmiss.project.arguments import Argument, arguments_in, arguments_of, exposed, in_image
from hitmiss.project.definition import Definition
from hitmiss.project.find import Kind
from hitmiss.project.units import Unit, dependants
from hitmiss.runner import secret_values, secrets
from hitmiss.settings import looks_secret
from hitmiss.snapshot import ArgumentRow, Changes, Cost, CostStep
from hitmiss.workspace import Workspace

HIDDEN = "•••"

Values = dict[str, dict[str, str]]
"""Target → argument → value."""


class Arguments:
    """What was set in the editor, and the editor's questions answered."""

    def __init__(self, crew: Crew, store: Store) -> None:
        self._crew = crew
        self._store = store
        known = store.arguments(crew.project)
        self._set: Values = {
            unit.name: dict(values) for unit in crew.space.units if (values := known.get(_place(crew.space, unit)))
        }
        """What was set here, whether or not a flag goes before it."""
        self._imagined: dict[str, tuple[object, Forecaster]] = {}
        self._engine: tuple[object, Engine] = ((), Engine())

    def recall(self) -> None:
        """Build with what was set here before, but for what the flags say otherwise."""
        flagged = {given.partition("=")[0] for given in self._crew.space.flags.build_args}
        force = {
            target: {name: value for name, value in values.items() if name not in flagged}
            for target, values in self._set.items()
        }
        if any(force.values()):
            self._crew.settle_in(msgspec.structs.replace(self._crew.space, arguments=force))

    # What there is

    def rows(self) -> tuple[ArgumentRow, ...]:
        """The arguments of every target, in the order of the Dockerfiles."""
        return tuple(row for member in self._crew.members.values() for row in self._rows(member))

    def shown(self) -> tuple[str, ...]:
        """What is set here and in force, for the status line."""
        members = self._crew.members
        found = (pair for name in members for pair in self._crew.space.arguments.get(name, {}).items())
        return tuple(dict.fromkeys(name if looks_secret(name) else f"{name}={value}" for name, value in found))

    def exposed(self) -> str:
        """What to say of arguments that look like credentials; "" where there are none."""
        found: dict[str, str] = {}
        inside: set[str] = set()
        for member in self._crew.members.values():
            question = member.definition.question
            for each in exposed(question) if question else ():
                found.setdefault(each.name, f"{member.definition.name}:{each.line}")
                if question and in_image(question, each):
                    inside.add(each.name)
        if not found:
            return ""
        names = ", ".join(f"ARG {name} ({place})" for name, place in found.items())
        who = "has the image" if inside == found.keys() else "may see the builder's cache and its records of builds"
        return f"{names}: whoever {who} can read it. Use RUN --mount=type=secret."

    # What is changed

    def change(self, changes: Changes) -> frozenset[str]:
        """Take the changes over and keep them; gives the targets that are to be built anew, nothing where none is.

        Raises `HitmissError` where the definitions cannot be read any more.
        """
        space = self._changed(changes)
        moved = frozenset(unit.name for unit in space.wanted() if unit != self._crew.members[unit.name].unit)
        for target, values in changes.items():
            mine = self._set.setdefault(target, {})
            mine.update({name: value for name, value in values.items() if value is not None})
            for name in (name for name, value in values.items() if value is None):
                mine.pop(name, None)
            self._store.keep_arguments(self._crew.project, _place(space, space.unit(target)), mine)
        self._crew.settle_in(space)
        return moved | {unit.name for unit in dependants(space.wanted(), moved)}

    def _changed(self, changes: Changes) -> Workspace:
        """The workspace with these changes."""
        force = {target: dict(values) for target, values in self._crew.space.arguments.items()}
        for target, values in changes.items():
            mine = force.setdefault(target, {})
            for name, value in values.items():
                mine.pop(name, None)
                if value is not None:
                    mine[name] = value
        return msgspec.structs.replace(self._crew.space, arguments=force)

    # What it would cost

    async def cost(self, changes: Changes) -> Cost:
        """What a build with these changes would do. The session's own plan is not touched."""
        space, members = self._changed(changes), self._crew.members
        units = [unit for unit in space.wanted() if unit != members[unit.name].unit]
        names = tuple(unit.name for unit in units)
        plans: list[Plan] = []
        fetched: dict[str, None] = {}
        for unit in units:
            member = members[unit.name]
            await self._crew.remembered(unit.name)
            try:
                definition = await aside(self._crew.imagined, unit)
            except HitmissError as error:
                return Cost(targets=names, problem=str(error), refused=True)
            if definition.error:
                return Cost(targets=names, problem=definition.error, refused=True)
            engine = await self._ask(definition)
            try:
                plan = await aside(self._forecaster(member, unit).plan, definition, unit.options, engine)
            except HitmissError as error:
                return Cost(targets=names, problem=str(error), refused=True)
            if plan is None:
                return Cost(targets=names, problem="What it will cost cannot be told: the context is no folder here.")
            plans.append(plan)
            fetched |= dict.fromkeys(_missing(definition, member.definition, engine))
        steps = tuple(step for name, plan in zip(names, plans, strict=True) for step in _steps(name, plan))
        seconds = [plan.seconds for plan in plans]
        return Cost(
            steps,
            hits=sum(step.planned is Planned.HIT for plan in plans for step in plan.facts.steps),
            seconds=sum(filter(None, seconds)) if None not in seconds else None,
            targets=names,
            after=tuple(unit.name for unit in dependants(space.wanted(), names)) if steps else (),
            fetched=tuple(fetched),
        )

    async def _ask(self, definition: Definition) -> Engine:
        """What the engine knows that a plan needs: asked once, until something is built or other images are named."""
        images = tuple(image_names(definition.question)) if definition.question else ()
        about = (self._crew.number, self._crew.round is None, images)
        if self._engine[0] != about:
            found = await ask([definition], self._crew.builder.name)
            self._engine = about, msgspec.structs.replace(found, at_rest=self._crew.round is None)
        return self._engine[1]

    def _forecaster(self, member: Member, unit: Unit) -> Forecaster:
        """One beside the session's: it would otherwise see saves before the watch has told of them."""
        cwd, options = self._crew.space.cwd, unit.options
        hidden = tuple(secret_values(options, cwd))
        about = (member, hidden, member.foresight.forecaster.remembered.number())
        known = self._imagined.get(member.name)
        if known is None or known[0] != about:
            builder = self._crew.builder.name
            made = Forecaster(self._store, member.key, builder, hidden, lambda: secrets(options, cwd), part=member.name)
            known = self._imagined[member.name] = about, made
        return known[1]

    # Inside

    def _rows(self, member: Member) -> Iterator[ArgumentRow]:
        definition = member.definition
        known = arguments_of(definition.question) if definition.question else arguments_in(definition.text)
        force = self._crew.space.arguments.get(member.name, {})
        unknown = (Argument(name) for name in force if all(each.name != name for each in known))
        given = self._given(member.name)
        for each in (*known, *unknown):
            before, origin = given.get(each.name) or (each.default, "default" if each.default is not None else "")
            here = each.name in force
            value = force.get(each.name, before)
            yield ArgumentRow(
                member.name,
                each.name,
                _told(each, value),
                ("this session" if each.secret else "kept here") if here else origin,
                _told(each, before),
                origin,
                definition.name,
                each.line,
                each.stages,
                secret=each.secret,
                automatic=each.automatic and not here and each.name not in given,
                kept=here,
            )

    def _given(self, target: str) -> dict[str, tuple[str | None, str]]:
        """What the files and the flags say: argument → value and who says so."""
        space = self._crew.space
        flagged = {given.partition("=")[0] for given in space.flags.build_args}
        options = space.unit(target).options
        values = options.argument_values(os.environ)
        found: dict[str, tuple[str | None, str]] = {}
        for given in options.build_args:
            name, equals, _ = given.partition("=")
            origin = "--build-arg" if name in flagged else _file(space)
            if equals or name in values:
                found[name] = values[name], origin if equals else "environment"
        return found


def _told(argument: Argument, value: str | None) -> str | None:
    return HIDDEN if argument.secret and value else value


def _file(space: Workspace) -> str:
    """The file that says what the targets are."""
    if space.kind is Kind.SETTINGS:
        return "settings"
    return space.files[0].name if space.files else "--build-arg"


def _place(space: Workspace, unit: Unit) -> str:
    """What a target's arguments are kept under: its name, or if it is alone its Dockerfile ("" for the usual one)."""
    if unit.name or not unit.options.file:
        return unit.name
    folder = space.cwd / unit.options.context
    place = os.path.relpath(space.cwd / unit.options.file, folder)
    return "" if place == "Dockerfile" else place


def _steps(name: str, plan: Plan) -> Iterator[CostStep]:
    for step in plan.facts.steps:
        if step.planned in (Planned.RUN, Planned.DEPENDS):
            yield CostStep(name, step.instruction, step.planned is Planned.DEPENDS, step.expected_s)


def _missing(now: Definition, before: Definition, engine: Engine) -> Iterable[str]:
    """Base images that were not named before, and that the engine does not have."""
    if now.question is None:
        return
    known = set(image_names(before.question)) if before.question else set()
    yield from (name for name in image_names(now.question) if name not in known and name not in engine.images)


def left_alone(store: Store, space: Workspace, project: Path) -> str:
    """What `hitmiss build` says of arguments that were set in the editor: it builds what its words and files say, for
    whoever runs it (a script, a colleague) cannot see them.
    """
    known = store.arguments(project)
    flagged = {given.partition("=")[0] for given in space.flags.build_args}
    found = [
        f"{name}={value}"
        for unit in space.wanted()
        for name, value in known.get(_place(space, unit), {}).items()
        if name not in flagged
    ]
    if not found:
        return ""
    names = ", ".join(dict.fromkeys(found))
    return f"Set on the screen, and not used here: {names}. --build-arg builds with it."
