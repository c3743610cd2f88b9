"""Causes and plans that generated cases (`tests/generated`) showed to be wrong."""

from __future__ import annotations

from hitmiss.build.model import Planned
from hitmiss.cache.plan import Request
from tests.support.imagined import Asked, Cache, Imagined

HEREDOC = "FROM busybox AS a\nARG V=1\nENV E=$V\nCOPY <<EOF /x\none $E\nEOF\n"


def twice(first: Asked, then: Asked) -> Imagined:
    cache = Cache()
    cache.build(first)
    return cache.build(then)


def heredoc(old: str, new: str) -> tuple[str, str | None, str | None]:
    """The cause of the COPY of a heredoc after an edit of the Dockerfile."""
    build = twice(Asked(HEREDOC, {}), Asked(HEREDOC.replace(old, new), {}))
    cause = build.causes["a:2"]
    return cause.kind.value, cause.old, cause.new


def test_a_heredoc_is_copied_that_holds_a_variable() -> None:
    assert heredoc("ENV E=$V", "ENV E=3") == ("environment-changed", "E=$V", "E=3")
    assert heredoc("V=1", "V=2") == ("argument-changed", "V=1", "V=2")


def test_what_stands_on_a_stage_that_was_asked_to_run_runs_too() -> None:
    asked = Asked("FROM busybox AS a\nRUN x\nFROM a AS b\nCOPY f /f\nRUN y\n", {"f": "f"})
    build = twice(asked, asked.but(request=Request(stages=frozenset({"a"}))))
    assert {step: build.plan[step] for step in ("a:2", "b:1", "b:2")} == dict.fromkeys(
        ("a:2", "b:1", "b:2"), Planned.RUN
    )
    assert {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()} == {
        "a:2": ("no-cache", "a:2"),
        "b:1": ("parent-missed", "a:2"),
        "b:2": ("parent-missed", "a:2"),
    }


def test_what_only_reads_such_a_stage_depends_on_its_bytes() -> None:
    asked = Asked(
        "FROM busybox AS a\nRUN x\nFROM scratch AS b\nCOPY --link f /f\nCOPY --from=a /o /o\n",
        {"f": "f"},
        outputs={"b:2": "same"},
    )
    build = twice(asked, asked.but(request=Request(stages=frozenset({"a"}))))
    assert (build.plan["b:1"], build.plan["b:2"]) == (Planned.HIT, Planned.DEPENDS)
    assert list(build.causes) == ["a:2"]


def test_a_step_that_two_stages_share_runs_when_either_is_asked() -> None:
    text = "FROM busybox AS a\nCOPY f /f\nRUN x\nFROM busybox AS b\nCOPY f /f\nRUN y\nCOPY --from=a /o /o\n"
    asked = Asked(text, {"f": "f"})
    build = twice(asked, asked.but(request=Request(stages=frozenset({"b"}))))
    assert {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()} == {
        "a:2": ("no-cache", "a:2"),
        "a:3": ("parent-missed", "a:2"),
        "b:3": ("no-cache", "b:3"),
        "b:4": ("no-cache", "b:4"),
    }


def test_a_stage_that_is_put_below_another_one_is_the_root() -> None:
    text = "FROM busybox AS app\nRUN app\nCOPY f /f\n"
    below = "FROM busybox AS base\nRUN base\nFROM base AS app"
    build = twice(Asked(text, {"f": "f"}), Asked(text.replace("FROM busybox AS app", below), {"f": "f"}))
    assert {step: (cause.kind.value, cause.root) for step, cause in build.causes.items()} == {
        "base:2": ("first-build", "base:2"),
        "app:1": ("parent-missed", "base:2"),
        "app:2": ("parent-missed", "base:2"),
    }
