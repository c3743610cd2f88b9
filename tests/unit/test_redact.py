"""Known secret values never get past the redactor."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss.build.progress import Event, Progress, Text, decode
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
    recorded = redactor.line(line, decoded(line))
    assert decoded(recorded) == event
    assert json.dumps(secret, ensure_ascii=False)[1:-1].encode() not in recorded
    assert base64.b64encode(secret.encode()) not in recorded


def test_a_secret_in_a_quoted_command() -> None:
    said = f"ERROR: process {json.dumps('echo ' + SECRET, ensure_ascii=False)} did not complete"
    assert Redactor([SECRET]).event(Text(said)) == Text(f'ERROR: process "echo {HIDDEN}" did not complete')


def test_a_secret_in_a_field_that_is_not_known() -> None:
    line = b'{"vertexes":[{"digest":"d","name":"n"}],"later":"hunter22"}'
    recorded = Redactor(["hunter22"]).line(line, decode(line))
    assert b"hunter22" not in recorded
    assert decode(recorded) == decode(line)


def test_plain_text() -> None:
    redactor = Redactor(["hunter22"])
    assert (
        redactor.line(b"ERROR: hunter22 is wrong", Text("ERROR: hunter22 is wrong"))
        == f"ERROR: {HIDDEN} is wrong".encode()
    )
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
                assert redactor.line(line, event) is line


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
