"""`python -m tests.support.engine`: the engine of `make run`, and one for a command."""

import os
import pty
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import engine_cli, install, network, scratch
from tests.support.engine import NoEngineError, PrivateEngine
from tests.support.leftovers import left_behind
from tests.support.wait import wait_for

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.engine


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Instead of the state of this checkout, whose engine somebody may be using."""
    path = tmp_path / "state/engine.json"
    monkeypatch.setattr(engine_cli, "STATE", path)
    return path


def test_a_kept_engine(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert engine_cli.main(["status"]) == 1
    assert engine_cli.main(["env"]) == 3
    assert capsys.readouterr().out == "not running\n"
    try:
        assert engine_cli.main(["start"]) == 0
        first = engine_cli.running()
        assert first is not None
        assert first.host in capsys.readouterr().out
        # It is nobody's to sweep, and a second start finds it.
        scratch.sweep()
        assert engine_cli.main(["start"]) == 0
        assert first.host in capsys.readouterr().out
        assert engine_cli.main(["status"]) == 0
        capsys.readouterr()
        assert engine_cli.main(["env"]) == 0
        lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
        assert ["export", f"DOCKER_HOST={first.host}"] in lines
        assert "python:3.12-slim" in first.images()

        # As after a restart of the machine: the folder is there and the daemon is not.
        first.kill_hard()
        assert engine_cli.main(["status"]) == 1
        assert engine_cli.main(["start"]) == 0
        second = engine_cli.running()
        assert second is not None
        assert second.folder != first.folder
        assert left_behind(first.folder, first.network) == []
        folder, bridge = second.folder, second.network
    finally:
        assert engine_cli.main(["stop"]) == 0
    assert left_behind(folder, bridge) == []
    assert not state.exists()
    assert engine_cli.main(["stop"]) == 0


class Became(Exception):  # noqa: N818 - no error
    """Instead of becoming the command."""


def becomes(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the command that `use` becomes."""

    def exec_(name: str, words: list[str], env: dict[str, str]) -> None:
        assert (name, words) == ("hitmiss", ["hitmiss", "demo", "--x"])
        raise Became(env)

    monkeypatch.setattr(os, "execvpe", exec_)
    with pytest.raises(Became) as caught:
        engine_cli.main(["use", "--", "hitmiss", "demo", "--x"])
    env: dict[str, str] = caught.value.args[0]
    return env


def test_use_takes_the_engine_that_is_there(
    engine_env: PrivateEngine, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert becomes(monkeypatch)["DOCKER_HOST"] == engine_env.host
    assert engine_cli.running() is None


def test_use_keeps_one_where_there_is_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Any] = []
    monkeypatch.setattr(install, "install", lambda: installed.append(1))
    monkeypatch.setattr(install, "can_install", lambda: True)
    try:
        env = becomes(monkeypatch)
        assert installed
        running = engine_cli.running()
        assert running is not None
        assert env["DOCKER_HOST"] == running.host
    finally:
        engine_cli.stop()


def test_use_leaves_it_to_the_command_where_none_can_be_had(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(pace_ms: int) -> PrivateEngine:
        raise NoEngineError("A private engine needs root: run the tests as root.")

    monkeypatch.setattr(install, "can_install", lambda: False)
    monkeypatch.setattr(engine_cli, "kept", refuse)
    assert becomes(monkeypatch) == dict(os.environ)
    assert capsys.readouterr() == ("", "")


def test_a_command_that_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert engine_cli.main(["run"]) == 2
    assert engine_cli.main([]) == 2
    assert "python -m tests.support.engine" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["exit", "SIGTERM", "Ctrl-C"])
def test_run_ends_its_engine_with_the_command(end: str, tmp_path: Path) -> None:
    """On a real terminal, since the command must own it."""
    script = tmp_path / "command.py"
    script.write_text(
        "import os, select, signal, sys\n"
        "folder = os.path.dirname(os.environ['DOCKER_HOST'].removeprefix('unix://'))\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "assert os.tcgetpgrp(0) == os.getpgrp()\n"
        "try:\n"
        "    print('FOLDER', folder, 'READY', flush=True)\n"
        "    while not select.select([0], [], [], 0.1)[0]:\n"  # a signal just before it would wait for a line
        "        pass\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(8)\n"
        "sys.exit(9)\n"
    )
    command = [sys.executable, "-m", "tests.support.engine", "run", "--", sys.executable, str(script)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(command[0], command)
    said = b""
    while b"READY" not in said:
        said += os.read(terminal, 1000)
    folder = Path(said.decode().split()[1])
    bridge = network.read(folder / "network.json")
    assert scratch.family(folder)
    match end:
        case "exit":
            os.write(terminal, b"done\n")
        case "SIGTERM":
            os.kill(pid, signal.SIGTERM)
        case _:
            os.write(terminal, b"\x03")
    (code,) = wait_for(lambda: _exit_code(pid), 20, "the command to end")
    os.close(terminal)
    assert code == {"exit": 9, "SIGTERM": 7, "Ctrl-C": 8}[end]
    assert left_behind(folder, bridge) == []


def _exit_code(pid: int) -> tuple[int] | None:
    """The exit code of a child, once it has one."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return (os.waitstatus_to_exitcode(status),) if done else None
