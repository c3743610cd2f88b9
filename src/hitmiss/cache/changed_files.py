"""The files that a step reads and that are not as they were. Pure: what differs is asked of whoever has the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hitmiss.build.model import Alteration, Cause, CauseKind, FileChange
from hitmiss.cache import ignoring
from hitmiss.cache.facts import BuildFacts, Rules
from hitmiss.cache.operations import Kind, Selected
from hitmiss.cache.pairs import Pair
from hitmiss.project.entries import FOLDER

Changes = Callable[[BuildFacts, str, tuple[Selected, ...]], tuple[FileChange, ...]]
"""An earlier build, a context, what is read of it → what differs there now."""

There = Callable[[str, str], bool]
"""A context and a path → whether it is on disk, for BuildKit to see or not."""


def files(pair: Pair, changes: Changes, there: There) -> Cause | None:
    """Whether the files that it reads are not as they were."""
    if all(new == old for new, old in zip(*pair.contents, strict=False)):
        return None
    found = differing(pair, changes)
    said = f"{_what_changed(found, pair.now.rules, pair.then.rules, there)} since build {pair.then.number}."
    return pair.cause(CauseKind.FILES_CHANGED, said, files=found)


def differing(pair: Pair, changes: Changes) -> tuple[FileChange, ...]:
    """The files of the contexts that it reads and that are not as they were."""
    found: list[FileChange] = []
    mine, theirs = pair.contents
    one, two = pair.one, pair.two
    for number, each in enumerate(one.inputs):
        source = pair.now.operations.all[each.operation]
        if not each.selected or source.kind is not Kind.LOCAL:
            continue
        if number < len(theirs) and mine[number] == theirs[number]:
            continue
        before = two.inputs[number].selected if number < len(two.inputs) else ()
        selected = tuple(dict.fromkeys((*each.selected, *before)))
        found += changes(pair.then, source.value("name"), selected)
    return tuple(dict.fromkeys(found))


def _what_changed(
    files: Sequence[FileChange], rules: Mapping[str, Rules], before: Mapping[str, Rules], there: There
) -> str:
    """`2 files changed`; what the ignore rules hid or showed is told as that."""
    said: list[str] = []
    told: set[tuple[str, str]] = set()
    for context, now in rules.items():
        own = [change for change in files if change.context == context]
        turned = ignoring.turned(own, before.get(context, Rules()), now, partial(there, context))
        if turned.sentence:
            said.append(turned.sentence + (f" of {context}" if context else ""))
            told |= {(context, path) for path in (turned.file, *turned.hidden, *turned.shown)}
    rest = [change for change in files if (change.context, change.path) not in told and not _is_folder(change)]
    if not said:
        return f"{_count(files)} changed"
    return ", and ".join([*said, *([_count(rest, "other ") + " changed"] if rest else [])])


def _count(changes: Sequence[FileChange], which: str = "") -> str:
    number = len(dict.fromkeys(change.path for change in changes))
    return f"1 {which}file" if number == 1 else f"{number:,} {which}files" if number else "What it reads"


def _is_folder(change: FileChange) -> bool:
    return FOLDER in (change.old, change.new) and change.change is not Alteration.KIND
