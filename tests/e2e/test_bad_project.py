"""Projects that cannot be built, or not yet: one clear sentence, and the watch goes on."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Opens, leave, number, told_by_the_engine, tree, wait_built, without_from
from tests.e2e.test_main_job import WIDE
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.usefixtures("engine_env")]

NOBODY = 65534


def one_sentence(text: str) -> str:
    """What the program said, which was no more than one line and no traceback."""
    said = text.strip()
    assert said.startswith("hitmiss: ")
    assert "\n" not in said
    assert "Traceback" not in said
    return said


def refused(opened: Opens, *words: str, code: int = 2, **more: object) -> str:
    """Both the screen and `hitmiss build` end with this exit code and the same sentence, which is given."""
    terminal = opened(*words, cols=500, rows=10, **more)
    assert terminal.exit_code() == code, terminal.shown()
    assert not terminal.was_full_screen
    assert terminal.not_given_back() == []
    return one_sentence(terminal.text())


def test_no_dockerfile(project: Project, opened: Opens) -> None:
    project.write("src/main", "x")
    assert "Dockerfile" in refused(opened)
    done = hitmiss.run("build", cwd=project.path)
    assert done.returncode == 2
    assert "Dockerfile" in one_sentence(done.stderr.decode())


def test_the_dockerfile_goes_and_comes_back(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    text = three_stages.read("Dockerfile")
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    three_stages.remove("Dockerfile")
    terminal.wait(
        lambda shown: "✖" in shown.splitlines()[2] and "Dockerfile" in shown.splitlines()[2], 10, "a sentence"
    )
    three_stages.dockerfile(text + "RUN true\n")
    wait_built(terminal, last)


def test_a_dockerfile_that_does_not_parse(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    text = three_stages.read("Dockerfile")
    three_stages.dockerfile(text.replace("WORKDIR /app", "WORKDIRR /app"))
    terminal = opened(**WIDE)
    terminal.wait_text("unknown instruction: WORKDIRR")
    assert number(terminal) == 0
    terminal.press("d")
    terminal.wait_text("WORKDIRR /app", "COPY deps.txt .")
    three_stages.dockerfile(text)
    first = wait_built(terminal)
    three_stages.save("Dockerfile", text.replace("FROM deps AS build", "FROM"))
    terminal.wait(lambda shown: "✖" in shown.splitlines()[2] and "FROM" in shown.splitlines()[2], 10, "a sentence")
    three_stages.save("Dockerfile", text.replace("compiled", uuid4().hex))
    wait_built(terminal, first)
    leave(terminal)


def test_a_dockerfile_that_breaks_while_a_build_runs(engine: PrivateEngine, sleepy: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    terminal.wait_text("runs")
    sleepy.dockerfile("FROM busybox\nRUNN true\n")
    terminal.wait_text("unknown instruction: RUNN")
    sleepy.dockerfile("FROM busybox\nRUN true\n")
    wait_built(terminal)
    assert without_from(tree(terminal)).keys() == {"stage-0 RUN true"}


def test_an_unknown_target(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    assert "'nope'" in refused(opened, "--target", "nope")
    done = hitmiss.run("build", "--target", "nope", cwd=three_stages.path)
    assert done.returncode == 2
    assert b'target stage "nope" could not be found' in done.stderr


def test_a_target_that_goes_and_comes_back(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    text = three_stages.read("Dockerfile")
    terminal = opened("--target", "build", **WIDE)
    last = wait_built(terminal)
    three_stages.save("Dockerfile", text.replace("AS build", "AS other").replace("=build", "=other"))
    terminal.wait(lambda shown: "no stage 'build'" in shown.splitlines()[2], 10, "a sentence")
    three_stages.save("Dockerfile", text + "RUN true\n")
    wait_built(terminal, last)
    leave(terminal)


@pytest.mark.parametrize("inside", [False, True], ids=["started above it", "started in it"])
def test_the_context_goes_and_comes_back(
    inside: bool, engine: PrivateEngine, three_stages: Project, tmp_path: Path, opened: Opens
) -> None:
    aside = tmp_path / "aside"
    shutil.copytree(three_stages.path, aside)
    terminal = opened(*([] if inside else ["project"]), **WIDE, cwd=three_stages.path if inside else tmp_path)
    last = wait_built(terminal)
    shutil.rmtree(three_stages.path)
    terminal.wait_text("context gone")
    terminal.press("r", "?")
    terminal.wait_text("What the shapes say")  # the key before it is through
    terminal.press("escape")
    terminal.wait_text("context gone")
    (aside / "src/main").write_text(f"{uuid4()}\n")
    shutil.copytree(aside, three_stages.path)
    last = wait_built(terminal, last)
    terminal.wait_text("watching")
    assert without_from(tree(terminal)) == told_by_the_engine(engine)
    three_stages.write("src/main", f"{uuid4()}\n")
    wait_built(terminal, last)
    leave(terminal)


def test_a_context_that_cannot_be_read(three_stages: Project, opened: Opens, tmp_path: Path) -> None:
    os.chown(three_stages.path, NOBODY, NOBODY)
    three_stages.path.chmod(0o700)
    said = refused(opened, "project", cwd=tmp_path, powerless=True)
    assert "project" in said
    assert "denied" in said or "cannot be read" in said


def test_a_folder_that_cannot_be_read(three_stages: Project, opened: Opens) -> None:
    """BuildKit takes a file that it cannot read for an empty one; a folder makes it fail."""
    three_stages.write("src/shut/file", "x")
    three_stages.dockerfile("FROM busybox\nCOPY src/ /src/\n")
    shut = three_stages.path / "src/shut"
    shut.chmod(0o700)
    os.chown(shut, NOBODY, NOBODY)
    terminal = opened(powerless=True, **WIDE)
    terminal.wait_text("src/shut cannot be read")
    wait_built(terminal, mark="✖ failed")  # what is mended before it is read needs no second build
    os.chown(shut, 0, 0)
    three_stages.write("src/main", f"{uuid4()}\n")
    terminal.wait(lambda _: number(terminal) > 1 and set(tree(terminal).values()) <= {"hit", "miss"}, 30, "a build")
    leave(terminal)


def test_a_file_name_that_is_not_utf8(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    """BuildKit cannot take it; hitmiss says so, and goes on when it is gone."""
    folder = os.fsencode(three_stages.path)
    path = Path(os.fsdecode(folder + b"/src/caf\xe9\x1b]0;EVIL\x07"))
    path.write_text("x")
    terminal = opened(**WIDE)
    wait_built(terminal, mark="✖ failed")
    assert "UTF-8" in terminal.text().splitlines()[2]
    path.unlink()
    wait_built(terminal, 1)
    assert without_from(tree(terminal)) == told_by_the_engine(engine)
    Path(os.fsdecode(folder + b"/caf\xe9\x1b]0;EVIL\x07")).write_text("x")
    assert "caf" in terminal.wait_text("no step of final reads it")
    assert b"\x1b]0;EVIL" not in terminal.raw
    leave(terminal)


def test_markup_in_a_file_name(engine: PrivateEngine, three_stages: Project, opened: Opens) -> None:
    terminal = opened(**WIDE)
    wait_built(terminal)
    three_stages.write("[bold red]x[", "x")
    terminal.wait_text("[bold red]x[: no step of final reads it")
    three_stages.write("[@click=app.quit]y[", "x")
    terminal.wait_text("[@click=app.quit]y[: no step of final reads it")
    leave(terminal)


@pytest.mark.parametrize("text", ['[keys]\nnonsense = "x"\n', "settle = -1\n", "settle = \n", "on_change = 'x'"])
def test_settings_that_make_no_sense(text: str, three_stages: Project, opened: Opens) -> None:
    three_stages.write("hitmiss.toml", text)
    refused(opened)
