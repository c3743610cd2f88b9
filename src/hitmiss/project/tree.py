"""The part of a folder that BuildKit will see, as paths with stamps, and how it differs from what was there before.

It reads folders and nothing else: no process, no screen, no database. Links are never followed, as BuildKit does not
follow them.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hitmiss.project.ignore import IgnoreRules

Stamp = tuple[int, int, int, int, int]
"""Mode, size, times of modification and of status change in nanoseconds, inode; a folder's has only mode and inode."""

ADDED: Final = "added"
MODIFIED: Final = "modified"
DELETED: Final = "deleted"

Difference = tuple[str, str, bool]
"""One of the three words above, the path it holds for, and whether that is (or was) a folder."""

Listing = list[tuple[str, "os.DirEntry[str]", bool]]
"""A folder's visible entries: path, entry, whether it is a folder."""

_COARSE_NS: Final = 20_000_000
"""Two writes closer than this may carry the same time of modification (the kernel's clock tick)."""


class Tree:
    """What of `root` BuildKit sees under `rules`.

    Paths are relative, with `/`, and with surrogate escapes where a name is not UTF-8.
    """

    def __init__(self, root: str, rules: IgnoreRules) -> None:
        self.root = root
        self.rules = rules
        self.entries: dict[str, Stamp] = {}
        self.folders: dict[str, set[str]] = {}
        """Every folder that was looked into, with what it holds: visible entries, and ignored folders with exceptions.
        """
        self.unreadable: set[str] = set()
        self.inode: tuple[int, int] | None = None
        """Device and inode of the root that is known here; None while there is none. `settle` sets it."""

    def root_inode(self) -> tuple[int, int] | None:
        """Device and inode of the root as it is now; None when it is no folder."""
        try:
            status = Path(self.root).stat()
        except OSError:
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None

    def settle(self) -> list[Difference]:
        """Take the root that is there now for the known one, and read it."""
        self.inode = self.root_inode()
        return self.scan()

    def forget(self) -> None:
        """Know nothing any more: the root is gone."""
        self.entries.clear()
        self.folders.clear()
        self.unreadable.clear()
        self.inode = None

    def scan(self, under: str = "") -> list[Difference]:
        """Read the folder `under` ("" is all) again and say what differs from what was known of it."""
        before = dict(self._taken_out(under))
        found: list[Difference] = []
        for folder, listing, visible in _folders(self.root, self.rules, under):
            held = self.folders[folder] = set()
            if folder != under:
                self.folders[folder.rpartition("/")[0]].add(folder)
            if listing is None:
                if visible:
                    self.unreadable.add(folder)
                continue
            for path, entry, is_folder in listing:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                held.add(path)
                now = self.entries[path] = _folder_stamp(status) if is_folder else _stamp(status)
                known = before.pop(path, None)
                if known != now:
                    found.append((MODIFIED if known else ADDED, path, is_folder))
        return [*(_lost(path, stamp) for path, stamp in before.items()), *found]

    def refresh(self, path: str, *, anew: bool = False) -> list[Difference]:
        """Look at one path again (a file, a folder, or gone) and say what differs; for a new folder, all in it.

        `anew` says that what is at `path` came there just now: a known folder may be another one of the same inode.
        """
        path = self._first_unknown(path)
        parent, _, _ = path.rpartition("/")
        held = self.folders.get(parent)
        if not path or held is None:
            return []
        try:
            status = os.lstat(f"{self.root}/{path}")
        except OSError:
            held.discard(path)
            return [_lost(gone, stamp) for gone, stamp in self._removed(path)]
        ignored, _ = self.rules.enter(path, self.rules.folder(parent)) if not self.rules.empty else (False, ())
        if not stat.S_ISDIR(status.st_mode):
            gone = [_lost(lost, stamp) for lost, stamp in self._taken_out(path)]
            return gone + ([] if ignored else self._compared(path, _stamp(status), held))
        if ignored and self.rules.closed(path):
            return []
        before, now = self.entries.get(path), _folder_stamp(status)
        known = path in self.folders and path not in self.unreadable and not anew
        if known and (ignored or before == now):
            return []
        held.add(path)
        own: list[Difference] = []
        if not ignored and before != now:
            self.entries[path] = now
            own = [(MODIFIED if before else ADDED, path, True)]
        return own + self.scan(path)

    def _first_unknown(self, path: str) -> str:
        """`path`, or the uppermost folder above it that was never looked into."""
        at = path.find("/")
        while at >= 0:
            if path[:at] not in self.folders:
                return path[:at]
            at = path.find("/", at + 1)
        return path

    def _compared(self, path: str, now: Stamp, held: set[str]) -> list[Difference]:
        before = self.entries.get(path)
        self.entries[path] = now
        held.add(path)
        if before is None:
            return [(ADDED, path, False)]
        # Equal stamps say "unchanged" only when the last write is older than the clock's grain.
        fresh = max(now[2], now[3]) > time.time_ns() - _COARSE_NS
        return [(MODIFIED, path, False)] if before != now or fresh else []

    def _removed(self, path: str) -> Iterator[tuple[str, Stamp]]:
        """Forget `path` and all in it; the entries that were visible."""
        stamp = self.entries.pop(path, None)
        if stamp:
            yield path, stamp
        yield from self._taken_out(path)

    def _taken_out(self, folder: str) -> Iterator[tuple[str, Stamp]]:
        """Forget all in `folder`, and that it is one; the entries that were visible."""
        waiting = [folder]
        while waiting:
            at = waiting.pop()
            self.unreadable.discard(at)
            for path in self.folders.pop(at, ()):
                stamp = self.entries.pop(path, None)
                if stamp:
                    yield path, stamp
                waiting.append(path)


def count(root: str, rules: IgnoreRules) -> tuple[int, list[str]]:
    """How many entries that are not folders BuildKit sees in `root`, and the folders that could not be read."""
    files = 0
    unreadable: list[str] = []
    for folder, listing, visible in _folders(root, rules, ""):
        if listing is not None:
            files += sum(not is_folder for _, _, is_folder in listing)
        elif visible:
            unreadable.append(folder)
    return files, unreadable


def _folders(root: str, rules: IgnoreRules, under: str) -> Iterator[tuple[str, Listing | None, bool]]:
    """Each folder from `under` on that BuildKit would look into, outer ones first, and whether it is visible itself.

    The listing is None where the folder cannot be read; a folder that is not there (any more) does not come.
    """
    plain = rules.empty
    waiting = [(under, () if plain else rules.folder(under), True)]
    while waiting:
        folder, flags, visible = waiting.pop()
        listing: Listing = []
        prefix = f"{folder}/" if folder else ""
        try:
            with os.scandir(f"{root}/{folder}") as entries:
                for entry in entries:
                    path = prefix + entry.name
                    is_folder = entry.is_dir(follow_symlinks=False)
                    ignored, below = (False, flags) if plain else rules.enter(path, flags)
                    if not ignored:
                        listing.append((path, entry, is_folder))
                    if is_folder and not (ignored and rules.closed(path)):
                        waiting.append((path, below, not ignored))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                yield folder, None, visible
            continue
        yield folder, listing, visible


def _lost(path: str, stamp: Stamp) -> Difference:
    return DELETED, path, stat.S_ISDIR(stamp[0])


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _folder_stamp(status: os.stat_result) -> Stamp:
    return status.st_mode, 0, 0, 0, status.st_ino
