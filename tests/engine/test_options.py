"""Every option of `docker build` does on a real engine through hitmiss what it does there without."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.project import Project
from tests.support.registry import Registry

pytestmark = pytest.mark.usefixtures("engine_env")

PROBE = """
    FROM busybox AS probe
    ARG VALUE
    ARG FROM_OUTSIDE
    RUN --mount=type=secret,id=key,required=false --mount=type=ssh,required=false mkdir /seen; \
        echo "$VALUE" > /seen/value; echo "$FROM_OUTSIDE" > /seen/outside; cat /etc/hosts > /seen/hosts; \
        ls /sys/class/net > /seen/net; ulimit -n > /seen/files; df /dev/shm > /seen/shm; \
        sha256sum < /run/secrets/key > /seen/secret || true; test -S "$SSH_AUTH_SOCK" && echo agent > /seen/ssh || true
    FROM scratch
    COPY --from=probe /seen /
"""


def seen(project: Project, *words: str) -> dict[str, str]:
    """What a step of a build with these options sees."""
    project.dockerfile(PROBE)
    hitmiss.report(*words, "--output", "type=local,dest=../seen", ".", cwd=project.path)
    return {path.name: path.read_text() for path in (project.path.parent / "seen").iterdir()}


def inspected(engine: PrivateEngine, tag: str) -> dict[str, Any]:
    (found,) = json.loads(engine.docker("image", "inspect", tag).stdout)
    return dict(found)


def test_arguments_hosts_and_limits(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "from the environment")
    found = seen(
        project,
        *("--build-arg", "VALUE=with spaces, commas = and -dashes", "--build-arg", "FROM_OUTSIDE"),
        *("--add-host", "somewhere.test:10.9.8.7", "--ulimit", "nofile=123:456", "--shm-size", "48m"),
        *("--network", "none"),
    )
    assert found["value"] == "with spaces, commas = and -dashes\n"
    assert found["outside"] == "from the environment\n"
    assert "10.9.8.7\tsomewhere.test" in found["hosts"].replace(" ", "\t")
    assert found["net"].split() == ["lo"]
    assert found["files"] == "123\n"
    assert "49152" in found["shm"]


def test_secrets(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key, odd").write_text("top secret\n")
    monkeypatch.setenv("KEY", "top secret\n")
    digest = hashlib.sha256(b"top secret\n").hexdigest()
    for given in (f'id=key,"src={tmp_path}/key, odd"', "id=key,env=KEY", "type=env,id=key,src=KEY"):
        assert seen(project, "--secret", given, "--no-cache")["secret"].split()[0] == digest


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An SSH agent of this test alone."""
    said = subprocess.run(
        ["ssh-agent", "-s", "-a", f"{tmp_path}/agent"], capture_output=True, text=True, check=True
    ).stdout
    pid = int(said.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    monkeypatch.setenv("SSH_AUTH_SOCK", f"{tmp_path}/agent")
    yield
    os.kill(pid, 15)


@pytest.mark.usefixtures("agent")
def test_an_ssh_agent(project: Project) -> None:
    assert seen(project, "--ssh", "default", "--no-cache")["ssh"] == "agent\n"


def test_tags_labels_and_attestations(project: Project, engine: PrivateEngine) -> None:
    project.dockerfile("FROM busybox\nLABEL own=1")
    words = ["-t", "hitmiss-test:one", "--tag", "hitmiss-test:two", "--label", "told=a b,c=d", "--label", "own=2"]
    words += ["--provenance", "false", "--sbom=false", "--load"]
    found = hitmiss.report(*words, ".", cwd=project.path)["build"]
    one, two = inspected(engine, "hitmiss-test:one"), inspected(engine, "hitmiss-test:two")
    assert one["Id"] == two["Id"] == found["image"]
    assert one["Config"]["Labels"] == {"told": "a b,c=d", "own": "2"}
    assert ".manifest." in one["Descriptor"]["mediaType"], "an image with provenance is an index"
    again = hitmiss.report("-t", "hitmiss-test:one", "--attest", "type=provenance,mode=max", ".", cwd=project.path)
    assert inspected(engine, "hitmiss-test:one")["Id"] == again["build"]["image"] != found["image"]


def test_an_annotation_and_a_push(project: Project, registry: Registry) -> None:
    project.dockerfile("FROM busybox\nRUN true")
    words = ["-t", registry.ref("annotated:1"), "--push", "--annotation", "index,manifest:note=a b"]
    found = hitmiss.report(*words, ".", cwd=project.path)["build"]
    assert "annotated" in registry.names()
    manifest = subprocess.run(
        ["docker", "buildx", "imagetools", "inspect", "--raw", registry.ref("annotated:1")],
        capture_output=True,
        check=True,
    ).stdout
    assert json.loads(manifest)["annotations"] == {"note": "a b"}
    assert found["image"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def test_a_file_a_target_and_a_named_context(project: Project, tmp_path: Path) -> None:
    project.dockerfile("FROM scratch AS a\nCOPY --from=other f /\nFROM nope AS b", "docker/My Dockerfile")
    (tmp_path / "other dir").mkdir()
    (tmp_path / "other dir/f").write_text("from the other context")
    words = ["-f", "docker/My Dockerfile", "--target", "a", "--build-context", "other=../other dir"]
    found = hitmiss.report(*words, "-o", "../out", ".", cwd=project.path)
    assert (tmp_path / "out/f").read_text() == "from the other context"
    assert found["build"]["target"] == "a"
    assert [(s["instruction"], s["file"], s["line"]) for s in found["steps"]] == [
        ("COPY --from=other f /", "My Dockerfile", 2)
    ]
    assert found["build"]["image"] is None


def test_a_cache_that_goes_out_and_comes_in(project: Project, engine: PrivateEngine, tmp_path: Path) -> None:
    project.dockerfile(f"FROM busybox\nRUN echo {tmp_path} > /x\nRUN cat /x")
    hitmiss.report("--cache-to", "type=local,dest=../cache,mode=max", ".", cwd=project.path)
    assert (tmp_path / "cache/index.json").is_file()
    engine.empty_cache()
    found = hitmiss.report("--cache-from", "type=local,src=../cache", ".", cwd=project.path)
    assert [step["verdict"] for step in found["steps"]] == ["hit", "hit", "hit"]


def test_platforms_and_the_builder(project: Project) -> None:
    project.dockerfile("FROM scratch\nCOPY x /")
    project.write("x", str(project.path))
    found = hitmiss.report("--platform", "linux/arm64", "--builder", "default", ".", cwd=project.path)
    assert (found["build"]["platforms"], found["build"]["builder"]) == (["linux/arm64"], "default")
    assert {step["platform"] for step in found["steps"]} == {"linux/arm64"}


def test_pull_asks_for_a_newer_base(project: Project, registry: Registry, engine: PrivateEngine) -> None:
    base = registry.ref("base:1")
    for version in ("old", "new"):
        project.dockerfile(f"FROM busybox\nRUN echo {version} > /version")
        hitmiss.report("-t", base, "--push", ".", cwd=project.path)
        if version == "old":
            engine.docker("pull", base)
            old = inspected(engine, base)["Id"]
    engine.docker("rmi", base)
    engine.docker("pull", f"{base.rpartition(':')[0]}@{old}")
    engine.docker("tag", f"{base.rpartition(':')[0]}@{old}", base)
    project.dockerfile(f"FROM {base} AS b\nFROM scratch\nCOPY --from=b /version /")
    hitmiss.report("-o", "../out", ".", cwd=project.path)
    assert (project.path / "../out/version").read_text() == "old\n"
    hitmiss.report("--pull", "-o", "../out", ".", cwd=project.path)
    assert (project.path / "../out/version").read_text() == "new\n"


def test_an_entitlement(project: Project) -> None:
    project.dockerfile("FROM busybox\nRUN --network=host true")
    refused = hitmiss.run("build", "--json", ".", cwd=project.path)
    assert (refused.returncode, b"network.host" in refused.stderr) == (1, True)
    hitmiss.report("--allow", "network.host", ".", cwd=project.path)
