"""Alarms for base images whose tag has moved: on which step they stand, that they last, and what is not asked again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hitmiss.build.model import Build, Stage, Status, Step, Verdict
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.moved import moved
from hitmiss.cache.operations import Image
from hitmiss.history.store import Store
from hitmiss.outcome import warned
from tests.support.imagined import Asked, Cache

TOLD = "python:3.12 has moved on its registry: `docker pull python:3.12` takes the new image."
SAME = {"python:3.12": Image("sha256:a"), "python:latest": Image("sha256:a"), "busybox": Image("sha256:b")}
TEXT = """
FROM python:3.12 AS a
FROM python:latest AS b
FROM a AS c
COPY --from=busybox /bin /bin
COPY --from=b /x /x
RUN true
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.sqlite")
    yield store
    store.close()


def facts(text: str = TEXT) -> BuildFacts:
    return Cache().build(Asked(text, {}, images=SAME)).facts


def build_of(steps: tuple[StepFacts, ...], verdict: Verdict = Verdict.HIT) -> Build:
    shown = tuple(Step(each.id, each.stage, each.index, each.of, each.instruction, verdict=verdict) for each in steps)
    return Build(number=1, status=Status.SUCCEEDED, stages=(Stage("all", "all", None, shown),))


def test_it_stands_on_the_from_of_that_name() -> None:
    assert moved(facts(), []) == {}
    assert moved(facts(), ["no-such"]) == {}
    assert moved(facts(), ["python:3.12"]) == {("", "a", 1): TOLD}
    assert [*moved(facts(), ["python:latest"])] == [("", "b", 1)]


def test_it_stands_on_the_copy_where_there_is_no_from() -> None:
    found = moved(facts(), ["busybox"])
    (step,) = [each for each in facts().steps if "--from=busybox" in each.instruction]
    assert [*found] == [("", step.stage, step.index)]
    assert found["", step.stage, step.index].startswith("busybox has moved")


def test_a_name_that_the_step_does_not_tell_is_not_told() -> None:
    known = facts("FROM python:3.12\nRUN true")
    hidden = tuple(msgspec.structs.replace(step, instruction="FROM •••", text="FROM •••") for step in known.steps)
    (said,) = moved(msgspec.structs.replace(known, steps=hidden), ["python:3.12"]).values()
    assert "python" not in said


def test_only_a_hit_without_an_alarm_gets_one() -> None:
    alarms = moved(facts(), ["python:3.12"])
    told = warned(build_of(facts().steps), alarms)
    assert [step.alarm for step in told.steps if step.alarm] == [TOLD]
    assert warned(told, dict.fromkeys(alarms, "another")) is told
    ran = build_of(facts().steps, Verdict.MISS)
    assert warned(ran, alarms) is ran


def test_a_remembered_build_takes_alarms_that_come_later(store: Store) -> None:
    kept = store.remember(msgspec.structs.replace(facts(), number=0))
    store.remember_alarms(kept.project, kept.number, {"a:1": TOLD, "no:1": "?"})
    store.remember_alarms(kept.project, 77, {"a:1": TOLD})
    again = store.build(kept.project, kept.number)
    assert again is not None
    assert {step.id: step.alarm for step in again.steps if step.alarm} == {"a:1": TOLD}
    assert [step.verdict for step in again.steps] == [step.verdict for step in kept.steps]


def test_an_answer_holds_for_an_hour(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.tag("default", "python:3.12") is None
    store.remember_tag("default", "python:3.12", "sha256:a")
    store.remember_tag("default", "busybox", "")
    assert store.tag("default", "python:3.12") == "sha256:a"
    assert store.tag("default", "busybox") == "", "no answer is one too"
    assert store.tag("other", "python:3.12") is None
    now = time.time()
    for later, known in ((3500, True), (3700, False), (-60, False)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert (store.tag("default", "python:3.12") is not None) is known
