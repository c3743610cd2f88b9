"""At rest: processor time and memory of hitmiss while it watches 20,000 files."""

from __future__ import annotations

import time

import psutil

from tests.bench.place import Place, cpu, quiet
from tests.bench.table import Row, median

FILES, PER_FOLDER = 20_000, 100
GOAL_CPU, GOAL_MB = 1.0, 120.0
LOOK_S = 5.0


def at_rest(place: Place) -> list[Row]:
    """The first build is over; then some spans of five seconds."""
    project = place.project("bench-many", "FROM scratch\nCOPY . .\n")
    for number in range(FILES):
        project.write(f"src/{number // PER_FOLDER}/{number}.txt", f"{number}\n")
    with place.hitmiss(project, "--output", "type=cacheonly") as terminal:
        terminal.wait(lambda screen: any("20,0" in line for line in screen.display[:4]), what="the count of files")
        terminal.wait(lambda screen: any("built" in line for line in screen.display), what="the end of the build")
        process = psutil.Process(terminal.process.pid)
        quiet(process.pid, for_s=1.0)
        shares = []
        for _ in range(place.pairs(6, 2)):
            before, began = cpu(process), time.monotonic()
            time.sleep(LOOK_S)
            shares.append((cpu(process) - before) / (time.monotonic() - began) * 100)
        memory = process.memory_info().rss / 1e6
    what = f"hitmiss at rest, watching {FILES:,} files in {FILES // PER_FOLDER} folders"
    return [
        median("idle", f"{what}: processor", shares, unit="%", goal=GOAL_CPU, note=f"{len(shares)} × {LOOK_S:.0f} s"),
        median("idle", f"{what}: memory (RSS)", [memory], unit="MB", goal=GOAL_MB),
    ]
