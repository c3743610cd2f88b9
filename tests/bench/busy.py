"""While much happens: processor time of hitmiss and of the client it starts, and how soon a key shows on the screen.

Two builds: one whose step prints 2 MB, at the speed that BuildKit lets through (200 kB/s), and one of 1,000 steps.
A save starts each; the same build is run by the plain command with `--progress=plain`.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import pyte

from tests.bench.place import Place, cpu, quiet, spent
from tests.bench.table import Row, median, percentile, ratio
from tests.bench.terminal import Look, Terminal, text_of
from tests.support.project import Project

STAGES, PER_STAGE = 40, 25
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

LOST_S = 1.0
"""So long a press is waited for; one that is not seen by then counts as this."""


def _many_steps() -> str:
    """40 stages of 24 steps behind a COPY that they share, and one that takes something of each: 1,001 steps."""
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
    rows = range(4, screen.lines - 2)
    grounds = [screen.buffer[y][3].bg for y in rows]
    usual = max(set(grounds), key=grounds.count)
    marked = [y for y, ground in zip(rows, grounds, strict=True) if ground != usual]
    return screen.display[marked[0]][6:40] if len(marked) == 1 else ""


def _other_than(line: str) -> Look:
    return lambda screen: _selected(screen) not in ("", line)


def _build(terminal: Terminal, project: Project) -> Busy:
    """Save, press keys while the build runs, and count."""
    process = psutil.Process(terminal.process.pid)
    own, client = cpu(process), cpu(process, children=True)
    began = time.monotonic()
    project.write("token", secrets.token_hex(8))
    while not process.children():
        time.sleep(0.005)
    time.sleep(0.5)
    delays: list[float] = []
    pressed, lost = 0, 0
    while process.children():
        for _ in terminal.frames():
            pass
        before = _selected(terminal.screen)
        at = terminal.press(UP if pressed % 2 else DOWN)
        pressed += 1
        try:
            seen = terminal.wait(_other_than(before), LOST_S)
        except TimeoutError:
            lost += 1
            seen = at + LOST_S
        delays.append((seen - at) * 1000)
        time.sleep(random.uniform(0.1, 0.2))
    wall = time.monotonic() - began
    own, client = cpu(process) - own, cpu(process, children=True) - client
    return Busy(wall, own, own + client, delays[1:-1], lost)


def while_building(place: Place) -> list[Row]:
    """Both builds."""
    found: list[Row] = []
    for name, dockerfile, what in (
        ("printing", PRINTING, "a step prints 2 MB in 12 s"),
        ("steps", _many_steps(), "1,000 steps run"),
    ):
        sides = [place.project(f"bench-{name}-{side}", dockerfile) for side in ("ours", "theirs")]
        found += rows(place, sides[0], sides[1], what, words=("--output", "type=cacheonly"))
    return found


PLAIN = ("docker", "buildx", "build", "--progress=plain", "--output", "type=cacheonly", ".")


def rows(
    place: Place,
    project: Project,
    other: Project,
    what: str,
    *,
    words: Sequence[str] = (),
    command: Sequence[str] = PLAIN,
    group: str = "busy",
) -> list[Row]:
    """hitmiss with these words on one project, and the command on the other one, which is the same."""
    project.write("token", "first")
    pairs: list[tuple[float, float]] = []
    ours: list[Busy] = []
    with place.hitmiss(project, *words) as terminal:
        terminal.wait(lambda screen: "built" in text_of(screen), 180, "the first build")
        for _ in range(place.pairs(3, 1)):
            quiet(terminal.process.pid)
            busy = _build(terminal, project)
            quiet(terminal.process.pid)
            other.write("token", secrets.token_hex(8))
            _, theirs = spent(command, cwd=other.path, env=place.env)
            ours.append(busy)
            pairs.append((busy.with_client, theirs))
    shares = [busy.own / busy.wall * 100 for busy in ours]
    delays = [delay for busy in ours for delay in busy.delays_ms]
    walls = ", ".join(f"{busy.wall:.1f} s" for busy in ours)
    keys = f"{len(delays)} presses, {sum(busy.lost for busy in ours)} not seen; median {_middle(delays):.0f} ms"
    return [
        percentile(
            group,
            f"key press → screen, 95th percentile, while {what}",
            delays,
            0.95,
            unit="ms",
            goal=GOAL_MS,
            note=keys,
        ),
        median(group, f"processor of hitmiss alone while {what}, of one core", shares, unit="%", note=f"in {walls}"),
        ratio(
            group,
            f"processor of hitmiss and its client while {what}, against {' '.join(command[:4])}",
            pairs,
            sides=("hitmiss", "docker"),
        ),
    ]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
