"""Opening the user's own editor at a line. The terminal is the editor's until it ends."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from textual.app import App, SuspendNotSupported

_LINE_WORDS = {
    "code": "--goto",
    "code-insiders": "--goto",
    "codium": "--goto",
    "cursor": "--goto",
    "zed": "",
    "subl": "",
    "hx": "",
    "helix": "",
}
"""Editors that take `FILE:LINE`, with the flag before it; all others take `+LINE FILE`, as vi does."""


def command(path: str, line: int) -> list[str]:
    """The words that open `path` at `line` (from 1) in the user's editor; raises ValueError for bad quoting."""
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
    name = Path(words[0]).stem
    if name in _LINE_WORDS:
        flag = _LINE_WORDS[name]
        return [*words, *([flag] if flag else []), f"{path}:{line}"]
    return [*words, f"+{line}", path]


async def edit(app: App[int], path: str, line: int) -> str:
    """Open the editor and wait for its end. Gives "" or the sentence that says why it did not work."""
    try:
        words = command(path, line)
        with app.suspend():
            code = subprocess.run(words, check=False).returncode  # noqa: ASYNC221 - the screen is the editor's meanwhile
    except SuspendNotSupported:
        return "This terminal cannot be handed to an editor."
    except ValueError:
        return "$VISUAL or $EDITOR is not a command: mend its quotes."
    except OSError as error:
        return f"{words[0]} could not be started ({error.strerror}): set $VISUAL or $EDITOR."
    app.refresh()
    return f"{words[0]} ended with exit code {code}." if code else ""
