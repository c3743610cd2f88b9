"""`python -m tests.support.engine …`: a private engine for a shell, for `make run` and for a person at work.

start               keep one running for this checkout (found again by start, env, use)
stop                end it and remove all that it made
status              say where it is; exit code 1 when there is none
env                 lines for a shell: eval "$(python -m tests.support.engine env)"
run [--pace MS] -- CMD…   CMD with an engine of its own, which ends with it
use -- CMD…         CMD with the engine that is there, else with the kept one
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tests.support import install, scratch
from tests.support.engine import NoEngineError, PrivateEngine

STATE = Path(__file__).parents[2] / ".cache/engine.json"

DEMO_PACE_MS = 80
"""So slow are the stand-ins for a person who watches; for tests they take no time at all."""


def main(words: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if words is None else words)
    verb, rest = (words[0], words[1:]) if words else ("", [])
    command = rest[rest.index("--") + 1 :] if "--" in rest else rest
    try:
        match verb:
            case "start":
                print(f"The private engine listens at {kept(DEMO_PACE_MS).host}")
            case "stop":
                stop()
            case "status":
                return status()
            case "env":
                return print_env()
            case "run" if command:
                pace = int(rest[rest.index("--pace") + 1]) if "--pace" in rest[: -len(command)] else 0
                return run(command, pace)
            case "use" if command:
                use(command)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except NoEngineError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


def kept(pace_ms: int) -> PrivateEngine:
    """The kept engine of this checkout, started if it does not run."""
    with _state_lock():
        engine = running()
        if engine is None:
            _remove_stale()
            engine = PrivateEngine(kept=True).start()
            engine.import_base(pace_ms=pace_ms)
            STATE.write_text(json.dumps({"folder": str(engine.folder)}))
    return engine


def running() -> PrivateEngine | None:
    """The kept engine, if it answers."""
    folder = _folder()
    if folder is not None:
        with contextlib.suppress(OSError, ValueError):
            engine = PrivateEngine.attached(folder)
            if engine.is_alive:
                return engine
    return None


def stop() -> None:
    with _state_lock():
        engine = running()
        if engine is not None:
            engine.stop()
        _remove_stale()


def status() -> int:
    engine = running()
    print(f"running at {engine.host}" if engine else "not running")
    return 0 if engine else 1


def print_env() -> int:
    engine = running()
    if engine is None:
        print("The private engine does not run: start it with `python -m tests.support.engine start`.", file=sys.stderr)
        return 3
    env = engine.env()
    for name in sorted(os.environ.keys() - env.keys()):
        print(f"unset {name}")
    for name, value in sorted(env.items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    return 0


def run(command: Sequence[str], pace_ms: int = 0) -> int:
    """Run `command` in the foreground with an engine that lives as long; the command's exit code.

    The command shares this terminal: a Ctrl-C reaches it by itself, and a signal to this process is handed on.
    """
    children: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []
    starting = False

    def hand_on(number: int, frame: FrameType | None) -> None:
        if not starting:
            raise SystemExit(128 + number)
        asked.append(number)
        pass_on()

    def pass_on() -> None:
        while children and asked:
            with contextlib.suppress(ProcessLookupError):
                children[0].send_signal(asked.pop(0))

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hand_on)
    with _terminal_restored(), PrivateEngine() as engine:
        engine.import_base(pace_ms=pace_ms)
        signal.signal(signal.SIGINT, lambda number, frame: None)
        starting = True
        children.append(subprocess.Popen(command, env=engine.env()))
        pass_on()
        code = children[0].wait()
    return code if code >= 0 else 128 - code


def use(command: Sequence[str]) -> NoReturn:
    """Become `command`: with the engine that is there, else with the kept one, else with none.

    With none, the command says so itself.
    """
    env = dict(os.environ)
    if not _engine_is_there():
        try:
            if install.can_install():
                install.install()
            env = kept(DEMO_PACE_MS).env()
        except install.CannotInstallError as error:
            print(error, file=sys.stderr)
        except NoEngineError:
            pass
    sys.stdout.flush()
    os.execvpe(command[0], list(command), env)


def _engine_is_there() -> bool:
    """Whether the user's own docker command reaches an engine."""
    if shutil.which("docker") is None:
        return False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        question = ["docker", "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(question, capture_output=True, timeout=10, check=False).returncode == 0
    return False


def _folder() -> Path | None:
    with contextlib.suppress(OSError, ValueError, KeyError):
        return Path(json.loads(STATE.read_text())["folder"])
    return None


def _remove_stale() -> None:
    """What a kept engine left that died, as at a restart of the machine."""
    folder = _folder()
    if folder is not None and folder.is_dir():
        scratch.destroy(folder, None)
    STATE.unlink(missing_ok=True)


@contextlib.contextmanager
def _state_lock() -> Iterator[None]:
    STATE.parent.mkdir(parents=True, exist_ok=True)
    with STATE.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    """A command that was killed may have left the terminal raw."""
    modes: list[Any] | None = None
    with contextlib.suppress(termios.error):
        modes = termios.tcgetattr(0)
    try:
        yield
    finally:
        if modes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, modes)
