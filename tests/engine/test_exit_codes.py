"""How `hitmiss build` ends when it is stopped or the engine fails it: exit code, report, sentence, nothing left."""

import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from tests import conftest
from tests.support import hitmiss, stand_in
from tests.support.engine import PrivateEngine
from tests.support.install import PLUGINS
from tests.support.project import Project
from tests.support.wait import wait_for

pytestmark = pytest.mark.engine

OTHER_USER = 65534


@pytest.fixture
def marker() -> str:
    """A word that only the command of this test's step has."""
    return f"marker{uuid4().hex}"


def sleeper(project: Project, marker: str) -> None:
    project.dockerfile(f"FROM busybox\nRUN echo begun; sleep 600; : {marker}\nRUN echo never")


def step_runs(marker: str) -> None:
    wait_for(lambda: hitmiss.steps_running(marker), 30, "the step to run")


def step_gone(marker: str) -> None:
    wait_for(lambda: not hitmiss.steps_running(marker), 10, "the step's process to end")


# --- signals ------------------------------------------------------------------------------


@pytest.mark.usefixtures("engine_env")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "lines"])
def test_a_signal_in_the_middle_of_a_step(number: int, as_json: bool, project: Project, marker: str) -> None:
    sleeper(project, marker)
    process = hitmiss.start("build", *["--json"] * as_json, ".", cwd=project.path)
    step_runs(marker)
    out, err = hitmiss.stop(process, number)
    assert process.returncode == 130
    assert b"Traceback" not in err
    if as_json:
        found = json.loads(out)
        assert found["build"]["status"] == "canceled"
        assert re.fullmatch(r"[a-z0-9]{25}", found["build"]["id"])
        assert [step["verdict"] for step in found["steps"]] == ["hit", "canceled", "skipped"]
    else:
        assert out.decode().splitlines()[-1].startswith("canceled in ")
    assert hitmiss.clients() == []
    step_gone(marker)


@pytest.mark.usefixtures("engine_env")
def test_a_second_signal_does_no_harm(project: Project, marker: str) -> None:
    sleeper(project, marker)
    process = hitmiss.start("build", "--json", ".", cwd=project.path)
    step_runs(marker)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    out, _ = hitmiss.stop(process)
    assert (process.returncode, json.loads(out)["build"]["status"]) == (130, "canceled")
    step_gone(marker)


# --- the engine -----------------------------------------------------------------------------


