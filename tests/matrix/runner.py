"""Runs a case on a private engine: plan, build, and what the engine's own record says of each build."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from tests.matrix.case import Build, Case
from tests.support.engine import PrivateEngine
from tests.support.environment import PERSONAL
from tests.support.project import Project
from tests.support.streams import recorded, simple_verdicts
from tests.support.warm import warm

OTHER_BASE = "other-base:latest"
"""An image that every engine of the matrix has beside those of `images.DEFAULT_NAMES`, with other files."""

Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class Seen:
    """What is known of one build. `plan` is None where the plan could not be had, `trouble` says why."""

    number: int
    plan: Steps | None
    steps: Steps
    truth: dict[str, str]
    """The engine's verdicts by place, as `place_of` gives it."""
    reports: tuple[bytes, ...]
    trouble: str = ""


class BrokenCaseError(Exception):
    """The case itself is wrong, or hitmiss gave no report."""


class Run:
    """A case under way, as its deeds see it."""

    def __init__(self, case: Case, engine: PrivateEngine, place: Path) -> None:
        self.case = case
        self.engine = engine
        self.nonce = f"n{uuid4().hex[:12]}"
        self.place = place
        self.side = place / "side"
        self.home = place / "home"
        self.project = Project(place / self.nonce)
        self.options: tuple[str, ...] = case.options
        self.served: dict[str, bytes] = {}
        self.url = ""
        self._ticks = 0
        for folder in (self.side, self.home):
            folder.mkdir(parents=True)

    @property
    def data(self) -> Path:
        """Where hitmiss keeps what it remembers of this case."""
        return self.home / ".local"

    def fill(self, text: str) -> str:
        return text.replace("NONCE", self.nonce).replace("SIDE", str(self.side)).replace("URL", self.url)

    def write(self, name: str, text: str, *, bare: bool = False) -> Path:
        path = self.project.write(self.fill(name), self.fill(text if bare else f"{text} NONCE\n"))
        # Two writes within one tick of the file system's clock would leave the same time.
        self._ticks += 1
        self.set_time(path, path.stat().st_mtime_ns + self._ticks * 1_000_000)
        return path

    def set_time(self, path: Path, mtime_ns: int) -> None:
        os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)

    def dockerfile(self, text: str) -> None:
        self.project.dockerfile(self.fill(text))

    def tag(self, image: str, name: str) -> None:
        repo, _, tag = self.fill(name).partition(":")
        image = quote(self.fill(image), safe="")
        self.engine.api("POST", f"/images/{image}/tag?repo={repo}&tag={tag or 'latest'}")

    def prepare(self) -> None:
        for name, text in self.case.files.items():
            self.write(name, text)
        self.dockerfile(self.case.dockerfile)
        for deed in self.case.setup:
            deed(self)

    def build(self, build: Build, number: int) -> Seen:
        """The deeds, the plan, the build, and the engine's record of it."""
        for deed in build.deeds:
            deed(self)
        words = [self.fill(word) for word in (*self.options, *build.once)]
        planned = self._hitmiss("plan", "--json", *words, ".")
        plan, trouble = _steps(planned)
        done = self._hitmiss("build", "--json", *words, ".")
        steps, failure = _steps(done)
        if steps is None or done.returncode != (1 if build.fails else 0):
            said = failure or done.stderr.decode(errors="replace").strip()[-600:]
            raise BrokenCaseError(f"build {number} ended with {done.returncode}: {said}")
        ref = json.loads(done.stdout)["build"]["id"]
        return Seen(number, plan, steps, self._record(ref, steps), (planned.stdout, done.stdout), trouble)

    def kept(self) -> Iterator[bytes]:
        """All that hitmiss has written for itself."""
        for path in self.data.rglob("*"):
            if path.is_file():
                yield path.read_bytes()

    def _hitmiss(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        env = {name: value for name, value in os.environ.items() if not PERSONAL.match(name)}
        env = {**self.engine.env(env, home=self.home), "TMPDIR": str(self.place)}
        return warm().run(*words, cwd=self.project.path, env=env)

    def _record(self, ref: str, steps: Steps) -> dict[str, str]:
        try:
            return truth(recorded(ref, self.engine.env()), steps)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace")[-300:]
            raise BrokenCaseError(f"no record of {ref!r}: {said}") from None


@contextmanager
def running(case: Case, engine: PrivateEngine, place: Path) -> Iterator[Run]:
    """A case with its project written, and with its web server where it needs one."""
    run = Run(case, engine, place)
    server = _Server(run.served)
    run.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        run.prepare()
        yield run
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def truth(stream: bytes, steps: Steps) -> dict[str, str]:
    """The engine's verdicts by place: BuildKit names the platform, and the stage, only where there are several."""
    found = {}
    for name, verdict in simple_verdicts(without_fetches(stream)).items():
        *words, number = name.partition("] ")[0].removeprefix("[").split()
        system = words.pop(0) if words and "/" in words[0] else None
        stage = words[0] if words else None
        index = int(number.partition("/")[0])
        alike = [step for step in steps if step["index"] == index and stage in (None, step["stage"])]
        # What several platforms share has the name of any of them.
        near = [step for step in alike if system in (None, step["platform"])] or alike
        found[place_of(near[0]) if len(near) == 1 else name] = verdict
    return found


def without_fetches(stream: bytes) -> bytes:
    """The stream without the vertices that only fetch what the step of the same name then adds (`ADD URL`)."""
    events = [json.loads(line) for line in stream.splitlines() if line.startswith(b"{")]
    vertices = [vertex for event in events for vertex in event.get("vertexes") or ()]
    reading = {vertex["digest"] for vertex in vertices if vertex.get("inputs")}
    steps = {vertex["name"] for vertex in vertices if vertex["digest"] in reading}
    for event in events:
        event["vertexes"] = [
            vertex
            for vertex in event.get("vertexes") or ()
            if vertex["digest"] in reading or vertex["name"] not in steps
        ]
    return b"\n".join(json.dumps(event).encode() for event in events)


def place_of(step: dict[str, Any]) -> str:
    """`linux/amd64 dev 2`."""
    return f"{step['platform']} {step['stage']} {step['index']}"


def ready(engine: PrivateEngine) -> PrivateEngine:
    """An engine with all that the cases need."""
    if OTHER_BASE not in engine.images():
        engine.import_base(OTHER_BASE, marker="other")
    return engine


def _steps(done: subprocess.CompletedProcess[bytes]) -> tuple[Steps | None, str]:
    try:
        return list(json.loads(done.stdout)["steps"]), ""
    except (ValueError, KeyError, TypeError):
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return None, f"no report ({done.returncode}): {' '.join(said)}"


class _Server(ThreadingHTTPServer):
    """Gives what a case serves, without any word of when it changed."""

    daemon_threads = True

    def __init__(self, served: dict[str, bytes]) -> None:
        self.served = served
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        data = self.server.served.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data or b"")

    do_HEAD = do_GET  # noqa: N815 - the name is the server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the server's
        """Quiet."""
