"""The last resort for what no room expected: the traceback goes to a file, the user gets a sentence."""

from __future__ import annotations

import tempfile
import time
import traceback


class CrashError(Exception):
    """The screen ended by an error that no room expected; the text is its traceback."""


def keep(error: BaseException) -> str:
    """Write the traceback of `error` to a file; gives the sentence to show."""
    whole = str(error) if isinstance(error, CrashError) else "".join(traceback.format_exception(error))
    what = next((line for line in reversed(whole.splitlines()) if line.strip()), type(error).__name__)[:200]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix=f"hitmiss-crash-{int(time.time())}-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(whole)
        where = f" Please report it with {file.name}."
    except OSError:
        where = ""
    return f"hitmiss met an error of its own ({what.strip()}).{where}"
