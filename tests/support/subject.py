"""A session made of words: what it shows is set by the test, what is asked of it is written down, its logs are real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Place, Stage, Status, Step, Verdict
from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.fleet import Fleet
from hitmiss.docker.storage import Preview, Pruned, PruneFilter
from hitmiss.docker.targets import Target
from hitmiss.errors import HitmissError
from hitmiss.runner import nothing
from hitmiss.snapshot import ArgumentRow, Changes, Cost, Snapshot, Source, Watch

DOCKERFILE = """\
# A web app in three stages.
FROM python:3.12-slim AS base
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir \\
    -r requirements.txt

FROM base AS assets
COPY tools/ tools/
RUN sh tools/bundle.sh static /out

FROM base AS final
COPY --from=assets /out static/
COPY src/ src/
RUN python -m compileall -q src
"""
STEPS = (
    ("base", 1, 4, "FROM python:3.12-slim", 2, 2),
    ("base", 2, 4, "WORKDIR /app", 3, 3),
    ("base", 3, 4, "COPY requirements.txt .", 4, 4),
    ("base", 4, 4, "RUN pip install --no-cache-dir -r requirements.txt", 5, 6),
    ("assets", 1, 2, "COPY tools/ tools/", 9, 9),
    ("assets", 2, 2, "RUN sh tools/bundle.sh static /out", 10, 10),
    ("final", 1, 3, "COPY --from=assets /out static/", 13, 13),
    ("final", 2, 3, "COPY src/ src/", 14, 14),
    ("final", 3, 3, "RUN python -m compileall -q src", 15, 15),
)
"""Stage, index, of, instruction, first and last line."""

LETTERS = {
    "h": Verdict.HIT,
    "m": Verdict.MISS,
    "r": Verdict.RUNNING,
    "f": Verdict.FAILED,
    "c": Verdict.CANCELED,
    "s": Verdict.SKIPPED,
    ".": Verdict.PENDING,
}


def step(stage: str, index: int, instruction: str, verdict: Verdict = Verdict.PENDING, **more: Any) -> Step:
    """A step with times that fit its verdict."""
    times: dict[str, Any] = {"last_s": 4.0}
    if verdict in (Verdict.MISS, Verdict.FAILED, Verdict.CANCELED):
        times = {"duration_s": 0.5 + index, "last_s": 4.0}
    elif verdict is Verdict.RUNNING:
        times = {"running_since": float(index), "last_s": 4.0}
    return Step(
        **{
            "id": f"{stage}:{index}",
            "stage": stage,
            "index": index,
            "of": index,
            "instruction": instruction,
            "verdict": verdict,
            **times,
            **more,
        }
    )


def tree(*steps: Step) -> tuple[Stage, ...]:
    """The steps in their stages."""
    names = dict.fromkeys(each.stage for each in steps)
    return tuple(Stage(name, name, None, tuple(each for each in steps if each.stage == name)) for name in names)


def webapp(letters: str = "." * len(STEPS), status: Status = Status.RUNNING, number: int = 1, **more: Any) -> Build:
    """A build of the web app; a letter for the verdict of each step."""
    letters = letters.replace(" ", "")
    assert len(letters) == len(STEPS)
    steps = [
        step(stage, index, text, LETTERS[letter], of=of, place=Place("Dockerfile", line, end))
        for letter, (stage, index, of, text, line, end) in zip(letters, STEPS, strict=True)
    ]
    given = {"target": "final", "duration_s": 6.5, "context_bytes": 1200, "stages": tree(*steps), **more}
    return Build(number=number, status=status, **given)


def snapshot(build: Build | None = None, **more: Any) -> Snapshot:
    """What the screen is shown of the web app."""
    given = {
        "project": "webapp",
        "target": "final",
        "builder": "default",
        "platforms": ("linux/amd64",),
        "watch": Watch.WATCHING,
        "files": 214,
        "build": build or webapp(),
        "source": Source("Dockerfile", "/project/Dockerfile", DOCKERFILE),
        "cache_bytes": 3_400_000_000,
        **more,
    }
    return Snapshot(**given)


class Scripted:
    """A `Subject`; `calls` are what was asked of it, `drawn` counts how often its snapshot was."""

    def __init__(self, first: Snapshot | None = None) -> None:
        self.on_change: Callable[[], None] = nothing
        self.now = first or snapshot()
        self.calls: list[tuple[object, ...]] = []
        self.logs: dict[str, StepLog] = {}
        self.offered: tuple[Target, ...] = (Target("base", line=2), Target("final", default=True, line=12))
        self.rows: tuple[ArgumentRow, ...] = ()
        self.price = Cost()
        self.refusal: HitmissError | None = None
        self.drawn = 0
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    # For the test

    def show(self, build: Build | None = None, **changes: Any) -> None:
        """Things stand otherwise now."""
        if build is not None:
            changes["build"] = build
        self.now = msgspec.structs.replace(self.now, **changes)
        self.on_change()

    def write(self, step_id: str, data: bytes) -> None:
        """A step writes."""
        self.logs.setdefault(step_id, StepLog()).feed(data)
        self.on_change()

    # For the screen

    def snapshot(self) -> Snapshot:
        self.drawn += 1
        return self.now

    def log(self, step_id: str) -> StepLog | None:
        return self.logs.get(step_id)

    def command(self) -> str:
        return "docker build --target final '[b]x[/b]'"

    async def run(self) -> None:
        self.started.set()
        if self.refusal:
            raise self.refusal
        await self.stopped.wait()

    async def close(self) -> None:
        self.calls.append(("close",))
        self.stopped.set()

    def rebuild(self, *, no_cache: bool = False, no_cache_stages: Iterable[str] = ()) -> None:
        self.calls.append(("rebuild", no_cache, tuple(no_cache_stages)))

    def cancel(self) -> None:
        self.calls.append(("cancel",))

    def toggle_watch(self) -> None:
        self.calls.append(("toggle_watch",))

    def next_mode(self) -> None:
        self.calls.append(("next_mode",))

    def set_target(self, target: str) -> None:
        self.calls.append(("set_target", target))

    def arguments(self) -> tuple[ArgumentRow, ...]:
        self.calls.append(("arguments",))
        return self.rows

    async def cost(self, changes: Changes) -> Cost:
        self.calls.append(("cost", changes))
        return self.price

    def set_arguments(self, changes: Changes) -> None:
        self.calls.append(("set_arguments", changes))

    async def targets(self) -> tuple[Target, ...]:
        self.calls.append(("targets",))
        if self.refusal:
            raise self.refusal
        return self.offered

    def set_builder(self, name: str) -> None:
        self.calls.append(("set_builder", name))

    def fleet(self) -> Fleet:
        self.calls.append(("fleet",))
        if self.refusal:
            raise self.refusal
        return Fleet()

    def limits(self, builder: BuilderInfo) -> tuple[str, ...]:
        return ()

    async def prune_preview(self, what: PruneFilter) -> Preview:
        self.calls.append(("prune_preview",))
        return Preview()

    async def prune(self, what: PruneFilter) -> Pruned:
        self.calls.append(("prune",))
        return Pruned(2_000_000_000, 3)
