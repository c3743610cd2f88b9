"""A program in a terminal of its own, and when which bytes came out of it.

A thread notes each piece of output with its time and does nothing else; what was on the screen at a moment is worked
out from the pieces afterwards, so that looking costs the program nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

LINES, COLUMNS = 40, 120

Look = Callable[[pyte.Screen], bool]


class Terminal:
    """Runs `command` from its making to `close`."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._fd = ours
        self.pieces: list[tuple[float, bytes]] = []
        self._seen = 0
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        self._reader.start()
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ask the program to leave, as Ctrl-C does, and see that it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def press(self, keys: str) -> float:
        """Type; the time just before."""
        now = time.monotonic()
        os.write(self._fd, keys.encode())
        return now

    def wait(self, look: Look, timeout: float = 60.0, what: str = "") -> float:
        """When the screen first looked like this: the time at which the piece came that made it so."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for at in self.frames():
                if look(self.screen):
                    return at
            time.sleep(0.005)
        raise TimeoutError(f"waited in vain for {what or 'the screen'}; it shows:\n" + "\n".join(self.screen.display))

    def frames(self) -> Iterator[float]:
        """Bring the screen up to date piece by piece; gives the time of each."""
        while self._seen < len(self.pieces):
            at, data = self.pieces[self._seen]
            self._seen += 1
            self._stream.feed(data)
            yield at

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return
            if not data:
                return
            self.pieces.append((time.monotonic(), data))


def text_of(screen: pyte.Screen) -> str:
    """All that is on the screen."""
    return "\n".join(screen.display)
