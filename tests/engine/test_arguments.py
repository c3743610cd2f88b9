"""Build arguments changed while a project is watched: what it costs is told, what is built, what is kept and hidden."""

from __future__ import annotations

import json
import shlex
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest

from hitmiss.build.model import CauseKind, Verdict
from hitmiss.build.recording import Writer
from hitmiss.history.store import Store
from hitmiss.report.json_report import report
from hitmiss.settings import BuildOptions, Settings
from hitmiss.snapshot import ArgumentRow
from hitmiss.workspace import open_workspace
from tests.support import examples, hitmiss
from tests.support.engine import PrivateEngine
from tests.support.live import Live, Starts, verdicts
from tests.support.project import Project

real = pytest.mark.usefixtures("engine_env")
CREDENTIALS = ("ann:hunter2-a", "ann:hunter3-b")


@pytest.fixture
def colours(project: Project) -> Project:
    """A project with an argument before the first FROM, one in a stage, and one that no needed stage declares."""
    project.dockerfile(f"""
        ARG IMAGE=busybox
        FROM $IMAGE AS base
        COPY a.txt /
        ARG COLOUR=red
        RUN echo $COLOUR > /colour; : {uuid4().hex}
        RUN cat /colour
        FROM base AS other
        ARG UNUSED=x
        FROM base AS final
        ARG TARGETARCH
        COPY a.txt /b.txt
    """)
    project.write("a.txt", "a")
    return project


def row(live: Live, name: str) -> ArgumentRow:
    return next(each for each in live.session.arguments() if each.name == name)


async def end(live: Live, number: int) -> None:
    """Leave once that build is remembered: the next session goes on counting from it."""
    await live.until(lambda snap: any(past.number == number for past in live.session.history()), "the history")
    await live.session.close()


@real
async def test_the_cost_is_told_before_and_holds(colours: Project, start: Starts) -> None:
    live = start()
    assert verdicts(await live.built(1)) == "hmmmm"
    assert [each.name for each in live.session.arguments()] == ["IMAGE", "COLOUR", "TARGETARCH"]
    assert (row(live, "COLOUR").value, row(live, "COLOUR").origin) == ("red", "default")
    assert row(live, "TARGETARCH").automatic
    await live.until(lambda _: not live.session._errands.busy, "the session to rest")
    plan, shown = live.session._crew.members[""].foresight.plan, live.snapshot.build
    cost = await live.session.cost({"": {"COLOUR": "blue"}})
    assert [step.instruction for step in cost.steps if not step.depends] == [
        step.instruction.replace("red", "blue") for step in shown.steps[2:4]
    ] + ["COPY a.txt /b.txt"]
    assert cost.hits == 2
    assert cost.seconds is not None, "a line that ran is known by its text, whatever its value"
    assert live.session._crew.members[""].foresight.plan is plan, "the session's own plan is not touched"
    assert live.snapshot.build is not None
    assert live.snapshot.build.number == 1
    assert not (await live.session.cost({"": {"COLOUR": "red"}})).steps
    live.session.set_arguments({"": {"COLOUR": "blue"}})
    build = await live.built(2)
    assert verdicts(build) == "hhmmm"
    told = (await live.until(lambda snap: snap.build.steps[2].cause, "the cause")).build.steps[2].cause
    assert told is not None
    assert (told.kind, told.old, told.new) == (CauseKind.ARGUMENT_CHANGED, "COLOUR=red", "COLOUR=blue")
    assert live.snapshot.arguments == ("COLOUR=blue",)
    assert "--build-arg COLOUR=blue" in live.session.command()


