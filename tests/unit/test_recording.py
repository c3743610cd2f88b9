"""A stream written to a file and read from one, whatever happened to the file."""

import json
from pathlib import Path

import pytest

from hitmiss.build.model import Status
from hitmiss.build.recording import SCHEMA, Header, Record, Writer, read
from hitmiss.errors import UsageError
from tests.support import streams

HEADER = Header(SCHEMA, "shop", "final", "default", ("linux/amd64",), "Dockerfile", "FROM busybox\n")
LINES = [
    b'{"vertexes":[{"digest":"d","name":"[1/1] RUN \xe4\xb8\xad","started":"2026-11-21T00:59:34Z"}]}',
    b"plain text",
    b"not UTF-8 \xff",
    b'{"vertexes":[{"digest":"d","completed":"2026-11-21T00:59:35Z"}]}',
]


def write(path: Path, *, builds: int = 1) -> None:
    writer = Writer(path)
    for _ in range(builds):
        writer.begin(HEADER)
        for number, line in enumerate(LINES):
            writer.line(number / 3, line)
        writer.end(2.0, Status.FAILED, "it broke", "sha256:1", "ref")
    writer.close()
    assert writer.error == ""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "file")
    head, *lines, end = read(tmp_path / "file")
    assert head == Record(start=HEADER)
    assert [record.line for record in lines] == [line.decode("utf-8", "replace") for line in LINES]
    assert [record.t for record in lines] == [0.0, 0.3333, 0.6667, 1.0]
    assert end == Record(t=2.0, end=Status.FAILED, error="it broke", image="sha256:1", ref="ref")


def test_several_builds(tmp_path: Path) -> None:
    write(tmp_path / "file", builds=3)
    records = read(tmp_path / "file")
    assert sum(record.start is not None for record in records) == 3
    assert len(records) == 3 * (len(LINES) + 2)


def test_cut_off_anywhere(tmp_path: Path) -> None:
    write(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    wanted = [line.decode("utf-8", "replace") for line in LINES]
    first = whole.index(b'"line"')
    played = 0
    for at in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:at])
        if at <= first:
            with pytest.raises(UsageError, match="cut holds no build"):
                read(tmp_path / "cut")
            continue
        try:
            records = read(tmp_path / "cut")
        except UsageError:
            assert at < whole.index(b"plain"), "the first line was whole"
            continue
        lines = [record.line for record in records if record.line is not None]
        assert lines == wanted[: len(lines)]
        assert len(lines) >= played
        played = len(lines)
        assert records[-1].end is not None
        assert records[-1].end in (Status.CANCELED, Status.FAILED)
    assert played == len(LINES)


def test_a_cut_recording_ends_as_canceled_and_says_so(tmp_path: Path) -> None:
    write(tmp_path / "whole")
    lines = (tmp_path / "whole").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").write_bytes(b"".join(lines[:-2]) + lines[-2][:20])
    last = read(tmp_path / "cut")[-1]
    assert (last.end, last.error) == (Status.CANCELED, "The recording was cut off here.")
    assert last.t == pytest.approx(0.6667)


def test_a_damaged_line_in_the_middle_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "whole")
    lines = (tmp_path / "whole").read_bytes().splitlines(keepends=True)
    (tmp_path / "damaged").write_bytes(lines[0] + lines[1] + b"\x00\xff garbage\n" + b"".join(lines[3:]))
    assert [record.line for record in read(tmp_path / "damaged") if record.line][1] == "not UTF-8 �"


@pytest.mark.parametrize("name", streams.NAMES)
def test_a_stream_that_somebody_saved(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(streams.raw(name))
    records = read(tmp_path / "file")
    times = [record.t for record in records]
    assert times[0] == 0.0
    assert times == sorted(times)
    build = streams.folded(name)
    slowest = max(step.duration_s for step in build.steps)
    assert slowest <= times[-1] < 30.0
    stream = "\n".join(record.line for record in records if record.line is not None).encode()
    assert streams.events(stream) == streams.events(streams.raw(name))
    wanted = Status.SUCCEEDED if build.status is Status.SUCCEEDED else Status.FAILED
    assert records[-1].end is wanted


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"FROM busybox\n",
        b"{}\n",
        b'{"name": "package", "version": "1"}\n',
        b'{"t":0.1,"line":"{}"}\n',
        b'{"vertexes":[]}\n',
        b"\x89PNG\r\n\x1a\n\x00\x00",
        json.dumps({"t": 0, "start": {"schema": "hitmiss.recording/99"}}).encode() + b'\n{"t":1,"line":"x"}\n',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_what_is_no_recording(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match=r"file holds no build\. Name a file that `--record` wrote"):
        read(tmp_path / "file")


def test_a_file_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "missing")
    with pytest.raises(UsageError, match="Is a directory"):
        read(tmp_path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written: No such file.*--record"):
        Writer(tmp_path / "missing" / "file")
    with pytest.raises(UsageError, match="Is a directory"):
        Writer(tmp_path)


def test_a_full_disk_ends_the_recording_and_not_the_build() -> None:
    writer = Writer(Path("/dev/full"))
    writer.begin(HEADER)
    for number in range(1000):
        writer.line(number, b"x" * 1000)
    assert writer.error == "The recording /dev/full ends here: No space left on device."
    writer.end(2.0, Status.SUCCEEDED, "", None, "")
    writer.begin(HEADER)
    writer.close()


@pytest.mark.parametrize("ends", [True, False])
def test_a_disk_that_is_full_at_the_very_end(ends: bool) -> None:
    writer = Writer(Path("/dev/full"))
    writer.begin(HEADER)
    assert writer.error == ""
    if ends:
        writer.end(2.0, Status.SUCCEEDED, "", None, "")
        assert "No space left" in writer.error
    writer.close()
    assert "No space left" in writer.error


def test_every_build_is_on_disk_when_it_has_ended(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "file")
    writer.begin(HEADER)
    writer.line(0.0, LINES[0])
    writer.end(1.0, Status.SUCCEEDED, "", None, "")
    assert len(read(tmp_path / "file")) == 3
    writer.close()
    writer.close()
