"""One build from its start to its outcome: the client is started, its stream decoded, folded and recorded.

It holds no state beyond the one build; the session and `hitmiss build` both run their builds through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import dataclasses
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hitmiss.build.fold import Durations, Fold
from hitmiss.build.model import Build, Expected, Foreseen, Status, Verdict
from hitmiss.build.progress import Progress, decode
from hitmiss.build.recording import SCHEMA, Header, Writer
from hitmiss.build.redact import Redactor
from hitmiss.docker import client, records
from hitmiss.docker.build import Outcome, RunningBuild
from hitmiss.errors import EngineError, HitmissError
from hitmiss.history.store import StepName
from hitmiss.project.definition import Definition
from hitmiss.settings import BuildOptions, looks_secret

_SECRET_FILE_LIMIT = 64 * 1024
_UNBUILDABLE = re.compile(
    r"^ERROR: (?:failed to build: )?failed to solve: (?:"
    r"dockerfile parse error|target stage .* could not be found|failed to read dockerfile: open |circular dependency"
    r"|no build stage in|the Dockerfile cannot be empty|file with no instructions|base name \(.*\) should not be blank"
    r"|invalid stage index|cannot copy from stage|failed to parse stage name)"
)
"""The frontend's words for a project that cannot be built (BuildKit, `frontend/dockerfile`)."""


def nothing() -> None:
    """For whoever does not want to hear of progress."""


class Runner:
    """Runs one build. `build()` can be asked at any moment; `run()` gives the finished one."""

    def __init__(
        self,
        options: BuildOptions,
        *,
        cwd: Path,
        number: int = 1,
        target: str = "",
        builder: str = "",
        platforms: tuple[str, ...] = (),
        expected: Sequence[Expected] = (),
        durations: Mapping[StepName, float] | None = None,
        writer: Writer | None = None,
        header: Header | None = None,
        on_progress: Callable[[], None] = nothing,
        find_record: bool = False,
    ) -> None:
        """`find_record` also asks for the engine's record of a build that did not succeed: 70 ms more."""
        self._options = options
        self._find_record = find_record
        self._cwd = cwd
        self._writer = writer
        self.on_progress = on_progress
        self._redactor = Redactor(secret_values(options, cwd))
        self._process: RunningBuild | None = None
        self._canceled = False
        self._began = time.monotonic()
        self._heard = False
        self.engine_error: EngineError | None = None
        """Why the engine could not work, where that is what went wrong."""
        start = Build(
            number=number,
            status=Status.RUNNING,
            target=target or options.target,
            builder=builder or options.builder,
            platforms=options.platform_list() or platforms,
            started=datetime.now(UTC),
        )
        self.fold = Fold(start, expected, durations=_lookup(durations or {}))
        if writer and header:
            writer.begin(msgspec.structs.replace(header, dockerfile=self._redactor.text(header.dockerfile)))

    def build(self) -> Build:
        """The build as it stands."""
        return self.fold.build(self._now())

    def foresee(self, foreseen: Mapping[tuple[str, str, int], Foreseen]) -> None:
        """Take over what is expected of the steps."""
        self.fold.foresee(foreseen)
        self.on_progress()

    @property
    def refused(self) -> bool:
        """Whether the build was never begun: the client or the frontend refused what it was asked to build."""
        return not self._heard or any(_UNBUILDABLE.match(line) for line in self.build().text)

    def cancel(self) -> None:
        """End the build; `run()` returns within a second."""
        self._canceled = True
        if self._process:
            self._process.cancel()

    def abandon(self) -> None:
        """End the build by force, without waiting: the program is leaving."""
        self._canceled = True
        if self._process:
            self._process.abandon()

    async def run(self) -> Build:
        """Build. What goes wrong with the build or the engine is not raised: the build then says `failed` and why."""
        try:
            outcome = await self._stream()
        except HitmissError as error:
            self._fail(error)
            return self._end(Status.FAILED, str(error))
        if outcome.code and self._find_record and not outcome.ref:
            outcome = dataclasses.replace(outcome, ref=await self._record())
        if outcome.canceled or outcome.code == 130:
            return self._end(Status.CANCELED, "", outcome)
        words = "\n".join(self.build().text)
        engine = client.error_of(words) if outcome.code else None
        if engine is None and not self._heard:
            engine = await _client_error()
        if engine:
            self._fail(engine)
            return self._end(Status.FAILED, str(engine), outcome)
        if outcome.code == 0:
            return self._end(Status.SUCCEEDED, "", outcome)
        return self._end(Status.FAILED, client.last_sentence(words), outcome)

    async def _record(self) -> str:
        build = self.build()
        starts = [step.started for step in build.steps + build.internals if step.started]
        if not starts:
            return ""
        digests = self.fold.digests().keys() | {work.id for work in build.internals}
        return await records.find(self._options.builder, min(starts), digests)

    async def _stream(self) -> Outcome:
        process = await RunningBuild.start(self._options, cwd=self._cwd)
        self._process = process
        if self._canceled:
            process.cancel()
        try:
            async with contextlib.aclosing(process.lines()) as lines:
                async for batch in lines:
                    self._hear(batch)
                    self.on_progress()
                    await asyncio.sleep(0)  # a stream that never pauses must not keep the screen from its turn
            return await process.outcome()
        except BaseException:
            await process.end()
            raise

    def _hear(self, batch: list[bytes]) -> None:
        now = self._now()
        for line in batch:
            event = decode(line)
            if event is None:
                continue
            if self._writer:
                self._writer.line(now, self._redactor.line(line, event))
            self._heard = self._heard or isinstance(event, Progress)
            self.fold.hear(self._redactor.event(event), now)

    def _end(self, status: Status, error: str, outcome: Outcome | None = None) -> Build:
        now = self._now()
        image, ref = (outcome.image, outcome.ref) if outcome else (None, "")
        error = self._redactor.text(error)
        self.fold.end(status, now, error=error, image=image, ref=ref)
        if self._writer:
            self._writer.end(now, status, error, image, ref)
        self.on_progress()
        return self.build()

    def _fail(self, error: HitmissError) -> None:
        self.engine_error = error if isinstance(error, EngineError) else None

    def _now(self) -> float:
        return time.monotonic() - self._began


