"""Finding buildx, asking it, and which builder works when none is named."""

import asyncio
import gc
import json
import os
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from hitmiss.docker import client
from hitmiss.docker.current import current_builder
from hitmiss.errors import EngineError, HitmissError
from tests.support import hitmiss
from tests.support.stand_in import install, without_plugin
from tests.support.wait import wait_for, wait_for_async


@pytest.fixture(autouse=True)
def find_anew() -> Any:
    client.find_client.cache_clear()
    yield
    client.find_client.cache_clear()


def plugin(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True)
    path = folder / "docker-buildx"
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_the_users_own_plugin_comes_first(isolated_home: Path) -> None:
    own = plugin(isolated_home / ".docker/cli-plugins")
    assert client.find_client().buildx == (str(own),)


def test_folders_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured: docker prefers them to the user's own folder."""
    extra = plugin(tmp_path / "extra")
    plugin(tmp_path / "cli-plugins")
    (tmp_path / "config.json").write_text(
        json.dumps({"cliPluginsExtraDirs": [5, str(tmp_path / "none"), str(tmp_path / "extra")]})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert client.find_client().buildx == (str(extra),)


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"cliPluginsExtraDirs": null}', '{"cliPluginsExtraDirs": 5}'])
def test_a_configuration_that_is_odd(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(content)
    own = plugin(tmp_path / "cli-plugins")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert client.find_client().buildx == (str(own),)


def test_a_plugin_that_cannot_be_run_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path / "cli-plugins", mode=0o644)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert str(tmp_path) not in client.find_client().buildx[0]


def test_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_plugin(tmp_path, monkeypatch, docker="exit 0")
    assert client.find_client().buildx == (str(tmp_path / "commands/docker"), "buildx")
    client.find_client.cache_clear()
    alone = plugin(tmp_path / "alone")
    monkeypatch.setenv("PATH", str(tmp_path / "alone"))
    assert client.find_client().buildx == (str(alone),)


def test_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_plugin(tmp_path, monkeypatch)
    with pytest.raises(EngineError, match="Neither docker nor its buildx plugin was found"):
        client.find_client()


# --- questions ---------------------------------------------------------------------------


def test_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("pwd; echo \"$@\"; printf 'odd \\377' >&2; exit 7", tmp_path, monkeypatch)
    answer = asyncio.run(client.ask("du", "--verbose", cwd=tmp_path))
    assert (answer.code, answer.out.split(), answer.err) == (7, [os.fsencode(tmp_path), b"du", b"--verbose"], "odd �")


def test_a_question_that_is_never_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("trap '' INT TERM; sleep 600 & wait", tmp_path, monkeypatch)
    before = hitmiss.family()
    with pytest.raises(EngineError, match=r"`docker buildx du` gave no answer in 0 s\. Is the engine busy or hung\?"):
        asyncio.run(client.ask("du", timeout_s=0.2))
    assert hitmiss.family() == before


def test_a_question_that_is_given_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("sleep 600 & wait", tmp_path, monkeypatch)
    before = hitmiss.family()

    async def give_up() -> None:
        async with asyncio.timeout(0.2):
            await client.ask("du")

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert hitmiss.family() == before


