"""`hitmiss.build/1`: exactly the fields of the contract, in its order, for every kind of build."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from hitmiss.build.model import Build, Place, Stage, Status, Step, Verdict
from hitmiss.report.json_report import report
from tests.support import streams

BUILD_KEYS = [
    "id",
    "status",
    "target",
    "builder",
    "platforms",
    "started",
    "duration_s",
    "steps",
    "hits",
    "misses",
    "saved_s",
    "context_bytes",
    "image",
    "error",
]
STEP_KEYS = [
    "id",
    "stage",
    "index",
    "of",
    "instruction",
    "file",
    "line",
    "platform",
    "bake_target",
    "verdict",
    "duration_s",
    "planned",
    "note",
    "cause",
]


def document(build: Build) -> dict[str, Any]:
    raw = report(build)
    assert raw.endswith(b"}\n")
    decoded: dict[str, Any] = json.loads(raw)
    return decoded


@pytest.mark.parametrize("name", streams.NAMES)
def test_the_fields_and_their_order(name: str) -> None:
    build = streams.folded(name)
    found = document(build)
    assert list(found) == ["schema", "build", "steps"]
    assert found["schema"] == "hitmiss.build/1"
    assert list(found["build"]) == BUILD_KEYS
    assert len(found["steps"]) == found["build"]["steps"] == len(build.steps)
    for step in found["steps"]:
        assert list(step) == STEP_KEYS
        assert (step["planned"], step["note"], step["cause"]) == (None, None, None)
        assert step["verdict"] in {"hit", "miss", "failed", "skipped", "canceled"}


def test_an_empty_build() -> None:
    assert document(Build(status=Status.FAILED)) == {
        "schema": "hitmiss.build/1",
        "build": {
            "id": "",
            "status": "failed",
            "target": "",
            "builder": "",
            "platforms": [],
            "started": None,
            "duration_s": 0.0,
            "steps": 0,
            "hits": 0,
            "misses": 0,
            "saved_s": 0.0,
            "context_bytes": 0,
            "image": None,
            "error": None,
        },
        "steps": [],
    }


def test_every_value() -> None:
    hit = Step(
        id="web:dev:2",
        stage="dev",
        index=2,
        of=3,
        instruction='COPY "ü" \x1b[31m /',
        platform="linux/arm64",
        bake_target="web",
        place=Place("Dockerfile.dev", 7, 9),
        verdict=Verdict.HIT,
        duration_s=0.12345,
        last_s=1.5,
    )
    ran = Step("dev:3", "dev", 3, 3, "RUN x", verdict=Verdict.MISS, duration_s=2.0, last_s=9.0)
    failed = Step("dev:4", "dev", 4, 4, "RUN y", verdict=Verdict.FAILED)
    build = Build(
        number=3,
        status=Status.SUCCEEDED,
        target="dev",
        builder="default",
        platforms=("linux/amd64",),
        started=datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC),
        duration_s=3.14159,
        stages=(Stage("dev", "dev", None, (hit, ran, failed)),),
        context_bytes=1200,
        image="sha256:1",
        ref="abc",
        error="it broke",
    )
    found = document(build)
    assert found["build"] == {
        "id": "abc",
        "status": "succeeded",
        "target": "dev",
        "builder": "default",
        "platforms": ["linux/amd64"],
        "started": "2026-11-21T01:02:03.456789Z",
        "duration_s": 3.142,
        "steps": 3,
        "hits": 1,
        "misses": 2,
        "saved_s": 1.5,
        "context_bytes": 1200,
        "image": "sha256:1",
        "error": "it broke",
    }
    assert found["steps"][0] == {
        "id": "web:dev:2",
        "stage": "dev",
        "index": 2,
        "of": 3,
        "instruction": 'COPY "ü" \x1b[31m /',
        "file": "Dockerfile.dev",
        "line": 7,
        "platform": "linux/arm64",
        "bake_target": "web",
        "verdict": "hit",
        "duration_s": 0.123,
        "planned": None,
        "note": None,
        "cause": None,
    }
    assert (found["steps"][1]["file"], found["steps"][1]["line"]) == (None, None)
    assert found["steps"][1]["platform"] == "linux/amd64", "the build's own"


def test_a_step_of_one_of_several_platforms_that_names_none() -> None:
    build = msgspec.structs.replace(streams.folded("sole"), platforms=("linux/amd64", "linux/arm64"))
    assert {step["platform"] for step in document(build)["steps"]} == {None}


def test_no_control_character_is_in_the_text() -> None:
    build = Build(
        error="\x1b]0;title\x07 \x00 \u2028", stages=(Stage("a", "a", None, (Step("a", "a", 1, 1, "\x9b\r\n"),)),)
    )
    raw = report(build)
    assert not [byte for byte in raw if byte < 0x20 and byte != 0x0A]
    assert json.loads(raw)["build"]["error"] == "\x1b]0;title\x07 \x00 \u2028"


def test_what_to_do_and_what_was_missed_are_there_where_there_is_something() -> None:
    work = Step("i", "", 0, 0, "importing cache manifest from r.io/c:1", error="r.io/c:1: not found")
    build = Build(status=Status.FAILED, error="It broke. Mend it.", advice="Mend it.", internals=(work,))
    found = document(build)["build"]
    assert list(found) == [*BUILD_KEYS, "advice", "notices", "transfers"]
    assert (found["error"], found["advice"]) == ("It broke. Mend it.", "Mend it.")
    assert found["notices"] == ["The cache of r.io/c:1 was not found (there is none yet)."]
