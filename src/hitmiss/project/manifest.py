"""Placeholder while the real one is being written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from hitmiss.project.ignore import IgnoreRules
from hitmiss.project.tree import Tree


class Entry(NamedTuple):
    kind: str
    mode: int
    size: int
    link: str
    digest: bytes


class Manifest:
    def __init__(self, root: str, rules: IgnoreRules, index: bytes = b"") -> None:
        self.tree = Tree(root, rules)
        self.entries: dict[str, Entry] = {}
        self.stale: dict[str, bytes] = {}

    def read(self) -> None:
        self.tree.settle()
        self.entries = {path: self._entry(path) for path in self.tree.entries}

    def _entry(self, path: str) -> Entry:
        full = f"{self.tree.root}/{path}"
        st = os.lstat(full)
        if os.path.islink(full):
            return Entry("link", st.st_mode & 0o7777, 0, os.readlink(full), b"")
        if os.path.isdir(full):
            return Entry("folder", st.st_mode & 0o7777, 0, "", b"")
        with open(full, "rb") as f:
            return Entry("file", st.st_mode & 0o7777, st.st_size, "", blake2b(f.read(), digest_size=16).digest())

    def refresh(self, paths: Iterable[str]) -> set[str]:
        before = dict(self.entries)
        self.read()
        return {p for p in {*before, *self.entries} if before.get(p) != self.entries.get(p)}

    def index(self) -> bytes:
        return b""

    def covered(self, selected: Any) -> list[str]:
        import fnmatch

        source = selected.source.strip("/")
        if source in ("", "."):
            return list(self.entries)
        return [p for p in self.entries if p == source or p.startswith(source + "/") or (selected.wildcards and fnmatch.fnmatch(p, source))]

    def content(self, selected: Any) -> bytes:
        h = blake2b(digest_size=16)
        for p in sorted(self.covered(selected)):
            h.update(repr((p, self.entries[p])).encode())
        return h.digest()

    def freeze(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        import msgspec

        blob = msgspec.msgpack.encode({p: list(e) for p, e in sorted(self.entries.items())})
        d = blake2b(blob, digest_size=16).digest()
        return d, [(d, blob)]
