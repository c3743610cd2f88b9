"""One build through a client of the test's own: what it is given, what is made of what it says, how it is ended."""

import asyncio
import base64
import contextlib
import errno
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from hitmiss.build.model import Build, Status, Verdict
from hitmiss.build.progress import Progress, decode
from hitmiss.build.recording import SCHEMA, Header, Writer, read
from hitmiss.docker import client
from hitmiss.errors import EngineError
from hitmiss.runner import Command, Job, Runner, ran, secret_values
from hitmiss.settings import OPTIONS, BuildOptions
from tests.support import hitmiss, streams
from tests.support.stand_in import install, saved_words, without_plugin, words_saver
from tests.support.wait import wait_for_async

SECRET = "hunter22"


@pytest.fixture(autouse=True)
def forget_the_stand_in() -> Any:
    yield
    client.find_client.cache_clear()


def build(folder: Path, options: BuildOptions | None = None, **more: Any) -> tuple[Build, Runner]:
    """Run one build to its end."""
    own = {name: more.pop(name) for name in tuple(more) if name in Job.__struct_fields__}
    runner = Runner(Job(options or BuildOptions(), **own), cwd=folder, **more)
    return asyncio.run(runner.run())[""], runner


def said(stream: bytes, tmp_path: Path, code: int = 0, metadata: str = "") -> str:
    """A script that says this on stderr, as buildx does, and writes a metadata file."""
    (tmp_path / "stream").write_bytes(stream)
    keep = f"printf '%s' '{metadata}' > \"$4\"\n" if metadata else ""
    return f"{keep}cat '{tmp_path / 'stream'}' >&2\nexit {code}\n"


# --- what the client is given ------------------------------------------------------------


def test_every_option_reaches_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(words_saver(tmp_path / "words"), tmp_path, monkeypatch)
    given: dict[str, Any] = {"text": "a b,c='d' \"e\" $x \udcff", "list": ("--x y", "", "z=1,src=2"), "switch": True}
    options = BuildOptions(context="some dir", **{option.field: given[option.kind] for option in OPTIONS})
    build(tmp_path, options)
    words = saved_words(tmp_path / "words")
    assert words[:3] == ["build", "--progress=rawjson", "--metadata-file"]
    assert words[4:] == options.arguments()
    assert len(words) > 60


def test_the_client_is_started_where_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("pwd > ../where; env > ../env; readlink /proc/self/fd/0 > ../stdin", tmp_path, monkeypatch)
    (tmp_path / "project").mkdir()
    build(tmp_path / "project")
    assert (tmp_path / "where").read_text().strip() == str(tmp_path / "project")
    assert (tmp_path / "stdin").read_text().strip() == "/dev/null", "no question can wait for an answer"
    seen = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert seen["HOME"] == os.environ["HOME"]


# --- what is made of what it says ---------------------------------------------------------


METADATA = '{"buildx.build.ref":"default/default/abc123","containerimage.digest":"sha256:feed","more":{"x":1}}'


