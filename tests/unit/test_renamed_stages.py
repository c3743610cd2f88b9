"""Causes in a stage that got another name, or another number: what it was called makes no difference."""

from __future__ import annotations

import pytest

from hitmiss.cache.plan import Request
from hitmiss.project.dockerfile import Stage
from tests.support.imagined import Asked, Cache

FILES = {"src/a": "a", "src/b": "b"}
UNNAMED = "FROM busybox\nRUN :\nCOPY src/ /s/\nRUN ls /s\n"
TWO = """\
FROM busybox AS make
COPY src/ src/
ARG VER=1
RUN make $VER
FROM busybox AS app
COPY --from=make /o /o
RUN --mount=from=make,target=/m cat /m/x
"""
NUMBERED = "FROM busybox\nRUN mkdir /o\nFROM busybox\nCOPY --from=0 /o /o\nRUN cat /o/x\n"
ABOVE = "FROM busybox AS extra\nRUN echo extra\n"


def told(first: Asked, *then: Asked) -> dict[str, tuple[str, str]]:
    """Kind and root of every miss of the last build."""
    cache = Cache()
    cache.build(first)
    built = [cache.build(each) for each in then]
    return {step: (cause.kind.value, cause.root) for step, cause in built[-1].causes.items()}


def test_a_stage_gets_a_name() -> None:
    first = Asked(UNNAMED, FILES)
    named = first.but(dockerfile=UNNAMED.replace("FROM busybox", "FROM busybox AS app"))
    assert told(first, named) == {}
    assert told(first, named.but(files={**FILES, "src/a": "1"})) == {
        "app:3": ("files-changed", "app:3"),
        "app:4": ("parent-missed", "app:3"),
    }


BUILDER = TWO.replace("AS make", "AS builder").replace("from=make", "from=builder")
EDITS = {
    "a file": (Asked(BUILDER, {**FILES, "src/a": "1"}), "builder:2", "files-changed"),
    "an argument": (Asked(BUILDER, FILES, args={"VER": "2"}), "builder:3", "argument-changed"),
    "ENV": (Asked(BUILDER.replace("ARG VER", "ENV A=1\nARG VER"), FILES), "builder:3", "environment-changed"),
    "an instruction": (Asked(BUILDER.replace("RUN make", "RUN make -v"), FILES), "builder:3", "instruction-changed"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_stage_gets_another_name_and_is_changed(edit: str) -> None:
    asked, where, kind = EDITS[edit]
    found = told(Asked(TWO, FILES), asked)
    assert found.pop(where) == (kind, where)
    assert found.pop("app:2") == ("stage-output-changed", where)
    assert set(found.values()) == {("parent-missed", where)}


def test_a_stage_without_a_name_gets_another_number() -> None:
    first = Asked(NUMBERED, FILES)
    moved = ABOVE + NUMBERED.replace("--from=0", "--from=1")
    more = moved.replace("COPY --from=1", "COPY --from=extra /e /e\nCOPY --from=1")
    assert told(first, first.but(dockerfile=more)) == {
        "extra:2": ("first-build", "extra:2"),
        "stage-2:2": ("step-inserted", "stage-2:2"),
        "stage-2:3": ("parent-missed", "stage-2:2"),
        "stage-2:4": ("parent-missed", "stage-2:2"),
    }
    edited = moved.replace("RUN cat", "RUN cat -u")
    assert told(first, first.but(dockerfile=edited)) == {"stage-2:3": ("instruction-changed", "stage-2:3")}
    edited = moved.replace("mkdir", "mkdir -p")
    assert told(first, first.but(dockerfile=edited))["stage-1:2"] == ("instruction-changed", "stage-1:2")


def test_the_only_step_of_a_stage_is_edited_with_its_name() -> None:
    text = "FROM busybox AS a\nRUN echo one of many > /x\nFROM busybox AS b\nCOPY --from=a /x /x\n"
    found = told(Asked(text, {}), Asked(text.replace("AS a", "AS c").replace("=a", "=c").replace("one", "two"), {}))
    assert found == {"c:2": ("instruction-changed", "c:2"), "b:2": ("stage-output-changed", "c:2")}


def test_a_stage_in_the_place_of_another_one_is_new() -> None:
    text = "FROM busybox AS a\nRUN make the things\nFROM busybox AS b\nCOPY --from=a /x /x\n"
    other = text.replace("AS a\nRUN make the things", "AS c\nRUN curl https://example.org").replace("=a", "=c")
    assert told(Asked(text, {}), Asked(other, {})) == {
        "c:2": ("first-build", "c:2"),
        "b:2": ("instruction-changed", "b:2"),
    }


def test_a_stage_that_the_target_left_out_is_not_taken_for_a_new_one() -> None:
    text = "FROM busybox AS a\nCOPY src/ /s\nFROM busybox AS b\nCOPY src/ /s\nRUN ls\n"
    assert set(told(Asked(text, FILES, "a"), Asked(f"{text}RUN b\n", FILES)).values()) <= {
        ("first-build", "b:3"),
        ("first-build", "b:4"),
    }


def test_renamed_and_asked_to_run() -> None:
    request = Request(stages=frozenset({"builder"}))
    found = told(Asked(TWO, FILES), Asked(BUILDER, FILES, request=request))
    assert found["app:2"] == ("stage-output-changed", "builder:3")


def test_the_stages_are_not_gone_through_for_each_pair_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many stages, each read by a step of its own, are little more than twice as much work."""
    asked = 0

    def shown(stage: Stage) -> str:
        nonlocal asked
        asked += 1
        return stage.name or f"stage-{stage.index}"

    def of(stages: int) -> int:
        nonlocal asked
        made = "".join(f"FROM busybox AS s{number}\nRUN {number} 1\n" for number in range(stages))
        read = "".join(f"COPY --from=s{number} /o /{number}\n" for number in range(stages))
        text = f"{made}FROM busybox AS end\n{read}"
        asked = 0
        told(Asked(text, {}), Asked(text.replace(" 1\n", " 2\n"), {}))
        return asked

    monkeypatch.setattr(Stage, "shown", property(shown))
    assert of(20) < 3 * of(10)
