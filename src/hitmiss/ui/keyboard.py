"""What comes from the keyboard: bytes that are no UTF-8 must not end the program."""

from __future__ import annotations

import codecs
import functools
import sys


def accept_any_bytes() -> None:
    """Let Textual read bytes that are not UTF-8 (another encoding, pasted garbage) as U+FFFD.

    Textual 8 decodes strictly and ends with the program at the first such byte; it offers no setting for it.
    """
    if sys.platform == "win32":
        return
    from textual.drivers import linux_driver

    def lenient(encoding: str) -> functools.partial[codecs.IncrementalDecoder]:
        return functools.partial(codecs.getincrementaldecoder(encoding), errors="replace")

    vars(linux_driver)["getincrementaldecoder"] = lenient
