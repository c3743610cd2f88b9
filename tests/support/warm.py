"""The program run many times in a row without paying for its start each time.

A process that has imported the program waits for requests on its standard input, and forks for each: what runs is the
program's own `main`, in a process of its own, with the words, folder and environment of the request. Its start is what
other tests are for.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Warm:
    """The waiting process. Ends with this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self.close)

    def run(self, *words: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
        """`hitmiss WORDS` to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            request = {"words": words, "cwd": str(cwd), "env": dict(env), "folder": folder}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            out, err = (Path(folder, name).read_bytes() for name in ("out", "err"))
        return subprocess.CompletedProcess(("hitmiss", *words), code, out, err)

    def close(self) -> None:
        """End it."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()


_own = threading.local()


def warm() -> Warm:
    """The waiting process of this thread."""
    found: Warm | None = getattr(_own, "warm", None)
    if found is None:
        found = _own.warm = Warm()
    return found


def serve() -> None:
    """Answer requests until there are no more."""
    import hitmiss.headless
    import hitmiss.lookback  # noqa: F401 - what is imported now is not imported for each request

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(request)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _be(request: Mapping[str, Any]) -> None:
    """Become the program."""
    code = 1
    try:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
            place = name if number == 0 else f"{request['folder']}/{name}"
            os.dup2(os.open(place, flags | os.O_CREAT, 0o600), number)
        tempfile.tempdir = None
        sys.argv = ["hitmiss", *request["words"]]
        from hitmiss.__main__ import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
