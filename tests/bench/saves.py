"""From a save to the new image: hitmiss against the plain command, and against compose's own watch.

Each side has a folder of its own with the same project. A save writes a text that no build has seen, in place, as most
editors do; the clock starts just before. The image is ready when its name belongs to another image, which the engine
itself is asked for, the same way for both sides. Before the next save everything has come to rest.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.place import Place, quiet
from tests.bench.table import Row, ratio
from tests.support.project import Project
from tests.support.wait import wait_for

DOCKERFILE = """
    FROM busybox AS dependencies
    WORKDIR /app
    COPY requirements.txt .
    RUN sort requirements.txt > installed.txt
    FROM dependencies AS code
    COPY src src
    RUN cat src/* > all.txt
    RUN wc all.txt > count.txt
    FROM busybox
    COPY --from=code /app /app
    CMD ["sleep", "3600"]
"""
COMPOSE = """
services:
  app:
    image: {name}
    build: .
    network_mode: none
    stop_signal: SIGKILL
    develop:
      watch:
        - action: rebuild
          path: src
"""
GOAL_PLAIN, GOAL_COMPOSE = 0.95, 0.5


class Side:
    """A project folder and the image that comes of it."""

    def __init__(self, place: Place, name: str) -> None:
        self.place, self.name = place, f"bench-{name}"
        self.project: Project = place.project(self.name, DOCKERFILE)
        self.project.write("requirements.txt", "flask\nclick\n")
        self.save()

    def save(self) -> None:
        """Change a file that a step reads."""
        self.project.write("src/app.txt", f"{self.name} {secrets.token_hex(8)}\n")

    def start(self) -> None:
        """What is started at the instant of the save, if anything is."""

    def rest(self) -> None:
        """Wait until nothing goes on any more."""

    def timed(self) -> float:
        """Save, and wait for the image: the seconds it took."""
        before = self.place.image(self.name)
        began = time.monotonic()
        self.save()
        self.start()
        took = self.place.ready(self.name, before) - began
        self.rest()
        return took


class Plain(Side):
    """The command that one would type."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, "plain")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["docker", "buildx", "build", "-q", "-t", self.name, "."],
            cwd=self.project.path,
            env=self.place.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def rest(self) -> None:
        if self._process is not None and self._process.wait():
            raise RuntimeError("the plain build failed")
        time.sleep(0.5)


class Hitmiss(Side):
    """The program in a terminal, on its project."""

    pid = 0

    def rest(self) -> None:
        quiet(self.pid)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Hitmiss]:
        """Open it, and wait until the first build is over."""
        with self.place.hitmiss(self.project, "-t", self.name) as terminal:
            self.place.ready(self.name, "")
            self.pid = terminal.process.pid
            self.rest()
            yield self


class Compose(Side):
    """`docker compose up --watch`, in a process group that gets no terminal."""

    @contextlib.contextmanager
    def watching(self) -> Iterator[Compose]:
        """Start it, and wait until it watches."""
        self.project.write("compose.yaml", COMPOSE.format(name=self.name))
        log = self.place.folder / "compose.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["docker", "compose", "up", "--watch"],
                cwd=self.project.path,
                env=self.place.env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            wait_for(lambda: _says(process, log, "Watch enabled"), 60, "compose to watch")
            self.rest()
            yield self
        finally:
            process.terminate()
            process.wait(30)
            self.place.engine.docker("compose", "kill", cwd=self.project.path, check=False)
            self.place.engine.docker("compose", "down", cwd=self.project.path, check=False)

    def rest(self) -> None:
        """The container of the new image runs."""
        wait_for(lambda: self.place.image(self.name) in self._running(), 60, "compose's new container")
        time.sleep(1.0)

    def _running(self) -> set[str]:
        return {each["ImageID"] for each in json.loads(self.place.engine.api("GET", "/containers/json"))}


def _says(process: subprocess.Popen[bytes], log: Path, words: str) -> bool:
    text = log.read_text(errors="replace")
    if process.poll() is not None:
        raise RuntimeError(f"compose ended: {text[-2000:]}")
    return words in text


def _in_turn(ours: Side, theirs: Side, count: int) -> list[tuple[float, float]]:
    """The first of each pair alternates; one pair before them warms up."""
    pairs = []
    for number in range(count + 1):
        if number % 2:
            b, a = theirs.timed(), ours.timed()
        else:
            a, b = ours.timed(), theirs.timed()
        pairs.append((a, b))
    return pairs[1:]


def against_plain(place: Place) -> list[Row]:
    """One save, one plain build started at the same instant as a save of its own."""
    with Hitmiss(place, "ours").watching() as ours:
        pairs = _in_turn(ours, Plain(place), place.pairs(15, 5))
    what = "save → image ready: hitmiss -t NAME, against docker buildx build -t NAME started at the save"
    return [ratio("build", what, pairs, sides=("hitmiss", "docker"), goal=GOAL_PLAIN)]


def against_compose(place: Place) -> list[Row]:
    """One save each."""
    with Hitmiss(place, "ours-2").watching() as ours, Compose(place, "compose").watching() as theirs:
        pairs = _in_turn(ours, theirs, place.pairs(9, 3))
    what = "save → image ready: hitmiss -t NAME, against docker compose up --watch, action rebuild"
    return [ratio("compose", what, pairs, sides=("hitmiss", "compose"), goal=GOAL_COMPOSE)]
