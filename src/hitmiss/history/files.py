"""The folders of the contexts that remembered builds read, as blobs under their digests, and what is kept of each."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from hitmiss.history.database import Database, Work, plain

FRESH_S = 3600.0
"""Blobs that were put so shortly ago stay: the build that they belong to may not be remembered yet."""


class Files(Database):
    """Blobs and indices. Nothing raises."""

    def put_blobs(self, blobs: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep these blobs (digest, data); those that are there already cost little.

        Put all that a build's trees are made of, or that were not there when the build before it was remembered.
        """
        given = dict(blobs)
        now = time.time()
        there = dict(
            cast(
                Iterable[tuple[bytes, float]],
                self._among("SELECT digest, used FROM blob WHERE digest IN (%s)", (), given),
            )
        )
        work: list[Work] = [
            ("INSERT OR REPLACE INTO blob VALUES (?, ?, ?)", (digest, zlib.compress(data, 1), now))
            for digest, data in given.items()
            if digest not in there
        ]
        stale = [digest for digest, used in there.items() if used < now - FRESH_S / 2]
        # One that was swept away since it was looked up is put again, whole.
        work += [
            (
                "INSERT INTO blob VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                (digest, zlib.compress(given[digest], 1), now),
            )
            for digest in stale
        ]
        self._do(work)

    def blob(self, digest: bytes) -> bytes | None:
        """The blob with that digest; None where it is not there."""
        row = self._one("SELECT data FROM blob WHERE digest = ?", (digest,))
        try:
            return zlib.decompress(cast(bytes, row[0])) if row else None
        except zlib.error:
            return None

    def index(self, folder: Path | str) -> bytes:
        """What was last kept of a folder; b"" for nothing."""
        row = self._one("SELECT data FROM folder WHERE path = ?", (plain(folder),))
        return cast(bytes, row[0]) if row else b""

    def keep_index(self, folder: Path | str, data: bytes) -> None:
        """Keep `data` of a folder, in place of what was kept of it."""
        self._do([("INSERT OR REPLACE INTO folder VALUES (?, ?, ?)", (plain(folder), data, time.time()))])
