"""Where measurements happen: the private engine, a folder, an environment; and how a build is observed from outside."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.bench.terminal import Terminal
from tests.support.engine import PrivateEngine
from tests.support.environment import PERSONAL
from tests.support.project import Project
from tests.support.wait import wait_for

HITMISS = (sys.executable, "-m", "hitmiss")
LOOK_S = 0.004
"""How often the engine is asked whether an image is there; the same for both sides."""


class Place:
    """The engine and the folders of one run of the bench."""

    def __init__(self, engine: PrivateEngine, folder: Path, *, quick: bool) -> None:
        self.engine = engine
        self.folder = folder
        self.quick = quick
        home = folder / "home"
        home.mkdir()
        self.env = {name: value for name, value in engine.env(home=home).items() if not PERSONAL.match(name)}

    def pairs(self, many: int, few: int) -> int:
        """How often to measure."""
        return few if self.quick else many

    def project(self, name: str, dockerfile: str) -> Project:
        """A fresh project."""
        project = Project(self.folder / name)
        project.dockerfile(dockerfile)
        return project

    def hitmiss(self, project: Project, *words: str) -> Terminal:
        """The program in the full screen on a project."""
        return Terminal([*HITMISS, *words], cwd=project.path, env=self.env)

    def image(self, name: str) -> str:
        """The image that has this name now; empty when there is none."""
        try:
            return str(json.loads(self.engine.api("GET", f"/images/{name}/json"))["Id"])
        except OSError:
            return ""

    def ready(self, name: str, before: str, timeout: float = 60.0) -> float:
        """The time at which the name first belongs to another image than before."""
        wait_for(lambda: self.image(name) not in ("", before), timeout, f"a new {name}", pause=LOOK_S)
        return time.monotonic()


def quiet(pid: int, *, for_s: float = 0.5, timeout: float = 120.0) -> None:
    """Wait until a program has had no child process and next to no work for a while."""
    process = psutil.Process(pid)
    end = time.monotonic() + timeout
    since, spent = time.monotonic(), cpu(process)
    while time.monotonic() - since < for_s:
        time.sleep(0.05)
        now = cpu(process)
        if process.children() or now - spent > 0.1 * for_s:
            since, spent = time.monotonic(), now
        if time.monotonic() > end:
            raise TimeoutError("the program does not come to rest")


def cpu(process: psutil.Process, *, children: bool = False) -> float:
    """Seconds of processor time of a process so far; with `children`, of those alone that ended and were collected."""
    times = process.cpu_times()
    return float(times.children_user + times.children_system) if children else float(times.user + times.system)


def spent(command: Sequence[str], *, cwd: Path, env: dict[str, str]) -> tuple[float, float]:
    """Run a command to its end, its output thrown away: seconds of the clock, of the processor."""
    null = os.open(os.devnull, os.O_RDWR)
    began = time.monotonic()
    pid = os.posix_spawnp(
        "/bin/sh",
        ["sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *command],
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)],
    )
    _, status, usage = os.wait4(pid, 0)
    os.close(null)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime
