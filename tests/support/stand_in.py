"""A stand-in for the buildx plugin: a script of the test's own, where docker looks for the plugin first."""

import os
import sys
from pathlib import Path

import pytest

from hitmiss.docker import client

VERSION = 'if [ "$1" = version ]; then echo "github.com/docker/buildx v0.29.1 x"; exit 0; fi\n'


def install(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, version: str = VERSION) -> Path:
    """Make the plugin of a new docker configuration out of a shell script; it knows its version."""
    plugin = folder / "docker" / "cli-plugins" / "docker-buildx"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(f"#!/bin/sh\n{version}{script}")
    plugin.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(folder / "docker"))
    client.find_client.cache_clear()
    return plugin


def without_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, docker: str = "") -> None:
    """A machine without the plugin; `docker` is the script of its docker command, if it has one."""
    monkeypatch.setattr(client, "_plugin_folders", list)
    commands = folder / "commands"
    commands.mkdir()
    if docker:
        (commands / "docker").write_text(f"#!/bin/sh\n{docker}")
        (commands / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(commands))
    client.find_client.cache_clear()


def words_saver(target: Path) -> str:
    """A script that writes its words, one after the other, each ended by a NUL, to a file."""
    program = "import os, sys; open(sys.argv[1], 'wb').write(b''.join(os.fsencode(w) + b'\\0' for w in sys.argv[2:]))"
    return f'exec {sys.executable} -c "{program}" \'{target}\' "$@"\n'


def saved_words(target: Path) -> list[str]:
    """What `words_saver` wrote."""
    return [os.fsdecode(word) for word in target.read_bytes().split(b"\0")[:-1]]
