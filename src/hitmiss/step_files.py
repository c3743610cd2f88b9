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
    """The files that one operation reads: changed ones first, then the biggest first; None where they are not known."""
    changes = {(each.context, each.path): each for each in cause.files} if cause else {}
    rows: dict[tuple[str, str], FileRow] = {}
    operation = operations.all[place]
    if operation.kind is Kind.LOCAL:  # a folder as an image: what of it counts is said by nobody
        return None
    for each in operation.inputs:
        source = operations.all[each.operation]
        if source.kind is not Kind.LOCAL:
            continue
        name = source.value("name")
        manifest = manifests.get(name)
        if manifest is None or not each.selected:
            return None
        for selected in each.selected:
            for path in manifest.covered(selected):
                entry = manifest.entries[path]
                if entry.kind != "folder":
                    rows[name, path] = FileRow(path, entry.size, name, changes.get((name, path)))
    gone = [FileRow(each.path, 0, each.context, each) for each in changes.values() if _gone(each)]
    ordered = sorted(rows.values(), key=lambda row: (row.change is None, -row.size, row.path))
    return StepFiles(
        tuple([*gone, *ordered][:_MOST]), len(rows), sum(row.size for row in rows.values()),
        cause.against if cause else 0,
    )  # fmt: skip


def _gone(change: FileChange) -> bool:
    return change.change is Alteration.REMOVED
