"""A recording shown as if it were happening: the same face as a session, but nothing can be built or deleted."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from hitmiss.build.fold import Fold
from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Expected, Status
from hitmiss.build.progress import decode
from hitmiss.build.recording import Header, Record, read
from hitmiss.docker.builders import BuilderInfo
from hitmiss.docker.fleet import Fleet
from hitmiss.docker.storage import Preview, Pruned, PruneFilter
from hitmiss.docker.targets import Target
from hitmiss.errors import UsageError
from hitmiss.project import dockerfile
from hitmiss.project.definition import announce
from hitmiss.runner import nothing
from hitmiss.snapshot import ArgumentRow, Changes, Cost, Past, Snapshot, Source, StepFiles, Watch

_BETWEEN_BUILDS_S = 1.5
_NOT_LIVE = "A recording is played: nothing can be built. `r` plays it again."


class Replay:
    """Plays the builds of a recording one after the other."""

    def __init__(self, path: Path, *, speed: float = 1.0, notice: str = "") -> None:
        """`speed` 2.0 is twice as fast, 0 shows the end at once. Raises `UsageError` for a file without a build."""
        self.on_change: Callable[[], None] = nothing
        self._records = read(path)
        self._speed = speed
        self._notices = (notice,) if notice else ()
        self._name = path.name
        self._path = str(path)
        self._number = 0
        self._message = ""
        self._header = next((record.start for record in self._records if record.start), Header())
        self._fold = self._new_fold(self._header)
        self._began = time.monotonic()
        self._ended = False
        self._playing: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def snapshot(self) -> Snapshot:
        """The recording as far as it was played."""
        build = self._fold.build(self._clock())
        return Snapshot(
            project=self._header.project or self._name,
            target=self._header.target,
            builder=self._header.builder,
            platforms=self._header.platforms,
            watch=Watch.REPLAY,
            message=self._message,
            notices=self._notices,
            build=build,
            source=Source(name=self._header.dockerfile_name, text=self._header.dockerfile),
            live=False,
        )

    def log(self, step_id: str) -> StepLog | None:
        """The output of a step, as far as it was played."""
        return self._fold.logs.get(step_id)

    def files(self, step_id: str) -> StepFiles | None:
        """None: a recording holds no files."""
        return None

    def history(self) -> tuple[Past, ...]:
        """None: a recording is one of no project's builds."""
        return ()

    def command(self) -> str:
        """The command that plays this recording."""
        return shlex.join(["hitmiss", "replay", self._path])

    async def run(self) -> None:
        """Play, then stay until `close()`."""
        self.rebuild()
        await self._stop.wait()

    async def close(self) -> None:
        """Stop playing."""
        self._stop.set()
        if self._playing:
            self._playing.cancel()

    def rebuild(self, *, no_cache: bool = False, no_cache_stages: Iterable[str] = ()) -> None:
        """Play from the start again."""
        if self._playing:
            self._playing.cancel()
        self._message = ""
        self._number = 0
        self._playing = asyncio.create_task(self._play())

    def cancel(self) -> None:
        """Stop playing where it is."""
        if self._playing and not self._ended:
            self._playing.cancel()
            self._fold.end(Status.CANCELED, self._clock())
            self._ended = True
            self.on_change()

    def toggle_watch(self) -> None:
        """Nothing is watched."""
        self._say()

    def next_mode(self) -> None:
        """Nothing is watched."""
        self._say()

    def set_target(self, target: str) -> None:
        """A recording has the target that it has."""
        self._say()

    def arguments(self) -> tuple[ArgumentRow, ...]:
        """None: a recording has the arguments that it had."""
        return ()

    async def cost(self, changes: Changes) -> Cost:
        """Nothing is built."""
        return Cost()

    def set_arguments(self, changes: Changes) -> None:
        """A recording has the arguments that it had."""
        self._say()

    async def targets(self) -> tuple[Target, ...]:
        """A recording has the target that it has."""
        raise UsageError("A recording is played: its target cannot be changed.")

    def set_builder(self, name: str) -> None:
        """A recording has the builder that it has."""
        self._say()

    def fleet(self) -> Fleet:
        """A recording has the builder that it has."""
        raise UsageError("A recording is played: its builder cannot be changed.")

    def limits(self, builder: BuilderInfo) -> tuple[str, ...]:
        """Nothing is built."""
        return ()

    async def prune_preview(self, what: PruneFilter) -> Preview:
        """There is no cache."""
        return Preview()

    async def prune(self, what: PruneFilter) -> Pruned:
        """There is no cache."""
        return Pruned()

    async def _play(self) -> None:
        first = True
        for record in self._records:
            if record.start is not None:
                if not first:
                    await self._wait(_BETWEEN_BUILDS_S)
                self._begin(record.start)
                first = False
            await self._wait(record.t - self._clock_recorded())
            self._hear(record)

    def _begin(self, header: Header) -> None:
        self._number += 1
        self._header = header
        self._fold = self._new_fold(header)
        self._began = time.monotonic()
        self._ended = False
        self.on_change()

    def _hear(self, record: Record) -> None:
        if record.line is not None:
            event = decode(record.line.encode())
            if event is not None:
                self._fold.hear(event, self._clock())
        if record.end is not None:
            self._fold.end(
                record.end, record.t, error=record.error, advice=record.advice, image=record.image, ref=record.ref
            )
            self._ended = True
        self.on_change()

    async def _wait(self, seconds: float) -> None:
        if self._speed > 0 and seconds > 0:
            await asyncio.sleep(seconds / self._speed)

    def _clock(self) -> float:
        return 0.0 if self._speed == 0 else (time.monotonic() - self._began) * self._speed

    def _clock_recorded(self) -> float:
        return self._clock() if self._speed else 0.0

    def _new_fold(self, header: Header) -> Fold:
        build = Build(
            number=self._number,
            status=Status.RUNNING if self._number else Status.IDLE,
            target=header.target,
            builder=header.builder,
            platforms=header.platforms,
            started=datetime.now(UTC),
        )
        return Fold(build, _expected(header))

    def _say(self) -> None:
        self._message = _NOT_LIVE
        self.on_change()


def _expected(header: Header) -> tuple[Expected, ...]:
    try:
        parsed = dockerfile.parse(header.dockerfile)
        own = next(iter(header.platforms), "")
        return announce(parsed, header.dockerfile_name, target=header.target, platforms=header.platforms, own=own)
    except (UsageError, dockerfile.DockerfileError):
        return ()
