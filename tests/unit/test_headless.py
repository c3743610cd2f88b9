"""`hitmiss build` through a client of the test's own: what is printed where, and the exit code."""

import io
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from hitmiss.build.fold import Fold
from hitmiss.build.model import Build, Status
from hitmiss.headless import _Lines
from tests.support import hitmiss, stand_in, streams
from tests.support.project import Project

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
INSPECT = "Name: default\\nDriver: docker\\n\\nNodes:\\nName: default\\nPlatforms: linux/arm64, linux/amd64\\n"


@pytest.fixture
def stage(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Stage":
    """A project whose client plays a recorded stream."""
    return Stage(project, tmp_path, monkeypatch)


class Stage:
    def __init__(self, project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.folder, self.monkeypatch = project, folder, monkeypatch

    def plays(self, name: str, code: int = 0) -> Project:
        """What `hitmiss build` builds there, and how its client ends."""
        (self.folder / "stream").write_bytes(streams.raw(name))
        self.project.write("Dockerfile", (streams.DATA / f"{name}.Dockerfile").read_bytes())
        for path in ("requirements.txt", "src/main.py", "data"):
            self.project.write(path)
        script = (
            f"case $1 in inspect) printf '{INSPECT}'; exit 0;; history) exit 1;; esac\n"
            f"cat '{self.folder / 'stream'}' >&2; exit {code}\n"
        )
        stand_in.install(script, self.folder, self.monkeypatch)
        return self.project


def test_lines_for_a_log(stage: Stage) -> None:
    done = hitmiss.run("build", cwd=stage.plays("one-miss").path)
    assert done.returncode == 0
    assert done.stderr == b""
    *lines, last = done.stdout.decode().splitlines()
    assert sorted(line.split()[0] for line in lines) == ["hit"] * 5 + ["miss"] * 3
    assert lines[0] == "hit       base 1/4  FROM busybox"
    assert re.fullmatch(r"built in \d+\.\d s: 5 of 8 hit, sent 137 B", last)
    assert "\x1b" not in done.stdout.decode()


def test_lines_of_a_failure(stage: Stage) -> None:
    done = hitmiss.run("build", cwd=stage.plays("failed", 1).path)
    assert done.returncode == 1
    assert "failed    broken 2/3  RUN echo first" in done.stdout.decode()
    assert ">>> RUN echo first" in done.stderr.decode()
    assert done.stderr.decode().rstrip().endswith("did not complete successfully: exit code: 3")
    assert done.stdout.decode().splitlines()[-1].startswith("failed in ")
    assert "skipped" not in done.stdout.decode()


def test_warnings_are_told(stage: Stage) -> None:
    done = hitmiss.run("build", cwd=stage.plays("warnings").path)
    assert done.stdout.decode().count("! ") == len(streams.folded("warnings").checks)


def test_a_report_is_all_that_stdout_holds(stage: Stage) -> None:
    done = hitmiss.run("build", "--json", cwd=stage.plays("one-miss").path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["build"]["platforms"] == ["linux/arm64"], "the builder's own"


@pytest.mark.parametrize(("name", "code", "wanted"), [("failed", 1, 1), ("canceled", 130, 130), ("sole", 0, 0)])
def test_exit_codes(name: str, code: int, wanted: int, stage: Stage) -> None:
    done = hitmiss.run("build", "--json", cwd=stage.plays(name, code).path)
    assert done.returncode == wanted
    assert json.loads(done.stdout)["build"]["status"] == streams.folded(name).status.value


def test_a_tree_on_a_terminal(stage: Stage) -> None:
    master, slave = pty.openpty()
    project = stage.plays("one-miss")
    with subprocess.Popen([*hitmiss.COMMAND, "build"], cwd=project.path, stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 65536):
                shown += chunk
        except OSError:  # how a terminal says that nobody is left
            os.close(master)
    assert process.returncode == 0
    text = ESCAPES.sub("", shown.decode())
    for line in ("base", "  ● FROM busybox", "  ◆ COPY src/ src/", "5 of 8 hit"):
        assert line in text
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h"), "the cursor is back"


def test_what_is_refused_has_a_report_too(tmp_path: Path) -> None:
    done = hitmiss.run("build", "--json", "--target", "x", "--platform", "linux/s390x", "missing", cwd=tmp_path)
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert found["build"]["status"] == "failed"
    assert (found["build"]["target"], found["build"]["platforms"]) == ("x", ["linux/s390x"])
    assert done.stderr.decode() == f"hitmiss: {found['build']['error']}\n"


def test_a_reader_that_went_away(stage: Stage) -> None:
    """`hitmiss build | head -0`: no traceback, nothing left running."""
    project = stage.plays("one-miss")
    for words in (["build"], ["build", "--json"]):
        with subprocess.Popen(
            [*hitmiss.COMMAND, *words], cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            said = process.stderr.read()
        assert b"Traceback" not in said
        assert b"Exception ignored" not in said
        assert process.returncode == 130


@pytest.mark.parametrize("name", ["pull", "first", "failed", "platforms"])
def test_each_step_is_printed_once_with_its_last_verdict(name: str) -> None:
    """A FROM is done, as far as the stream tells, before its layers are fetched."""
    out = io.StringIO()
    lines = _Lines(Console(file=out, width=300, highlight=False))
    folding = Fold(Build(status=Status.RUNNING), streams.expected(name))
    for number, event in enumerate(streams.events(streams.raw(name))):
        folding.hear(event, number / 100)
        lines(folding.build(number / 100))
    printed_before_the_end = out.getvalue().count("\n")
    folding.end(streams.folded(name).status, 9.0)
    build = folding.build(9.0)
    lines(build)
    wanted = sorted(f"{step.verdict.value} {step.stage}" for step in build.steps if step.verdict.value != "skipped")
    words = [line.split() for line in out.getvalue().splitlines()]
    found = sorted(f"{each[0]} {each[2] if '/' in each[1] else each[1]}" for each in words)
    assert found == wanted
    assert printed_before_the_end > 0
