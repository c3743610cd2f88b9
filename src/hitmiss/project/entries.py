"""What is kept of each path of a context: how it is read from disk, and how it is packed for keeping.

It reads files and links, nothing else: no process, no screen, no database.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import compress
from typing import Final

import msgspec

from hitmiss.project.tree import Stamp

FILE: Final = "file"
FOLDER: Final = "folder"
LINK: Final = "link"
OTHER: Final = "other"

DIGEST_SIZE: Final = 16
UNREADABLE: Final = bytes(DIGEST_SIZE)
"""The hash of a file that could not be read."""

_CHUNK: Final = 1 << 20
_list_attributes: Final[Callable[[int], list[str]] | None] = getattr(os, "listxattr", None)
_NO_BLOCK: Final = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What BuildKit sees of one path: no time, no owner.

    `kind` is "file", "folder", "link" or "other"; `mode` the permission bits, those for set-id and sticky included;
    `digest` is of a file's bytes.
    """

    kind: str
    mode: int
    size: int = 0
    link: str = ""
    digest: bytes = b""

    def pack(self) -> bytes:
        """All of it as bytes, for a digest."""
        return b"%b\0%d\0%d\0%b\0%b" % (self.kind.encode(), self.mode, self.size, os.fsencode(self.link), self.digest)


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a folder as it is kept; a folder's `digest` is that of its own rows."""

    name: bytes
    kind: str
    mode: int
    size: int
    link: bytes
    digest: bytes


Rows = tuple[Row, ...]

_encoder = msgspec.msgpack.Encoder()
_row_decoder = msgspec.msgpack.Decoder(Rows)


def digest_of(data: bytes) -> bytes:
    """16 bytes that stand for `data`."""
    return blake2b(data, digest_size=DIGEST_SIZE).digest()


def pack_folder(rows: Iterable[Row]) -> bytes:
    """A folder as a blob."""
    return _encoder.encode(sorted(rows, key=lambda row: row.name))


def unpack_folder(blob: bytes) -> Rows:
    """The entries of a folder, by name; raises `msgspec.MsgspecError` for anything else than such a blob."""
    return _row_decoder.decode(blob)


def children(blob: bytes) -> list[bytes]:
    """The digests of the folders in a folder; raises `msgspec.MsgspecError` for anything else than such a blob."""
    return [row.digest for row in unpack_folder(blob) if row.kind == FOLDER]


def read_entry(place: str, stamp: Stamp) -> Entry:
    """What is at `place`, which has that stamp; raises `OSError` when it is gone."""
    mode = stamp[0]
    bits = stat.S_IMODE(mode)
    if stat.S_ISREG(mode):
        return Entry(FILE, bits, stamp[1], "", hash_file(place))
    if stat.S_ISDIR(mode):
        return Entry(FOLDER, bits)
    if stat.S_ISLNK(mode):
        return Entry(LINK, bits, 0, os.readlink(place))  # noqa: PTH115 - a Path would tidy what the link says
    return Entry(OTHER, bits, 0, str(stat.S_IFMT(mode)))


def hash_file(place: str) -> bytes:
    """The digest of a file's bytes, and of its extended attributes where it has some that count for BuildKit.

    Raises `FileNotFoundError` when it is gone.
    """
    try:
        handle = os.open(place, _NO_BLOCK)
    except FileNotFoundError:
        raise
    except OSError:
        return UNREADABLE
    try:
        data = os.read(handle, _CHUNK)
        found = blake2b(data, digest_size=DIGEST_SIZE)
        while data:
            data = os.read(handle, _CHUNK)
            found.update(data)
        for name in _attributes(handle):
            found.update(b"\0%b\0%b" % (os.fsencode(name), os.getxattr(handle, name)))
    except OSError:
        return UNREADABLE
    finally:
        os.close(handle)
    return found.digest()


def _attributes(handle: int) -> list[str]:
    if _list_attributes is None:
        return []
    try:
        names = _list_attributes(handle)
    except OSError:
        return []
    counts = (name == "security.capability" or not name.startswith(("com.apple.", "security.")) for name in names)
    return sorted(compress(names, counts)) if names else names


class _Index(msgspec.Struct, array_like=True):
    """The files and folders of a manifest in columns; `racy` and `stale` point at files by number."""

    version: int
    paths: bytes
    stamps: list[int]
    digests: bytes
    racy: list[int]
    stale: dict[int, bytes]
    folders: bytes
    modes: list[int]


_VERSION: Final = 2
_index_decoder = msgspec.msgpack.Decoder(_Index)


class Known(msgspec.Struct):
    """What is known of files from an earlier reading, by path.

    `racy` are those that were written so short before they were read that an equal stamp says nothing; `stale` has
    the true hash of those of which BuildKit holds other bytes. `modes` are those that folders have for BuildKit.
    """

    stamps: dict[str, Stamp] = msgspec.field(default_factory=dict)
    digests: dict[str, bytes] = msgspec.field(default_factory=dict)
    racy: set[str] = msgspec.field(default_factory=set)
    stale: dict[str, bytes] = msgspec.field(default_factory=dict)
    modes: dict[str, int] = msgspec.field(default_factory=dict)


def pack_index(
    stamps: Mapping[str, Stamp], entries: Mapping[str, Entry], racy: set[str], stale: dict[str, bytes]
) -> bytes:
    """What `unpack_index` reads."""
    paths = [path for path, stamp in stamps.items() if stat.S_ISREG(stamp[0]) and path in entries]
    folders = {path: entry.mode for path, entry in entries.items() if entry.kind == FOLDER}
    columns = _Index(
        _VERSION, os.fsencode("\0".join(paths)), [number for path in paths for number in stamps[path]],
        b"".join([entries[path].digest for path in paths]),
        [at for at, path in enumerate(paths) if path in racy] if racy else [],
        {at: stale[path] for at, path in enumerate(paths) if path in stale} if stale else {},
        os.fsencode("\0".join(folders)), list(folders.values()),
    )  # fmt: skip
    return zlib.compress(_encoder.encode(columns), 1)


def unpack_index(blob: bytes) -> Known:
    """What `pack_index` wrote; nothing where that cannot be read."""
    known = Known()
    try:
        index = _index_decoder.decode(zlib.decompress(blob))
        paths = os.fsdecode(index.paths).split("\0") if index.paths else []
        numbers = iter(index.stamps)
        stamps: list[Stamp] = list(zip(numbers, numbers, numbers, numbers, numbers, strict=True))
        if index.version != _VERSION or len(stamps) != len(paths) or len(index.digests) != DIGEST_SIZE * len(paths):
            return known
        racy, stale = {paths[at] for at in index.racy}, {paths[at]: digest for at, digest in index.stale.items()}
        folders = os.fsdecode(index.folders).split("\0") if index.folders else []
        modes = dict(zip(folders, index.modes, strict=True))
    except (zlib.error, msgspec.MsgspecError, ValueError, IndexError):
        return known
    known.stamps = dict(zip(paths, stamps, strict=True))
    ends = range(0, len(index.digests), DIGEST_SIZE)
    known.digests = {path: index.digests[at : at + DIGEST_SIZE] for path, at in zip(paths, ends, strict=True)}
    known.racy, known.stale, known.modes = racy, stale, modes
    return known