@real
async def test_a_value_is_kept_until_it_is_taken_back_and_flags_go_before_it(
    colours: Project, start: Starts, tmp_path: Path
) -> None:
    live = start()
    await live.built(1)
    live.session.set_arguments({"": {"COLOUR": "blue"}})
    await live.built(2)
    await end(live, 2)
    live = start()
    await live.built(3)
    assert (row(live, "COLOUR").value, row(live, "COLOUR").origin) == ("blue", "kept here")
    live.session.set_arguments({"": {"COLOUR": None}})
    assert verdicts(await live.built(4)) == "hhhhh", "as build 1"
    assert row(live, "COLOUR").origin == "default"
    assert live.snapshot.arguments == ()
    live.session.set_arguments({"": {"COLOUR": "green"}})
    await live.built(5)
    await end(live, 5)
    live = start(build_args=("COLOUR=blue",))
    assert verdicts(await live.built(6)) == "hhhhh", "as build 2"
    assert (row(live, "COLOUR").value, row(live, "COLOUR").origin) == ("blue", "--build-arg")
    await live.session.close()
    store = Store(tmp_path / "history.sqlite")
    assert store.arguments(colours.path) == {"": {"COLOUR": "green"}}, "the flag did not take it away"
    store.close()


@real
async def test_values_that_cannot_be_built_are_told_and_nothing_is_lost(colours: Project, start: Starts) -> None:
    live = start()
    await live.built(1)
    cost = await live.session.cost({"": {"IMAGE": ""}})
    assert cost.refused
    assert "should not be blank" in cost.problem
    cost = await live.session.cost({"": {"IMAGE": "nowhere.invalid/none:1"}})
    assert cost.fetched == ("nowhere.invalid/none:1",)
    assert cost.steps
    live.session.set_arguments({"": {"IMAGE": ""}})
    await live.until(lambda snap: "should not be blank" in snap.problem, "the problem")
    assert [each.name for each in live.session.arguments()][:2] == ["IMAGE", "COLOUR"], "it can be mended in the editor"
    live.session.set_arguments({"": {"IMAGE": None}})
    assert verdicts(await live.built(2)) == "hhhhh"


@real
async def test_what_only_a_plan_finds_out_refuses_a_value_too(project: Project, start: Starts) -> None:
    project.dockerfile("FROM busybox\nARG FILE=a.txt\nCOPY ${FILE:?needed} /")
    project.write("a.txt", "a")
    live = start()
    await live.built(1)
    cost = await live.session.cost({"": {"FILE": ""}})
    assert (cost.refused, cost.problem) == (
        True,
        "Dockerfile line 3: failed to process '${FILE:?needed}': FILE: needed",
    )


@real
@pytest.mark.parametrize("file", ["docker-bake.json", "compose.yaml"])
async def test_of_several_targets_only_those_that_it_reaches_are_built(
    colours: Project, start: Starts, file: str
) -> None:
    target = {"context": ".", "args": {"COLOUR": "file"}}
    if file == "compose.yaml":
        colours.write(file, json.dumps({"services": {"one": {"build": target}, "two": {"build": {"context": "."}}}}))
    else:
        colours.write(
            file,
            json.dumps({"target": {"one": target, "two": {}}, "group": {"default": {"targets": ["one", "two"]}}}),
        )
    space = await open_workspace(BuildOptions(file=file), Settings(), cwd=colours.path)
    live = start(space=space)
    await live.built(1)
    rows = {(each.target, each.name): each for each in live.session.arguments()}
    assert (rows["one", "COLOUR"].value, rows["one", "COLOUR"].origin) == ("file", file)
    assert (rows["two", "COLOUR"].value, rows["two", "COLOUR"].origin) == ("red", "default")
    odd = "${HOME} 100% %{x} $y 'q'"
    cost = await live.session.cost({"one": {"COLOUR": odd}})
    assert cost.targets == ("one",)
    live.session.set_arguments({"one": {"COLOUR": odd}})
    build = await live.built(2)
    assert {part.name: part.number for part in build.parts} == {"one": 2, "two": 1}
    ran = [step.instruction for step in build.steps if step.bake_target == "one" and step.verdict is Verdict.MISS]
    assert ran[0].startswith(f"RUN echo {odd} >"), "it comes there as it was typed"
    told = shlex.split(live.session.command())
    assert f"--set=one.args.COLOUR={odd}" in told, told
    live.session.set_arguments({"one": {"COLOUR": None}})
    again = await live.built(3)
    assert all(step.verdict is Verdict.HIT for step in again.steps if step.bake_target == "one")


