"""`python -m tests.bench [--quick] [--only NAME] [--json FILE]`: one table of all that was promised in numbers."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench import busy, foresight, idle, paint, saves, stream, targets
from tests.bench.place import Place
from tests.bench.table import Row, show, write
from tests.support.engine import NoEngineError, PrivateEngine

GROUPS: dict[str, Callable[[Place], list[Row]]] = {
    "build": saves.against_plain,
    "compose": saves.against_compose,
    "paint": paint.first_paint,
    "busy": busy.while_building,
    "idle": idle.at_rest,
    "stream": stream.decoding,
    "foresight": foresight.foresight,
    "targets": targets.several,
}


def main() -> int:
    """Run the groups and print the table; exit code 1 when a goal is missed, 2 when a group could not be run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    parser.add_argument("--only", action="append", choices=list(GROUPS), help="this group alone; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file too")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # the thread that notes when output came must not wait for the rest of this process
    errors, rows = Console(stderr=True), list[Row]()
    failed = False
    try:
        # Short, as sockets need it; the engine cleans up after itself.
        with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="hitmiss-bench-") as folder:
            engine.import_base("busybox:latest")
            place = Place(engine, Path(folder), quick=options.quick)
            for name in options.only or GROUPS:
                began = time.monotonic()
                errors.print(f"{name} …", end=" ")
                try:
                    rows += GROUPS[name](place)
                except Exception as error:  # noqa: BLE001 - the other groups are worth having
                    failed = True
                    errors.print(f"could not be measured: {error!r}", markup=False, highlight=False)
                else:
                    errors.print(f"{time.monotonic() - began:.0f} s", highlight=False)
    except NoEngineError as error:
        errors.print(str(error), markup=False)
        return 2
    console = Console()
    show(rows, console if console.is_terminal else Console(width=140))
    if options.json:
        write(rows, options.json)
    return 2 if failed else int(any(row.verdict == "missed" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
