"""What is kept of each path of a context, how it is read from disk, and how it is packed for keeping.

It reads files and links, nothing else: no process, no screen, no database.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import batched, chain
from typing import Any, Final

import msgspec

from hitmiss.project.tree import Stamp

FILE: Final = "file"
FOLDER: Final = "folder"
LINK: Final = "link"
OTHER: Final = "other"

DIGEST_SIZE: Final = 16
NOTHING: Final = b""

Digest = bytes
