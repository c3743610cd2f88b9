"""The program in a real terminal, on a project with three stages."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.steps import hits
from tests.support.terminal import Terminal
from tests.support.wait import wait_for

Opens = Callable[..., Terminal]

THREE_STAGES = """
FROM busybox AS deps
WORKDIR /app
COPY deps.txt .
RUN cat deps.txt > /deps && echo installed

FROM deps AS build
COPY src/ src/
RUN cat src/* > /out && echo compiled

FROM busybox AS final
COPY --from=build /out /out
RUN wc /out
"""

_STEP = re.compile(r"│\s+([●◆◈✖⊘·–])\s(\S.*?)\s{2,}\d+\s+(hit|miss|failed|runs|canceled|skipped)?\s")
_STAGE = re.compile(r"│\s▾\s(\S+)\s")
_NUMBER = re.compile(r"build (\d+)\s*$")


@pytest.fixture
def opened(project: Project) -> Iterator[Opens]:
    """Opens hitmiss in a terminal, in the project's folder; ends what a test has left open."""
    terminals: list[Terminal] = []

    def start(*words: str, **more: Any) -> Terminal:
        more.setdefault("cwd", project.path)
        terminals.append(Terminal(*hitmiss.COMMAND, *words, **more))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def three_stages(project: Project) -> Project:
    """A project with three stages, a file that is ignored and one that no step reads."""
    project.dockerfile(THREE_STAGES)
    project.write("deps.txt", "one\n")
    project.write("src/main", f"{uuid4()}\n")
    project.write("README.md", "about\n")
    project.write("debug.log", "noise\n")
    project.write(".dockerignore", "*.log\n")
    return project


@pytest.fixture
def marker() -> str:
    """A word that only the command of this test's step has."""
    return f"marker{uuid4().hex}"


@pytest.fixture
def sleepy(project: Project, marker: str) -> Project:
    """A project with a step that takes ten minutes."""
    project.dockerfile(f"FROM busybox\nCOPY file /\nRUN echo begun; sleep 600; : {marker}\n")
    project.write("file", marker)
    return project


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp(prefix="hitmiss-public-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def number(terminal: Terminal) -> int:
    """The number of the build that the header shows; 0 before the first."""
    return _number(terminal.text())


def _number(shown: str) -> int:
    found = _NUMBER.search(shown.partition("\n")[0])
    return int(found[1]) if found else 0


def wait_built(terminal: Terminal, after: int = 0, mark: str = "✔ built", timeout: float = 40) -> int:
    """Wait until a build later than number `after` is over; gives its number."""

    def over(shown: str) -> bool:
        lines = shown.splitlines()
        return len(lines) > 2 and _number(shown) > after and lines[2].strip().startswith(mark)

    return _number(terminal.wait(over, timeout, f"build {after + 1} or later with {mark!r}"))


def tree(terminal: Terminal) -> dict[str, str]:
    """`stage instruction` → verdict, as the tree on the screen shows it; wants a terminal of 200 columns."""
    found: dict[str, str] = {}
    stage = ""
    for line in terminal.text().splitlines():
        if title := _STAGE.match(line):
            stage = title[1]
        if step := _STEP.match(line):
            found[f"{stage} {step[2]}"] = step[3] or ""
    return found


def history(engine: PrivateEngine) -> list[dict[str, Any]]:
    """The engine's own records, the newest first."""
    listed = engine.docker("buildx", "history", "ls", "--format", "json").stdout.splitlines()
    return sorted((json.loads(line) for line in listed), key=lambda each: str(each["created_at"]), reverse=True)


def told_by_the_engine(engine: PrivateEngine, ref: str = "") -> dict[str, str]:
    """`stage instruction` → verdict of the newest build, as `docker buildx history logs` tells it; FROM left out."""
    ref = (ref or str(history(engine)[0]["ref"])).rpartition("/")[2]
    done = engine.docker("buildx", "history", "logs", ref, "--progress", "rawjson")
    told = subprocess.CompletedProcess(done.args, 0, "", done.stderr + done.stdout)
    named = {re.sub(r"^\[(?:(\S+) +)?\d+/\d+\] ", _stage, name): hit for name, hit in hits(told).items()}
    return {name: "hit" if hit else "miss" for name, hit in named.items()}


def _stage(found: re.Match[str]) -> str:
    return f"{found[1] or 'stage-0'} "


def without_from(steps: dict[str, str]) -> dict[str, str]:
    """All but the FROM steps: of those the stream says "completed", cached or not."""
    return {name: verdict for name, verdict in steps.items() if " FROM " not in name}


def wait_running(terminal: Terminal, marker: str) -> None:
    """Wait until the step with this marker runs on the engine, and the screen says so."""
    terminal.wait(lambda shown: hitmiss.steps_running(marker) and "runs" in shown, 40, "the step to run")


def all_gone(marker: str = "") -> None:
    """Wait until no client of ours is left, and no process of the step with this marker."""
    wait_for(lambda: not hitmiss.clients(), 10, "the clients to end")
    if marker:
        wait_for(lambda: not hitmiss.steps_running(marker), 10, "the step's process to end")


def leave(terminal: Terminal) -> None:
    """Quit, and look at what is left."""
    terminal.press("q")
    assert terminal.exit_code() == 0, terminal.text()
    assert terminal.was_full_screen
    assert terminal.not_given_back() == []
    all_gone()


def real_buildx() -> str:
    """Where the plugin is that hitmiss would find."""
    from hitmiss.docker.client import find_client

    find_client.cache_clear()
    words = find_client().buildx
    find_client.cache_clear()
    assert len(words) == 1, words
    return words[0]


def wrap_buildx(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell script before the real plugin, which it finds as `$real`; a word that it does not know goes there."""
    real = real_buildx()
    plugin = folder / "docker" / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(f'#!/bin/sh\nreal={real}\n{script}\nexec "$real" "$@"\n')
    plugin.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(folder / "docker"))
    assert os.access(plugin, os.X_OK)
