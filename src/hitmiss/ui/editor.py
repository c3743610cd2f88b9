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
    except ValueError:
        return "$VISUAL or $EDITOR is not a command: mend its quotes."
    try:
        with app.suspend():
            said = _run(words)
    except SuspendNotSupported:
        return "This terminal cannot be handed to an editor."
    app.refresh()
    return said


def _run(words: list[str]) -> str:
    """Run the editor. Nothing may be raised while the app is suspended: Textual would not take the terminal back."""
    try:
        code = subprocess.run(words, check=False).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"{words[0]} could not be started ({reason}): set $VISUAL or $EDITOR."
    return f"{words[0]} ended with exit code {code}." if code else ""
