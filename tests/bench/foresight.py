"""What plan, memory and causes cost: the plan after a save in 20,000 files, a build's share, 200 steps explained."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from hitmiss.build.model import Verdict
from hitmiss.cache.plan import Request
from hitmiss.forecast import Forecaster
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine
from hitmiss.project.definition import load
from hitmiss.project.watch import Change, Kind
from hitmiss.settings import BuildOptions
from tests.bench.idle import FILES, PER_FOLDER
from tests.bench.place import HITMISS, Place
from tests.bench.table import Row, median, ratio
from tests.support.imagined import Asked, Cache
from tests.support.project import Project

GOAL_PLAN_MS, GOAL_GIT, GOAL_SHARE, GOAL_CAUSES_MS = 50.0, 1.0, 5.0, 100.0
STEPS = 200
MANY_STEPS = "FROM busybox\nCOPY . /src\nWORKDIR /src\nRUN cat 1/100.txt > /out\nRUN wc /out\n"
QUICK = "FROM busybox\nCOPY src/ src/\nRUN cat src/* > /out && sleep 0.2\nRUN wc /out && sleep 0.2\n"


def foresight(place: Place) -> list[Row]:
    """All rows of this group."""
    return [*_after_a_save(place), _share(place), _explaining(place)]


def _after_a_save(place: Place) -> list[Row]:
    project = place.project("bench-plan", MANY_STEPS)
    for number in range(FILES):
        project.write(f"{number // PER_FOLDER}/{number}.txt", f"{number}\n")
    git = _repository(project)
    store = Store(place.folder / "plan.sqlite")
    options = BuildOptions()
    definition = load(options, cwd=project.path, environment={})
    forecaster = Forecaster(store, project.path, "default")
    forecaster.plan(definition, options, Engine())
    forecaster.sources.follow()
    forecaster.plan(definition, options, Engine())
    times: list[tuple[float, float]] = []
    for turn in range(place.pairs(15, 5)):
        name = f"{turn % 5}/{turn % 5 * PER_FOLDER}.txt"
        project.write(name, f"saved {turn}\n")
        began = time.perf_counter()
        forecaster.sources.saved([Change(Kind.MODIFIED, "", name)])
        plan = forecaster.plan(definition, options, Engine())
        ours = time.perf_counter() - began
        assert plan is not None
        assert plan.facts.keys
        began = time.perf_counter()
        subprocess.run([git, "status", "--porcelain"], cwd=project.path, check=True, capture_output=True)
        times.append((ours, time.perf_counter() - began))
    store.close()
    what = f"plan after one save in {FILES:,} files"
    return [
        median("foresight", what, [ours * 1000 for ours, _ in times], unit="ms", goal=GOAL_PLAN_MS),
        ratio("foresight", f"{what}, against `git status` there", times, sides=("plan", "git"), goal=GOAL_GIT),
    ]


def _repository(project: Project) -> str:
    git = shutil.which("git")
    if git is None:
        raise RuntimeError("git is not installed")
    who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "all"]):
        subprocess.run([git, *words], cwd=project.path, check=True, capture_output=True)
    return git


def _share(place: Place) -> Row:
    """`hitmiss build` as it is, and with a memory that is told nothing, in turn; the first of each pair alternates."""
    project = place.project("bench-share", QUICK)
    project.write("src/a", "a\n")
    shares: list[float] = []
    for turn in range(place.pairs(11, 5)):
        took = {}
        for way in ("1", "") if turn % 2 else ("", "1"):
            project.write("src/a", f"{turn} {way}\n")
            env = {**os.environ, **place.env, "HITMISS_BENCH_FORGET": way, "XDG_DATA_HOME": str(place.folder / "data")}
            began = time.perf_counter()
            subprocess.run([*HITMISS[:1], "-c", _BUILD], cwd=project.path, env=env, check=True, capture_output=True)
            took[way] = time.perf_counter() - began
        shares.append((took[""] / took["1"] - 1) * 100)
    what = "remembering and explaining, as a share of `hitmiss build` with two short RUNs"
    return median("foresight", what, shares, unit="%", goal=GOAL_SHARE, note=f"{len(shares)} pairs")


_BUILD = """
import os, sys
from hitmiss import foresight
if os.environ["HITMISS_BENCH_FORGET"]:
    async def nothing(*_):
        return None
    foresight.foresee = nothing
from hitmiss.__main__ import main
sys.argv = ["hitmiss", "build", "--json", "."]
main()
"""


def _explaining(place: Place) -> Row:
    """The worst case: 200 steps in ten stages, all of which ran because of one file."""
    stages = ["FROM busybox AS s0\nCOPY first .\n" + "".join(f"RUN echo {n}\n" for n in range(19))]
    for stage in range(1, 10):
        lines = "".join(f"RUN echo {stage} {n}\n" for n in range(18))
        stages.append(f"FROM s{stage - 1} AS s{stage}\nCOPY --from=s{stage - 1} /x /x\nCOPY f{stage} .\n{lines}")
    first = Asked("".join(stages), {"first": "1", **{f"f{n}": "1" for n in range(1, 10)}})
    times: list[float] = []
    cache = Cache()
    for turn in range(40):
        cache.build(first.but(files={**first.files, "f9": str(turn)}, request=Request()))
    for turn in range(place.pairs(9, 3)):
        build = cache.build(first.but(files={**first.files, "first": f"changed {turn}"}))
        assert sum(verdict is Verdict.MISS for verdict in build.verdicts.values()) >= STEPS - 10
        times.append(build.explaining_s * 1000)
    what = f"causes for a build of {STEPS} steps, compared with 40 builds"
    return median("foresight", what, times, unit="ms", goal=GOAL_CAUSES_MS)
