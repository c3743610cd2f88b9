"""Where the engine listens, from the environment and docker's own files; and a socket that is asked."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from hitmiss.docker import endpoint


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.delenv("DOCKER_HOST")
    return folder


def context(config: Path, name: str, host: str) -> None:
    folder = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_the_default_socket(config: Path) -> None:
    assert endpoint.address() == "unix:///var/run/docker.sock"


def test_the_environment_wins_over_contexts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(config, "desktop", "unix:///desktop.sock")
    (config / "config.json").write_text('{"currentContext": "desktop"}')
    assert endpoint.socket_path() == Path("/desktop.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "nosuch")
    assert endpoint.socket_path() is None
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    assert endpoint.address() == "tcp://10.0.0.1:2375"
    assert endpoint.socket_path() is None


def test_a_builder_called_like_a_context_is_that_engine(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(config, "second", "unix:///second.sock")
    monkeypatch.setenv("DOCKER_HOST", "unix:///first.sock")
    assert endpoint.socket_path("second") == Path("/second.sock")
    assert endpoint.socket_path("default") == Path("/first.sock")
    assert endpoint.socket_path("a-container") is None
    (config / "buildx").mkdir()
    (config / "buildx" / "current").write_text('{"Name": "a-container"}')
    assert endpoint.socket_path() is None
    assert endpoint.socket_path(endpoint.context()) == Path("/first.sock")
    monkeypatch.setenv("BUILDX_BUILDER", "second")
    assert endpoint.socket_path() == Path("/second.sock")


@pytest.mark.parametrize("text", ["", "[]", '{"currentContext": null}', "\x00", '{"currentContext": ""}'])
def test_a_damaged_configuration_is_as_none(config: Path, text: str) -> None:
    (config / "config.json").write_text(text)
    assert endpoint.address() in ("unix:///var/run/docker.sock", "")


async def answered(folder: Path, answer: bytes | None) -> bytes:
    """What `get` makes of a server that gives this answer, or none at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    path = folder / "s"
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        return await endpoint.get(path, "/_ping", timeout_s=0.2 if answer is None else 5)


async def test_an_answer_in_many_pieces_arrives_whole(tmp_path: Path) -> None:
    body = b"x" * 300_000
    assert await answered(tmp_path, b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n" + body) == body


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad Request\r\n\r\n{}", b"", b"hello", None])
async def test_anything_else_is_an_error_of_the_system(tmp_path: Path, answer: bytes | None) -> None:
    with pytest.raises(OSError, match=r"refused|no answer"):
        await answered(tmp_path, answer)


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await endpoint.get(tmp_path / "none", "/_ping", timeout_s=5)
