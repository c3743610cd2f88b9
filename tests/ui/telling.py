"""A session that tells of files and of the past, and builds whose steps have causes, one for each that there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hitmiss.build.model import (
    Alteration,
    Build,
    Cause,
    CauseKind,
    FileChange,
    Note,
    Planned,
    Status,
    Step,
)
from hitmiss.snapshot import FileRow, Past, Snapshot, StepFiles
from tests.support import subject
from tests.support.subject import webapp


class Scripted(subject.Scripted):
    """`known` are the files by step, `past` the remembered builds; `asked` says what was asked for."""

    def __init__(self, first: Snapshot | None = None) -> None:
        super().__init__(first)
        self.known: dict[str, StepFiles] = {}
        self.past: tuple[Past, ...] = ()
        self.asked: list[str] = []

    def files(self, step_id: str) -> StepFiles | None:
        self.asked.append(step_id)
        return self.known.get(step_id)

    def history(self) -> tuple[Past, ...]:
        self.asked.append("history")
        return self.past


def changed(build: Build, step_id: str, **changes: Any) -> Build:
    """The build with one step otherwise."""
    return remade(build, {step_id: changes})


def remade(build: Build, changes: dict[str, dict[str, Any]]) -> Build:
    """The build with some steps otherwise."""

    def made(step: Step) -> Step:
        return msgspec.structs.replace(step, **changes.get(step.id, {}))

    stages = tuple(
        msgspec.structs.replace(stage, steps=tuple(made(step) for step in stage.steps)) for stage in build.stages
    )
    return msgspec.structs.replace(build, stages=stages)


def chained(build: Build, root: str, cause: Cause, *below: str) -> Build:
    """The build with a root, and steps that ran because of it."""
    told: dict[str, dict[str, Any]] = {root: {"cause": msgspec.structs.replace(cause, root=root, below=len(below))}}
    for index, step_id in enumerate(below):
        parent = Cause(CauseKind.PARENT_MISSED, root, "It began above.", against=cause.against, through=below[:index])
        told[step_id] = {"cause": parent}
    return remade(build, told)


FILES = (
    FileChange("src/main.py", Alteration.MODIFIED, grown=12),
    FileChange("src/new.py", Alteration.ADDED, grown=1200),
    FileChange("src/old.py", Alteration.REMOVED, grown=-300),
    FileChange("src/name.py", Alteration.RENAMED, old="src/nom.py"),
    FileChange("src/run.sh", Alteration.MODE, old="644", new="755"),
    FileChange("src/link", Alteration.LINK, old="a", new="b"),
    FileChange("src/kind", Alteration.KIND, old="file", new="folder"),
    FileChange("src/same.py", Alteration.MODIFIED),
    FileChange("guide.md", Alteration.MODIFIED, grown=-7, context="docs"),
)
FEW = FILES[:1]
OLD, NEW = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32

CAUSES: dict[CauseKind, tuple[Cause, tuple[str, ...]]] = {
    CauseKind.FIRST_BUILD: (
        Cause(CauseKind.FIRST_BUILD, "", "It was never built on this builder."),
        ("It was never built on this builder.", "the next build of the same will hit"),
    ),
    CauseKind.FILES_CHANGED: (
        Cause(CauseKind.FILES_CHANGED, "", "9 files changed since build 11.", files=FILES, against=11),
        (
            "9 files changed since build 11 (1 added, 1 removed, 1 renamed)",
            "~ src/main.py  +12 B",
            "+ src/new.py   +1.2 kB",
        ),
    ),
    CauseKind.INSTRUCTION_CHANGED: (
        Cause(CauseKind.INSTRUCTION_CHANGED, "", "Edited.", old="RUN make -j4 all", new="RUN make -j8 all", against=11),
        ("The instruction itself changed since build 11:", "was  RUN make -j4 all", "now  RUN make -j8 all"),
    ),
    CauseKind.ARGUMENT_CHANGED: (
        Cause(
            CauseKind.ARGUMENT_CHANGED, "", "The argument VER has another value.", old="VER=1", new="VER=2", against=11
        ),
        ("The argument VER has another value than in build 11.", "VER 1 → 2"),
    ),
    CauseKind.ENVIRONMENT_CHANGED: (
        Cause(CauseKind.ENVIRONMENT_CHANGED, "", "WORKDIR above it is another one.", old="/app", new="/srv"),
        ("WORKDIR above it is another one.", "/app → /srv"),
    ),
    CauseKind.BASE_IMAGE_CHANGED: (
        Cause(CauseKind.BASE_IMAGE_CHANGED, "", "The base image is another one.", old=OLD, new=NEW, against=11),
        ("The base image is another one than in build 11.", "sha256:a1a1a1a1a1a1 → sha256:b2b2b2b2b2b2"),
    ),
    CauseKind.STEP_INSERTED: (
        Cause(CauseKind.STEP_INSERTED, "", "A step above it is new.", new="RUN apt-get update", against=11),
        ("A step above it is new since build 11.", "+ RUN apt-get update"),
    ),
    CauseKind.STEP_REMOVED: (
        Cause(CauseKind.STEP_REMOVED, "", "A step above it is gone.", old="RUN apt-get update", against=11),
        ("A step above it is gone since build 11.", "- RUN apt-get update"),
    ),
    CauseKind.STAGE_OUTPUT_CHANGED: (
        Cause(CauseKind.STAGE_OUTPUT_CHANGED, "", "It reads other bytes of assets than in build 11.", against=11),
        ("It reads other bytes of assets", "The other stage ran"),
    ),
    CauseKind.REMOTE_CHANGED: (
        Cause(CauseKind.REMOTE_CHANGED, "", "https://example.org/a.tgz gives something else.", against=11),
        ("https://example.org/a.tgz gives something else than in build 11.",),
    ),
    CauseKind.PLATFORM_CHANGED: (
        Cause(CauseKind.PLATFORM_CHANGED, "", "It was never built for linux/arm64.", old="linux/amd64", new=None),
        ("It was never built for linux/arm64.", "- linux/amd64"),
    ),
    CauseKind.NO_CACHE: (Cause(CauseKind.NO_CACHE, "", "--no-cache asked for it."), ("--no-cache asked for it.",)),
    CauseKind.EVICTED: (
        Cause(CauseKind.EVICTED, "", "Same inputs as build 7, whose result is gone from the cache.", against=7),
        ("Same inputs as build 7", "once built again it is back"),
    ),
    CauseKind.UNKNOWN: (
        Cause(CauseKind.UNKNOWN, "", "Compared with build 11: files and variables are equal.", against=11),
        ("Compared with build 11: files", "please report it"),
    ),
}
"""A cause of each kind but `parent-missed`, and what must be read of it."""


def caused(kind: CauseKind, number: int = 12) -> Build:
    """A build in which the step `assets:1` has this cause, and two steps ran because of it."""
    cause, _ = CAUSES[kind]
    return chained(webapp("hhhh mm mhh", Status.SUCCEEDED, number), "assets:1", cause, "assets:2", "final:1")


def planned(number: int = 12) -> Build:
    """A build before it begins: hits, two steps that will run, one that depends on what they write."""
    build = webapp("." * 9, Status.IDLE, number)
    hit = {"planned": Planned.HIT, "expected_s": 4.0}
    told: dict[str, dict[str, Any]] = {step.id: hit for step in build.steps}
    told["assets:1"] = told["assets:2"] = {"planned": Planned.RUN, "expected_s": 41.0}
    told["final:1"] = {"planned": Planned.DEPENDS, "expected_s": 0.3}
    build = remade(build, told)
    return chained(build, "assets:1", CAUSES[CauseKind.FILES_CHANGED][0], "assets:2")


def noted() -> Build:
    """A build with stories: notes on hits, an alarm, a plan that was wrong."""
    return remade(
        webapp("hhhh mh hhm", Status.SUCCEEDED, 12),
        {
            "base:2": {"note": Note.WENT_BACK},
            "base:3": {"note": Note.IMPORTED},
            "base:4": {"alarm": "It fetched from the network 40 days ago: [b]pip install[/b]."},
            "assets:1": {
                "planned": Planned.HIT,
                "cause": msgspec.structs.replace(CAUSES[CauseKind.EVICTED][0], root="assets:1"),
            },
            "assets:2": {"planned": Planned.RUN},
            "final:1": {"note": Note.EARLY_CUTOFF},
        },
    )


def step_files(count: int, changed: int = 2, against: int = 11) -> StepFiles:
    """What a step reads: so many files, some of them changed."""
    rows = [
        FileRow(
            f"src/folder{n % 20}/file{n}.py",
            size=1000 * (count - n),
            change=FileChange(f"src/folder{n % 20}/file{n}.py", Alteration.MODIFIED, grown=5) if n < changed else None,
        )
        for n in range(count)
    ]
    return StepFiles(tuple(rows), count, sum(row.size for row in rows), against)


def remembered(count: int, now: datetime | None = None) -> tuple[Past, ...]:
    """So many builds, an hour between them, the newest first."""
    last = now or datetime.now(UTC)
    return tuple(
        Past(
            number,
            last - timedelta(hours=count - number),
            ("succeeded", "failed", "canceled")[number % 3],
            "final",
            "default",
            duration_s=number * 1.5,
            steps=9,
            hits=number % 10,
            misses=9 - number % 10,
            plan_right=8 if number % 4 == 0 else 9,
            plan_steps=9,
            why="2 ran: src/main.py changed" if number % 2 else "",
        )
        for number in range(count, 0, -1)
    )
