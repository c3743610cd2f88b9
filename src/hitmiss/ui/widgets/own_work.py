"""BuildKit's own work as groups of the tree: what goes in and out of the build in sight, the rest folded under it."""

from __future__ import annotations

import msgspec

from hitmiss.build.model import Build, Stage
from hitmiss.build.transfers import shown
from hitmiss.explain.making import transfer_text

INTERNAL_STAGE = Stage("buildkit", "BuildKit's own work", None, ())
TRANSFERS = Stage("transfers", "Caches and outputs", None, ())
OWN = frozenset({INTERNAL_STAGE.id, TRANSFERS.id})
"""The ids of the groups that are no stages."""


def own_work(build: Build) -> list[Stage]:
    """The groups; none without work."""
    moved = shown(build)
    ids = {each.work.id for each in moved}
    lines = tuple(msgspec.structs.replace(each.work, instruction=transfer_text(each)) for each in moved)
    rest = tuple(work for work in build.internals if work.id not in ids)
    groups = ((TRANSFERS, lines), (INTERNAL_STAGE, rest))
    return [Stage(group.id, group.name, None, steps) for group, steps in groups if steps]
