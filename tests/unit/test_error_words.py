"""The client's words, as it really said them, and what a user is told."""

import pytest

from hitmiss.docker.client import error_of, last_sentence

SOLVE = "ERROR: failed to build: failed to solve: "
NO_PLUGIN = "Usage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n"

ENGINE = {
    "no socket": (
        "ERROR: Cannot connect to the Docker daemon at unix:///x/none.sock. Is the docker daemon running?",
        "No Docker engine answers on unix:///x/none.sock. Start it: `sudo systemctl start docker`, or open Docker "
        "Desktop.",
    ),
    "nobody behind tcp": (
        "ERROR: Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?",
        "No Docker engine answers on tcp://127.0.0.1:1. ",
    ),
    "docker 29": (
        "ERROR: failed to connect to the docker API at unix:///x/y.sock; check if the path is correct and if the "
        "daemon is running: dial unix /x/y.sock: connect: no such file or directory",
        "No Docker engine answers on unix:///x/y.sock. ",
    ),
    "no host": (
        'ERROR: docker endpoint for "default" not found',
        "No Docker engine answers on its socket. ",
    ),
    "what inspect says": (
        "Cannot connect to the Docker daemon at unix:///x/none.sock. Is the docker daemon running?",
        "No Docker engine answers on unix:///x/none.sock. ",
    ),
    "no permission": (
        "ERROR: permission denied while trying to connect to the Docker daemon socket at unix:///x/d.sock: Head "
        '"http://%2Fx%2Fd.sock/_ping": dial unix /x/d.sock: connect: permission denied',
        "No permission on the Docker engine's socket. Run `sudo usermod -aG docker $USER` and log in again.",
    ),
    "no builder": ('ERROR: no builder "nope" found', "There is no builder called nope. `docker buildx ls` lists them."),
    "died": (
        "ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from "
        "server: EOF",
        "The Docker engine went away in the middle of the work. Start it again; the next build begins by itself.",
    ),
    "died while it solved": (SOLVE + "Unavailable: error reading from server: EOF", "The Docker engine went away"),
    "no plugin": (f"unknown flag: --progress\n\n{NO_PLUGIN}", "Docker's buildx plugin is missing. Install it: "),
    "no plugin, short option": (
        f"unknown shorthand flag: 'f' in -f\n\n{NO_PLUGIN}",
        "Docker's buildx plugin is missing.",
    ),
    "no plugin, no option": (
        "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information",
        "Docker's buildx plugin is missing.",
    ),
    "podman under docker's name": (
        "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.\n"
        "Error: unknown flag: --format\nSee 'podman buildx --help'",
        "`docker` is podman here, which has no BuildKit. Install Docker's buildx plugin",
    ),
    "podman without buildx": (
        "Error: unrecognized command `podman buildx version`\nTry 'podman --help' for more information",
        "`docker` is podman here, which has no BuildKit. ",
    ),
    "an old docker without": (
        "docker: 'buildx' is not a docker command.\nSee 'docker --help'",
        "Docker's buildx plugin is",
    ),
    "old buildx": (
        "unknown flag: --call\nSee 'docker buildx build --help'.",
        "This buildx is too old: hitmiss needs 0.19 or newer. Update Docker, or its buildx plugin.",
    ),
}

OTHER = {
    "unknown target": (SOLVE + 'target stage "nope" could not be found', 'target stage "nope" could not be found'),
    "a flag of the Dockerfile's": (
        SOLVE + "dockerfile parse error on line 2: unknown flag: --nope",
        "dockerfile parse error on line 2: unknown flag: --nope",
    ),
    "a registry that refuses": (
        SOLVE + '127.0.0.1:1/x: failed to do request: Head "https://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: '
        "connect: connection refused",
        '127.0.0.1:1/x: failed to do request: Head "https://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: '
        "connection refused",
    ),
    "a server that hangs up": (
        SOLVE + 'failed to load cache key: Get "http://x/y": read tcp 1.2.3.4:5: read: connection reset by peer',
        'failed to load cache key: Get "http://x/y": read tcp 1.2.3.4:5: read: connection reset by peer',
    ),
    "a command that speaks of docker": (
        SOLVE + "process \"/bin/sh -c echo 'Cannot connect to the Docker daemon. code = Unavailable'; exit 1\" did "
        "not complete successfully: exit code: 1",
        "process \"/bin/sh -c echo 'Cannot connect to the Docker daemon. code = Unavailable'; exit 1\" did not "
        "complete successfully: exit code: 1",
    ),
    "output that speaks of docker": (
        " > [2/2] RUN docker ps:\n0.190 Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the "
        "docker daemon running?\n------\nDockerfile:2\n" + SOLVE + 'process "/bin/sh -c docker ps" did not complete '
        "successfully: exit code: 1",
        'process "/bin/sh -c docker ps" did not complete successfully: exit code: 1',
    ),
    "a command that quotes a lost connection": (
        SOLVE + 'process "/bin/sh -c echo failed to receive status: rpc error: code = Unavailable" did not complete',
        'process "/bin/sh -c echo failed to receive status: rpc error: code = Unavailable" did not complete',
    ),
    "no context": (
        'ERROR: failed to build: unable to prepare context: path "./missing" not found',
        'unable to prepare context: path "./missing" not found',
    ),
    "no secret": (
        "ERROR: failed to build: failed to stat /x: stat /x: no such file or directory",
        "failed to stat /x: stat /x: no such file or directory",
    ),
    "several lines": (
        SOLVE + "failed to read dockerfile: error fetching: git stderr:\nfatal: unable to access\n: exit status 128\n",
        "failed to read dockerfile: error fetching: git stderr: fatal: unable to access : exit status 128",
    ),
    "canceled": (SOLVE + "Canceled: context canceled", "Canceled: context canceled"),
    "nothing": ("", "buildx failed without a word."),
    "blank": ("\n  \n", "buildx failed without a word."),
    "plain words": ("first\nsecond\n", "second"),
}


@pytest.mark.parametrize("name", ENGINE)
def test_words_about_the_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    said, told = ENGINE[name]
    error = error_of(said)
    assert error is not None
    assert str(error).startswith(told)
    assert error.exit_code == 3
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", OTHER)
def test_words_about_something_else(name: str) -> None:
    said, sentence = OTHER[name]
    assert error_of(said) is None
    assert last_sentence(said) == sentence


def test_the_engine_that_was_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@there")
    told = str(error_of("ERROR: error during connect: exit status 255"))
    assert told.startswith("No Docker engine answers on ssh://me@there. DOCKER_HOST names it: ")
    monkeypatch.setenv("DOCKER_HOST", "unix:///x/y.sock")
    assert "systemctl" in str(error_of("ERROR: error during connect: exit status 255"))
