"""One build: start the client, stream its progress, cancel it. It decodes nothing and keeps no state of the build."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hitmiss.build.progress import LineSplitter
from hitmiss.docker import client
from hitmiss.errors import UsageError

_CHUNK = 256 * 1024
_GRACE_S = 0.6
"""How long the client may take to end after it was asked to. It needs 30 ms; a build must be over within a second."""


class _Metadata(msgspec.Struct):
    """What `buildx build` writes to its metadata file; `buildx bake` writes one for each target."""

    ref: str = msgspec.field(default="", name="buildx.build.ref")
    image: str | None = msgspec.field(default=None, name="containerimage.digest")


@dataclass(frozen=True, slots=True)
class Made:
    """The image that a build made, and the name of the engine's record of it."""

    image: str | None = None
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the client ended: its exit code, whether we stopped it, and what it made, by bake targets ("": the build)."""

    code: int
    canceled: bool
    made: Mapping[str, Made]


class RunningBuild:
    """A build that has been started. Read `lines()` to the end, then ask for the `outcome()`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._folder = folder
        self._canceled = False
        self._killer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(
        cls, words: Sequence[str], *, cwd: Path, reads_stdin: bool = False, file: bytes | None = None
    ) -> RunningBuild:
        """Start buildx with exactly these words, the first of them `build` or `bake`.

        `file` is what `bake` reads, as JSON. Raises `EngineError` when there is no client, and `UsageError` when
        there is no room for temporary files.
        """
        try:
            folder = tempfile.TemporaryDirectory(prefix="hitmiss-", ignore_cleanup_errors=True)
        except OSError as error:
            raise _no_room(error) from error
        metadata = Path(folder.name) / "metadata.json"
        own = ["--progress=rawjson", "--metadata-file", str(metadata)]
        try:
            if file is not None:
                # What comes without this ending, buildx takes for a compose file first, and warns of its variables.
                definition = Path(folder.name) / "bake.json"
                try:
                    definition.write_bytes(file)
                except OSError as error:
                    raise _no_room(error) from error
                own += ["-f", str(definition)]
            process = await client.start(
                [*client.find_client().buildx, words[0], *own, *words[1:]],
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
        made = self._made()
        self._folder.cleanup()
        return Outcome(code, self._canceled, made)

    def _made(self) -> dict[str, Made]:
        """What the metadata file says; nothing where the client did not come to write it."""
        try:
            text = (Path(self._folder.name) / "metadata.json").read_bytes()
            own = msgspec.json.decode(text, type=_Metadata)
            parts = {"": own} if own.ref or own.image else {}
            for name, raw in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items():
                with contextlib.suppress(msgspec.ValidationError):
                    part = msgspec.json.decode(raw, type=_Metadata)
                    parts |= {name: part} if part.ref or part.image else {}
        except (OSError, msgspec.DecodeError):
            return {}
        return {name: Made(part.image, part.ref.rpartition("/")[2]) for name, part in parts.items()}

    async def end(self) -> None:
        """End the client by force, and wait until nothing of it is left."""
        self.abandon()
        await client.end(self._process)

    def abandon(self) -> None:
        """End the client by force, at once: the program is leaving."""
        if self._process.returncode is None:
            client.kill(self._process)
        self._folder.cleanup()


def _no_room(error: OSError) -> UsageError:
    """What a user is told when the folder for temporary files is full, or is not there."""
    return UsageError(
        f"A build needs temporary files, and they cannot be written: {error.strerror}.",
        "Make room for them, or name another folder with TMPDIR.",
    )
