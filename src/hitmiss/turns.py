"""What waiting for one another means to the targets of a round: for their plans, and for how long all of it takes.

It asks the engine and plans; it shows nothing, and starts no build.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import msgspec

from hitmiss.build.model import Build, Planned
from hitmiss.errors import UsageError
from hitmiss.forecast import Plan
from hitmiss.inquiry import ask
from hitmiss.member import Member

Plans = Mapping[str, asyncio.Task[Plan | None]]
"""The plans of the targets that are built by now, by the targets' names."""


async def foretold(
    members: Sequence[Member], plans: Plans, remembered: Mapping[str, asyncio.Event], builder: str
) -> AsyncIterator[tuple[Member, Build]]:
    """What those of `members` will do that wait for others of them: needed ones come first.

    Where a needed target may make another image than there is now, the steps on that image depend on it.
    """
    among = {member.name: member for member in members}
    waiting = [member for member in members if among.keys() & member.unit.needs]
    if not waiting:
        return
    engine = await ask([member.definition for member in waiting], builder)
    engine = msgspec.structs.replace(engine, at_rest=False)
    sure: dict[str, bool] = {}
    for member in members:
        if member not in waiting:
            sure[member.name] = _all_hit(await asyncio.shield(plans[member.name])) if member.name in plans else False
            continue
        if before := remembered.get(member.name):
            await before.wait()
        open_ = {tag for need in member.unit.needs if not sure.get(need, True) for tag in among[need].unit.options.tags}
        build = None
        with contextlib.suppress(UsageError):  # the engine will say what is wrong with it
            build = await member.foresight.ahead(member.definition, member.unit.options, engine, unsettled=open_)
        sure[member.name] = build is not None and all(step.planned is Planned.HIT for step in build.steps)
        if build:
            yield member, build


def longest(members: Iterable[Member]) -> float | None:
    """The seconds that all of it takes when targets run side by side, each behind those that it needs.

    `members` have the needed ones first. None where it is not known of one of them.
    """
    ends: dict[str, float] = {}
    for member in members:
        own = member.foresight.seconds
        if own is None:
            return None
        ends[member.name] = own + max((ends[need] for need in member.unit.before() if need in ends), default=0.0)
    return max(ends.values(), default=0.0)


def _all_hit(plan: Plan | None) -> bool:
    return plan is not None and all(each.planned is Planned.HIT for each in plan.foreseen.values())
