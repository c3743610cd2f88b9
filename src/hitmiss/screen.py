"""Opening the full screen: on a project, on a recording, on an example."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from importlib import resources
from pathlib import Path

import msgspec
import platformdirs
from rich.console import Console

from hitmiss import settings as settings_files
from hitmiss.build.recording import Writer
from hitmiss.cli import need_terminal
from hitmiss.crash import CrashError
from hitmiss.docker.presence import require_engine
from hitmiss.errors import CANCELED, EngineError, UsageError
from hitmiss.replay import Replay
from hitmiss.runner import project_folder
from hitmiss.session import Session
from hitmiss.settings import BuildOptions, Settings
from hitmiss.ui.actions import keymap
from hitmiss.ui.app import HitmissApp, Subject
from hitmiss.ui.keyboard import accept_any_bytes
from hitmiss.ui.theme import DARK, LIGHT
from hitmiss.workspace import open_workspace

_SIGNALS = {"SIGINT": CANCELED, "SIGTERM": 128 + 15, "SIGHUP": 128 + 1}
"""Signals that end the program, and the exit code of each."""
_WORD = re.compile(r"\w[\w-]*")
"""What could be meant as a command: no path, and no URL."""
_SWITCH_S = 0.001
"""How long a thread that computes may keep the screen waiting: Python's own 5 ms are felt when two of them do."""
_THREADS_S = 2.0
_HANGUP_S = 3.0
"""How long the program may take to end when its terminal has gone; canceling a build takes one second at most."""


def run(
    options: BuildOptions, *, on_change: str | None, settle: int | None, theme: str | None, record: Path | None
) -> int:
    """Watch and build a project; gives the exit code."""
    word = options.context
    if _WORD.fullmatch(word) and not Path(word).exists():
        raise UsageError(
            f"{word} is no command of hitmiss, and no folder here.", "`hitmiss --help` lists the commands."
        )
    need_terminal()
    _check_theme(theme or "")
    cwd = Path.cwd()
    settings = _settings(project_folder(options, cwd))
    chosen = {"on_change": on_change, "settle": settle, "theme": theme}
    settings = msgspec.structs.replace(settings, **{key: value for key, value in chosen.items() if value is not None})
    space = asyncio.run(open_workspace(options, settings, cwd=cwd))
    session = Session(space, settings, writer=Writer(record) if record else None)
    session.require_target()
    if not session.recalled:  # another builder can be chosen on the screen
        require_engine(options.builder or None)
    return _show(session, settings)


def replay(file: Path, *, speed: float, theme: str | None) -> int:
    """Play a recording."""
    need_terminal()
    _check_theme(theme or "")
    settings = _settings(Path.cwd())
    return _show(Replay(file, speed=speed), msgspec.structs.replace(settings, theme=theme or settings.theme))


def demo(name: str, *, theme: str | None, recorded: bool) -> int:
    """Open an example project: built where an engine answers, else played from its recording."""
    need_terminal()
    _check_theme(theme or "")
    example = _example(name)
    settings = _settings(Path.cwd())
    settings = msgspec.structs.replace(settings, theme=theme or settings.theme)
    notice = ""
    if not recorded:
        try:
            require_engine(None)
        except EngineError as error:
            notice = f"{error} Until then, a recording of the demo is played."
        else:
            folder = _copy(example, name)
            own = settings_files.load(folder)
            space = asyncio.run(open_workspace(BuildOptions(), own, cwd=folder))
            settings = msgspec.structs.replace(settings, targets=own.targets, watch=own.watch)
            welcome = f"This project is yours to try things on: {folder}. README.md there says what to change."
            return _show(Session(space, settings, cwd=folder), settings, welcome)
    recording = example.parent / f"{name}.jsonl"
    if not recording.is_file():
        raise EngineError(f"The example {name} needs an engine.", "`hitmiss demo` plays a recording without one.")
    return _show(Replay(recording, notice=notice), settings)


def _show(subject: Subject, settings: Settings, welcome: str = "") -> int:
    """Run the screen to its end; gives the exit code."""
    accept_any_bytes()
    sys.setswitchinterval(_SWITCH_S)
    app = HitmissApp(subject, theme_name=settings.theme, keys=settings.keys, welcome=welcome)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as crash:
        app.error_console = Console(file=crash, width=120)  # where Textual prints the traceback of a crash
        code = asyncio.run(_run(app))
        crash.seek(0)
        if traceback := crash.read():
            raise CrashError(traceback)
    return code


async def _run(app: HitmissApp) -> int:
    """Signals are taken before the terminal is, so that no moment is left in which one could leave it raw."""
    loop = asyncio.get_running_loop()
    for name, code in _SIGNALS.items():
        with contextlib.suppress(NotImplementedError):
            if number := getattr(signal, name, None):
                loop.add_signal_handler(number, _leave, app, name, code)
    result = await app.run_async()
    code = result if result is not None else app.return_code or 0
    _end_within(_THREADS_S, code)  # the terminal is the user's again: no thread that asks a hung engine may hold it
    return code


def _leave(app: HitmissApp, name: str, code: int) -> None:
    app.leave(code)
    if name == "SIGHUP":  # the terminal is gone, and Textual waits for ever to write its last words to it
        _end_within(_HANGUP_S, code)


def _end_within(seconds: float, code: int) -> None:
    """End the program by then, whatever a thread still waits for."""
    watchdog = threading.Timer(seconds, os._exit, (code,))
    watchdog.daemon = True
    watchdog.start()


def _settings(folder: Path) -> Settings:
    """The settings of a folder; raises `UsageError` with file and line for a theme or a key that the screen has not."""
    user = Path(platformdirs.user_config_dir("hitmiss", appauthor=False)) / "hitmiss.toml"
    found = settings_files.load(folder, user)
    try:
        _check_theme(found.theme)
    except UsageError as error:
        raise UsageError(f"{settings_files.place(folder, user, ('theme',))}: {error.message}", error.mend) from None
    for name, key in found.keys.items():
        try:
            keymap({name: key})
        except UsageError as error:
            where = settings_files.place(folder, user, ("keys", name))
            raise UsageError(f"{where}: {error.message}", error.mend) from None
    return found


def _check_theme(name: str) -> None:
    """Raise `UsageError` for a theme that there is not; "" is hitmiss's own."""
    known = [theme.name for theme in (DARK, LIGHT)]
    if name and name not in known:
        from textual.theme import BUILTIN_THEMES  # a slow import, for those who want another theme

        known += sorted(BUILTIN_THEMES)
    if name and name not in known:
        raise UsageError(f"There is no theme called {name}.", f"Themes: {', '.join(known)}.")


def _example(name: str) -> Path:
    root = Path(str(resources.files("hitmiss.examples")))
    names = sorted(folder.name for folder in root.iterdir() if (folder / "README.md").is_file())
    if name not in names:
        raise UsageError(f"There is no example called {name}.", f"Examples: {', '.join(names)}.")
    return root / name


def _copy(example: Path, name: str) -> Path:
    """A copy of the example that is the user's own to edit; one that is there already is kept as it is."""
    folder = Path(platformdirs.user_data_dir("hitmiss", appauthor=False)) / "demo" / name
    if not (folder / "README.md").is_file():
        shutil.copytree(example, folder, dirs_exist_ok=True)
    return folder
