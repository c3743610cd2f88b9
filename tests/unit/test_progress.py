"""The wire: lines of the stream to values, whatever the lines hold and however they are cut."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss.build.progress import LineSplitter, Progress, Text, Vertex, decode
from tests.support import streams


def split(*chunks: bytes, limit: int = 1 << 20) -> list[bytes]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.close()


def test_a_vertex_with_all_its_fields() -> None:
    line = {
        "vertexes": [
            {
                "digest": "sha256:1",
                "name": "[a 1/2] RUN x",
                "inputs": ["sha256:0"],
                "started": "2026-11-21T00:59:34.046796561Z",
                "completed": "2026-11-21T00:59:35+00:00",
                "cached": True,
                "error": "no",
                "progressGroup": {"id": "g", "name": "[a 1/2] COPY", "weak": True},
            }
        ]
    }
    event = decode(json.dumps(line).encode())
    assert isinstance(event, Progress)
    assert event.vertexes is not None
    vertex = event.vertexes[0]
    assert vertex.inputs == ("sha256:0",)
    assert vertex.started == datetime(2026, 11, 21, 0, 59, 34, 46797, tzinfo=UTC)
    assert vertex.completed == datetime(2026, 11, 21, 0, 59, 35, tzinfo=UTC)
    assert vertex.cached
    assert vertex.error == "no"
    assert vertex.progress_group is not None
    assert (vertex.progress_group.name, vertex.progress_group.weak) == ("[a 1/2] COPY", True)


def test_a_log_is_bytes() -> None:
    data = b"half a character \xe4\xb8 and \x1b[31m"
    line = json.dumps({"logs": [{"vertex": "v", "stream": 2, "data": base64.b64encode(data).decode()}]})
    event = decode(line.encode())
    assert isinstance(event, Progress)
    assert event.logs is not None
    assert (event.logs[0].data, event.logs[0].stream) == (data, 2)


def test_a_warning_names_its_line() -> None:
    (warning,) = {
        warning.range[0].start.line if warning.range else 0: warning
        for event in streams.events(streams.raw("warnings"))
        if isinstance(event, Progress)
        for warning in event.warnings or ()
        if b"MaintainerDeprecated" in warning.short
    }.values()
    assert warning.range is not None
    assert warning.range[0].start.line == 2
    assert warning.source_info is not None
    assert warning.source_info.filename == "Dockerfile"
    assert warning.url.startswith("https://docs.docker.com/")


@pytest.mark.parametrize("line", [b"", b"  ", b"\r", b"\t \r\n"])
def test_blank_lines_say_nothing(line: bytes) -> None:
    assert decode(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR: failed to build",
        b"[1,2]",
        b"null",
        b"{",
        b'{"vertexes":',
        b'{"vertexes": 5}',
        b'{"vertexes": [5]}',
        b'{"vertexes": [{"name": "no digest"}]}',
        b'{"vertexes": [{"digest": "d", "started": "yesterday"}]}',
        b'{"vertexes": [{"digest": "d", "started": 5}]}',
        b'{"logs": [{"vertex": "d", "data": "not base64!"}]}',
        b'{"statuses": [{"id": "i", "current": 1e300}]}',
        b'{"vertexes": [{"digest": "\xff\xfe"}]}',
        b'{"vertexes": [{"digest": "\\ud800"}]}',
        b'{} trailing"',
        b'{"x":' * 100_000,
        b"{" + b'"a":[' * 100_000,
        b"\xff\xfe not UTF-8",
        b"\x00\x01",
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_no_progress_is_kept_as_text(line: bytes) -> None:
    event = decode(line)
    assert event == Text(line.strip().decode("utf-8", "replace"))


def test_unknown_fields_are_ignored() -> None:
    known = {"digest": "d", "name": "n", "later": {"deep": [1, {"x": None}]}}
    event = decode(json.dumps({"vertexes": [known], "more": [1], "schema": 2}).encode())
    assert event == Progress(vertexes=(Vertex("d", "n"),))


def test_null_lists_are_empty() -> None:
    assert decode(b'{"vertexes":null,"statuses":null,"logs":null,"warnings":null}') == Progress()


def test_a_line_of_two_megabytes() -> None:
    data = b"x" * (2 << 20)
    line = json.dumps({"logs": [{"vertex": "v", "data": base64.b64encode(data).decode()}]}).encode()
    (found,) = split(*[line[start : start + 65536] for start in range(0, len(line), 65536)], b"\n", limit=1 << 25)
    event = decode(found)
    assert isinstance(event, Progress)
    assert event.logs is not None
    assert event.logs[0].data == data


def test_a_line_beyond_the_limit_is_cut_and_the_next_is_whole() -> None:
    assert split(b"a" * 10, b"b" * 10, b"c\nnext\n", limit=15) == [b"a" * 10 + b"b" * 5, b"next"]


def test_what_is_left_after_the_last_line_end_is_a_line() -> None:
    assert split(b"one\ntwo") == [b"one", b"two"]
    assert split(b"one\n") == [b"one"]
    assert split(b"") == []


@pytest.mark.parametrize("name", ["failed", "sole"])
def test_the_same_events_wherever_the_stream_is_cut(name: str) -> None:
    stream = streams.raw(name)
    whole = streams.events(stream)
    lines = stream.splitlines()
    assert len(whole) > 25
    for at in range(len(stream)):
        assert split(stream[:at], stream[at:], limit=1 << 25) == lines
    assert [decode(line) for line in split(*[bytes([byte]) for byte in stream], limit=1 << 25)] == whole


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_in_any_chunks_split_as_the_whole_does(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    assert split(*chunks) == (whole.split(b"\n")[:-1] + ([whole.split(b"\n")[-1]] if whole.split(b"\n")[-1] else []))


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "2026-11-21T00:59:34Z", "eA=="])
)
FIELDS = st.sampled_from(["vertexes", "statuses", "logs", "warnings", "digest", "id", "vertex", "data", "started", "x"])


@given(st.dictionaries(FIELDS, VALUES | st.lists(VALUES | st.dictionaries(FIELDS, VALUES, max_size=4), max_size=2)))
def test_any_json_is_progress_or_text(value: object) -> None:
    assert isinstance(decode(json.dumps(value).encode()), Progress | Text)


@given(st.binary(max_size=200))
def test_any_bytes_are_progress_or_text_or_nothing(line: bytes) -> None:
    event = decode(line)
    assert (event is None) == (not line.strip())
    assert event is None or isinstance(event, Progress | Text)
