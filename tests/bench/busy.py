"""While much happens: processor time of hitmiss and of the client it starts, and how soon a key shows on the screen.

Two builds: one whose step prints 2 MB, at the speed that BuildKit lets through (200 kB/s), and one of 1,000 steps.
A save starts each; the same build is run by the plain command with `--progress=plain`.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pyte

from tests.bench.place import Place, cpu, quiet, spent
from tests.bench.table import Row, median, percentile, ratio
from tests.bench.terminal import Terminal, text_of
from tests.support.project import Project

STAGES, PER_STAGE = 40, 24
PRINTING = """
    FROM busybox
    WORKDIR /app
    COPY token .
    RUN i=0; while [ $i -lt 120 ]; do \\
        j=0; while [ $j -lt 170 ]; do \\
            echo "$i.$j compiling module_$j of package_$i with optimisation level two, in unit $j; ok -------------"; \\
            j=$((j+1)); done; \\
        i=$((i+1)); usleep 85000; done
"""
GOAL_MS = 50.0
UP, DOWN = "\x1b[A", "\x1b[B"
"""What the arrow keys send."""


def _many_steps() -> str:
    """Stages that each run 24 steps, and one that takes something of each: 1,000 steps and the FROMs."""
    stages = [
        "\n".join([f"FROM scratch AS s{i}", "COPY token /t", *(f"WORKDIR /s{i}/d{j}" for j in range(PER_STAGE - 1))])
        for i in range(STAGES)
    ]
    return "\n".join([*stages, "FROM scratch", *(f"COPY --from=s{i} /s{i} /s{i}" for i in range(STAGES))]) + "\n"


@dataclass
class Busy:
    """What one build took."""

    wall: float
    own: float
    with_client: float
    delays_ms: list[float]
    lost: int


def _selected(screen: pyte.Screen) -> str:
    """The line of the tree that is looked at, found by its background; without its times, which move by themselves."""
    rows = range(5, screen.lines - 3)
    grounds = [screen.buffer[y][3].bg for y in rows]
    usual = max(set(grounds), key=grounds.count)
    marked = [y for y, ground in zip(rows, grounds, strict=True) if ground != usual]
    return screen.display[marked[0]][6:40] if len(marked) == 1 else ""


def _delays(terminal: Terminal, presses: list[float]) -> tuple[list[float], int]:
    """For each press, the milliseconds until another line is marked; and how many never showed."""
    delays: list[float] = []
    lost, waiting = 0, iter(presses)
    pressed, before = next(waiting, None), ""
    for at in terminal.frames():
        while pressed is not None and at >= pressed:
            now = _selected(terminal.screen)
            if now in ("", before):
                break
            delays.append((at - pressed) * 1000)
            before, pressed = now, next(waiting, None)
        if pressed is None or at < pressed:
            before = _selected(terminal.screen) or before
    return delays, lost + sum(1 for _ in waiting) + (pressed is not None)


def _build(terminal: Terminal, project: Project, ended: Callable[[pyte.Screen], bool]) -> Busy:
    """Save, press keys while the build runs, and count."""
    process = psutil.Process(terminal.process.pid)
    for _ in terminal.frames():
        pass
    own, client = cpu(process), cpu(process, children=True)
    began = time.monotonic()
    project.write("token", secrets.token_hex(8))
    presses: list[float] = []
    keys = [DOWN, UP]
    while not process.children():
        time.sleep(0.005)
    time.sleep(0.3)
    while process.children():
        presses.append(terminal.press(keys[len(presses) % 2]))
        time.sleep(random.uniform(0.12, 0.2))
    wall = time.monotonic() - began
    own, client = cpu(process) - own, cpu(process, children=True) - client
    delays, lost = _delays(terminal, presses[:-1])
    return Busy(wall, own, own + client, delays[1:], lost)


def while_building(place: Place) -> list[Row]:
    """Both builds."""
    rows = _rows(place, "printing", PRINTING, "a step prints 2 MB in 12 s", place.pairs(3, 1))
    return rows + _rows(place, "steps", _many_steps(), "1,000 steps run", place.pairs(5, 2))


def _rows(place: Place, name: str, dockerfile: str, what: str, count: int) -> list[Row]:
    project, other = (place.project(f"bench-{name}-{side}", dockerfile) for side in ("ours", "theirs"))
    project.write("token", "first")
    pairs: list[tuple[float, float]] = []
    ours: list[Busy] = []
    with place.hitmiss(project, "--output", "type=cacheonly") as terminal:
        terminal.wait(lambda screen: "built" in text_of(screen), 180, "the first build")
        for _ in range(count):
            quiet(terminal.process.pid)
            busy = _build(terminal, project, lambda screen: "built" in text_of(screen))
            quiet(terminal.process.pid)
            other.write("token", secrets.token_hex(8))
            command = ("docker", "buildx", "build", "--progress=plain", "--output", "type=cacheonly", ".")
            _, theirs = spent(command, cwd=other.path, env=place.env)
            ours.append(busy)
            pairs.append((busy.with_client, theirs))
    shares = [busy.own / busy.wall * 100 for busy in ours]
    delays = [delay for busy in ours for delay in busy.delays_ms]
    walls = ", ".join(f"{busy.wall:.1f} s" for busy in ours)
    keys = f"{len(delays)} presses, {sum(busy.lost for busy in ours)} not seen; median {_middle(delays):.0f} ms"
    return [
        percentile(
            "busy",
            f"key press → screen, 95th percentile, while {what}",
            delays,
            0.95,
            unit="ms",
            goal=GOAL_MS,
            note=keys,
        ),
        median("busy", f"processor of hitmiss alone while {what}, of one core", shares, unit="%", note=f"in {walls}"),
        ratio(
            "busy",
            f"processor of hitmiss and its client while {what}, against docker buildx build --progress=plain",
            pairs,
            sides=("hitmiss", "docker"),
        ),
    ]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
