"""Running the program as a user does: another process, its output, its exit code, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.support.warm import warm

COMMAND = (sys.executable, "-m", "hitmiss")


def run(*words: str, cwd: Path, timeout: float = 60, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`hitmiss WORDS` in the environment of this process."""
    return subprocess.run([*COMMAND, *words], cwd=cwd, input=stdin, capture_output=True, timeout=timeout, check=False)


def report(*words: str, cwd: Path, code: int = 0) -> dict[str, Any]:
    """The report of `hitmiss build --json WORDS`: the one JSON document that its stdout holds."""
    done = warm().run("build", "--json", *words, cwd=cwd, env=os.environ)
    assert done.returncode == code, done.stderr.decode(errors="replace")[-3000:]
    assert b"Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert list(document) == ["schema", "build", "steps"]
    return document


def start(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    """`hitmiss WORDS` in the background, its output in pipes."""
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGINT) -> tuple[bytes, bytes]:
    """Send a signal and wait for the end: stdout and stderr."""
    os.kill(process.pid, number)
    return process.communicate(timeout=30)


def family(pid: int | None = None) -> list[psutil.Process]:
    """The living processes that this one (or that one) started, and theirs."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def clients() -> list[psutil.Process]:
    """buildx processes that this one started, or that have lost their parent."""
    found = []
    ours = {process.pid for process in family()}
    for process in psutil.process_iter(["cmdline", "ppid", "status", "environ"]):
        words = process.info["cmdline"] or []
        buildx = any("docker-buildx" in word or word == "buildx" for word in words[:2])
        environ = process.info["environ"] or {}
        orphan = process.info["ppid"] == 1 and environ.get("HOME") == os.environ["HOME"]
        if buildx and process.info["status"] != psutil.STATUS_ZOMBIE and (process.pid in ours or orphan):
            found.append(process)
    return found


def steps_running(marker: str) -> list[psutil.Process]:
    """The processes, of steps that an engine runs, with this word in their command line."""
    return [
        process for process in psutil.process_iter(["cmdline"]) if marker in " ".join(process.info["cmdline"] or [])
    ]
