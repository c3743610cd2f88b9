"""Build the last commits of real projects one after the other, and count how often hitmiss was right.

REPO is a clone of any public repository: a work tree or a bare git folder. Options of one repository alone follow it:
REPO,file=docker/Dockerfile,target=final,context=web,arg=NAME=VALUE. Every base image is a local stand-in whose shell
runs nothing, so neither a hub nor a network is needed. Linux and root only, as the tests' private engine is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.real.clone import CloneError
from tests.real.figures import Figures, Judge
from tests.real.series import Series, Wanted
from tests.support.engine import NoEngineError, PrivateEngine


def main(words: list[str] | None = None) -> int:
    """Run, print; 1 where a promise is not kept, 2 for a repository that is of no use, 3 without an engine."""
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("repos", metavar="REPO", nargs="+")
    parser.add_argument("--commits", type=int, default=20, metavar="N", help="how many of the last ones (20)")
    parser.add_argument("--file", default="", metavar="PATH", help="the Dockerfile; the topmost when not given")
    parser.add_argument("--target", default="", metavar="STAGE")
    parser.add_argument("--context", default=".", metavar="PATH", help="the context, from the repository's root")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--touching", dest="touching", action="store_const", const="reads", default="",
        help="only commits that change something the Dockerfile reads",
    )  # fmt: skip
    only.add_argument(
        "--touching-dockerfile", dest="touching", action="store_const", const="dockerfile",
        help="only commits that change the Dockerfile",
    )  # fmt: skip
    parser.add_argument("--json", metavar="OUT", type=Path, help="write all that was seen to a file")
    given = parser.parse_args(words)
    common = Wanted(
        Path(), given.file, given.target, given.context, commits=given.commits, touching=given.touching
    )  # fmt: skip
    total, reports, code = Figures(), [], 0
    for repo in given.repos:
        try:
            figures, report = _series(_wanted(repo, common))
        except NoEngineError as error:
            print(error, file=sys.stderr)
            return 3
        except CloneError as error:
            print(error, file=sys.stderr)
            code = 2
            continue
        total.add(figures)
        reports.append(report)
    if len(reports) > 1:
        print(f"\nall {len(reports)} repositories", *total.shown(), sep="\n")
    if given.json:
        given.json.write_text(json.dumps(reports, indent=1, ensure_ascii=False, default=sorted))
    failures = total.failures
    print(*(f"NOT KEPT  {line}" for line in failures), sep="\n", end="\n" if failures else "")
    return code or (1 if failures else 0)


def _wanted(repo: str, common: Wanted) -> Wanted:
    path, *fields = repo.split(",")
    found = replace(common, path=Path(path), build_args={})
    for each in fields:
        name, _, value = each.partition("=")
        if name == "arg":
            key, _, text = value.partition("=")
            found.build_args[key] = text
        elif name in ("file", "target", "context"):
            changes: dict[str, Any] = {name: value}
            found = replace(found, **changes)
        else:
            raise CloneError(f"{repo}: there is no option {name!r}")
    return found


def _series(wanted: Wanted) -> tuple[Figures, dict[str, Any]]:
    """One repository on an engine of its own."""
    began = time.monotonic()
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="hitmiss-real-") as folder:
        series = Series(wanted, engine, Path(folder))
        print(f"\n{series.name}", *series.notes, sep="\n", flush=True)
        judge = Judge(series.clone.changed, wanted.context, series.file)
        seen = []
        for each in series.run():
            seen.append(each)
            for line in judge.take(each):
                print(f"  {line}", flush=True)
        figures = judge.figures
        print(*figures.shown(), f"took      {time.monotonic() - began:.0f} s", sep="\n", flush=True)
        return figures, {
            "name": series.name,
            "path": str(wanted.path),
            "figures": {**vars(figures), "causes": dict(figures.causes)},
            "needs": asdict(series.needs),
            "builds": [asdict(each) for each in seen],
        }


if __name__ == "__main__":
    sys.exit(main())
