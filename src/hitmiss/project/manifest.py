"""What one context holds for BuildKit: every visible path with kind, mode, link target and a hash of its bytes.

It reads the context's folder and nothing else: no process, no screen, no database. It is kept up to date path by path,
and answers what BuildKit's content hash answers: whether what a source selects is the same as before (`chosen.py`).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from typing import Final

from hitmiss.project.chosen import Chosen, Selected, Source
from hitmiss.project.contents import Contents
from hitmiss.project.entries import (
    FILE,
    FOLDER,
    UNREADABLE,
    Entry,
    Row,
    digest_of,
    pack_folder,
    pack_index,
    read_entry,
    unpack_index,
)
from hitmiss.project.ignore import IgnoreRules
from hitmiss.project.tree import DELETED, Stamp, Tree

_MODIFIED: Final = 2
_WRITTEN: Final = _MODIFIED if os.name == "nt" else 3
"""The time of a stamp that nobody can set: that of the status change, which Windows does not have."""

_GRAIN_NS: Final = 20_000_000
"""Two writes closer than this may leave the same times (the kernel's clock tick)."""


class Manifest:
    """One context under `rules`. One thread at a time may use it; nothing here waits or locks.

    `index` is what `index()` gave earlier, also in another process: files that have the same stamp are not read again.
    BuildKit's client does not send a file again whose size, time of modification and mode are as before; `entries` and
    `content` go by the bytes that BuildKit has, and `stale` names such files with the hash of what they really hold.
    Nor does BuildKit take note of a new mode of a folder that it has: `stale_modes` has the true ones.

    `by_path` is for BuildKit from 0.26 on: below a wildcard or with patterns, a file counts with its path from where
    the wildcard begins; before, with its name alone.
    """

    def __init__(self, root: str, rules: IgnoreRules, index: bytes = b"", *, by_path: bool = False) -> None:
        self.tree = Tree(root, rules)
        self.entries: dict[str, Entry] = {}
        self.stale: dict[str, bytes] = {}
        self.stale_modes: dict[str, int] = {}
        self._contents = Contents(self.entries, self.tree.folders, by_path=by_path)
        self._racy: set[str] = set()
        self._stamps: dict[str, Stamp] = {}
        """The stamp that each path had when it was read."""
        self._ways: set[str] = set()
        """Ignored folders that BuildKit sees because something in them is not ignored."""
        self._trees: dict[str, bytes] = {}
        self._dirty: set[str] = set()
        if index:
            known = unpack_index(index)
            self._stamps, self._racy, self.stale = known.stamps, known.racy, known.stale
            for path, stamp in known.stamps.items():
                self.entries[path] = Entry(FILE, stat.S_IMODE(stamp[0]), stamp[1], "", known.digests[path])
            for path, mode in known.modes.items():
                self.entries[path] = Entry(FOLDER, mode)

    def read(self) -> None:
        """Look at every path; read only those files whose stamp is not the known one."""
        self.tree.settle()
        found, stamps, racy = self.tree.entries, self._stamps, self._racy
        for path in [path for path in self.entries if path not in found]:
            if path not in self.tree.folders:
                self._gone(path)
        for path, stamp in found.items():
            if stamps.get(path) != stamp or path in racy:
                self._look(path, stamp)
        if not self.tree.rules.empty:
            self._settle_ways({*self._ways, *(each for each in self.tree.folders if each not in found)})

    def refresh(self, paths: Iterable[str]) -> set[str]:
        """Look at these paths again, and at all in a folder that is new; the paths whose entry is another one now."""
        changed: set[str] = set()
        for path in paths:
            if not path:
                before = dict(self.entries)
                self.read()
                changed.update(each for each in before if before[each] != self.entries.get(each))
                changed.update(self.entries.keys() - before.keys())
                continue
            told = set()
            for what, each, _ in self.tree.refresh(path, anew=True):
                told.add(each)
                if self._gone(each) if what == DELETED else self._look(each, self.tree.entries[each]):
                    changed.add(each)
            if path in self._racy and path not in told and self._look(path, self.tree.entries[path]):
                changed.add(path)
            if not self.tree.rules.empty:
                changed |= self._settle_ways(self._ways_near({*told, path}))
        return changed

    def catch_up(self, since: int) -> set[str]:
        """Look again at what changed after `since`, in nanoseconds since 1970; gives what `refresh` does.

        It takes half of what `read` takes, and goes by the times of files and folders alone.
        """
        later: list[str] = []
        for path in {*self._stamps, *self.tree.folders}:
            try:
                status = os.lstat(f"{self.tree.root}/{path}")
            except OSError:
                later.append(path)
                continue
            if max(status.st_ctime_ns, status.st_mtime_ns) <= since:
                continue
            if path in self.tree.folders and stat.S_ISDIR(status.st_mode):
                later += self._new_in(path)
                if path not in self.entries or self.entries[path].mode == stat.S_IMODE(status.st_mode):
                    continue
            later.append(path)
        return self.refresh(path for path in later if path)

    def _new_in(self, folder: str) -> list[str]:
        """What is in a known folder and was not; what is ignored comes too."""
        held, prefix = self.tree.folders[folder], f"{folder}/" if folder else ""
        try:
            with os.scandir(f"{self.tree.root}/{folder}") as entries:
                return [prefix + entry.name for entry in entries if prefix + entry.name not in held]
        except OSError:
            return []

    def index(self) -> bytes:
        """What is known of the files, for the next process."""
        return pack_index(self._stamps, self.entries, self._racy, self.stale)

    def forget_stale(self) -> set[str]:
        """BuildKit has no copy of the context any more, so what is true counts; the paths whose entry is another one
        now.
        """
        changed = {*self.stale, *self.stale_modes}
        for path, digest in self.stale.items():
            was = self.entries[path]
            self._put(path, Entry(was.kind, was.mode, was.size, was.link, digest))
        for path, mode in self.stale_modes.items():
            self._put(path, Entry(FOLDER, mode))
        self.stale.clear()
        self.stale_modes.clear()
        return changed

    def written(self, since: int, until: int) -> set[str]:
        """The files and links that were written between two times, in nanoseconds since 1970, when last looked at."""
        return {path for path, stamp in self._stamps.items() if since < stamp[_WRITTEN] <= until}

    def when(self, path: str) -> int:
        """When `path` became what it is, in nanoseconds since 1970; for what is gone, when its folder last changed."""
        at = path
        while True:
            try:
                status = os.lstat(f"{self.tree.root}/{at}")
            except OSError:
                if not at:
                    return 0
                at = at.rpartition("/")[0]
            else:
                return (status.st_mtime_ns, status.st_ctime_ns)[_WRITTEN - _MODIFIED]

    def content(self, selected: Selected) -> bytes:
        """The digest of what is selected: equal where BuildKit's content hash is."""
        return self._contents.content(selected)

    def found(self, selected: Selected) -> bool:
        """Whether all that is selected is there; where it is not, the build fails."""
        return self._contents.found(Chosen(selected))

    def covered(self, selected: Selected) -> set[str]:
        """The paths that are selected, those behind links that are followed too."""
        return self._contents.covered(Chosen(selected))

    def behind(self, selected: Selected) -> tuple[Source, ...]:
        """What is selected through links, as sources of their own: what a change there does to `selected`."""
        return self._contents.behind(Chosen(selected), selected)

    def freeze(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """The manifest as a tree of folders: its root's digest, and the folders that the last freeze did not have."""
        if not self._trees:
            self._dirty = {path for path, entry in self.entries.items() if entry.kind == FOLDER}
            self._dirty.add("")
        known = set(self._trees.values())
        fresh: dict[bytes, bytes] = {}
        for folder in sorted(self._dirty, key=lambda path: path.count("/") + bool(path), reverse=True):
            entry = self.entries.get(folder)
            if folder and (entry is None or entry.kind != FOLDER):
                self._trees.pop(folder, None)
                continue
            blob = pack_folder(self._rows(folder))
            digest = self._trees[folder] = digest_of(blob)
            if digest not in known:
                fresh[digest] = blob
        self._dirty.clear()
        return self._trees[""], list(fresh.items())

    def _rows(self, folder: str) -> Iterable[Row]:
        start = len(folder) + 1 if folder else 0
        for path in self.tree.folders.get(folder, ()):
            entry = self.entries.get(path)
            if entry:
                digest = self._trees[path] if entry.kind == FOLDER else entry.digest
                link = os.fsencode(entry.link)
                yield Row(os.fsencode(path[start:]), entry.kind, entry.mode, entry.size, link, digest)

    def _look(self, path: str, stamp: Stamp) -> bool:
        """Read what is at `path`; whether it is another entry than before."""
        now = time.time_ns()
        try:
            entry = read_entry(f"{self.tree.root}/{path}", stamp)
        except OSError:
            return self._gone(path)
        if entry.kind == FILE:
            before, known = self._stamps.get(path), self.entries.get(path)
            # A time of modification in the future says nothing about when it was written.
            last = max(stamp[3], stamp[2] if stamp[2] <= now else 0)
            if last > now - _GRAIN_NS or entry.digest == UNREADABLE:
                self._racy.add(path)
            else:
                self._racy.discard(path)
            unseen = before is not None and before[:3] == stamp[:3] and known and known.digest != entry.digest
            if unseen and known and known.digest != UNREADABLE:
                self.stale[path], entry = entry.digest, known
            else:
                self.stale.pop(path, None)
            self.stale_modes.pop(path, None)
        else:
            self._racy.discard(path)
            self.stale.pop(path, None)
            entry = self._held_folder(path, entry)
        self._stamps[path] = stamp
        self._ways.discard(path)
        return self._put(path, entry)

    def _held_folder(self, path: str, entry: Entry) -> Entry:
        """A folder with the mode that it has for BuildKit."""
        before = self.entries.get(path)
        if before and before.kind == entry.kind == FOLDER and before.mode != entry.mode:
            self.stale_modes[path] = entry.mode
            return before
        self.stale_modes.pop(path, None)
        return entry

    def _gone(self, path: str) -> bool:
        self._stamps.pop(path, None)
        self._racy.discard(path)
        self.stale.pop(path, None)
        self.stale_modes.pop(path, None)
        self._ways.discard(path)
        return self._put(path, None)

    def _put(self, path: str, entry: Entry | None) -> bool:
        before = self.entries.get(path)
        if before == entry:
            return False
        if entry is None:
            del self.entries[path]
        else:
            self.entries[path] = entry
        self._contents.changed(path, before, entry)
        if self._trees:
            at = path
            if FOLDER in (before and before.kind, entry and entry.kind):
                self._dirty.add(at)
            while at:
                at = at.rpartition("/")[0]
                self._dirty.add(at)
        return True

    def _ways_near(self, paths: Iterable[str]) -> set[str]:
        """The ignored folders that a change of `paths` may make visible or invisible."""
        found = set(self._ways)
        for path in paths:
            at = path
            while at:
                if at in self.tree.folders and at not in self.tree.entries:
                    found.add(at)
                at = at.rpartition("/")[0]
        return found

    def _settle_ways(self, folders: Iterable[str]) -> set[str]:
        """Find out which of these ignored folders BuildKit sees; those whose entry is another one now."""
        changed: set[str] = set()
        for folder in folders:
            if not folder or folder in self.tree.entries:
                continue
            entry: Entry | None = None
            if self._holds(folder):
                try:
                    status = os.lstat(f"{self.tree.root}/{folder}")
                except OSError:
                    pass
                else:
                    entry = self._held_folder(folder, Entry(FOLDER, stat.S_IMODE(status.st_mode)))
            if entry:
                self._ways.add(folder)
            if self._put(folder, entry) if entry else self._gone(folder):
                changed.add(folder)
        return changed

    def _holds(self, folder: str) -> bool:
        """Whether something in `folder` is visible."""
        return any(
            path in self.tree.entries or (path in self.tree.folders and self._holds(path))
            for path in self.tree.folders.get(folder, ())
        )
