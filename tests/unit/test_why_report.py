"""`hitmiss why`, `diff` and `history` on a plain terminal and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hitmiss.build.model import Build, Cause, CauseKind, Status, Verdict
from hitmiss.report import why
from tests.support.subject import step, tree, webapp

STOPPED = Cause(CauseKind.INSTRUCTION_CHANGED, "s:2", "", old="RUN make", new="RUN make x", against=17)


def said(build: Build, *ids: str) -> list[str]:
    """What `hitmiss why` prints of a build, its steps named or all that it tells by itself."""
    out = io.StringIO()
    steps = [each for each in build.steps if each.id in ids] if ids else why.telling(build)
    why.print_why(build, steps, Console(file=out, width=80), newcomer=bool(ids))
    return out.getvalue().splitlines()


def test_a_canceled_build_tells_what_was_stopped_and_what_was_not_reached() -> None:
    hit, stopped = step("s", 1, "FROM x", Verdict.HIT), step("s", 2, "RUN make x", Verdict.CANCELED, cause=STOPPED)
    after = [step("s", n, "RUN y", Verdict.SKIPPED) for n in (3, 4)]
    build = webapp(stages=tree(hit, stopped, *after), status=Status.CANCELED, number=18)
    lines = said(build)
    assert lines[0] == "build 18 · canceled"
    assert lines[1].startswith("CANCELED  RUN make x")
    assert lines[2:4] == ["  It was stopped before its end.", "  The instruction itself changed since build 17:"]
    assert lines[-1] == "2 steps were not reached."
    assert not any("cache" in line for line in lines)


@pytest.mark.parametrize(
    ("status", "last"),
    [
        (Status.SUCCEEDED, ["Every step came from the cache."]),
        (Status.FAILED, ["No step ran before it failed.", "1 step was not reached."]),
        (Status.CANCELED, ["No step ran before it was canceled.", "1 step was not reached."]),
    ],
)
def test_a_build_in_which_no_step_ran(status: Status, last: list[str]) -> None:
    hit, after = step("s", 1, "FROM x", Verdict.HIT), step("s", 2, "RUN y", Verdict.SKIPPED)
    build = webapp(stages=tree(hit, after), status=status)
    assert said(build)[1:] == last
    assert said(build, "s:1")[0] == f"build {build.number} · {status}"


def test_a_hit_that_is_not_what_it_seems_is_told() -> None:
    hit = step("s", 2, "RUN --mount=type=secret,id=pip x", Verdict.HIT, alarm="The secret pip changed.")
    lines = said(webapp(stages=tree(step("s", 1, "FROM x", Verdict.HIT), hit), status=Status.SUCCEEDED))
    assert lines[1].startswith("HIT  RUN --mount=type=secret")
    assert "  △ The secret pip changed." in lines
    assert lines[-1] == "Every step came from the cache."


def test_a_step_is_one_line_and_a_paragraph_of_its_own() -> None:
    long = "RUN " + "word " * 40 + "end"
    first, second = step("s", 1, "FROM x", Verdict.HIT), step("s", 2, long, Verdict.MISS, cause=STOPPED)
    build = webapp(stages=tree(first, second), status=Status.SUCCEEDED)
    lines = said(build, "s:1", "s:2")
    assert f"MISS  {long}" in lines
    assert all(line == line.rstrip() for line in lines)
    assert lines[lines.index(f"MISS  {long}") - 1] == ""
    assert lines[1] == "HIT  FROM x"
    assert lines[5].startswith("  FROM starts from another image")
