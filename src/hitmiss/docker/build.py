"""One build: start the client, stream its progress, cancel it. It decodes nothing and keeps no state of the build."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitmiss.build.progress import LineSplitter
from hitmiss.docker import client
from hitmiss.settings import BuildOptions

_CHUNK = 256 * 1024
_GRACE_S = 0.6
"""How long the client may take to end after it was asked to. It needs 30 ms; a build must be over within a second."""


class _Metadata(msgspec.Struct):
    ref: str = msgspec.field(default="", name="buildx.build.ref")
    image: str | None = msgspec.field(default=None, name="containerimage.digest")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the client ended: its exit code, whether we stopped it, the image it made and the engine's build record."""

    code: int
    canceled: bool
    image: str | None
    ref: str


class RunningBuild:
    """A build that has been started. Read `lines()` to the end, then ask for the `outcome()`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._folder = folder
        self._canceled = False
        self._killer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, options: BuildOptions, *, cwd: Path) -> RunningBuild:
        """Start `buildx build` with exactly the given options; raises `EngineError` when there is no client."""
        folder = tempfile.TemporaryDirectory(prefix="hitmiss-", ignore_cleanup_errors=True)
        metadata = Path(folder.name) / "metadata.json"
        words = ["build", "--progress=rawjson", "--metadata-file", str(metadata), *options.arguments()]
        reads_stdin = "-" in (options.context, options.file)
        try:
            process = await client.start(
                [*client.find_client().buildx, *words],
                cwd=cwd,
                stdin=None if reads_stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
        except BaseException:
            folder.cleanup()
            raise
        return cls(process, folder)

    async def lines(self) -> AsyncGenerator[list[bytes], None]:
        """The stream's lines, in the batches in which they arrive, to the end.

        It must be read to the end even after `cancel`: a client that nobody reads never ends.
        """
        assert self._process.stderr is not None
        splitter = LineSplitter()
        while chunk := await self._process.stderr.read(_CHUNK):
            if batch := splitter.feed(chunk):
                yield batch
        if rest := splitter.close():
            yield rest

    def cancel(self) -> None:
        """Ask the client to stop, and end it by force if it has not within 0.6 s. Returns at once."""
        if self._canceled or self._process.returncode is not None:
            return
        self._canceled = True
        client.interrupt(self._process)
        self._killer = asyncio.get_running_loop().call_later(_GRACE_S, client.kill, self._process)

    async def outcome(self) -> Outcome:
        """Wait for the client's end."""
        try:
            code = await self._process.wait()
        finally:
            if self._killer:
                self._killer.cancel()
        metadata = _Metadata()
        with contextlib.suppress(OSError, msgspec.DecodeError):
            metadata = msgspec.json.decode((Path(self._folder.name) / "metadata.json").read_bytes(), type=_Metadata)
        self._folder.cleanup()
        return Outcome(code, self._canceled, metadata.image, metadata.ref.rpartition("/")[2])

    async def end(self) -> None:
        """End the client by force, and wait until nothing of it is left."""
        self.abandon()
        await client.end(self._process)

    def abandon(self) -> None:
        """End the client by force, at once: the program is leaving."""
        if self._process.returncode is None:
            client.kill(self._process)
        self._folder.cleanup()
