"""One run of the client from its start to its outcome: its stream is decoded, folded and recorded.

It builds one target, or several that `buildx bake` builds at once. It holds no state beyond that run; the session and
`hitmiss build` both run their builds through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hitmiss.build.demux import Demux, hand_over
from hitmiss.build.fold import Durations, Fold
from hitmiss.build.logs import StepLog
from hitmiss.build.model import Build, Expected, Foreseen, Status, Verdict
from hitmiss.build.progress import Event, Progress, decode, encode
from hitmiss.build.recording import SCHEMA, Header, Writer
from hitmiss.build.redact import Redactor
from hitmiss.build.step_names import StepNames
from hitmiss.build.trouble import Advice, advice
from hitmiss.docker import client, records
from hitmiss.docker.build import Made, Outcome, RunningBuild
from hitmiss.errors import EngineError, HitmissError
from hitmiss.history.store import StepName
from hitmiss.project.definition import Definition
from hitmiss.project.nearby import nearby
from hitmiss.settings import BuildOptions, looks_secret

_SECRET_FILE_LIMIT = 64 * 1024
_UNBUILDABLE = re.compile(
    r"^ERROR: (?:target \S+: )?(?:failed to build: )?failed to solve: (?:"
    r"dockerfile parse error|target stage .* could not be found|failed to read dockerfile: open |circular dependency"
    r"|no build stage in|the Dockerfile cannot be empty|file with no instructions|base name \(.*\) should not be blank"
    r"|invalid stage index|cannot copy from stage|failed to parse stage name|failed to process "
    r"|syntax error in pattern)"
)
"""The frontend's words for a project that cannot be built (BuildKit, `frontend/dockerfile`)."""
_OF_TARGET = re.compile(r"target (\S+): (?:failed to (?:build|solve): )*")
"""How `buildx bake` begins the error of one of several targets."""
_LAST_LINES = 100
"""So much of a failed step's output is looked at for why it failed."""
_EXPORT = re.compile(r"exporting to ")


def nothing() -> None:
    """For whoever does not want to hear of progress."""


class Job(msgspec.Struct, frozen=True):
    """What is known of one target's build when it begins.

    `name` is its name among several ("" where it is alone), `linked` are the targets that it builds on, `expected` the
    steps that its Dockerfile announces, `durations` what its steps took before, in seconds, `makes` the
    targets that make images which it may need, by the images' names.
    """

    options: BuildOptions
    name: str = ""
    number: int = 1
    target: str = ""
    builder: str = ""
    platforms: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    durations: Mapping[StepName, float] = {}
    linked: frozenset[str] = frozenset()
    makes: Mapping[str, str] = {}

    def start(self) -> Build:
        """The build at its beginning."""
        return Build(
            number=self.number,
            status=Status.RUNNING,
            target=self.target or self.options.target,
            builder=self.builder or self.options.builder,
            platforms=self.options.platform_list() or self.platforms,
            started=datetime.now(UTC),
        )


class Command(msgspec.Struct, frozen=True):
    """What is run for several targets: the words after `buildx`, and the bake file that it reads, as JSON."""

    words: tuple[str, ...]
    file: bytes