@real
async def test_a_changed_credential_misses_for_it_and_stands_nowhere(
    engine: PrivateEngine, tmp_path: Path, start: Starts
) -> None:
    examples.load_bases(engine, "poetry-ci")
    project = Project(examples.copy("poetry-ci", tmp_path / "project"))
    first, second = CREDENTIALS
    tape, home = tmp_path / "tape.jsonl", tmp_path
    marker = uuid4().hex
    examples.replace(
        project,
        "Dockerfile.args",
        "poetry install --only main --no-root",
        f": {marker}; poetry install --only main --no-root",
    )
    live = start(
        file=str(project / "Dockerfile.args"), build_args=(f"PIP_INDEX_CREDENTIALS={first}",), writer=Writer(tape)
    )
    one = await live.built(1)
    install = next(step for step in one.steps if marker in step.instruction)
    assert '"$PIP_INDEX_CREDENTIALS"' in install.instruction
    assert "${PIP_INDEX_CREDENTIALS%%:*}" in install.instruction
    assert row(live, "PIP_INDEX_CREDENTIALS").value == "•••"
    (notice,) = [text for text in live.snapshot.notices if "PIP_INDEX_CREDENTIALS (Dockerfile.args:5)" in text]
    assert "has the image" not in notice, "it stands in a stage that is only copied from"
    assert any("SecretsUsedInArgOrEnv" in check.short for check in one.checks)
    assert first not in live.session.command()
    changes = {"": {"PIP_INDEX_CREDENTIALS": second}}
    cost = await live.session.cost(changes)
    assert install.instruction in [step.instruction for step in cost.steps]
    live.session.set_arguments(changes)
    two = await live.built(2)
    again = two.step(install.id)
    assert again is not None
    assert (again.instruction, again.verdict) == (install.instruction, Verdict.MISS)
    assert again.last_s is not None, "it is the same step, whatever its value"
    snap = await live.until(lambda snap: (step := snap.build.step(install.id)) and step.cause, "the cause")
    missed = next(
        step for step in snap.build.steps if step.verdict is Verdict.MISS and step.cause and step.stage == "build"
    )
    assert missed.cause is not None
    assert missed.cause.kind is CauseKind.ARGUMENT_CHANGED
    assert "PIP_INDEX_CREDENTIALS" in missed.cause.detail
    document = report(snap.build).decode()
    await live.session.close()
    kept = b"".join(path.read_bytes() for path in home.glob("history.sqlite*"))
    with sqlite3.connect(home / "history.sqlite") as db:
        assert db.execute("SELECT * FROM argument").fetchall() == []
    db.close()
    for value in (*CREDENTIALS, "hunter2", "hunter3"):
        assert value not in document
        assert value not in tape.read_text()
        assert value.encode() not in kept
        assert value not in str(snap)
        assert value not in str(one)


@real
def test_hitmiss_build_leaves_kept_values_alone_and_says_so(colours: Project) -> None:
    store = Store()
    store.keep_arguments(colours.path, "", {"COLOUR": "blue"})
    store.close()
    done = hitmiss.run("build", "--json", cwd=colours.path)
    assert done.returncode == 0, done.stderr
    assert b"echo red" in done.stdout
    assert "Set on the screen, and not used here: COLOUR=blue." in done.stderr.decode()
    done = hitmiss.run("build", "--json", "--build-arg", "COLOUR=green", cwd=colours.path)
    assert b"echo green" in done.stdout
    assert b"not used here" not in done.stderr
