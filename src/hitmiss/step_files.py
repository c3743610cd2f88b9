"""What a step reads of the contexts, for the Files tab. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping

from hitmiss.build.model import Alteration, Cause, FileChange
from hitmiss.cache.operations import Kind, Operations
from hitmiss.project.manifest import Manifest
from hitmiss.snapshot import FileRow, StepFiles

_MOST = 5_000
"""So many rows are shown."""


def files_of(
    operations: Operations, place: int, manifests: Mapping[str, Manifest], cause: Cause | None
) -> StepFiles | None:
    """The files that one operation reads: changed ones first, then the biggest first; None where it reads none."""
    changes = {(each.context, each.path): each for each in cause.files} if cause else {}
    rows: dict[tuple[str, str], FileRow] = {}
    reads = False
    for each in operations.all[place].inputs:
        source = operations.all[each.operation]
        if source.kind is not Kind.LOCAL or not each.selected:
            continue
        reads = True
        name = source.value("name")
        manifest = manifests.get(name)
        if manifest is None:
            continue
        for selected in each.selected:
            for path in manifest.covered(selected):
                entry = manifest.entries[path]
                if entry.kind != "folder":
                    rows[name, path] = FileRow(path, entry.size, name, changes.get((name, path)))
    if not reads:
        return None
    gone = [FileRow(each.path, 0, each.context, each) for each in changes.values() if _gone(each)]
    ordered = sorted(rows.values(), key=lambda row: (row.change is None, -row.size, row.path))
    return StepFiles(
        tuple([*gone, *ordered][:_MOST]), len(rows), sum(row.size for row in rows.values()),
        cause.against if cause else 0,
    )  # fmt: skip


def _gone(change: FileChange) -> bool:
    return change.change is Alteration.REMOVED
