"""Projects of several targets, and what hitmiss shows of them held against the engine's own records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hitmiss.build.model import Build, CauseKind, Planned
from tests.support.project import Project
from tests.support.streams import recorded, simple_steps

Step = tuple[str, str, str]
"""Place as the engine writes it (`linux/amd64 dev 2/3`), instruction, verdict."""


@dataclass(frozen=True)
class Several:
    """A project, and what is to be seen of it.

    In `files` NONCE stands for a word that no engine has seen. `tree` are the targets in the tree's order with the
    instructions below each, a line each, without those that stand with a target before. `save` is a file and its new
    content, `reached` are the targets that are built for it, `ran` the steps that run then (`target: instruction`).
    """

    name: str
    files: Mapping[str, str]
    tree: Mapping[str, tuple[str, ...]]
    save: tuple[str, str]
    reached: frozenset[str]
    ran: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    def write(self, project: Project, nonce: str) -> None:
        for name, content in self.files.items():
            project.write(name, content.replace("NONCE", nonce).lstrip("\n"))


def record(ref: str) -> dict[str, str]:
    """The steps of an engine's record by their names: the verdict, of several vertices that of the one that did most.

    BuildKit shows work that it found to be the same as that of another target twice, as done and as cached.
    """
    found: dict[str, str] = {}
    for name, verdict in simple_steps(recorded(ref)).values():
        found[name] = max(found.get(name, "skipped"), verdict, key=_ORDER.index)
    return found


_ORDER = ("skipped", "canceled", "hit", "miss", "failed")


def compare(builds: Mapping[str, Build], below: Mapping[str, Iterable[Build]]) -> None:
    """Every step of every target's build is one of its record, with that verdict, and none of the record is missing.

    The record of a target that builds on others has their steps too; `below` are the last builds of those.
    """
    for name, build in builds.items():
        steps = record(build.ref)
        rest = set(steps)
        several = len(build.platforms) > 1
        for step in build.steps:
            place = " ".join(filter(None, (step.platform if several else "", step.stage, f"{step.index}/{step.of}")))
            same = _same(steps, place, step.instruction)
            assert same, (name, place, step.instruction, step.verdict, steps)
            verdict = max((steps[each] for each in same), key=_ORDER.index)
            assert step.verdict == verdict, (name, place, step.instruction, step.verdict, verdict, steps)
            rest -= set(same)
        others = {step.instruction for other in below[name] for step in other.steps}
        left = [each for each in rest if _plain(each) not in others]
        assert not left, (name, left, [step.instruction for step in build.steps])


def compare_report(report: Mapping[str, Any]) -> None:
    """The same for a report of `hitmiss build --json`, in which shared work stands once."""
    build, steps = report["build"], report["steps"]
    targets = build.get("targets") or [{"name": steps[0]["bake_target"], "id": build["id"]}]
    records = {each["name"]: record(each["id"]) for each in targets}
    verdicts: dict[str, set[str]] = {}
    for found in records.values():
        for name, verdict in found.items():
            verdicts.setdefault(_plain(name), set()).add(verdict)
    shown = {step["instruction"] for step in steps}
    for name, found in records.items():
        assert {_plain(each) for each in found} <= shown, (name, found)
        for step in (step for step in steps if step["bake_target"] == name):
            several = len({each["platform"] for each in steps if each["bake_target"] == name}) > 1
            place = [step["platform"]] * several + [step["stage"], f"{step['index']}/{step['of']}"]
            same = _same(found, " ".join(place), step["instruction"])
            assert same, (name, place, step["instruction"], found)
            assert step["verdict"] in verdicts[step["instruction"]], (name, step, found)
    ran = sum(bool(found & {"miss", "failed"}) for found in verdicts.values())
    assert build["misses"] >= ran
    assert build["hits"] + build["misses"] == len(steps)


def _plain(name: str) -> str:
    """The instruction in a vertex's name, an image as the Dockerfiles of the tests write it."""
    return name.partition("] ")[2].partition("@")[0].replace("docker.io/library/", "").replace(":latest", "")


def _same(steps: Iterable[str], place: str, instruction: str) -> list[str]:
    """The names of the step at that place with that instruction, also those that other work or a platform gave it."""
    alike = [name for name in steps if _plain(name) == instruction]
    there = [name for name in alike if " ".join(name[1:].partition("] ")[0].split()) in _places(place)]
    elsewhere = [name for name in alike if not _of_platform(place) or _of_platform(name[1:]) == _of_platform(place)]
    return there or elsewhere or alike


def _places(place: str) -> tuple[str, ...]:
    return place, place.replace("stage-0 ", "")


def _of_platform(text: str) -> str:
    return text.partition(" ")[0] if text.startswith("linux/") else ""


def no_plan_was_wrong(build: Build) -> None:
    for step in build.steps:
        assert step.planned, (step.id, step.instruction)
        assert not step.plan_was_wrong, (step.id, step.instruction, step.planned, step.verdict)


def all_planned(build: Build, planned: Planned) -> None:
    assert {step.planned for step in build.steps if not step.instruction.startswith("FROM ")} <= {planned}


def no_cause_is_unknown(build: Build, below: Sequence[Build] = ()) -> None:
    """`below` are the builds of the targets that it stands on: a chain may begin there."""
    roots = {step.id for each in (build, *below) for step in each.steps if step.cause and step.cause.root == step.id}
    for step in build.steps:
        if step.verdict == "miss":
            assert step.cause is not None, step.id
            assert step.cause.kind is not CauseKind.UNKNOWN, (step.id, step.instruction, step.cause)
            assert step.cause.root in roots, (step.id, step.cause)
