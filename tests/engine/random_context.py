"""A random folder and random edits of it, for tests of what the engine takes for a change.

It needs no engine; all chance comes from the `random.Random` that it is given.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from hitmiss.project.ignore import IgnoreRules, parse
from hitmiss.project.manifest import Manifest

TOP = ("a.txt", "b.py", "c.md", "d1", "d2", "docs", "é x", "[q]", "link", "Lx")
BELOW = ("x", "y.py", "z.md", "deep", "up", ".hid")
MODES = (0o600, 0o644, 0o755, 0o700)
TARGETS = ("d1", "d2", "a.txt", "../a.txt", "../d2", "/d1", "/docs/deep", "nowhere", "x", "../..", "link")
BYTES = (b"", b"1", b"12", b"123", b"1234")
RULES = ("", "", "*.md\n", "d2\n!d2/deep\n", "**/x\n!d1\n", "docs\n!docs/*/y.py\n", "Lx\n.dockerignore\n")


class RandomContext:
    """A random folder, and random edits of it. Every write has a time of its own unless it is to go unseen."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.clock = 1_600_000_000
        self.told = "as made"
        root.mkdir()
        for name in TOP:
            if chance.random() < 0.85:
                self._make(root / name)

    def rules(self) -> IgnoreRules:
        path = self.root / ".dockerignore"
        return parse(path.read_bytes() if path.exists() else b"")

    def manifest(self) -> Manifest:
        found = Manifest(str(self.root), self.rules())
        found.read()
        return found

    def edit(self) -> list[str]:
        """Do something; the paths that a watcher would name."""
        did: list[str] = []
        edited: list[str] = []
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            kinds = [self._add, self._remove, self._modify, self._chmod, self._touch, self._rename, self._retarget]
            kinds += [self._turn, self._unseen, self._ignore, self._chown, self._modify, self._hard_link]
            kind = self.chance.choice(kinds)
            paths = [str(path.relative_to(self.root)) for path in kind()]
            did.append(f"{kind.__name__[1:]} {' '.join(paths)}")
            edited += paths
        self.told = ", ".join(did)
        return edited

    def _make(self, path: Path) -> None:
        depth = len(path.relative_to(self.root).parts)
        sort = self.chance.random()
        if path.name in ("link", "Lx", "up") or sort < 0.1:
            path.symlink_to(self.chance.choice(TARGETS))
        elif depth < 4 and (path.name in ("d1", "d2", "docs", "deep") or sort < (0.25 if depth == 1 else 0.15)):
            path.mkdir()
            path.chmod(self.chance.choice(MODES))
            for name in BELOW:
                if self.chance.random() < 0.5:
                    self._make(path / name)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        path.write_bytes(self.chance.choice(BYTES))
        path.chmod(self.chance.choice(MODES))
        self._time(path)

    def _time(self, path: Path) -> None:
        self.clock += 1
        os.utime(path, (self.clock, self.clock), follow_symlinks=False)

    def _all(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.name != ".dockerignore")

    def _any(self, *sorts: str) -> list[Path]:
        found = [
            path
            for path in self._all()
            if ("link" if path.is_symlink() else "folder" if path.is_dir() else "file") in sorts
        ]
        return [self.chance.choice(found)] if found else []

    def _free(self) -> Path:
        folders = [self.root, *(path for path in self._all() if path.is_dir() and not path.is_symlink())]
        places = [
            folder / name
            for folder in folders
            for name in (TOP if folder == self.root else BELOW)
            if not os.path.lexists(folder / name)
        ]
        return self.chance.choice(places) if places else self.root / "more"

    def _add(self) -> list[Path]:
        place = self._free()
        self._make(place)
        return [place]

    def _remove(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            _delete(path)
        return found

    def _modify(self) -> list[Path]:
        found = self._any("file")
        for path in found:
            path.unlink() if path.stat().st_nlink > 1 else None
            path.write_bytes(self.chance.choice(BYTES))
            self._time(path)
        return found

    def _chmod(self) -> list[Path]:
        found = self._any("file", "folder")
        for path in found:
            path.chmod(self.chance.choice(MODES))
        return found

    def _chown(self) -> list[Path]:
        found = self._any("file", "folder")
        for path in found:
            os.chown(path, 1000, 1000)
        return found

    def _touch(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            self._time(path)
        return found

    def _rename(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            place = self._free()
            if path in (place, *place.parents):
                return []
            path.rename(place)
            return [path, place]
        return []

    def _retarget(self) -> list[Path]:
        found = self._any("link")
        for path in found:
            path.unlink()
            path.symlink_to(self.chance.choice(TARGETS))
        return found

    def _turn(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            _delete(path)
            self._make(path)
        return found

    def _unseen(self) -> list[Path]:
        """Other bytes, but the size, time and mode of before."""
        for path in self._any("file"):
            status = path.stat()
            if status.st_nlink == 1:
                path.write_bytes(bytes(self.chance.choice(b"123456") for _ in range(status.st_size)))
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
                return [path]
        return []

    def _ignore(self) -> list[Path]:
        path = self.root / ".dockerignore"
        path.write_text(self.chance.choice(RULES))
        self._time(path)
        return [path]

    def _hard_link(self) -> list[Path]:
        place = self._free()
        for path in self._any("file"):
            place.hardlink_to(path)
            return [place]
        return []


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
