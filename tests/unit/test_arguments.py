"""Build arguments: what a Dockerfile knows, what is kept, what takes the place of what; names without credentials."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hitmiss.build.model import Expected, Status, Verdict
from hitmiss.build.progress import Progress, Text, decode
from hitmiss.build.redact import Redactor
from hitmiss.build.step_names import StepNames
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.timing import as_written
from hitmiss.docker import bake
from hitmiss.history.store import Store
from hitmiss.project.arguments import Argument, arguments_in, arguments_of, exposed, in_image
from hitmiss.project.definition import announce
from hitmiss.project.dockerfile import parse
from hitmiss.project.find import Kind
from hitmiss.project.operations import Question
from hitmiss.project.units import Unit
from hitmiss.settings import BuildOptions, looks_secret
from hitmiss.snapshot import ArgumentRow, Changes, Cost, CostStep
from hitmiss.ui.screens.argument_words import Draft, cost_words
from hitmiss.workspace import Workspace

DOCKERFILE = """\
ARG VERSION=3.12
ARG IMAGE=python:${VERSION}
ARG BARE
FROM $IMAGE AS build
ARG VERSION
ARG TARGETARCH
ARG MODE=fast
RUN make
FROM build AS unused
ARG NOBODY
FROM scratch AS final
ARG MODE=slow
COPY --from=build /out /
"""


def question(text: str = DOCKERFILE, target: str = "", **given: str) -> Question:
    return Question(parse(text), target, given, build_platform="linux/amd64")


def test_the_arguments_that_matter_to_the_target_with_their_defaults() -> None:
    assert arguments_of(question(VERSION="3.13", MODE="mine")) == (
        Argument("VERSION", "3.12", 1, ("", "build")),
        Argument("IMAGE", "python:3.12", 2, ("",)),
        Argument("BARE", None, 3, ("",)),
        Argument("TARGETARCH", None, 6, ("build",), automatic=True),
        Argument("MODE", "fast", 7, ("build", "final")),
    )
    assert "NOBODY" in [each.name for each in arguments_of(question(target="unused"))]


def test_what_cannot_be_built_still_tells_its_arguments() -> None:
    text = "ARG IMAGE\nFROM $IMAGE\nARG MODE=fast\n"
    assert arguments_of(question(text)) == ()
    assert [(each.name, each.default) for each in arguments_in(text)] == [("IMAGE", None), ("MODE", "fast")]
    assert arguments_in("FROM") == ()


@pytest.mark.parametrize(
    ("text", "given", "found"),
    [
        ("FROM a\nARG NPM_TOKEN\n", {"NPM_TOKEN": "x"}, ["NPM_TOKEN"]),
        ("FROM a\nARG NPM_TOKEN\n", {}, []),
        ("FROM a\nARG NPM_TOKEN=default\n", {}, ["NPM_TOKEN"]),
        ("FROM a\nARG AUTHOR=me\nARG KEYBOARD=us\n", {}, []),
        ("FROM a AS x\nARG NPM_TOKEN\nFROM a\n", {"NPM_TOKEN": "x"}, []),
        ("# check=skip=SecretsUsedInArgOrEnv\nFROM a\nARG NPM_TOKEN\n", {"NPM_TOKEN": "x"}, []),
        ("# check=skip=all\nFROM a\nARG NPM_TOKEN\n", {"NPM_TOKEN": "x"}, []),
    ],
)
def test_arguments_that_whoever_has_the_image_can_read(text: str, given: dict[str, str], found: list[str]) -> None:
    assert [each.name for each in exposed(question(text, **given))] == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FROM a\nARG NPM_TOKEN\n", True),
        ("FROM a AS x\nARG NPM_TOKEN\nFROM x AS y\nFROM y\n", True),
        ("FROM a AS x\nARG NPM_TOKEN\nFROM a\nCOPY --from=x /o /\n", False),
        ("ARG NPM_TOKEN\nFROM a\n", False),
    ],
)
def test_what_the_image_tells_of_is_its_own_stages(text: str, told: bool) -> None:
    asked = question(text, NPM_TOKEN="x")
    (argument,) = exposed(asked)
    assert in_image(asked, argument) is told


def test_an_author_is_no_secret() -> None:
    assert not looks_secret("AUTHOR")
    assert looks_secret("AUTHORIZATION")


# Names of steps


SECRETIVE = """\
FROM a AS build
ARG API_TOKEN
ARG PLAIN=p
RUN curl -u "$API_TOKEN" ${API_TOKEN%%:*} ${API_TOKEN:-none} $PLAIN
ENV SAME=$API_TOKEN
RUN echo $SAME
COPY $PLAIN $API_TOKEN $NOTHING /
FROM a
COPY --from=build / /
"""
CLEAN = (
    'RUN curl -u "$API_TOKEN" ${API_TOKEN%%:*} ${API_TOKEN:-none} p',
    "RUN echo $SAME",
    "COPY p $API_TOKEN  /",
)


def steps(value: str = "ann:pw") -> tuple[Expected, ...]:
    return announce(parse(SECRETIVE), "Dockerfile", values={"API_TOKEN": value}, own="linux/amd64")


def names(target: str = "") -> StepNames:
    found = StepNames()
    found.add(steps(), target)
    return found


def test_a_step_is_called_the_same_whatever_the_credential() -> None:
    told = [step.instruction for step in steps() if step.secret]
    assert told == list(CLEAN)
    assert [step.instruction for step in steps("other:x")] == [step.instruction for step in steps()]
    assert next(step.secret for step in steps() if step.secret) == 'RUN curl -u "ann:pw" ann ann:pw p'


@pytest.mark.parametrize("target", ["", "web"])
def test_the_stream_tells_no_credential(target: str) -> None:
    first, *_ = (step for step in steps() if step.secret)
    head = f"[{target} build 2/4]" if target else "[build 2/4]"
    vertex = {
        "digest": "d",
        "name": f"{head} {first.secret}",
        "progressGroup": {"id": "g", "name": f"{head} {first.secret}"},
    }
    line = msgspec.json.encode({"vertexes": [vertex]})
    event = decode(line)
    assert isinstance(event, Progress)
    redactor = Redactor((), names(target))
    assert redactor
    clean = redactor.event(event)
    assert isinstance(clean, Progress)
    assert clean.vertexes is not None
    assert clean.vertexes[0].name == f"{head} {CLEAN[0]}"
    assert b"ann" not in redactor.line(line, event, clean)
    assert redactor.event(Text(f" > {head} {first.secret}:")) == Text(f" > {head} {CLEAN[0]}:")


def test_a_name_that_the_dockerfile_does_not_tell_whole_is_known_by_its_place() -> None:
    assert names().clean("[build 2/4] RUN curl with /the/base's/own PATH ann:pw") == f"[build 2/4] {CLEAN[0]}"
    assert names().clean("[linux/arm64 build 2/4] RUN other").endswith("RUN other"), "another platform's step"
    assert names().clean("[build 2/4] COPY a b") == "[build 2/4] COPY a b", "the Dockerfile is another one by now"
    assert names().clean("[build 2/5] RUN other") == "[build 2/5] RUN other"
    assert names().clean("[internal] load metadata for a") == "[internal] load metadata for a"
    assert not StepNames()


# What is kept


def test_arguments_are_kept_by_project_and_target_but_never_secret_ones(tmp_path: Path) -> None:
    path, project = tmp_path / "history.sqlite", tmp_path / "project"
    store = Store(path)
    store.keep_arguments(project, "", {"A": "1", "NPM_TOKEN": "hunter22", "EMPTY": ""})
    store.keep_arguments(project, "web", {"A": "2"})
    store.keep_arguments(tmp_path, "", {"A": "elsewhere"})
    store.close()
    store = Store(path)
    assert store.arguments(project) == {"": {"A": "1", "EMPTY": ""}, "web": {"A": "2"}}
    store.keep_arguments(project, "", {"B": "3"})
    store.keep_arguments(project, "web", {})
    assert store.arguments(project) == {"": {"B": "3"}}
    store.close()
    assert b"hunter22" not in b"".join(each.read_bytes() for each in tmp_path.glob("history.sqlite*"))


# What takes the place of what


def test_arguments_take_the_place_of_those_of_files_and_flags() -> None:
    web = Unit("web", BuildOptions(build_args=("A=1", "B", "C=3")))
    other = Unit("other", BuildOptions(build_args=("A=1",)))
    space = Workspace(
        Kind.SETTINGS, (web, other), ("web", "other"), Path("/p"), arguments={"web": {"A": "x=y", "D": ""}}
    )
    assert [unit.options.build_args for unit in space.wanted()] == [("B", "C=3", "A=x=y", "D="), ("A=1",)]
    assert space.unit("web") is web, "what the files say stays as it was"


def test_a_bake_file_takes_them_as_they_are() -> None:
    file = msgspec.json.encode({"target": {"web": {"args": {"A": "1", "B": "2"}}, "other": {}}})
    made = msgspec.json.decode(
        bake.argued(file, {"web": {"A": "${x} %{y} $z"}, "other": {"N": "1"}, "gone": {"A": "1"}})
    )
    assert made["target"] == {"web": {"args": {"A": "$${x} %%{y} $z", "B": "2"}}, "other": {"args": {"N": "1"}}}
    assert bake.argued(file, {"web": {}}) is file


# The editor's draft and its words


PLAIN = ArgumentRow("", "PLAIN", "a", "default", "a", "default")
KEPT = ArgumentRow("", "KEPT", "mine", "kept here", "a", "default", kept=True)
UNSET = ArgumentRow("", "UNSET")
TOKEN = ArgumentRow("", "NPM_TOKEN", "•••", "--build-arg", "•••", "--build-arg", secret=True)


@pytest.mark.parametrize(
    ("row", "typed", "changes"),
    [
        (PLAIN, "b", {"": {"PLAIN": "b"}}),
        (PLAIN, "a", {}),
        (PLAIN, "", {"": {"PLAIN": ""}}),
        (KEPT, "b", {"": {"KEPT": "b"}}),
        (KEPT, "mine", {}),
        (KEPT, "a", {"": {"KEPT": None}}),
        (UNSET, "", {}),
        (UNSET, "x", {"": {"UNSET": "x"}}),
        (TOKEN, "", {}),
        (TOKEN, "x", {"": {"NPM_TOKEN": "x"}}),
    ],
)
def test_what_is_typed_and_what_it_changes(row: ArgumentRow, typed: str, changes: Changes) -> None:
    draft = Draft([PLAIN, KEPT, UNSET, TOKEN])
    draft.write(row, "something else")
    draft.write(row, typed)
    assert draft.changes() == changes
    draft.take_back(row)
    assert draft.changes() == ({"": {"KEPT": None}} if row is KEPT else {})


def test_clearing_takes_all_back() -> None:
    draft = Draft([PLAIN, KEPT])
    assert draft.clearable
    draft.write(PLAIN, "b")
    draft.clear()
    assert draft.changes() == {"": {"KEPT": None}}
    assert not draft.clearable
    assert draft.value(KEPT) == ("a", False)
    assert not Draft([PLAIN]).clearable


def test_a_secret_is_never_shown() -> None:
    draft = Draft([TOKEN])
    assert draft.text(TOKEN) == ""
    draft.write(TOKEN, "hunter22")
    assert draft.value(TOKEN) == ("•••", True)


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Cost((CostStep("", "RUN a"),), 5, 41.0), "◇ 1 step will run, ~41 s · 5 hit"),
        (
            Cost((CostStep("", "RUN a"), CostStep("", "RUN b"), CostStep("", "COPY c", depends=True))),
            "◇ 2 steps will run, how long is not known yet · 1 depends on what they write",
        ),
        (Cost(hits=4, seconds=0.0), "○ All steps hit, nothing will run"),
        (
            Cost((CostStep("", "RUN a"),), 0, 1.0, ("b",), ("app",), ("x:1",)),
            "◇ 1 step will run, ~1.0 s · then app · x:1 is fetched first",
        ),
        (Cost(problem="no\x1b"), "✖ no�"),
    ],
)
def test_the_words_for_what_it_costs(cost: Cost, words: str) -> None:
    draft = Draft([PLAIN])
    assert cost_words(cost, draft, waiting=False) == (
        words if cost.problem else "Change a value to see what it will cost."
    )
    draft.write(PLAIN, "b")
    assert cost_words(cost, draft, waiting=False) == words


def test_a_line_that_ran_with_another_value_tells_how_long_it_takes() -> None:
    def step(instruction: str, text: str, verdict: Verdict = Verdict.PENDING, took: float = 0.0) -> StepFacts:
        return StepFacts("s:1", "s", 1, 1, instruction, text, "", None, 0, verdict=verdict, duration_s=took)

    def build(*steps: StepFacts) -> BuildFacts:
        return BuildFacts(0, "/p", "b", "s", 0.0, Status.SUCCEEDED, steps=steps)

    past = [
        build(step("RUN make a", "RUN make $X", Verdict.HIT)),
        build(step("RUN make b", "RUN make $X", Verdict.MISS, 41.0)),
        build(step("RUN make c", "RUN make $X", Verdict.MISS, 3.0)),
    ]
    now = [step("RUN make d", "RUN make $X"), step("RUN new", "RUN new")]
    assert [each.expected_s for each in as_written(now, past)] == [41.0, None]
    known = msgspec.structs.replace(now[0], expected_s=1.0)
    assert [each.expected_s for each in as_written([known], past)] == [1.0]
