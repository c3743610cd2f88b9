"""The main job on a real engine in a real terminal: a save is built by itself, and the tree says what BuildKit did."""

from uuid import uuid4

import pytest

from tests.e2e.conftest import (
    Opens,
    all_gone,
    history,
    leave,
    number,
    told_by_the_engine,
    tree,
    wait_built,
    wait_running,
    without_from,
)
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

WIDE = {"cols": 220, "rows": 50}
READS_DEPS = {
    "deps WORKDIR /app": "hit",
    "deps COPY deps.txt .": "hit",
    "deps RUN cat deps.txt > /deps && echo installed": "hit",
}
READS_SOURCE = {
    "build COPY src/ src/": "miss",
    "build RUN cat src/* > /out && echo compiled": "miss",
    "final COPY --from=build /out /out": "miss",
    "final RUN wc /out": "miss",
}


def nudge(terminal: Terminal, project: Project) -> None:
    """Have the watch prove that it has seen everything up to now: save what no step reads until it says so."""
    word = f"n{uuid4().hex}"
    count = 0

    def said(shown: str) -> bool:
        nonlocal count
        count += 1
        project.write(f"{word}.md", str(count))
        return f"{word}.md: no step of" in shown

    terminal.wait(said, 10, "the watch to speak of a file that no step reads")
    project.remove(f"{word}.md")


def test_first_build_then_a_save(empty_cache: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    first = wait_built(terminal)
    assert without_from(tree(terminal)) == {**dict.fromkeys(READS_DEPS, "miss"), **READS_SOURCE}
    assert without_from(tree(terminal)) == told_by_the_engine(empty_cache)
    three_stages.write("src/main", f"{uuid4()}\n")
    wait_built(terminal, first)
    assert without_from(tree(terminal)) == {**READS_DEPS, **READS_SOURCE}
    assert without_from(tree(terminal)) == told_by_the_engine(empty_cache)
    leave(terminal)


def test_a_save_of_what_a_step_reads_first(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    """Early cutoff and all: whatever BuildKit makes of it, the tree says the same."""
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    for name, content in (("deps.txt", f"{uuid4()}\n"), ("src/new", f"{uuid4()}\n"), ("src/empty", "")):
        three_stages.write(name, content)
        last = wait_built(terminal, last)
        assert without_from(tree(terminal)) == told_by_the_engine(engine), name


def test_a_changed_instruction(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    text = three_stages.read("Dockerfile")
    three_stages.save("Dockerfile", text.replace("echo compiled", f"echo {uuid4()}"))
    wait_built(terminal, last)
    told = told_by_the_engine(engine)
    assert without_from(tree(terminal)) == told
    assert list(told.values()).count("miss") >= 1


def test_a_save_to_an_ignored_file_starts_nothing(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    first = wait_built(terminal)
    builds = len(history(engine))
    three_stages.write("debug.log", "more noise\n")
    three_stages.save("other.log", "noise\n")
    nudge(terminal, three_stages)
    assert number(terminal) == first
    assert len(history(engine)) == builds
    assert ".log" not in terminal.text()


def test_a_save_that_no_step_reads_is_said(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    first = wait_built(terminal)
    builds = len(history(engine))
    three_stages.write("README.md", "more\n")
    terminal.wait_text("README.md: no step of final reads it")
    assert number(terminal) == first
    assert len(history(engine)) == builds


def test_an_editor_that_renames(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    three_stages.save("src/main", f"{uuid4()}\n")
    wait_built(terminal, last)
    assert without_from(tree(terminal)) == told_by_the_engine(engine)
    assert tree(terminal)["build COPY src/ src/"] == "miss"


def test_two_saves_make_one_build(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    three_stages.dockerfile("FROM busybox\nCOPY src/ /src/\nRUN cat /src/*\n")
    terminal = opened("--settle", "500", **WIDE)
    last = wait_built(terminal)
    done = sum(each["status"] == "Completed" for each in history(engine))
    words = [uuid4().hex, uuid4().hex]
    three_stages.write("src/main", words[0])
    three_stages.write("src/other", words[1])
    wait_built(terminal, last)
    terminal.wait_text("watching")
    nudge(terminal, three_stages)
    terminal.press("g", "j", "j", "j", "l")
    terminal.wait_text("".join(words))
    assert sum(each["status"] == "Completed" for each in history(engine)) == done + 1


def test_a_save_during_a_build_restarts_it(engine: PrivateEngine, sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_running(terminal, marker)
    sleepy.dockerfile("FROM busybox\nCOPY file /\nRUN echo quick\n")
    wait_built(terminal, 1)
    all_gone(marker)
    assert without_from(tree(terminal)) == told_by_the_engine(engine)


def test_a_failed_step_opens_its_log(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    project.dockerfile(f"FROM busybox\nRUN echo {uuid4().hex}; echo what went wrong >&2; exit 7\nRUN echo never\n")
    terminal = opened(**WIDE)
    wait_built(terminal, mark="✖ failed at Dockerfile:2")
    terminal.wait_text("what went wrong", "exit code: 7", ">>>", "never")
    project.dockerfile("FROM busybox\nRUN echo mended\n")
    wait_built(terminal, 1)
    leave(terminal)
