"""Builds without an engine: a cache that is a set of keys, as the key model has it. For tests of plan and causes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from hitmiss.build.model import Alteration, Cause, FileChange, Planned, Status, Verdict
from hitmiss.cache import causes as reasons
from hitmiss.cache import plan as planning
from hitmiss.cache.derive import derive
from hitmiss.cache.facts import BuildFacts, Key, Known, StepFacts
from hitmiss.cache.keys import Keys, contents_of, shapes_of
from hitmiss.cache.operations import Image, Selected
from hitmiss.project.dockerfile import parse
from hitmiss.project.operations import Question, Surroundings
from hitmiss.project.outline import steps_of

SALT = b"salt" * 8
IMAGES = {"busybox": Image("sha256:layers-of-busybox", known=True, digest="sha256:" + "b" * 64)}


@dataclass(frozen=True)
class Asked:
    """What one build was asked, and the files it found."""

    dockerfile: str
    files: dict[str, str]
    target: str = ""
    args: dict[str, str] = field(default_factory=dict)
    request: planning.Request = field(default_factory=planning.Request)
    images: dict[str, Image] = field(default_factory=lambda: dict(IMAGES))
    outputs: dict[str, str] = field(default_factory=dict)
    """What a stage puts out: equal texts are equal bytes; every new key is new bytes where nothing is said."""
    around: Surroundings = field(default_factory=Surroundings)
    contexts: dict[str, str] = field(default_factory=dict)
    """The named contexts, as given."""
    linked: dict[str, Asked] = field(default_factory=dict)
    """The targets that are named contexts."""

    def question(self) -> Question:
        return Question(
            parse(self.dockerfile), self.target, self.args, self.contexts, {}, "linux/amd64", around=self.around,
            linked={name: each.question() for name, each in self.linked.items()},
        )  # fmt: skip

    def but(self, **more: object) -> Asked:
        return replace(self, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Imagined:
    """One build: what was planned, what came of it, and why."""

    facts: BuildFacts
    plan: dict[str, Planned | None]
    verdicts: dict[str, Verdict]
    causes: dict[str, Cause]
    explaining_s: float = 0.0
    """What finding the causes took."""


class Cache:
    """A builder's cache and the memory of it."""

    def __init__(self) -> None:
        self.past: list[BuildFacts] = []
        self.known: dict[Key, Known] = {}
        self.lost: set[Key] = set()
        self.same_as: dict[Key, Key] = {}
        self.written: dict[int, dict[str, str]] = {}

    def build(self, asked: Asked) -> Imagined:
        """Plan, build and explain."""
        question = asked.question()
        operations = derive(question, images=asked.images)
        contents = contents_of(operations, lambda _, selected: _digest(asked.files, selected))
        keys = Keys(operations, contents, salt=SALT, same_as=self.same_as)
        memory = planning.Memory(self.known, self.lost, shapes_of(self.past, salt=SALT))
        plans = planning.planned(operations.steps, planning.fates(keys, memory, asked.request))
        triggers = {name: image.triggers for name, image in asked.images.items()}
        outline = steps_of(
            question.dockerfile, asked.target, asked.args, (), asked.contexts, build_platform="linux/amd64",
            triggers=triggers,
        )  # fmt: skip
        steps = tuple(
            StepFacts(
                f"{step.stage}:{step.index}", step.stage, step.index, step.of, step.instruction, step.text,
                step.platform, operation=operations.steps[step.platform, step.stage, step.index],
                planned=plans[step.platform, step.stage, step.index],
            )
            for stage in outline
            for step in stage.steps
        )  # fmt: skip
        hits = {step.operation for step in steps if self._hits(step, asked)}
        final, learned = planning.settled(keys, hits, memory)
        self.same_as |= learned
        steps = tuple(_with(step, Verdict.HIT if step.operation in hits else Verdict.MISS) for step in steps)
        number = len(self.past) + 1
        facts = BuildFacts(
            number, "p", "b", asked.target, float(number), Status.SUCCEEDED, dockerfile=asked.dockerfile,
            arguments=asked.args, images=asked.images, operations=operations, keys=final, contents=contents,
            steps=steps, build_platform=question.build_platform,
            contexts={name: value for name, value in asked.contexts.items() if "://" not in value},
        )  # fmt: skip
        self.written[number] = asked.files
        ran = {step.id for step in steps if step.verdict is Verdict.MISS}

        def changes(then: BuildFacts, _: str, selected: tuple[Selected, ...]) -> tuple[FileChange, ...]:
            return _changes(self.written[then.number], asked.files, selected)

        began = time.perf_counter()
        found = reasons.causes(
            reasons.Evidence(facts, ran, self.past, self.known, changes, asked.request, lost=frozenset(self.lost))
        )
        took = time.perf_counter() - began
        self.past.insert(0, facts)
        self.known = self.known | {final[step.operation]: Known(number, 0.0) for step in steps}
        self.lost -= set(final)
        return Imagined(
            facts, {step.id: step.planned for step in steps}, {step.id: step.verdict for step in steps}, found, took
        )

    def _hits(self, step: StepFacts, asked: Asked) -> bool:
        if step.planned is Planned.DEPENDS:
            return asked.outputs.get(step.id) == "same"
        return step.planned is Planned.HIT


def _with(step: StepFacts, verdict: Verdict) -> StepFacts:
    from msgspec.structs import replace as changed

    return changed(step, verdict=verdict)


def _covers(selected: Selected, path: str) -> bool:
    source = selected.source.strip("/")
    return source in ("", ".") or path == source or path.startswith(source + "/")


def _digest(files: dict[str, str], selected: Selected) -> bytes:
    covered = sorted((path, text) for path, text in files.items() if _covers(selected, path))
    return blake2b(repr(covered).encode(), digest_size=16).digest()


def _changes(old: dict[str, str], new: dict[str, str], selected: tuple[Selected, ...]) -> tuple[FileChange, ...]:
    found = []
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path) and any(_covers(each, path) for each in selected):
            how = (
                Alteration.ADDED if path not in old else Alteration.REMOVED if path not in new else Alteration.MODIFIED
            )
            found.append(FileChange(path, how))
    return tuple(found)