def test_a_question_may_be_given_up_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("sleep 600 & wait", tmp_path, monkeypatch)
    before = hitmiss.family()

    async def give_up(turns: int) -> None:
        task = asyncio.create_task(client.ask("du"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()

    for turns in range(25):
        asyncio.run(give_up(turns))
    wait_for(lambda: hitmiss.family() == before, 5, "the clients to end")


def test_an_answer_or_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nope = 'echo "ERROR: no builder \\"x\\" found" >&2; exit 1'
    script = f'case $1 in du) echo used;; ls) echo "ERROR: odd thing" >&2; exit 1;; *) {nope};; esac'
    install(script, tmp_path, monkeypatch)
    assert asyncio.run(client.ask_well("du")) == b"used\n"
    with pytest.raises(HitmissError, match="odd thing"):
        asyncio.run(client.ask_well("ls"))
    with pytest.raises(EngineError, match="There is no builder called x"):
        asyncio.run(client.ask_well("inspect"))


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("github.com/docker/buildx v0.29.1 x", (0, 29, 1)),
        ("github.com/docker/buildx 0.19.0+ds1 x", (0, 19, 0)),
        ("v1.0.2", (1, 0, 2)),
    ],
)
def test_a_version_that_will_do(said: str, version: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("", tmp_path, monkeypatch, version=f"echo '{said}'; exit 0\n")
    assert asyncio.run(client.version()) == version


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo 'github.com/docker/buildx v0.18.9 x'; exit 0\n",
            "buildx 0.18.9 is too old: hitmiss needs 0.19 or newer.",
        ),
        ("echo 'unknown command' >&2; exit 1\n", "Docker's buildx plugin is missing or does not run."),
        ("echo 'no number'; exit 0\n", "Docker's buildx plugin is missing or does not run."),
    ],
)
def test_a_version_that_will_not(script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("", tmp_path, monkeypatch, version=script)
    with pytest.raises(EngineError) as caught:
        asyncio.run(client.version())
    assert str(caught.value).startswith(said)


# --- the builder ----------------------------------------------------------------------------


def test_the_builder_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the weakest word to the strongest."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST")
    assert current_builder() == "default"
    (tmp_path / "config.json").write_text('{"currentContext": "remote"}')
    assert current_builder() == "remote"
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert current_builder() == "other"
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    assert current_builder() == "default"
    (tmp_path / "buildx").mkdir()
    (tmp_path / "buildx/current").write_text('{"Key": "unix:///x", "Name": "chosen", "Global": false}')
    assert current_builder() == "chosen"
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path / "elsewhere"))
    assert current_builder() == "default"
    monkeypatch.setenv("BUILDX_BUILDER", "named")
    assert current_builder() == "named"


@pytest.mark.parametrize("content", ["", "not JSON", "[]", "5", '{"Name": 5}', '{"Name": ""}'])
def test_files_that_say_nothing(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "buildx").mkdir()
    (tmp_path / "buildx/current").write_text(content)
    (tmp_path / "config.json").write_text(content)
    assert current_builder() == "default"


SLEEP = f"sleep 600.{os.getpid():07}"
"""No other process of this machine is called so: the same test may run beside this one."""


async def test_a_process_is_awaited_however_often_its_question_is_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    start, begun = client.start, []

    async def noted(*args: Any, **words: Any) -> asyncio.subprocess.Process:
        begun.append(await start(*args, **words))
        return begun[-1]

    monkeypatch.setattr(client, "start", noted)
    asked = asyncio.create_task(client.run(["/bin/sh", "-c", f"exec {SLEEP}"]))
    await wait_for_async(lambda: hitmiss.steps_running(SLEEP), 10, "the process")
    while not asked.done():
        asked.cancel()
        await asyncio.sleep(0)
    assert asked.cancelled()
    assert begun[0].returncode is not None
    assert not hitmiss.steps_running(SLEEP)


async def test_a_process_whose_start_is_canceled_twice_is_not_lost() -> None:
    before = set(asyncio.all_tasks())
    started = asyncio.create_task(
        client.start(["/bin/sh", "-c", f"exec {SLEEP}"], cwd=None, stdout=asyncio.subprocess.PIPE)
    )
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks() - before) == 2, "asyncio itself is starting it"
    while not started.done():
        started.cancel()
        await asyncio.sleep(0)
    assert started.cancelled()
    assert asyncio.all_tasks() == before
    assert not hitmiss.steps_running(SLEEP)
    gc.collect()  # a transport that nobody closed is told here, and a warning is an error


@pytest.mark.parametrize("turns", [0, 9])
def test_a_program_that_ends_in_the_middle_of_a_question_leaves_nothing(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of `asyncio.run` cancels every task at once, those too that wait for a process which ends by and by."""
    kill = client.kill
    monkeypatch.setattr(client, "kill", lambda process: Timer(0.2, kill, [process]).start())

    async def main() -> asyncio.Task[client.Answer]:
        asked = asyncio.create_task(client.run(["/bin/sh", "-c", f"exec {SLEEP}"]))
        await wait_for_async(lambda: hitmiss.steps_running(SLEEP), 10, "the process")
        asked.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        return asked

    assert asyncio.run(main()).cancelled()
    assert not hitmiss.steps_running(SLEEP)
    gc.collect()