def test_an_engine_that_dies_in_the_middle(
    mortal_engine: PrivateEngine, project: Project, marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conftest.use_engine(mortal_engine, monkeypatch)
    sleeper(project, marker)
    process = hitmiss.start("build", "--json", ".", cwd=project.path)
    step_runs(marker)
    mortal_engine.kill_hard()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    found = json.loads(out)
    assert found["build"]["status"] == "failed"
    assert found["build"]["error"].startswith("The Docker engine went away in the middle of the work.")
    assert [step["verdict"] for step in found["steps"]] == ["hit", "canceled", "skipped"]
    assert b"Traceback" not in err
    mortal_engine.restart()
    project.dockerfile(f"FROM busybox\nRUN echo {marker}")
    assert hitmiss.report(".", cwd=project.path)["build"]["status"] == "succeeded"


def refused(project: Project, code: int = 3) -> str:
    """What is said of a build that no engine takes: the same on stderr and in the report."""
    project.dockerfile("FROM busybox\nRUN true")
    found = hitmiss.report(".", cwd=project.path, code=code)["build"]
    assert found["status"] == "failed"
    assert (found["steps"], found["image"], found["id"]) == (2, None, "")
    error = str(found["error"])
    assert "\n" not in error
    return error


def test_no_engine(project: Project, isolated_home: Path) -> None:
    socket = isolated_home / "no-engine.sock"
    assert refused(project) == (
        f"No Docker engine answers on unix://{socket}. Start it: `sudo systemctl start docker`, or open Docker Desktop."
    )


def test_a_socket_that_nobody_listens_on(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "left-over.sock"))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'left-over.sock'}")
        assert refused(project).startswith(f"No Docker engine answers on unix://{tmp_path / 'left-over.sock'}. ")


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_host_that_is_none(host: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert refused(project).startswith(f"No Docker engine answers on {host}. ")


@pytest.mark.usefixtures("engine_env")
def test_a_builder_that_is_none(project: Project) -> None:
    project.dockerfile("FROM busybox\nRUN true")
    found = hitmiss.report("--builder", "nope", ".", cwd=project.path, code=3)["build"]
    assert found["error"] == "There is no builder called nope. `docker buildx ls` lists them."
    assert found["builder"] == "nope"


@pytest.mark.usefixtures("engine_env")
@pytest.mark.parametrize(
    ("step", "ignored", "reason"),
    [
        ('COPY "sp ace" /7/', "", "unexpected end of statement while looking for matching double-quote"),
        ("COPY ${x:?must} /", "", "failed to process '${x:?must}': x: must"),
        ("RUN --mount=from=${x:?must},target=/x true", "", "failed to process '${x:?must}': x: must"),
        ("COPY . /", "a[", "The ignore file has a pattern that BuildKit refuses: 'a['."),
    ],
)
def test_a_plan_and_a_build_of_what_cannot_be_built(step: str, ignored: str, reason: str, project: Project) -> None:
    project.dockerfile(f"FROM busybox\n{step}")
    project.write(".dockerignore", ignored)
    build = hitmiss.run("build", cwd=project.path)
    plan = hitmiss.run("plan", cwd=project.path)
    assert (build.returncode, plan.returncode) == (2, 2), build.stderr.decode()
    assert reason in plan.stderr.decode()


@pytest.mark.usefixtures("engine_env")
@pytest.mark.parametrize(
    "text", ["FROM busybox\nCOPY f\0 /", "FROM busybox\nCOPY f*\0/* /", "FROM busybox\0\nRUN true"]
)
def test_a_dockerfile_with_a_byte_that_no_path_has(text: str, project: Project) -> None:
    project.dockerfile(text)
    build = hitmiss.run("build", cwd=project.path)
    plan = hitmiss.run("plan", cwd=project.path)
    said = (build.stderr + plan.stderr).decode()
    assert build.returncode in (1, 2), said
    assert plan.returncode in (0, 2), said
    assert "error of its own" not in said


def as_another_user(words: list[str]) -> subprocess.CompletedProcess[str]:
    """buildx's own words, where the user has no right to the socket; our Python may be closed to that user."""
    user = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups"]
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o777)
        environment = {**os.environ, "HOME": home, "DOCKER_CONFIG": home, "BUILDX_CONFIG": home}
        return subprocess.run([*user, *words], cwd=home, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.usefixtures("engine_env")
def test_no_permission_on_the_socket(
    engine: PrivateEngine, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words are taken from the real client as another user, and said again to hitmiss by a stand-in."""
    mode = engine.folder.stat().st_mode
    engine.folder.chmod(0o711)
    try:
        (plugin, *_) = (Path(folder, "docker-buildx") for folder in PLUGINS if Path(folder, "docker-buildx").exists())
        said = as_another_user([str(plugin), "build", "--progress=rawjson", "."])
    finally:
        engine.folder.chmod(mode)
    assert "permission denied" in said.stderr
    stand_in.install(f"cat '{tmp_path / 'said'}' >&2; exit {said.returncode}\n", tmp_path, monkeypatch)
    (tmp_path / "said").write_text(said.stderr)
    assert refused(project) == (
        "No permission on the Docker engine's socket. Run `sudo usermod -aG docker $USER` and log in again."
    )


def test_docker_without_buildx(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real docker command on a machine of its own making, whose plugin folders are empty."""
    hide = "".join(f"mount -t tmpfs none {folder} && " for folder in PLUGINS if Path(folder).is_dir())
    words = f"{hide} exec docker buildx build --progress=rawjson ."
    said = subprocess.run(["unshare", "-m", "sh", "-c", words], capture_output=True, text=True, check=False)
    assert said.returncode == 125
    stand_in.install(f"cat '{tmp_path / 'said'}' >&2; exit {said.returncode}\n", tmp_path, monkeypatch)
    (tmp_path / "said").write_text(said.stderr)
    assert refused(project) == "Docker's buildx plugin is missing. Install it: https://docs.docker.com/go/buildx/"


def test_an_old_buildx(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = 'if [ "$1" = version ]; then echo "github.com/docker/buildx v0.9.1 ed00243"; exit 0; fi\n'
    stand_in.install("echo '#1 [internal] load build definition' >&2\n", tmp_path, monkeypatch, version=old)
    assert refused(project).startswith("buildx 0.9.1 is too old: hitmiss needs 0.19 or newer.")


@pytest.mark.usefixtures("engine_env")
def test_a_disk_that_is_full(project: Project) -> None:
    project.dockerfile("FROM busybox\nRUN echo recorded")
    done = hitmiss.run("build", "--json", "--record", "/dev/full", ".", cwd=project.path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["build"]["status"] == "succeeded"
    assert b"The recording /dev/full ends here: No space left on device." in done.stderr
