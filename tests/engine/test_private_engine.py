"""The engine that all other tests stand on: its own, complete, and gone when it is stopped."""

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import started_engine
from tests.support import network, scratch
from tests.support.engine import PrivateEngine
from tests.support.images import DEFAULT_NAMES
from tests.support.leftovers import left_behind
from tests.support.project import Project
from tests.support.steps import hits
from tests.support.wait import wait_for

ROOT = Path(__file__).parents[2]


def test_has_a_socket_data_and_bridge_of_its_own(engine: PrivateEngine) -> None:
    info = json.loads(engine.api("GET", "/info"))
    assert info["DockerRootDir"] == str(engine.folder / "data")
    assert engine.host == f"unix://{engine.folder}/docker.sock"
    assert len(str(engine.socket)) < 108
    assert network.exists(engine.network)
    bridge = json.loads(engine.api("GET", "/networks/bridge"))
    assert bridge["Options"]["com.docker.network.bridge.name"] == engine.network.bridge
    assert bridge["IPAM"]["Config"][0]["Subnet"] == str(engine.network.subnet)


def test_refuses_the_machines_own_socket(engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/var/run", "/run"):
        monkeypatch.setattr(engine, "_folder", Path(path))
        with pytest.raises(AssertionError):
            engine.api("GET", "/_ping")
        with pytest.raises(AssertionError):
            engine.env()


def test_leaves_the_firewall_alone(engine: PrivateEngine) -> None:
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    assert engine.network.bridge not in rules


def test_two_daemons_run_side_by_side(engine: PrivateEngine, second_engine: PrivateEngine, project: Project) -> None:
    assert not engine.network.subnet.overlaps(second_engine.network.subnet)
    project.dockerfile("FROM busybox\nRUN ip address show eth0 && echo from-$(hostname)")
    for one in (engine, second_engine, engine):
        one.build(project.path, "--no-cache")
    # The one that ends must not take the network of the other along.
    with PrivateEngine() as third:
        third.import_base("busybox")
        third.build(project.path)
    engine.build(project.path, "--no-cache")


def test_the_second_is_a_builder(engine: PrivateEngine, second_engine: PrivateEngine, project: Project) -> None:
    name = engine.add_builder(second_engine)
    try:
        listed = engine.docker("buildx", "ls", "--format", "{{json .}}").stdout
        assert {json.loads(line)["Name"] for line in listed.splitlines()} >= {"default", "second"}
        project.dockerfile("FROM busybox\nRUN echo only-there")
        # buildx chooses among contexts by `--context` (or DOCKER_CONTEXT) alone: it refuses `--builder` for them.
        engine.docker("--context", name, "buildx", "build", str(project.path))
        assert all(hits(second_engine.build(project.path)).values())
        assert not hits(engine.build(project.path))["[2/2] RUN echo only-there"]
    finally:
        engine.remove_builder(name)


def test_copied_images_have_the_same_digests(engine: PrivateEngine, second_engine: PrivateEngine) -> None:
    ours, theirs = engine.images(), second_engine.images()
    assert set(DEFAULT_NAMES) <= set(ours)
    assert {name: ours[name] for name in DEFAULT_NAMES} == {name: theirs[name] for name in DEFAULT_NAMES}


def test_compose_finds_the_engine(engine: PrivateEngine, project: Project) -> None:
    project.dockerfile("FROM busybox\nCMD sleep 100")
    project.write("compose.yaml", "services: {app: {build: .}}\n")
    engine.docker("compose", "up", "--detach", cwd=project.path)
    assert "running" in engine.docker("compose", "ps", "--format", "json", cwd=project.path).stdout
    engine.docker("compose", "down", "--timeout", "0", cwd=project.path)


def test_comes_back_after_it_was_killed_in_a_build(mortal_engine: PrivateEngine, project: Project) -> None:
    engine = mortal_engine
    project.dockerfile("FROM busybox\nRUN echo kept\nRUN sleep 300")
    command = [str(engine.folder / "bin/docker"), "buildx", "build", "--progress=plain", str(project.path)]
    with subprocess.Popen(command, env=engine.env(), stderr=subprocess.DEVNULL) as build:
        try:
            wait_for(lambda: "sleep" in engine.running(), 20, "the step to run")
            engine.kill_hard()
            assert not engine.is_alive
            assert engine.pid is None
            assert scratch.family(engine.folder) == []
            assert build.wait(20) != 0
        finally:
            build.kill()

    socket_path = engine.socket
    engine.restart()
    assert engine.is_alive
    assert engine.socket == socket_path
    assert set(DEFAULT_NAMES) <= set(engine.images())
    project.dockerfile("FROM busybox\nRUN echo kept\nRUN true")
    assert hits(engine.build(project.path))["[2/3] RUN echo kept"]


@pytest.mark.engine
def test_nothing_is_left_behind(project: Project) -> None:
    project.dockerfile("FROM busybox\nCMD sleep 300")
    project.write("compose.yaml", "services: {app: {build: .}}\n")
    with PrivateEngine() as engine:
        folder, bridge = engine.folder, engine.network
        engine.import_base("busybox")
        engine.docker("compose", "up", "--detach", cwd=project.path)
        wait_for(lambda: "sleep" in engine.running(), 20, "the container's command to run")
        assert len(network.bridges(bridge)) == 2
    assert left_behind(folder, bridge) == []


@pytest.mark.engine
def test_what_a_killed_owner_left_is_swept() -> None:
    code = (
        "import sys; from tests.support.engine import PrivateEngine; engine = PrivateEngine().start();"
        "print(engine.folder, flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    bridge = network.read(folder / "network.json")
    scratch.sweep()
    assert scratch.family(folder), "an engine in use must not be swept"
    owner.kill()
    owner.communicate()
    assert scratch.family(folder), "a daemon outlives its owner"
    scratch.sweep()
    assert left_behind(folder, bridge) == []


@pytest.mark.engine
def test_a_folder_without_a_lock_is_swept(tmp_path: Path) -> None:
    """What a client writes that outlives its engine, or a folder whose removal was cut short."""
    folder = tmp_path / f"{scratch.PREFIX}half"
    (folder / "buildx").mkdir(parents=True)
    scratch.sweep(tmp_path)
    assert not folder.exists()


@pytest.mark.engine
def test_a_client_does_not_outlive_its_engine(project: Project) -> None:
    """It would write to the folder that is removed, and so make it anew."""
    with PrivateEngine() as engine:
        folder, bridge = engine.folder, engine.network
        command = [str(folder / "bin/docker"), "compose", "-f", "-", "build"]  # waits for its standard input
        client = subprocess.Popen(command, env=engine.env(), stdin=subprocess.PIPE, cwd=project.path)
        wait_for(lambda: scratch.clients(folder), 20, "the client to run")
    assert left_behind(folder, bridge) == []
    assert client.wait(5) == -signal.SIGKILL
    assert client.stdin is not None
    client.stdin.close()


@pytest.mark.engine
def test_a_bridge_goes_with_what_is_plugged_into_it(tmp_path: Path) -> None:
    """As a daemon leaves it that was killed before it gave a container the other end."""
    bridge = network.claim(tmp_path / "network.json")
    ends = [f"{bridge.bridge}{end}" for end in "ab"]
    try:
        for words in (f"add {ends[0]} type veth peer name {ends[1]}", f"set {ends[0]} master {bridge.bridge}"):
            subprocess.run(["ip", "link", *words.split()], check=True)
        assert network.bridges(bridge) == [bridge.bridge]
    finally:
        network.release(bridge)
    assert network.bridges(bridge) == []
    assert not any(Path("/sys/class/net", name).exists() for name in [bridge.bridge, *ends])
    network.release(bridge)


@pytest.mark.engine
def test_a_range_that_is_anothers_by_now_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range that was let go may be the next one's, while somebody still removes or looks for what was there."""
    first = network.claim(tmp_path / "first.json")
    network.release(first)
    monkeypatch.setattr(network, "POOL", ipaddress.IPv4Network(first.block))
    second = network.claim(tmp_path / "second.json")
    try:
        assert second.block == first.block
        assert left_behind(tmp_path / "no folder", first) == []
        network.release(first)
        assert network.bridges(second) == [second.bridge]
    finally:
        network.release(second)
    assert left_behind(tmp_path / "no folder", second) == []


@pytest.fixture
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """A socket where somebody's engine would listen, and what was said to it."""
    path = Path("/tmp") / f"hitmiss-foreign-{os.getpid()}.sock"
    visits: list[str] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(0.1)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    visitor, _ = listener.accept()
                except TimeoutError:
                    continue
                visits.append(repr(visitor.recv(200)))
                visitor.close()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield path, visits
        finally:
            ended.set()
            thread.join()
            path.unlink()


@pytest.mark.engine
def test_never_touches_anothers_engine(
    foreign: tuple[Path, list[str]], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, visits = foreign
    project.dockerfile("FROM python:3.12-slim\nRUN pip install flask")
    theirs = project / "theirs"
    (theirs / "contexts/meta").mkdir(parents=True)
    (theirs / "config.json").write_text('{"currentContext": "default"}')
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    monkeypatch.setenv("DOCKER_CONFIG", str(theirs))
    # The check itself: a plain client does go there.
    subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=20)
    assert visits
    visits.clear()
    with PrivateEngine() as engine, PrivateEngine() as other:
        engine.import_base()
        engine.copy_images_to(other)
        engine.build(project.path)
        engine.add_builder(other)
        engine.docker("buildx", "ls")
        engine.empty_cache()
        engine.kill_hard()
        engine.restart()
        assert subprocess.run(["docker", "info"], env=engine.env(), capture_output=True, check=False).returncode == 0
    assert visits == []


def test_engine_env_reaches_this_process(engine_env: PrivateEngine) -> None:
    from python_on_whales import docker

    assert os.environ["DOCKER_HOST"] == engine_env.host
    assert docker.buildx.inspect().name == "default"
    assert {tag for image in docker.image.list() for tag in image.repo_tags} >= set(DEFAULT_NAMES)


def test_whoever_uses_an_engine_is_marked(engine: PrivateEngine, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("engine")


def test_without_an_engine_a_test_fails(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("engine")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.fail.Exception, match="A private engine needs"):
        next(started_engine())


def test_every_test_has_folders_of_its_own(isolated_home: Path) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        assert Path(os.environ[name]).is_relative_to(isolated_home)
    assert list(isolated_home.iterdir()) == []


@pytest.mark.engine
def test_without_engine_env_docker_is_pointed_at_nothing() -> None:
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode != 0
    assert "no-engine.sock" in done.stderr
