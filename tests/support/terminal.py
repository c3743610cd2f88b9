"""A real terminal for a program: a pty whose screen is pyte's, keys that are pressed, and what was left behind.

Nothing here sleeps: who waits, waits for what is on the screen.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyte

from tests.support.wait import wait_for

_DOOR = """
import ctypes, fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)  # it is ignored in what a shell started in the background
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[1] == "powerless":
    for power in (1, 2):
        ctypes.CDLL(None).prctl(24, power, 0, 0, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Makes the pty the terminal of the program, as a login does; the process number stays the same.

24 is PR_CAPBSET_DROP; 1 and 2 are the powers by which root reads what the permissions keep from it.
"""

KEYS = {
    "enter": "\r",
    "escape": "\x1b[27u",  # as terminals say it that cannot be misunderstood, whatever is pressed next
    "tab": "\t",
    "space": " ",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}

_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_FOREIGN = re.compile(rb"\x1b\[[<>=][\d;]*[A-Za-z]")
"""What pyte would print a letter of."""
_BEGUN = re.compile(rb"\x1b(?:\[[<>=?]?[\d;]*)?$")
_KITTY = re.compile(rb"\x1b\[([<>])\d*u")

_ASKS_FOR_FRAMES, _FRAME_BEGINS, _FRAME_ENDS = b"\x1b[?2026$p", b"\x1b[?2026h", b"\x1b[?2026l"

ALTERNATE, PASTE, CURSOR = 1049, 2004, 25
MOUSE = (1000, 1002, 1003, 1005, 1006, 1015, 1016)
FOCUS, SYNCHRONIZED, RESIZE_REPORTS = 1004, 2026, 2048


class _Screen(pyte.Screen):
    """pyte's, with an alternate screen, and deaf to the private requests that it takes for public ones."""

    def __init__(self, cols: int, rows: int) -> None:
        self._main: dict[int, Any] = {}
        super().__init__(cols, rows)

    def select_graphic_rendition(self, *attributes: int, **private: bool) -> None:
        if not private:
            super().select_graphic_rendition(*attributes)

    def set_mode(self, *modes: int, **private: bool) -> None:
        super().set_mode(*modes, **private)
        if ALTERNATE in modes and private:
            self._main = copy.deepcopy(dict(self.buffer))
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **private: bool) -> None:
        super().reset_mode(*modes, **private)
        if ALTERNATE in modes and private:
            self.erase_in_display(2)
            self.buffer.update(self._main)
            self._main = {}

    def report_device_attributes(self, *arguments: object, **private: object) -> None: ...

    def report_device_status(self, *arguments: object, **private: object) -> None: ...


