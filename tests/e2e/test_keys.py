"""Every key of the screen does its job, on a real engine in a real terminal."""

import base64
import re
import shlex
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Opens, all_gone, history, leave, number, tree, wait_built, wait_running, without_from
from tests.e2e.test_main_job import WIDE, nudge
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.wait import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

DOUBLE_S = 0.45
"""A second press sooner than this is no answer to the prune dialog."""


def test_r_n_and_s_build_again(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    terminal.press("r")
    last = wait_built(terminal, last)
    assert set(tree(terminal).values()) == {"hit"}
    assert len(tree(terminal)) == 8
    terminal.press("n")
    last = wait_built(terminal, last)
    verdicts = without_from(tree(terminal))
    verdicts.pop("deps WORKDIR /app")  # BuildKit may report a hit for it even without any cache
    assert set(verdicts.values()) == {"miss"}
    terminal.press("r")
    last = wait_built(terminal, last)
    terminal.press("g", "j", "j")  # a step of the stage `deps`
    terminal.press("s")
    wait_built(terminal, last)
    steps = tree(terminal)
    assert steps["deps RUN cat deps.txt > /deps && echo installed"] == "miss"
    assert steps["final RUN wc /out"] == "hit"


def test_t_switches_the_target_for_good(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    assert "▸ final" in terminal.text()
    terminal.press("t")
    terminal.wait_text("Build which target?", "FROM deps")
    terminal.press("dep")
    terminal.wait(lambda shown: "▸ final  FROM" not in shown, 10, "the list to be filtered")
    terminal.press("enter")
    wait_built(terminal, last)
    terminal.wait_text("▸ deps")
    assert {name.split()[0] for name in tree(terminal)} == {"deps"}
    leave(terminal)
    again = opened(**WIDE)
    wait_built(again)
    assert "▸ deps" in again.text()
    assert {name.split()[0] for name in tree(again)} == {"deps"}


def test_p_deletes_after_it_has_asked(empty_cache: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_built(terminal)
    before = cache_size(empty_cache)
    terminal.press("p")
    terminal.wait_text("would go", "Delete ")
    terminal.click("Delete ")
    terminal.wait_text("Sure?", "Yes, delete")
    asked = time.monotonic()
    assert cache_size(empty_cache) == before
    wait_for(lambda: time.monotonic() > asked + DOUBLE_S, 5)
    terminal.click("Yes, delete")
    freed = re.search(r"Freed (\S+ \S+): \d+ records? gone", terminal.wait_text("Freed"))
    assert freed
    assert cache_size(empty_cache) < before
    terminal.press("escape")
    terminal.wait_text(f"{freed[1]} of build cache deleted")
    terminal.press("p")
    terminal.wait_text("Prune the build cache")
    terminal.press("escape")
    terminal.wait_gone("Prune the build cache")
    leave(terminal)


def cache_size(engine: PrivateEngine) -> int:
    """How many records the engine's build cache has, as the engine tells."""
    return len(engine.docker("buildx", "du", "--format", "json").stdout.splitlines())


def test_w_pauses_and_resumes(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    terminal.press("w")
    terminal.wait_text("paused")
    three_stages.write("src/main", f"{uuid4()}\n")
    nudge(terminal, three_stages)
    assert number(terminal) == last
    terminal.press("w")
    wait_built(terminal, last)
    assert "paused" not in terminal.text()
    assert tree(terminal)["build COPY src/ src/"] == "miss"


def test_c_cancels_within_a_second(engine: PrivateEngine, sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_running(terminal, marker)
    began = time.monotonic()
    terminal.press("c")
    terminal.wait_text("⊘ canceled")
    assert time.monotonic() - began < 1.5
    all_gone(marker)
    nudge(terminal, sleepy)
    assert number(terminal) == 1
    leave(terminal)


def test_o_says_what_a_save_does(engine: PrivateEngine, project: Project, opened: Opens) -> None:
    word = uuid4().hex
    project.dockerfile(f"FROM busybox\nCOPY file /\nRUN while ! grep -q {word} /file; do sleep 1; done; sleep 2; :\n")
    project.write("file", word)
    terminal = opened(**WIDE)
    first = wait_built(terminal)
    terminal.press("o")
    terminal.wait_text("· queue")
    project.write("file", f"{word} 2\n")

    def runs_for_good(shown: str) -> bool:
        """Another save within the quiet period would be of the same burst, and begin the build anew."""
        return number(terminal) > first and "● watching" in shown and bool(hitmiss.steps_running(word))

    terminal.wait(runs_for_good, 20, "the step to run")
    project.write("file", f"{word} 3\n")
    wait_built(terminal, first + 1)
    assert [each["status"] for each in history(engine)[:2]] == ["Completed", "Completed"]
    terminal.press("o")
    terminal.wait_text("· manual")
    last = number(terminal)
    project.write("file", f"{word} 4\n")
    terminal.wait_text("◆ changed")
    assert number(terminal) == last
    terminal.press("r")
    wait_built(terminal, last)
    terminal.press("o")
    terminal.wait_gone("· manual", "· queue")


@pytest.mark.parametrize("variable", ["VISUAL", "EDITOR"])
def test_e_opens_the_editor_at_the_line(
    variable: str, engine: PrivateEngine, three_stages: Project, tmp_path: Path, opened: Opens
) -> None:
    editor, words = tmp_path / "ed", tmp_path / "words"
    editor.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {words}\necho THE-EDITOR-IS-HERE\nread answer\n")
    editor.chmod(0o755)
    terminal = opened(env={"EDITOR": "/bin/false", variable: str(editor)}, **WIDE)
    wait_built(terminal)
    terminal.press("g", "j", "j", "j")  # COPY deps.txt, line 3
    terminal.press("e")
    shown = terminal.wait_text("THE-EDITOR-IS-HERE")
    assert "Steps" not in shown
    assert words.read_text().splitlines() == ["+3", str(three_stages.path / "Dockerfile")]
    terminal.press("enter")
    terminal.wait_text("Steps", "COPY deps.txt")
    terminal.wait_gone("THE-EDITOR-IS-HERE")
    leave(terminal)


def test_e_with_an_editor_that_is_not_there(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(env={"VISUAL": "", "EDITOR": "/nonexistent/ed"}, **WIDE)
    last = wait_built(terminal)
    terminal.press("e")
    terminal.wait_text("Steps", "COPY deps.txt", "/nonexistent/ed could not be started")
    terminal.press("r")
    wait_built(terminal, last)
    leave(terminal)


def test_y_copies_the_docker_command(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    words = ["--target", "build", "-t", "shop:dev", "--build-arg", "A=b c", "--build-arg", "API_TOKEN=hunter2"]
    terminal = opened(*words, **WIDE)
    wait_built(terminal)
    terminal.press("y")
    terminal.wait_raw(b"\x1b]52;c;")
    terminal.wait_text("Copied")
    found = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", terminal.raw)
    assert found
    command = shlex.split(base64.b64decode(found[1]).decode())
    assert command[:2] == ["docker", "build"]
    assert "A=b c" in command
    assert "shop:dev" in command
    assert "hunter2" not in terminal.text() + " ".join(command)
    engine.docker(*command[1:], cwd=three_stages.path)


def test_what_is_typed_at_once_after_the_slash_is_searched(
    engine: PrivateEngine, three_stages: Project, opened: Opens
) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    terminal.press("l")
    terminal.wait_text("copy log")
    terminal.press("/", "npr")  # each is a key of its own where nothing is searched
    terminal.wait(lambda shown: re.search(r"/ +npr", shown), what="what was typed, in the search")
    terminal.press("escape", "?")
    terminal.wait_text("What the shapes say")
    terminal.press("escape")
    terminal.wait_gone("What the shapes say")
    assert number(terminal) == last, "nothing was built again"
    leave(terminal)


def test_question_mark_helps(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_built(terminal)
    terminal.press("?")
    terminal.wait_text("What the shapes say", "came from the cache", "--no-cache-filter")
    terminal.press("escape")
    terminal.wait_gone("What the shapes say")
    leave(terminal)


def test_the_palette_does_the_same(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    terminal.press("ctrl+p")
    terminal.wait_text("Cancel the running build")
    terminal.press("rebuild")
    terminal.wait_gone("Cancel the running build")
    terminal.wait_text("Build again now")
    terminal.press("enter")
    terminal.wait_gone("Build again now")
    wait_built(terminal, last)
    terminal.press("ctrl+p")
    terminal.wait_text("Cancel the running build")
    terminal.press("quit")
    terminal.wait_gone("Cancel the running build")
    terminal.press("enter")
    assert terminal.exit_code() == 0
    assert terminal.not_given_back() == []


def test_capital_t_goes_to_the_other_theme(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_built(terminal)
    dark = terminal.background(5, 12)
    terminal.press("T")
    terminal.wait(lambda _: terminal.background(5, 12) != dark, 10, "another background")
    terminal.press("T")
    terminal.wait(lambda _: terminal.background(5, 12) == dark, 10, "the first background")


def test_a_key_that_the_settings_remap(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    three_stages.write("hitmiss.toml", '[keys]\nrebuild = "x"\nquit = "Q,f10"\n')
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    terminal.press("x")
    last = wait_built(terminal, last)
    terminal.press("r", "q", "?")
    assert re.search(r"  x\s+rebuild", terminal.wait_text("Build again now"))
    terminal.press("escape")
    terminal.wait_gone("What the shapes say")
    assert number(terminal) == last
    terminal.press("Q")
    assert terminal.exit_code() == 0


def test_q_cancels_what_runs(engine: PrivateEngine, sleepy: Project, marker: str, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_running(terminal, marker)
    began = time.monotonic()
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert time.monotonic() - began < 2
    assert terminal.not_given_back() == []
    all_gone(marker)