@pytest.mark.parametrize("name", streams.NAMES)
def test_a_stream_becomes_a_build(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = {Status.FAILED: 1, Status.CANCELED: 130}.get(streams.folded(name).status, 0)
    install(said(streams.raw(name), tmp_path, code, "" if code else METADATA), tmp_path, monkeypatch)
    found, runner = build(tmp_path, target="final", builder="default", expected=streams.expected(name))
    wanted = streams.folded(name)
    assert found.status is wanted.status
    assert streams.verdicts(found) == streams.verdicts(wanted)
    assert (found.ref, found.image) == (("", None) if code else ("abc123", "sha256:feed"))
    assert (found.target, found.builder) == ("final", "default")
    assert found.duration_s > 0
    assert runner.engine_error is None
    assert runner.refused is False


@pytest.mark.parametrize("metadata", ["", "not JSON", "[]", "{}", '{"buildx.build.ref":5}'])
def test_metadata_that_says_nothing(metadata: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(said(streams.raw("sole"), tmp_path, 0, metadata), tmp_path, monkeypatch)
    found, _ = build(tmp_path)
    assert (found.status, found.ref, found.image) == (Status.SUCCEEDED, "", None)


def test_a_build_on_an_engine_that_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (
        b"ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading: EOF\n"
    )
    stream = streams.raw("canceled").splitlines(keepends=True)
    install(said(b"".join(stream[:-2]) + words, tmp_path, 1), tmp_path, monkeypatch)
    found, runner = build(tmp_path)
    assert found.status is Status.FAILED
    assert isinstance(runner.engine_error, EngineError)
    assert found.error == str(runner.engine_error)
    assert found.error.startswith("The Docker engine went away in the middle of the work.")
    assert Verdict.CANCELED in {step.verdict for step in found.steps}
    assert Verdict.RUNNING not in {step.verdict for step in found.steps}


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ('ERROR: failed to build: failed to solve: target stage "x" could not be found', True),
        ("ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN", True),
        ("ERROR: failed to build: failed to solve: failed to read dockerfile: open x: no such file or directory", True),
        ("ERROR: failed to build: failed to solve: process \"echo 'dockerfile parse error'\" did not complete", False),
        (
            "0.1 ERROR: failed to solve: dockerfile parse error\nERROR: failed to build: failed to solve: exit code 1",
            False,
        ),
        ('ERROR: failed to build: failed to solve: "/nofile": not found', False),
        ('ERROR: failed to build: failed to solve: failed to process "${x:?must}": x: must', True),
        ("ERROR: failed to build: failed to solve: syntax error in pattern", True),
    ],
)
def test_what_could_not_be_built_at_all(
    words: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(said(streams.raw("sole")[:2000] + b"\n" + words.encode() + b"\n", tmp_path, 1), tmp_path, monkeypatch)
    found, runner = build(tmp_path)
    assert (found.status, runner.refused, runner.engine_error) == (Status.FAILED, refused, None)


def test_a_client_that_refuses_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(said(b"ERROR: invalid field 'x' must be a key=value pair\n", tmp_path, 1), tmp_path, monkeypatch)
    found, runner = build(tmp_path)
    assert (found.error, runner.refused) == ("invalid field 'x' must be a key=value pair", True)


def test_bytes_that_are_not_utf8_and_lines_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = streams.raw("sole") + b"\xff\xfe odd\n" + b"{broken\n" + b"x" * 3_000_000 + b"\n" + b"no line end"
    install(said(stream, tmp_path), tmp_path, monkeypatch)
    found, _ = build(tmp_path)
    assert found.status is Status.SUCCEEDED
    assert found.text[0] == "�� odd"
    assert found.text[1] == "{broken"
    assert found.text[-1] == "no line end"


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(said(streams.raw("sole"), tmp_path), tmp_path, monkeypatch)
    statuses: list[Status] = []
    runner = Runner(Job(BuildOptions()), cwd=tmp_path, on_progress=lambda: statuses.append(runner.build().status))
    asyncio.run(runner.run())
    assert statuses[0] is Status.RUNNING
    assert statuses[-1] is Status.SUCCEEDED


def test_only_what_ran_to_its_end_is_remembered() -> None:
    assert [name for name, _ in ran(streams.folded("canceled"))] == [("", "build", "RUN echo begun")]
    names = [name for name, _ in ran(streams.folded("platforms"))]
    assert ("linux/amd64->arm64", "build", "RUN echo for-arm64 > /src/out") in names


def test_what_the_steps_took_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(said(streams.raw("all-hit"), tmp_path), tmp_path, monkeypatch)
    durations = dict(ran(streams.folded("first")))
    found, _ = build(tmp_path, durations=durations, expected=streams.expected("all-hit"))
    assert found.saved_s == pytest.approx(sum(durations.values()))


# --- clients that are none ------------------------------------------------------------------


OLD = 'if [ "$1" = version ]; then echo "github.com/docker/buildx v0.9.1 ed00243"; exit 0; fi\n'
NO_PLUGIN = "echo 'unknown flag: --progress\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]' >&2; exit 125\n"


@pytest.mark.parametrize("code", [0, 1])
def test_a_client_that_is_too_old(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes `rawjson` for a way of printing that it does not know, and prints plain text."""
    install(f"echo '#1 [internal] load build definition' >&2; exit {code}\n", tmp_path, monkeypatch, version=OLD)
    found, runner = build(tmp_path)
    assert found.status is Status.FAILED
    assert found.error == "buildx 0.9.1 is too old: hitmiss needs 0.19 or newer. Update Docker, or its buildx plugin."
    assert runner.engine_error is not None


def test_docker_without_its_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_plugin(tmp_path, monkeypatch, docker=NO_PLUGIN)
    found, runner = build(tmp_path)
    assert found.error == "Docker's buildx plugin is missing. Install it: https://docs.docker.com/go/buildx/"
    assert runner.engine_error is not None


def test_no_docker_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_plugin(tmp_path, monkeypatch)
    found, runner = build(tmp_path)
    assert found.error.startswith("Neither docker nor its buildx plugin was found on this machine. Install Docker")
    assert runner.engine_error is not None


def test_a_client_that_vanished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = install("exit 0", tmp_path, monkeypatch)
    client.find_client()
    plugin.unlink()
    found, runner = build(tmp_path)
    assert "docker-buildx is gone." in found.error
    assert runner.engine_error is not None
    assert client.find_client().buildx != (str(plugin),), "the next build looks for it anew"


def test_a_client_that_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = install("exit 0", tmp_path, monkeypatch)
    plugin.write_bytes(b"\x00\x01\x02")
    found, runner = build(tmp_path)
    assert "could not be started" in found.error
    assert runner.engine_error is not None


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("exit 0", tmp_path, monkeypatch)
    found, runner = build(tmp_path / "gone")
    assert found.status is Status.FAILED
    assert found.error == f"The folder {tmp_path / 'gone'} is gone. Start hitmiss in a folder that is there."
    assert (runner.engine_error, runner.refused) == (None, True)


def test_no_room_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("exit 0", tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    found, runner = build(tmp_path)
    assert found.status is Status.FAILED
    assert found.error.startswith("A build needs temporary files, and they cannot be written: No such file")
    assert found.error.endswith(" Make room for them, or name another folder with TMPDIR.")
    assert (runner.engine_error, runner.refused) == (None, True)


def test_no_room_for_the_file_that_several_targets_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("exit 0", tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    before = set(tmp_path.iterdir())
    found, _ = build(tmp_path, command=Command(("bake",), b"{}"))
    assert found.error.startswith("A build needs temporary files, and they cannot be written: No space left on device.")
    assert set(tmp_path.iterdir()) == before


# --- cancelling -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "trap '' INT TERM; echo '{}' >&2; while :; do sleep 1; done\n",
        "trap '' INT; (trap '' INT TERM; sleep 600) & echo '{}' >&2; wait\n",
        "trap 'exit 130' INT; (trap '' INT; sleep 600) & echo '{}' >&2; wait\n",
    ],
    ids=["deaf client", "deaf child too", "deaf child"],
)
def test_a_client_that_does_not_listen(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(script, tmp_path, monkeypatch)
    before = hitmiss.family()

    async def cancel() -> float:
        runner = Runner(Job(BuildOptions()), cwd=tmp_path)
        task = asyncio.create_task(runner.run())
        await wait_for_async(lambda: runner._heard, 10, "the client to speak")
        began = time.monotonic()
        runner.cancel()
        assert (await task)[""].status is Status.CANCELED
        return time.monotonic() - began

    assert asyncio.run(cancel()) < 1.0
    assert hitmiss.family() == before


def test_a_build_cancelled_before_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("sleep 600\n", tmp_path, monkeypatch)
    before = hitmiss.family()
    runner = Runner(Job(BuildOptions()), cwd=tmp_path)
    runner.cancel()
    assert asyncio.run(runner.run())[""].status is Status.CANCELED
    assert hitmiss.family() == before


# --- secrets ------------------------------------------------------------------------------------


def test_secrets_are_in_no_name_no_log_no_text_and_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = base64.b64encode(f"it is {SECRET}\n".encode()).decode()
    vertex = {"digest": "d", "name": f"[1/1] RUN {SECRET}", "started": "2026-11-21T00:00:00Z", "error": f"{SECRET}!"}
    line = json.dumps({"vertexes": [vertex], "logs": [{"vertex": "d", "data": data}]})
    install(said(f"{line}\nERROR: failed to solve: {SECRET}\n".encode(), tmp_path, 1), tmp_path, monkeypatch)
    writer = Writer(tmp_path / "recorded")
    options = BuildOptions(build_args=(f"API_TOKEN={SECRET}",))
    header = Header(SCHEMA, dockerfile=f"ENV X={SECRET}")
    found, runner = build(tmp_path, options, writer=writer, header=header)
    writer.close()
    log = runner.log("stage-0:1")
    assert log is not None
    assert log.texts() == ["it is •••"]
    assert found.steps[0].instruction == "RUN •••"
    assert (found.error, found.text[-1]) == ("•••", "ERROR: failed to solve: •••")
    assert SECRET not in repr(found)
    recorded = (tmp_path / "recorded").read_bytes()
    assert SECRET.encode() not in recorded
    assert base64.b64encode(f"it is {SECRET}".encode())[:-4] not in recorded
    assert len(read(tmp_path / "recorded")) == 4


def test_a_secret_in_pieces_is_in_no_log_and_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [f"it is {SECRET[:3]}", f"{SECRET[3:]}, or {SECRET[:5]}", " or", f" {SECRET[:2]}"]
    vertex = {"digest": "d", "name": "[1/1] RUN true", "started": "2026-11-21T00:00:00Z"}
    logs = [{"vertex": "d", "stream": 1, "data": base64.b64encode(piece.encode()).decode()} for piece in pieces]
    lines = [json.dumps({"vertexes": [vertex]}), *(json.dumps({"logs": [log]}) for log in logs)]
    install(said("\n".join(lines).encode(), tmp_path), tmp_path, monkeypatch)
    with contextlib.closing(Writer(tmp_path / "recorded")) as writer:
        header = Header(SCHEMA)
        _, runner = build(tmp_path, BuildOptions(build_args=(f"API_TOKEN={SECRET}",)), writer=writer, header=header)
    log = runner.log("stage-0:1")
    assert log is not None
    told = f"it is •••, or {SECRET[:5]} or {SECRET[:2]}"
    assert log.texts() == [told]
    events = [decode(record.line.encode()) for record in read(tmp_path / "recorded") if record.line]
    written = (entry.data for event in events if isinstance(event, Progress) for entry in event.logs or ())
    assert b"".join(written).decode() == told


def test_where_secrets_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("line one\nline two\n")
    (tmp_path / "like-a-file").write_text("by its name")
    for name in ("VARIABLE", "like-a-variable", "TYPED"):
        monkeypatch.setenv(name, f"value of {name}")
    monkeypatch.setenv("DB_PASSWORD", "from outside")
    secrets = (
        "id=a,src=file",
        "id=b,source=missing",
        "id=c,env=VARIABLE",
        "id=like-a-variable",
        "id=like-a-file",
        "type=env,id=d,src=TYPED",
        '"id=e","src=file"',
        "nonsense",
        "",
        '"broken\n',
    )
    options = BuildOptions(secrets=secrets, build_args=("DB_PASSWORD", "VERSION=1.2.3.4", "MY_TOKEN=tok=en"))
    assert secret_values(options, tmp_path) == [
        "from outside",
        "tok=en",
        "line one",
        "line two",
        "value of VARIABLE",
        "value of like-a-variable",
        "by its name",
        "value of TYPED",
        "line one",
        "line two",
    ]