class Terminal:
    """`command` in a terminal of its own, from here to `close()`; also a context manager."""

    def __init__(
        self,
        *command: str,
        cwd: Path,
        cols: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        powerless: bool = False,
    ) -> None:
        """`env` is added to the environment of this process; a `powerless` program may read only what it owns."""
        self._lock = threading.RLock()
        self._screen = _Screen(cols, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._raw = bytearray()
        self._unseen = b""
        self._broken: Exception | None = None
        self._master, self._slave = os.openpty()
        self._set_size(cols, rows)
        self.settings = termios.tcgetattr(self._slave)
        """How the terminal was set before the program had it."""
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            **(env or {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _DOOR, "powerless" if powerless else "", *command],
            cwd=cwd,
            env=environment,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
        )
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What is on it

    def text(self) -> str:
        """The screen, line by line, without what is blank on the right."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def shown(self) -> str:
        """The screen for a person who has to find out what went wrong: without the lines that say nothing."""
        return "\n".join(line for line in self.text().splitlines() if re.search(r"\w", line))

    @property
    def raw(self) -> bytes:
        """All that the program has written."""
        with self._lock:
            return bytes(self._raw)

    def background(self, col: int, row: int) -> str:
        """The background colour of a cell."""
        with self._lock:
            return str(self._screen.buffer[row][col].bg)

    @property
    def title(self) -> str:
        """The window's title, as the program set it."""
        with self._lock:
            return str(self._screen.title)

    def wait(self, condition: Callable[[str], object], timeout: float = 20.0, what: str = "") -> str:
        """Wait until `condition` is true of the screen, and give the screen; a program that ends first is an error."""

        def so() -> str | None:
            if self._broken:
                raise self._broken
            over = self.process.poll() is not None
            if over:
                self._drain()
            shown = self.text()
            if condition(shown):
                return shown or " "
            assert not over, f"the program ended with {self.process.returncode} before {what}:\n{self.shown()}"
            return None

        try:
            return wait_for(so, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shown()}") from None

    def wait_text(self, *texts: str, timeout: float = 20.0) -> str:
        """Wait until all of these are on the screen; gives the screen."""
        return self.wait(lambda shown: all(text in shown for text in texts), timeout, f"{texts} on the screen")

    def wait_gone(self, *texts: str, timeout: float = 20.0) -> str:
        """Wait until none of these is on the screen; gives the screen."""
        return self.wait(lambda shown: not any(text in shown for text in texts), timeout, f"{texts} off the screen")

    def wait_raw(self, text: bytes, timeout: float = 20.0) -> None:
        """Wait until the program has written these bytes."""
        self.wait(lambda _: text in self.raw, timeout, f"{text!r} written")

    # What is done to it

    def press(self, *keys: str) -> None:
        """Press keys: names of `KEYS`, or text that is typed as it is."""
        self.send("".join(KEYS.get(key, key) for key in keys).encode())

    def send(self, data: bytes) -> None:
        """Bytes as if from the keyboard."""
        while data:
            data = data[os.write(self._master, data) :]

    def click(self, text: str) -> None:
        """Click into the middle of the first place where the screen shows this text."""
        for row, line in enumerate(self.text().splitlines()):
            if text in line:
                place = f"{line.index(text) + len(text) // 2 + 1};{row + 1}"
                self.send(f"\x1b[<0;{place}M\x1b[<0;{place}m".encode())
                return
        raise AssertionError(f"{text!r} is not on the screen:\n{self.shown()}")

    def paste(self, text: str) -> None:
        """Paste, as a terminal does that knows brackets."""
        self.send(b"\x1b[200~" + text.encode() + b"\x1b[201~")

    def resize(self, cols: int, rows: int) -> None:
        """Make the window another size; the program hears of it by SIGWINCH."""
        with self._lock:
            self._screen.resize(rows, cols)
        self._set_size(cols, rows)

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def exit_code(self, timeout: float = 10.0) -> int:
        """Wait for the program's end; its exit code, negative for a signal that killed it."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program has not ended after {timeout:g} s:\n{self.shown()}") from None
        self._drain()
        return code

    def close(self) -> None:
        """End the program if it has not, and take the terminal away."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self._closing.is_set():
            self._closing.set()
            self._reader.join()
            os.close(self._slave)
            os.close(self._master)

    # What was left behind

    def modes(self) -> dict[int, bool]:
        """Private modes that the program has set or reset: number → how it stands."""
        found: dict[int, bool] = {}
        for numbers, end in _MODE.findall(self.raw):
            found.update((int(number), end == b"h") for number in numbers.split(b";") if number)
        return found

    def not_given_back(self) -> list[str]:
        """What the program has left changed of its terminal; empty when all is as it was."""
        modes = self.modes()
        left = []
        if termios.tcgetattr(self._slave) != self.settings:
            left.append("the settings of the terminal (stty)")
        if modes.get(ALTERNATE, False):
            left.append("the alternate screen")
        if not modes.get(CURSOR, True):
            left.append("the cursor is hidden")
        names = {**dict.fromkeys(MOUSE, "mouse tracking"), PASTE: "bracketed paste", FOCUS: "focus reports"}
        names |= {SYNCHRONIZED: "synchronized output", RESIZE_REPORTS: "resize reports"}
        left += [f"{name} ({number})" for number, name in names.items() if modes.get(number, False)]
        keyboards = _KITTY.findall(self.raw)
        if keyboards.count(b">") > keyboards.count(b"<"):
            left.append("the keyboard protocol")
        return left

    @property
    def was_full_screen(self) -> bool:
        """Whether the program ever took the whole screen."""
        return ALTERNATE in self.modes()

    # Inside

    def _set_size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def _read(self) -> None:
        try:
            while not self._closing.is_set():
                self._read_some(0.1)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the screen
            self._broken = error

    def _read_some(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout)
        if not ready:
            return False
        with self._lock:
            if not select.select([self._master], [], [], 0)[0]:
                return False
            with contextlib.suppress(OSError):
                data = os.read(self._master, 65536)
                self._raw += data
                self._unseen += data
                self._show()
        return True

    def _show(self) -> None:
        """Bring the screen up to the last whole frame: a frame that is half drawn is never seen."""
        if _ASKS_FOR_FRAMES in self._unseen:
            os.write(self._master, b"\x1b[?2026;2$y")
        begun = self._unseen.rfind(_FRAME_BEGINS)
        end = len(self._unseen)
        if begun > self._unseen.rfind(_FRAME_ENDS):
            end = begun
        elif half := _BEGUN.search(self._unseen):
            end = half.start()
        whole, self._unseen = self._unseen[:end], self._unseen[end:]
        self._stream.feed(_FOREIGN.sub(b"", whole))

    def _drain(self) -> None:
        """Read what an ended program has left in the pty."""
        while self._read_some(0):
            pass
