"""Recorded streams folded into builds: the verdicts are the engine's, and the tree never moves."""

import random

import pytest

from hitmiss.build.fold import Fold
from hitmiss.build.model import Build, Place, Status, Verdict
from tests.support import streams
from tests.support.streams import events, expected, fold, folded, raw, simple_verdicts, verdicts

VERDICTS = {
    "first": "hit miss miss miss miss miss miss miss",
    "all-hit": "hit hit hit hit hit hit hit hit",
    "one-miss": "hit hit hit hit miss miss miss hit",
    "failed": "hit canceled failed skipped skipped skipped",
    "canceled": "hit miss canceled skipped",
    "platforms": "hit miss miss miss miss miss miss miss",
    "sole": "hit miss miss",
    "padded": "hit " + "miss " * 10,
    "warnings": "hit miss",
    "link": "hit miss miss miss",
    "link-base-ran": "hit miss hit miss",
    "pull": "miss miss",
}


@pytest.mark.parametrize("name", streams.NAMES)
def test_verdicts(name: str) -> None:
    assert [step.verdict.value for step in folded(name).steps] == VERDICTS[name].split()


@pytest.mark.parametrize("name", streams.NAMES)
@pytest.mark.parametrize("history", [False, True], ids=["live", "history"])
def test_verdicts_are_those_of_a_simple_reading(name: str, history: bool) -> None:
    simple = simple_verdicts(raw(name, history=history))
    build = fold(events(raw(name, history=history)), (), streams.ENDS.get(name, Status.SUCCEEDED))
    platform = {step.id: f"{step.platform} " if step.platform else "" for step in build.steps}
    sole = len(build.stages) == 1
    found = {
        f"[{platform[step.id]}{'' if sole else step.stage + ' '}{step.index:>{len(str(step.of))}}/{step.of}] "
        f"{step.instruction}": step.verdict.value
        for step in build.steps
    }
    assert found == simple


@pytest.mark.parametrize("name", streams.NAMES)
def test_the_record_of_a_build_gives_what_the_build_gave(name: str) -> None:
    live, recorded = folded(name), folded(name, history=True)
    assert recorded.context_bytes == live.context_bytes
    assert recorded.checks == live.checks
    assert len(recorded.stages) == len(live.stages)
    for one, other in zip(live.stages, recorded.stages, strict=True):
        assert (one.id, one.title) == (other.id, other.title)
    for step, again in zip(live.steps, recorded.steps, strict=True):
        assert (again.id, again.verdict, again.place) == (step.id, step.verdict, step.place)
        assert (again.instruction, again.error) == (step.instruction, step.error)
        assert again.duration_s == pytest.approx(step.duration_s, abs=0.002)


@pytest.mark.parametrize("name", streams.NAMES)
def test_order_and_repetition_of_lines_change_no_verdict(name: str) -> None:
    heard = events(raw(name))
    wanted = folded(name)
    for seed in range(15):
        mixed = heard + random.Random(seed).choices(heard, k=10)
        random.Random(seed).shuffle(mixed)
        build = fold(mixed, expected(name), wanted.status)
        assert verdicts(build) == verdicts(wanted), f"seed {seed}"
        assert build.context_bytes == wanted.context_bytes
        assert [step.duration_s for step in build.steps] == [step.duration_s for step in wanted.steps]
        assert [step.id for step in build.steps] == [step.id for step in wanted.steps]


@pytest.mark.parametrize("name", streams.NAMES)
def test_the_announced_tree_never_moves(name: str) -> None:
    folding = Fold(Build(status=Status.RUNNING), expected(name))
    first = folding.build(0.0)
    assert all(step.verdict is Verdict.PENDING for step in first.steps)
    assert len(first.steps) == len(VERDICTS[name].split())

    def lines(build: Build) -> list[tuple[str, str, Place | None]]:
        return [(stage.id, step.id, step.place) for stage in build.stages for step in stage.steps]

    for number, event in enumerate(events(raw(name))):
        folding.hear(event, number / 100)
        assert lines(folding.build(number / 100)) == lines(first)
    folding.end(streams.ENDS.get(name, Status.SUCCEEDED), 9.0)
    assert lines(folding.build(9.0)) == lines(first)


def test_instructions_are_shown_as_the_dockerfile_has_them() -> None:
    texts = [step.instruction for step in folded("one-miss").steps]
    assert texts[0] == "FROM busybox"
    assert texts[-1] == "COPY --link requirements.txt /copy"


def test_a_padded_index_is_a_number() -> None:
    build = folded("padded")
    assert [(step.index, step.of) for step in build.steps] == [(index, 11) for index in range(1, 12)]
    assert build.steps[8].id == "many:9"


def test_the_only_stage_has_its_name_back() -> None:
    assert {step.stage for step in folded("canceled").steps} == {"build"}
    assert {step.stage for step in folded("sole").steps} == {"stage-0"}
    assert {step.stage for step in fold(events(raw("canceled"))).steps} == {"stage-0"}


def test_several_platforms() -> None:
    build = folded("platforms")
    assert [stage.title for stage in build.stages] == [
        "build · linux/amd64",
        "final · linux/amd64",
        "build · linux/amd64->arm64",
        "final · linux/arm64",
    ]
    shared = [step for step in build.steps if step.instruction == "WORKDIR /src"]
    assert len(shared) == 1, "a step that two platforms share appears once"


def test_checks_are_told_once() -> None:
    build = folded("warnings")
    assert [(check.short.partition(":")[0], check.line) for check in build.checks] == [
        ("FromAsCasing", 1),
        ("MaintainerDeprecated", 2),
        ("LegacyKeyValueFormat", 3),
        ("SecretsUsedInArgOrEnv", 3),
        ("JSONArgsRecommended", 5),
    ]
    assert all(check.file == "Dockerfile" and check.url.startswith("https://") for check in build.checks)


def test_what_the_client_says_is_kept() -> None:
    build = folded("failed")
    assert build.text[0] == "Dockerfile:5"
    assert build.text[-1].startswith("ERROR: failed to build")
    assert build.failed_step is not None
    assert build.failed_step.error.endswith("exit code: 3")


def test_a_step_that_failed_keeps_the_line_that_says_why() -> None:
    assert [step.said for step in folded("failed").steps if step.said] == ["context canceled"]


def test_logs_belong_to_their_steps() -> None:
    folding = Fold(Build(status=Status.RUNNING), expected("first"))
    for event in events(raw("first")):
        folding.hear(event, 1.0)
    log = folding.logs.get("assets:2")
    assert log is not None
    assert log.texts() == ["two", "red"]
    assert folding.logs.get("base:4") is None
