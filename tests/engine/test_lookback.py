"""`hitmiss why`, `diff` and `history` on what a real engine did, also where it did more than hitmiss saw."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("engine_env")


def said(project: Project, *words: str) -> str:
    done = hitmiss.run(*words, cwd=project.path)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_hit_whose_files_changed_since_the_build_before(project: Project, engine: PrivateEngine) -> None:
    nonce = uuid4().hex
    project.dockerfile("""
        FROM busybox
        COPY src/ src/
        RUN ls src
    """)
    project.write("src/core/main.py", nonce)
    hitmiss.report(cwd=project.path)
    project.write("src/core/main.py", f"{nonce} edited")
    engine.docker("buildx", "build", str(project.path))
    hitmiss.report(cwd=project.path)
    why = said(project, "why", "2")
    assert why.splitlines()[2] == "  Came from the cache, which had the result for what it is made of now."
    assert "nothing that it is made of has changed" not in why
    differ = said(project, "diff", "1", "2")
    assert differ.splitlines()[1:4] == [
        "HIT  COPY src/ src/  Dockerfile:2",
        "  1 file changed since build 1",
        "    ~ src/core/main.py  +7 B",
    ]
    assert "cache" not in differ


def stopped(project: Project, marker: str) -> None:
    """A build that is canceled while its step with the marker runs."""
    process = hitmiss.start("build", cwd=project.path)
    wait_for(lambda: hitmiss.steps_running(marker), 30, "the step to run")
    hitmiss.stop(process)


def test_a_canceled_build(project: Project) -> None:
    marker = f"marker{uuid4().hex}"
    text = "FROM busybox\nRUN {}\nRUN : after\n"
    project.write("Dockerfile", text.format(f": {marker}"))
    hitmiss.report(cwd=project.path)
    project.write("Dockerfile", text.format(f"sleep 600; : {marker}"))
    stopped(project, marker)
    why = said(project, "why").splitlines()
    assert why[0].startswith("build 2 · canceled · ")
    assert why[1:4] == [
        f"CANCELED  RUN sleep 600; : {marker}  Dockerfile:2",
        "  It was stopped before its end.",
        "  The instruction itself changed since build 1:",
    ]
    assert why[-1] == "1 step was not reached."


def test_what_a_remembered_build_sent_and_made(project: Project) -> None:
    project.write("Dockerfile", "FROM busybox\nCOPY f /\n")
    project.write("f", uuid4().hex)
    built = hitmiss.report(cwd=project.path)["build"]
    assert built["image"]
    assert built["context_bytes"]
    told = json.loads(said(project, "why", "--json"))["build"]
    assert (told["image"], told["context_bytes"]) == (built["image"], built["context_bytes"])


def test_a_later_build_that_failed_before_its_first_step(project: Project) -> None:
    text = f"FROM busybox\nRUN : {uuid4().hex}\n"
    project.write("Dockerfile", text)
    hitmiss.report(cwd=project.path)
    for broken in ("FROM 127.0.0.1:9/nosuch\n", f"# check=error=true\n{text}run :\n"):
        project.write("Dockerfile", broken)
        hitmiss.report(cwd=project.path, code=1)
        for command in ("why", "history"):
            done = hitmiss.run(command, cwd=project.path)
            assert done.stderr.decode().startswith("! A later build failed before its first step: ")
            assert "build 2" not in done.stdout.decode()
    project.write("Dockerfile", text)
    hitmiss.report(cwd=project.path)
    done = hitmiss.run("why", cwd=project.path)
    assert done.stdout.decode().splitlines()[0].startswith("build 2 · succeeded · ")
    assert done.stderr == b""


def test_steps_that_one_of_two_builds_has(project: Project) -> None:
    text = f"FROM busybox AS a\nRUN : {uuid4().hex}\nCOPY old /\n"
    project.write("old", "old")
    project.write("Dockerfile", text)
    hitmiss.report(cwd=project.path)
    project.write("Dockerfile", text.replace("COPY old /", "WORKDIR /x") + "RUN true\nFROM a AS more\nRUN :\n")
    hitmiss.report(cwd=project.path)
    assert [line for line in said(project, "diff", "1", "2").splitlines() if line] == [
        "build 1 → build 2",
        "MISS  WORKDIR /x  Dockerfile:3",
        "  It is not in build 1.",
        "MISS  RUN true  Dockerfile:4",
        "  It is not in build 1.",
        "MISS  RUN :  Dockerfile:6",
        "  It is not in build 1.",
        "MISS  COPY old /  Dockerfile:3",
        "  It is not in build 2.",
    ]
    document = json.loads(said(project, "diff", "1", "2", "--json"))
    assert [step["instruction"] for step in document["gone"]] == ["COPY old /"]
    assert said(project, "diff", "2", "2").splitlines()[1:] == ["All steps are the same."]


def test_every_difference_between_two_builds(project: Project) -> None:
    nonce = uuid4().hex
    text = f"FROM busybox\nWORKDIR /x\nRUN echo one\nENV WORD=old\nCOPY b b\nRUN : {nonce}\nCOPY same /\n"
    project.write("Dockerfile", text)
    project.write("b", "file")
    project.write("same", "same")
    hitmiss.report(cwd=project.path)
    project.write("Dockerfile", text.replace("/x", "/y").replace("one", "ONE").replace("old", "new"))
    (project.path / "b").unlink()
    project.write("b/file", "folder")
    for _ in range(2):
        hitmiss.report(cwd=project.path)
    differ = said(project, "diff", "1", "3")
    lines = [line for line in differ.splitlines()[1:] if line and not line.startswith("    ")]
    assert [line.split("  ")[1] for line in lines] == [
        "WORKDIR /y",
        "The instruction itself changed since build 1:",
        "RUN echo ONE",
        "The instruction itself changed since build 1:",
        "COPY b b",
        "2 files changed since build 1 (1 added)",
        f"RUN : {nonce}",
        "The variable WORD has another value than in build 1.",
    ]
    document = json.loads(said(project, "diff", "1", "3", "--json"))
    assert document["steps"][-1]["cause"]["detail"] == "It is put on WORKDIR /y, which is another step."
    assert " ran" not in differ + json.dumps(document)


def test_the_history_of_several_targets(project: Project) -> None:
    inline = 'target "{0}" {{\n  dockerfile-inline = "FROM busybox\\nRUN : {0} NONCE\\n"\n}}\n'
    text = 'group "default" { targets = ["docs", "a-longer-name"] }\n' + "".join(
        map(inline.format, ("docs", "a-longer-name"))
    )
    project.write("docker-bake.hcl", text.replace("NONCE", uuid4().hex))
    for words in ((), (), ("--target", "docs")):
        report = hitmiss.report(*words, cwd=project.path)
    assert report["build"]["target"] == "docs"
    rows = [line.split() for line in said(project, "history", "-n", "2").splitlines()]
    assert [(row[0], row[4]) for row in rows[:-1]] == [("3", "docs"), ("2", "a-longer-name"), ("2", "docs")]
    document = json.loads(said(project, "history", "--json"))
    assert [build["bake_target"] for build in document["builds"]].count("docs") == 3
    assert json.loads(said(project, "why", "--json"))["build"]["target"] == "docs"
