"""No engine, none that may be used, one that dies; a client that is missing or too old."""

import os
import socket
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import use_engine
from tests.e2e.conftest import Opens, all_gone, leave, tree, wait_built, wait_running, without_from, wrap_buildx
from tests.e2e.test_bad_project import NOBODY, one_sentence, refused
from tests.e2e.test_main_job import WIDE
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.install import PLUGINS
from tests.support.project import Project
from tests.support.terminal import Terminal

pytestmark = pytest.mark.e2e


def test_no_engine(three_stages: Project, opened: Opens, isolated_home: Path) -> None:
    said = refused(opened, code=3)
    assert f"No Docker engine answers on unix://{isolated_home}/no-engine.sock" in said
    done = hitmiss.run("build", cwd=three_stages.path)
    assert done.returncode == 3
    assert "No Docker engine answers" in one_sentence(done.stderr.decode())


def test_no_permission_on_the_socket(
    three_stages: Project, opened: Opens, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = public / "docker.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        path.chmod(0o660)
        os.chown(path, NOBODY, NOBODY)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        said = refused(opened, code=3, powerless=True)
    assert "No permission on the Docker engine's socket" in said
    assert "usermod" in said


def test_the_engine_dies_and_comes_back(
    mortal_engine: PrivateEngine, sleepy: Project, marker: str, opened: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(mortal_engine, monkeypatch)
    terminal = opened(**WIDE)
    wait_running(terminal, marker)
    mortal_engine.kill_hard()
    terminal.wait(
        lambda shown: "went away" in shown.splitlines()[2] or "No Docker engine" in shown.splitlines()[2],
        20,
        "a sentence",
    )
    mortal_engine.restart()
    wait_running(terminal, marker)
    terminal.wait_text("build 2")
    sleepy.dockerfile("FROM busybox\nRUN echo quick\n")
    wait_built(terminal, 2)
    assert without_from(tree(terminal)) == {"stage-0 RUN echo quick": "miss"}
    leave(terminal)
    all_gone(marker)


@pytest.mark.usefixtures("engine_env")
def test_the_plugin_is_too_old(
    engine: PrivateEngine, three_stages: Project, tmp_path: Path, opened: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "github.com/docker/buildx v0.10.4 x"
    flag = 'if [ "$1" = build ]; then echo "unknown flag: --metadata-file" >&2; exit 1; fi'
    wrap_buildx(tmp_path, monkeypatch, f'if [ "$1" = version ]; then echo "{old}"; exit 0; fi\n{flag}')
    terminal = opened(**WIDE)
    terminal.wait_text("too old: hitmiss needs 0.19 or newer")
    leave(terminal)
    done = hitmiss.run("build", cwd=three_stages.path)
    assert done.returncode == 3
    assert "needs 0.19 or newer" in one_sentence(done.stderr.decode())


@pytest.mark.usefixtures("engine_env")
@pytest.mark.parametrize("docker", ["", "docker"], ids=["nor docker", "only docker"])
def test_the_plugin_is_missing(
    docker: str, engine: PrivateEngine, three_stages: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a mount namespace of its own, where the folders of the system's plugins are empty."""
    for name in ("empty", "docker", "bin"):
        (tmp_path / name).mkdir()
    if docker:
        (tmp_path / "bin/docker").symlink_to((engine.folder / "bin/docker").resolve())
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    hide = " && ".join(f"mount --bind {tmp_path}/empty {folder}" for folder in PLUGINS if Path(folder).is_dir())
    run = f'{hide} && PATH={tmp_path}/bin exec "$0" "$@"'
    inside = ("unshare", "--mount", "sh", "-c", run, sys.executable, "-m", "hitmiss")
    with Terminal(*inside, "build", cwd=three_stages.path, cols=400) as terminal:
        assert terminal.exit_code() == 3, terminal.shown()
        said = one_sentence(terminal.text())
    assert "buildx" in said
    assert "https://docs.docker.com" in said
    with Terminal(*inside, cwd=three_stages.path, cols=400) as terminal:
        terminal.wait(lambda shown: "buildx" in shown and "https://docs.docker.com" in shown, 20, "the sentence")
        if terminal.was_full_screen:
            leave(terminal)
        else:
            assert terminal.exit_code() == 3


STRANGE = """
if [ "$1" = build ]; then
  code=$(mktemp)
  { "$real" "$@" 2>&1 >/dev/null; echo $? > "$code"; } | awk '
    { print "{\\"vertexes\\": 7}"; print "no json at all [red]x[/red]"; print ""
      print "{\\"novel\\": [1, {\\"a\\": null}]}"
      printf "\\377\\376\\n"; print "[1, 2"; sub(/^\\{/, "{\\"unheard\\":{\\"of\\":[1]},"); print }' >&2
  exit "$(cat "$code")"
fi
"""


@pytest.mark.usefixtures("engine_env")
def test_a_stream_with_strange_lines(
    empty_cache: PrivateEngine, three_stages: Project, tmp_path: Path, opened: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap_buildx(tmp_path, monkeypatch, STRANGE)
    terminal = opened(**WIDE)
    last = wait_built(terminal)
    assert set(without_from(tree(terminal)).values()) == {"miss"}
    assert len(tree(terminal)) == 8
    three_stages.write("src/main", f"{uuid4()}\n")
    wait_built(terminal, last)
    assert tree(terminal)["deps COPY deps.txt ."] == "hit"
    leave(terminal)


@pytest.mark.usefixtures("engine_env")
@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$", "head -c 300000 /dev/zero >&2; exit 7"])
def test_a_client_that_breaks(
    end: str, three_stages: Project, tmp_path: Path, opened: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap_buildx(tmp_path, monkeypatch, f'if [ "$1" = build ]; then {end}; fi')
    terminal = opened(**WIDE)
    wait_built(terminal, mark="✖")
    leave(terminal)
