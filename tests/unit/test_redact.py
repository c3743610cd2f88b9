"""Known secret values never get past the redactor."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss.build.progress import Event, Log, Progress, Text, Vertex, decode
from hitmiss.build.redact import HIDDEN, Redactor
from tests.support import streams

SECRET = 'hunter"2\\中'


def line_with(text: str) -> bytes:
    """One line of the stream that has `text` wherever a text can be."""
    data = base64.b64encode(text.encode()).decode()
    vertex = {"digest": "d", "name": f"[1/1] RUN {text}", "error": f"process {text} failed", "inputs": ["i"]}
    return json.dumps(
        {
            "vertexes": [{**vertex, "progressGroup": {"id": "g", "name": f"[1/1] COPY {text}", "weak": True}}],
            "statuses": [{"id": f"pulling {text}", "name": text, "vertex": "d", "current": 3}],
            "logs": [{"vertex": "d", "stream": 2, "data": data}],
            "warnings": [{"short": data, "detail": [data, data], "sourceInfo": {"filename": "f", "data": data}}],
            "later": text,
        },
        ensure_ascii=False,
    ).encode()


def decoded(line: bytes) -> Event:
    event = decode(line)
    assert event is not None
    return event


@pytest.mark.parametrize("secret", [SECRET, "plain secret", "two\nlines", "tabs\t", "•••x"])
def test_a_secret_is_taken_out_wherever_it_is(secret: str) -> None:
    redactor = Redactor([secret])
    line = line_with(secret)
    event = redactor.event(decoded(line))
    assert isinstance(event, Progress)
    assert event == decoded(line_with(HIDDEN))
    assert event.vertexes is not None
    assert event.vertexes[0].name == f"[1/1] RUN {HIDDEN}"
    recorded = redactor.line(line, decoded(line), event)
    assert decoded(recorded) == event
    assert json.dumps(secret, ensure_ascii=False)[1:-1].encode() not in recorded
    assert base64.b64encode(secret.encode()) not in recorded


def test_a_secret_in_a_quoted_command() -> None:
    said = f"ERROR: process {json.dumps('echo ' + SECRET, ensure_ascii=False)} did not complete"
    assert Redactor([SECRET]).event(Text(said)) == Text(f'ERROR: process "echo {HIDDEN}" did not complete')


def test_a_secret_in_a_field_that_is_not_known() -> None:
    line = b'{"vertexes":[{"digest":"d","name":"n"}],"later":"hunter22"}'
    event = decoded(line)
    redactor = Redactor(["hunter22"])
    recorded = redactor.line(line, event, redactor.event(event))
    assert b"hunter22" not in recorded
    assert decode(recorded) == decode(line)


def test_plain_text() -> None:
    redactor = Redactor(["hunter22"])
    said = Text("ERROR: hunter22 is wrong")
    assert redactor.line(said.text.encode(), said, redactor.event(said)) == f"ERROR: {HIDDEN} is wrong".encode()
    assert redactor.text("hunter22hunter22") == HIDDEN * 2


def test_the_longest_secret_goes_first() -> None:
    assert Redactor(["secret", "secret-and-more"]).text("secret-and-more") == HIDDEN


def test_values_that_would_blank_out_half_of_every_log() -> None:
    redactor = Redactor(["", "a", "  \n  ", "abc"])
    assert not redactor
    assert redactor.text("abc a") == "abc a"


def test_values_of_switches_and_words_of_buildkit() -> None:
    redactor = Redactor(["true", "False", "build", "context"])
    assert not redactor
    assert redactor.text("[internal] load build context, retry: true") == "[internal] load build context, retry: true"


def test_a_step_is_known_by_its_stage_whatever_the_secret() -> None:
    line = b'{"vertexes":[{"digest":"d","name":"[shop linux/amd64 vault 2/4] RUN echo vault"}]}'
    event = Redactor(["vault", "shop"]).event(decoded(line))
    assert isinstance(event, Progress)
    assert event.vertexes is not None
    assert event.vertexes[0].name == "[shop linux/amd64 vault 2/4] RUN echo •••"


@pytest.mark.parametrize("name", streams.NAMES)
def test_what_holds_no_secret_is_the_same_object(name: str) -> None:
    for redactor in (Redactor([]), Redactor(["nowhere to be found"])):
        for line in streams.raw(name).splitlines():
            if event := decode(line):
                assert redactor.event(event) is event
                assert redactor.line(line, event, event) is line


def test_a_value_that_is_not_utf8() -> None:
    redactor = Redactor(["se\udcffcret"])
    event = decoded(json.dumps({"logs": [{"data": base64.b64encode(b"a se\xffcret b").decode()}]}).encode())
    clean = redactor.event(event)
    assert isinstance(clean, Progress)
    assert clean.logs is not None
    assert clean.logs[0].data == f"a {HIDDEN} b".encode()


@given(st.text(min_size=4, max_size=12).filter(lambda text: bool(Redactor([text]))), st.text(max_size=20))
def test_any_secret_in_any_text(secret: str, around: str) -> None:
    assert Redactor([secret]).text(f"{around}{secret}") != f"{around}{secret}"
    assert secret not in Redactor([secret]).text(f"<{secret}>") or secret in f"<{HIDDEN}>"


# A secret in pieces


def wrote(redactor: Redactor, *pieces: str, stream: int = 1, vertex: str = "d", ended: bool = False) -> str:
    """What is told of a step that writes these pieces, one an event."""
    vertexes = (Vertex(vertex, completed=datetime.fromtimestamp(0, UTC)),) if ended else None
    events = [Progress(logs=(Log(vertex, stream, piece.encode()),)) for piece in pieces] + [Progress(vertexes)]
    return told(*map(redactor.event, events))


def told(*events: Event | None) -> str:
    found = (log for event in events if isinstance(event, Progress) for log in event.logs or ())
    return b"".join(log.data for log in found).decode()


def test_a_secret_in_two_pieces() -> None:
    redactor = Redactor(["hunter22"])
    assert wrote(redactor, "it is hunt") == "it is "
    assert wrote(redactor, "er22, and") == f"{HIDDEN}, and"
    assert redactor.rest() is None


def test_only_the_beginning_of_a_secret_is_held() -> None:
    redactor = Redactor(["hunter22"])
    assert wrote(redactor, "hunter2? [y/n] ") == "hunter2? [y/n] "
    assert wrote(redactor, "a hunt") == "a "
    assert wrote(redactor, "ed deer") == "hunted deer"


def test_what_is_held_is_told_when_its_step_ends_or_the_stream() -> None:
    redactor = Redactor(["hunter22"])
    assert wrote(redactor, "a hunt", ended=True) == "a hunt"
    assert wrote(redactor, "hunt", vertex="other") == ""
    assert wrote(redactor, "", ended=True) == ""
    assert told(redactor.rest()) == "hunt"
    assert redactor.rest() is None


def test_what_is_held_at_the_end_may_be_a_secret_itself() -> None:
    redactor = Redactor(["secret", "secret-and-more"])
    assert wrote(redactor, "a secret") == "a "
    assert wrote(redactor, "-and-", ended=True) == f"{HIDDEN}-and-"
    assert wrote(redactor, "secret", "-and-more") == HIDDEN


def test_each_step_and_stream_has_its_own_pieces() -> None:
    redactor = Redactor(["hunter22"])
    assert wrote(redactor, "hunt", stream=1) == ""
    assert wrote(redactor, "er22", stream=2) == "er22"
    assert wrote(redactor, "er22", vertex="other") == "er22"
    assert wrote(redactor, "er22", stream=1) == HIDDEN


@given(
    st.lists(st.text("ab", min_size=4, max_size=7), min_size=1, max_size=3),
    st.lists(st.text("abc", max_size=9), max_size=6),
    st.booleans(),
)
def test_whatever_the_pieces_the_same_is_told(secrets: list[str], pieces: list[str], ended: bool) -> None:
    redactor = Redactor(secrets)
    said = wrote(redactor, *pieces, ended=ended) + told(redactor.rest())
    assert said == Redactor(secrets).text("".join(pieces))
