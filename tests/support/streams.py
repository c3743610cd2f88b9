"""The recorded streams of `tests/unit/data`, and a second, simple reading of a stream to compare with.

`python -m tests.support.record_streams` records them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hitmiss.build.fold import Fold
from hitmiss.build.model import Build, Expected, Status
from hitmiss.build.progress import Event, decode
from hitmiss.project.definition import announce
from hitmiss.project.dockerfile import parse
from tests.support import install

DATA = Path(__file__).parents[1] / "unit" / "data"
NAMES = sorted(path.name.removesuffix(".history.jsonl") for path in DATA.glob("*.history.jsonl"))
PLATFORMS = {"platforms": ("linux/amd64", "linux/arm64")}
"""The builds that were for several."""

ENDS = {"failed": Status.FAILED, "canceled": Status.CANCELED}
"""How the builds ended that did not succeed."""


def raw(name: str, *, history: bool = False) -> bytes:
    """A stream, byte for byte; with `history` as `history logs` replays it."""
    return (DATA / f"{name}{'.history' * history}.jsonl").read_bytes()


def events(stream: bytes) -> list[Event]:
    """A stream, decoded."""
    return [event for line in stream.split(b"\n") if (event := decode(line)) is not None]


def expected(name: str) -> tuple[Expected, ...]:
    """The steps that the Dockerfile of a build announces."""
    parsed = parse((DATA / f"{name}.Dockerfile").read_text())
    return announce(parsed, "Dockerfile", platforms=PLATFORMS.get(name, ()), own="linux/amd64")


def fold(heard: Iterable[Event], announced: Sequence[Expected] = (), status: Status = Status.SUCCEEDED) -> Build:
    """The finished build of these events."""
    folding = Fold(Build(number=1, status=Status.RUNNING), announced)
    for number, event in enumerate(heard):
        folding.hear(event, number / 100)
    folding.end(status, 9.0)
    return folding.build(9.0)


def recorded(ref: str, env: Mapping[str, str] | None = None) -> bytes:
    """What the engine's own record says of a build: its stream as `history logs` replays it.

    The plugin itself is asked, which takes half as long as through the docker command.
    """
    plugin = install.program("docker-buildx")
    assert plugin, "there is no buildx"
    words = [plugin, "history", "logs", ref, "--progress", "rawjson"]
    return subprocess.run(words, env=env, capture_output=True, timeout=60, check=True).stderr


def folded(name: str, *, history: bool = False) -> Build:
    """The finished build of a recorded stream, announced by its Dockerfile."""
    return fold(events(raw(name, history=history)), expected(name), ENDS.get(name, Status.SUCCEEDED))


def verdicts(build: Build) -> dict[str, str]:
    """Step id → verdict."""
    return {step.id: step.verdict.value for step in build.steps}


def simple_verdicts(stream: bytes) -> dict[str, str]:
    """Every step's verdict read as plainly as can be, sharing no code with the program: vertex name → verdict.

    What has inputs and ever started without being cached ran; else cached wins. An error is `failed` unless it ends in
    BuildKit's words for a cancel; what never started is `skipped`. A FROM that fetched nothing is a hit. The merge of a
    `COPY --link` (`LINK COPY …`) is no step.
    """
    return dict(simple_steps(stream).values())


def simple_steps(stream: bytes) -> dict[str, tuple[str, str]]:
    """The same by the vertices' digests: (name, verdict)."""
    vertices: dict[str, dict[str, object]] = {}
    fetched: set[str] = set()
    ran: set[str] = set()
    for line in stream.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        for vertex in event.get("vertexes") or []:
            known = vertices.setdefault(vertex["digest"], {"name": vertex["name"]})
            known.update({key: value for key, value in vertex.items() if value})
            if vertex.get("inputs") and vertex.get("started") and not vertex.get("cached"):
                ran.add(vertex["digest"])
        fetched |= {s["vertex"] for s in event.get("statuses") or [] if s["id"].startswith(("sha256:", "extracting"))}
    found = {}
    for digest, vertex in vertices.items():
        name = str(vertex["name"])
        place, bracket, text = name.partition("] ")
        if not bracket or not place.rpartition("/")[2].isdigit() or text.startswith(("LINK COPY", "LINK ADD")):
            continue
        error = str(vertex.get("error", ""))
        if error:
            verdict = "canceled" if error.endswith("context canceled") else "failed"
        elif vertex.get("cached") and digest not in ran:
            verdict = "hit"
        elif not vertex.get("started"):
            verdict = "skipped"
        elif text.startswith("FROM ") and digest not in fetched:
            verdict = "hit"
        else:
            verdict = "miss"
        found[digest] = (name, verdict)
    return found