class Runner:
    """Runs one client. `build()` can be asked at any moment; `run()` gives the finished builds by the jobs' names."""

    def __init__(
        self,
        *jobs: Job,
        cwd: Path,
        command: Command | None = None,
        writer: Writer | None = None,
        header: Header | None = None,
        on_progress: Callable[[], None] = nothing,
        find_record: bool = False,
    ) -> None:
        """Without a `command` the one job's options are what is built.

        `find_record` also asks for the engine's record of a build that did not succeed: 70 ms more.
        """
        self._jobs = {job.name: job for job in jobs}
        self._command = command
        self._find_record = find_record
        self._cwd = cwd
        self._writer = writer
        self.on_progress = on_progress
        names = StepNames()
        for job in jobs:
            names.add(job.expected, job.name if len(jobs) > 1 else "")
        self._redactor = Redactor([value for job in jobs for value in secret_values(job.options, cwd)], names)
        self._process: RunningBuild | None = None
        self._canceled = False
        self._began = time.monotonic()
        self._heard = False
        self._heard_at: dict[str, float] = {}
        """When there was last something of a job, of several; their client goes on for the others."""
        self._failure: HitmissError | None = None
        self.engine_error: EngineError | None = None
        """Why the engine could not work, where that is what went wrong."""
        self._durations = {job.name: dict(job.durations) for job in jobs}
        self._demux = Demux(list(self._jobs), {job.name: job.linked for job in jobs}) if command else None
        self.folds = {job.name: self._fold(job) for job in jobs}
        if writer and header:
            writer.begin(msgspec.structs.replace(header, dockerfile=self._redactor.text(header.dockerfile)))

    def build(self, name: str | None = None) -> Build:
        """A job's build as it stands; without a name that of the first."""
        fold = next(iter(self.folds.values())) if name is None else self.folds[name]
        return fold.build(self._now())

    def builds(self) -> dict[str, Build]:
        """The builds as they stand, by the names of their jobs."""
        return {name: self.build(name) for name in self.folds}

    def log(self, step_id: str) -> StepLog | None:
        """The output of a step."""
        found = (fold.logs.get(step_id) for fold in self.folds.values())
        return next((log for log in found if log), None)

    def foresee(self, foreseen: Mapping[tuple[str, str, int], Foreseen], name: str = "") -> None:
        """Take over what is expected of a job's steps."""
        self.folds[name].foresee(foreseen)
        self.on_progress()

    def learn(self, durations: Mapping[StepName, float], name: str = "") -> None:
        """Take over how long steps took, learned after the start; `foresee` shows it."""
        self._durations[name].update(durations)

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

    async def run(self) -> dict[str, Build]:
        """Build. What goes wrong with the build or the engine is not raised: the build then says `failed` and why."""
        try:
            outcome = await self._stream()
        except HitmissError as error:
            self._fail(error)
            return self._end(Status.FAILED, str(error))
        if outcome.code and self._find_record and not outcome.made and len(self._jobs) == 1:
            outcome = dataclasses.replace(outcome, made={"": Made(ref=await self._record())})
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
        digests = next(iter(self.folds.values())).digests().keys() | {work.id for work in build.internals}
        return await records.find(next(iter(self._jobs.values())).options.builder, min(starts), digests)

    async def _stream(self) -> Outcome:
        process = await self._start()
        self._process = process
        if self._canceled:
            process.cancel()
        try:
            async with contextlib.aclosing(process.lines()) as lines:
                async for batch in lines:
                    self._hear(batch)
                    self.on_progress()
                    await asyncio.sleep(0)  # a stream that never pauses must not keep the screen from its turn
            if held := self._redactor.rest():
                if self._writer:
                    self._writer.line(self._now(), encode(held))
                self._tell(held, self._now())
            for name, part in (self._demux.rest() if self._demux else {}).items():
                self.folds[name].hear(part, self._now())
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
            clean = self._redactor.event(event)
            if self._writer:
                self._writer.line(now, self._redactor.line(line, event, clean))
            self._heard = self._heard or isinstance(event, Progress)
            self._tell(clean, now)

    def _tell(self, event: Event, now: float) -> None:
        """One event, without secrets, to the builds that it speaks of."""
        if self._demux is None or not isinstance(event, Progress):
            for fold in self.folds.values():
                fold.hear(event, now)
            return
        parts = self._demux.split(event)
        hand_over(self._demux.moved, self.folds)
        for name, part in parts.items():
            self.folds[name].hear(part, now)
            self._heard_at[name] = now

    def _end(self, status: Status, error: str, outcome: Outcome | None = None) -> dict[str, Build]:
        now = self._now()
        error = self._redactor.text(error)
        made = dict(outcome.made) if outcome else {}
        for name, (how, said) in self._verdicts(status, error).items():
            mine = made.get(name) or (made.get("") if len(self._jobs) == 1 else None) or Made()
            told = self._told(name, said) if how is Status.FAILED else Advice(said, "")
            over = self._heard_at.get(name, now) if how is Status.SUCCEEDED else now
            self.folds[name].end(how, over, error=str(told), advice=told.mend, image=mine.image, ref=mine.ref)
        if self._writer:
            first = self.build()
            error = first.error if len(self._jobs) == 1 else error
            self._writer.end(now, status, error, first.image, first.ref, first.advice)
        self.on_progress()
        return self.builds()

    def _verdicts(self, status: Status, error: str) -> dict[str, tuple[Status, str]]:
        """How each job ended, where the whole ended like that: what fails one cancels those that are not done."""
        named = _OF_TARGET.match(error)
        blamed = {named[1]} if named and named[1] in self._jobs else set[str]()
        blamed |= {name for name in self._jobs if self.build(name).failed_step}
        if status is not Status.FAILED or not blamed:
            return dict.fromkeys(self._jobs, (status, error))
        error = error[named.end() :] if named else error
        found: dict[str, tuple[Status, str]] = {}
        for name in self._jobs:
            exported = any(_EXPORT.match(work.instruction) for work in self.build(name).internals if work.duration_s)
            found[name] = (Status.SUCCEEDED if exported else Status.CANCELED, "")
        return found | dict.fromkeys(blamed, (Status.FAILED, error))

    def _told(self, name: str, said: str) -> Advice:
        """What a user is told of a job's failure: the engine's own sentence, or a better one where it is recognised."""
        if self._failure:
            mend = self._redactor.text(self._failure.mend)
            return Advice(said.removesuffix(mend).rstrip(), mend)
        job, build = self._jobs[name], self.build(name)
        own = job.platforms[0] if job.platforms else ""
        given = tuple(secrets(job.options, self._cwd))
        known = nearby(job.options, cwd=self._cwd, own=own, given=given, makes=job.makes)
        log = self.log(build.failed_step.id) if build.failed_step else None
        words = log.texts(max(0, log.line_count - _LAST_LINES)) if log else ()
        found = advice(build, words, said, known)
        return Advice(*map(self._redactor.text, (found.sentence, found.mend))) if found else Advice(said, "")

    async def _start(self) -> RunningBuild:
        if self._command:
            return await RunningBuild.start(self._command.words, cwd=self._cwd, file=self._command.file)
        (job,) = self._jobs.values()
        reads_stdin = "-" in (job.options.context, job.options.file)
        return await RunningBuild.start(["build", *job.options.arguments()], cwd=self._cwd, reads_stdin=reads_stdin)

    def _fold(self, job: Job) -> Fold:
        foreign = self._demux.foreign[job.name] if self._demux else ()
        durations = _lookup(self._durations[job.name])
        return Fold(job.start(), job.expected, durations=durations, bake_target=job.name, foreign=foreign)

    def _fail(self, error: HitmissError) -> None:
        self._failure = error
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
    for name, variable, file in _secret_sources(options, cwd):
        found[name] = os.environ.get(variable, "").splitlines() if variable else []
        if file:
            found[name] += _secret_lines(file)
    return found


def secret_files(options: BuildOptions, cwd: Path) -> list[Path]:
    """The files that secrets are read from."""
    return [file for _, _, file in _secret_sources(options, cwd) if file]


def _secret_sources(options: BuildOptions, cwd: Path) -> Iterator[tuple[str, str, Path | None]]:
    """The id of each secret, and the variable ("" for none) and the file that it comes from."""
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
        yield name, variable, cwd / source if source else None


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