async def _client_error() -> EngineError | None:
    """Whether a client that showed no progress is one that cannot: too old, or docker without its plugin."""
    try:
        await client.version()
    except EngineError as error:
        return error
    return None


def ran(build: Build) -> list[tuple[StepName, float]]:
    """What is worth remembering of a build: the steps that ran to their end, and their seconds."""
    return [
        ((step.platform or "", step.stage, step.instruction), step.duration_s)
        for step in build.steps
        if step.verdict is Verdict.MISS
    ]


def _lookup(durations: Mapping[StepName, float]) -> Durations:
    return lambda platform, stage, text: durations.get((platform or "", stage, text))


def secret_values(options: BuildOptions, cwd: Path) -> list[str]:
    """The values that nobody may see: of secrets, and of build arguments whose name looks secret.

    A secret's source is found as buildx finds it (docker/buildx, `secretsprovider`): `env=`, or `src=` (a variable when
    `type=env`), else the variable that is called like the secret, else the file.
    """
    arguments = options.argument_values(os.environ)
    values = [value for name, value in arguments.items() if looks_secret(name)]
    return values + [line for lines in secrets(options, cwd).values() for line in lines]


def secrets(options: BuildOptions, cwd: Path) -> dict[str, list[str]]:
    """The secrets that are given to a build: the lines of each, by its id."""
    found: dict[str, list[str]] = {}
    for secret in options.secrets:
        try:
            row = next(csv.reader([secret]), [])
        except csv.Error:
            continue
        fields = {key.strip().lower(): value for key, _, value in (part.partition("=") for part in row)}
        name = fields.get("id", "")
        variable, source = fields.get("env", ""), fields.get("src") or fields.get("source") or ""
        if fields.get("type") == "env" and not variable:
            variable, source = source, ""
        if not variable and not source:
            variable, source = (name, "") if name in os.environ else ("", name)
        found[name] = os.environ.get(variable, "").splitlines() if variable else []
        if source:
            found[name] += _secret_lines(cwd / source)
    return found


def _secret_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            text = file.read(_SECRET_FILE_LIMIT).decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines()]


def project_folder(options: BuildOptions, cwd: Path) -> Path:
    """The folder that a project is remembered by: its context, or where it was started for one that is no folder."""
    folder = cwd / options.context
    return folder.resolve() if folder.is_dir() else cwd


def header_of(definition: Definition, options: BuildOptions, project: str, builder: str) -> Header:
    """What a recording says of the build that follows."""
    return Header(
        schema=SCHEMA,
        project=project,
        target=definition.target,
        builder=builder,
        platforms=options.platform_list(),
        dockerfile_name=definition.name,
        dockerfile=definition.text,
    )
