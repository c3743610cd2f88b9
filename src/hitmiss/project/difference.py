"""What differs between two frozen manifests, for people: which paths came, went, moved or changed.

Pure: blobs in, changes out. Only folders that differ are looked into.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from hitmiss.build.model import Alteration, FileChange
from hitmiss.project.chosen import Chosen, Selected
from hitmiss.project.entries import FILE, FOLDER, LINK, Row, unpack_folder

Load = Callable[[bytes], bytes | None]
"""The blob of a folder by its digest; None where it is not kept any more."""

Opened = Callable[[FileChange], Iterable[FileChange]]
"""A rename → what was removed and added by it."""

_WHOLE: Final = (Alteration.ADDED, Alteration.REMOVED, Alteration.RENAMED, Alteration.KIND)


class _Found(NamedTuple):
    path: str
    row: Row


def difference(load: Load, old_root: bytes, new_root: bytes) -> tuple[FileChange, ...]:
    """The changes from one manifest to another, by path.

    An added or removed folder comes with all that is in it and has "folder" as `new` or `old`; so has a renamed one,
    which comes alone, as `new`. A folder whose blob is not kept counts as empty.
    """
    changes: list[FileChange] = []
    added: list[_Found] = []
    removed: list[_Found] = []
    _compare(load, "", old_root, new_root, changes, added, removed)
    for kind in (FOLDER, FILE):
        for gone, came in _pairs(load, kind, removed, added):
            new = FOLDER if kind == FOLDER else "" if gone.row.mode == came.row.mode else _mode(came.row)
            changes.append(FileChange(came.path, Alteration.RENAMED, gone.path, new))
    changes += [_removed(path, row) for path, row in removed]
    changes += [_added(path, row) for path, row in added]
    return tuple(sorted(changes, key=lambda change: change.path))


def covered(
    changes: Iterable[FileChange], selected: Sequence[Selected], opened: Opened | None = None
) -> tuple[FileChange, ...]:
    """Those changes that can make a difference to one of `selected`, by path.

    What was renamed and is selected at one end alone was added or removed there, as `opened` tells; without that it
    counts as a rename. What lies behind a link counts when `selected` has it too: `Manifest.behind`. An added or
    removed folder is left out where something in it is told.
    """
    chosen = [Chosen(each) for each in selected]
    kept = [each for change in changes for each in _concerning(change, chosen, opened)]
    above = {folder for change in kept if change.change in _WHOLE for folder in _above(change.path)}
    told = [
        change
        for change in kept
        if not (
            change.path in above
            and change.change in (Alteration.ADDED, Alteration.REMOVED)
            and FOLDER in (change.old, change.new)
        )
    ]
    return tuple(sorted(told, key=lambda change: change.path))


def opened(load: Load, old_root: bytes, new_root: bytes, change: FileChange) -> Iterator[FileChange]:
    """A rename between two manifests as what was removed and what was added, with all that is in it."""
    for path, row in _at(load, old_root, change.old):
        yield _removed(path, row)
    for path, row in _at(load, new_root, change.path):
        yield _added(path, row)


def _concerning(change: FileChange, chosen: Sequence[Chosen], opened: Opened | None) -> Iterable[FileChange]:
    if change.change is not Alteration.RENAMED:
        return [change] if any(_concerns(change, each) for each in chosen) else []
    folder = change.new == FOLDER
    there, here = (
        any(each.reaches(path) if folder else each.covers(path) for each in chosen)
        for path in (change.old, change.path)
    )
    filtered = folder and any(each.filtered for each in chosen)
    if not (there or here):
        return []
    if opened is None or (there and here and not filtered):
        return [change]
    ends = [each for each in opened(change) if any(_concerns(each, selected) for selected in chosen)]
    gone = {each.path.removeprefix(change.old) for each in ends if each.change is Alteration.REMOVED}
    come = {each.path.removeprefix(change.path) for each in ends if each.change is Alteration.ADDED}
    return [change] if ends and gone == come else ends


def _concerns(change: FileChange, chosen: Chosen) -> bool:
    match change.change:
        case Alteration.KIND | Alteration.LINK:
            return chosen.covers(change.path) or chosen.reaches(change.path)
        case Alteration.ADDED | Alteration.REMOVED:
            return chosen.covers(change.path, FOLDER in (change.old, change.new))
        case _:
            return chosen.covers(change.path, False)


def _compare(
    load: Load, folder: str, old: bytes, new: bytes,
    changes: list[FileChange], added: list[_Found], removed: list[_Found],
) -> None:  # fmt: skip
    if old == new:
        return
    before = {row.name: row for row in _rows(load, old)}
    for now in _rows(load, new):
        path = _join(folder, now)
        was = before.pop(now.name, None)
        if was is None:
            added += _all(load, path, now)
        elif was != now:
            if was.kind != now.kind:
                changes.append(FileChange(path, Alteration.KIND, was.kind, now.kind, now.size - was.size))
                removed += list(_all(load, path, was))[1:]
                added += list(_all(load, path, now))[1:]
                continue
            if change := _changed(path, was, now):
                changes.append(change)
            if now.kind == FOLDER:
                _compare(load, path, was.digest, now.digest, changes, added, removed)
    for was in before.values():
        removed += _all(load, _join(folder, was), was)


def _removed(path: str, row: Row) -> FileChange:
    return FileChange(path, Alteration.REMOVED, old=_kind(row), grown=-row.size)


def _added(path: str, row: Row) -> FileChange:
    return FileChange(path, Alteration.ADDED, new=_kind(row), grown=row.size)


def _kind(row: Row) -> str:
    """What it is, where that is no file."""
    return "" if row.kind == FILE else row.kind


def _changed(path: str, was: Row, now: Row) -> FileChange | None:
    """The change of one entry, apart from what is in a folder."""
    old, new = (_mode(was), _mode(now)) if was.mode != now.mode else ("", "")
    if now.kind == LINK and was.link != now.link:
        return FileChange(path, Alteration.LINK, _shown(was.link), _shown(now.link))
    if now.kind != FOLDER and (was.digest, was.size, was.link) != (now.digest, now.size, now.link):
        return FileChange(path, Alteration.MODIFIED, old, new, now.size - was.size)
    return FileChange(path, Alteration.MODE, old, new) if old else None


def _pairs(load: Load, kind: str, removed: list[_Found], added: list[_Found]) -> list[tuple[_Found, _Found]]:
    """What was renamed, taken out of both lists: equal bytes, the same name first."""
    gone: dict[bytes, list[_Found]] = {}
    for each in removed:
        if each.row.kind == kind and _counts(load, each.row):
            gone.setdefault(each.row.digest, []).append(each)
    pairs: list[tuple[_Found, _Found]] = []
    taken: set[str] = set()
    left: set[str] = set()
    # Of folders the outer ones are paired first, whatever they are called.
    for rounds in ((True, False),) if kind == FOLDER else ((True,), (False,)):
        for came in added:
            if came.row.kind != kind or came.path in taken or _inside(came.path, taken):
                continue
            found = [
                each
                for each in gone.get(came.row.digest, ())
                if each.path not in left and not _inside(each.path, left)
                if kind != FOLDER or each.row.mode == came.row.mode
            ]
            pair = next((each for same in rounds for each in found if not same or each.row.name == came.row.name), None)
            if pair:
                pairs.append((pair, came))
                left.add(pair.path)
                taken.add(came.path)
    removed[:] = [each for each in removed if each.path not in left and not _inside(each.path, left)]
    added[:] = [each for each in added if each.path not in taken and not _inside(each.path, taken)]
    return pairs


def _counts(load: Load, row: Row) -> bool:
    """Whether there is enough in it to say that it is the same one."""
    return any(_counts(load, each) for each in _rows(load, row.digest)) if row.kind == FOLDER else row.size > 0


def _all(load: Load, path: str, row: Row) -> Iterator[_Found]:
    """An entry and all in it."""
    yield _Found(path, row)
    if row.kind == FOLDER:
        for each in _rows(load, row.digest):
            yield from _all(load, _join(path, each), each)


def _at(load: Load, digest: bytes, path: str, folder: str = "") -> Iterator[_Found]:
    """What a folder has at a path, and all in it."""
    for row in _rows(load, digest):
        here = _join(folder, row)
        if here == path:
            yield from _all(load, path, row)
        elif row.kind == FOLDER and path.startswith(here + "/"):
            yield from _at(load, row.digest, path, here)


def _rows(load: Load, digest: bytes) -> tuple[Row, ...]:
    blob = load(digest)
    try:
        return unpack_folder(blob) if blob else ()
    except msgspec.MsgspecError:
        return ()


def _join(folder: str, row: Row) -> str:
    name = _shown(row.name)
    return f"{folder}/{name}" if folder else name


def _shown(name: bytes) -> str:
    """A name as text that can be shown and kept."""
    return os.fsencode(name).decode(errors="replace")


def _mode(row: Row) -> str:
    return f"{row.mode:o}"


def _above(path: str) -> Iterator[str]:
    at = path.rfind("/")
    while at >= 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


def _inside(path: str, folders: set[str]) -> bool:
    return bool(folders) and any(folder in folders for folder in _above(path))
