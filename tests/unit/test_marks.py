"""What the Dockerfile's gutter says."""

from itertools import pairwise

import msgspec

from hitmiss.build.model import Check, Place, Planned, Status, Verdict
from hitmiss.snapshot import Source
from hitmiss.symbols import PLANS, SYMBOLS
from hitmiss.ui.widgets.dockerfile_view import LineMark
from hitmiss.ui.widgets.marks import line_marks
from tests.support.subject import DOCKERFILE, step, tree, webapp
from tests.ui.telling import noted, planned

SOURCE = Source("Dockerfile", "/Dockerfile", DOCKERFILE)


def test_a_line_has_the_verdict_and_the_time_of_its_step() -> None:
    marks = line_marks(webapp("hhhm cf sr."), SOURCE)
    assert {line: (mark.glyph, mark.note) for line, mark in marks.items()} == {
        2: ("●", ""),
        3: ("●", ""),
        4: ("●", ""),
        5: ("◆", "4.5 s"),
        9: ("⊘", "1.5 s"),
        10: ("✖", "2.5 s"),
        13: ("–", ""),
        14: ("◈", ""),
        15: ("·", ""),
    }


def test_a_line_on_several_platforms_shows_what_matters_most() -> None:
    place = Place("Dockerfile", 3, 3)
    order = [Verdict.FAILED, Verdict.RUNNING, Verdict.CANCELED, Verdict.MISS, Verdict.HIT, Verdict.SKIPPED]
    for loud, quiet in pairwise(order):
        for verdicts in ((loud, quiet), (quiet, loud)):
            steps = [step(f"s{n}", 1, "RUN x", verdict, place=place) for n, verdict in enumerate(verdicts)]
            marks = line_marks(webapp(stages=tree(*steps)), SOURCE)
            assert marks[3].glyph == SYMBOLS[loud].glyph
            assert marks == line_marks(webapp(stages=tree(steps[1], steps[0])), SOURCE)


def test_the_error_stands_under_the_line_that_failed() -> None:
    failed = step("s", 1, "RUN x", Verdict.FAILED, place=Place("Dockerfile", 3, 4), error="exit [b]1[/b]\x1b\n more")
    marks = line_marks(webapp(stages=tree(failed)), SOURCE)
    assert marks == {3: LineMark("✖", "failed", "1.5 s", "exit [b]1[/b]� more")}


def test_checks_keep_the_verdict_of_their_line() -> None:
    checks = (
        Check("Stage name is odd", "", "", "Dockerfile", 2),
        Check("Another", "", "", "Dockerfile", 2),
        Check("No step here", "", "", "Dockerfile", 1),
        Check("Nowhere", "", "", "Dockerfile", 0),
    )
    marks = line_marks(webapp("hhhh hh hhh", checks=checks), SOURCE)
    assert marks[2] == LineMark("●", "hit", "", "Stage name is odd; Another")
    assert marks[1] == LineMark("!", "warning", "", "No step here")
    assert 0 not in marks


def test_an_error_of_the_file_wins() -> None:
    source = msgspec.structs.replace(SOURCE, error="unknown instruction: RNU", error_line=3)
    assert line_marks(webapp("hhhh hh hhh"), source)[3] == LineMark("✖", "failed", "", "unknown instruction: RNU")
    nowhere = msgspec.structs.replace(SOURCE, error="no such target")
    assert line_marks(webapp("hhhh hh hhh"), nowhere) == line_marks(webapp("hhhh hh hhh"), SOURCE)


def test_before_a_build_the_plan_stands_in_the_gutter() -> None:
    marks = line_marks(planned(), SOURCE)
    assert {line: (mark.glyph, mark.style_name, mark.note) for line, mark in marks.items()} == {
        **dict.fromkeys((2, 3, 4, 5, 14, 15), ("○", "hit", "")),
        **dict.fromkeys((9, 10), ("◇", "miss", "~41 s")),
        13: ("◌", "dim", "~0.3 s"),
    }


def test_a_wrong_plan_is_marked() -> None:
    marks = line_marks(noted(), SOURCE)
    assert [marks[line].note for line in (9, 10, 15)] == ["! 1.5 s", "!", "3.5 s"]


def test_of_several_platforms_what_will_run_is_shown() -> None:
    place = Place("Dockerfile", 3, 3)
    plans = [Planned.RUN, Planned.DEPENDS, Planned.HIT, None]
    for loud, quiet in pairwise(plans):
        for order in ((loud, quiet), (quiet, loud)):
            steps = [step(f"s{n}", 1, "RUN x", place=place, planned=plan) for n, plan in enumerate(order)]
            assert loud is not None
            assert line_marks(webapp(stages=tree(*steps)), SOURCE)[3].glyph == PLANS[loud].glyph


def test_steps_without_a_place_are_nowhere() -> None:
    assert line_marks(webapp(status=Status.IDLE, stages=tree(step("s", 2, "RUN y"))), SOURCE) == {}


def test_checks_of_a_dockerfile_that_stands_in_no_file_are_found_among_several() -> None:
    build = webapp(checks=(Check("x", "", "", "Dockerfile", 1),), stages=())
    assert 1 in line_marks(build, Source("inline", "", "FROM scratch"), {"api"})
    assert 1 not in line_marks(build, Source("Dockerfile.web", "/Dockerfile.web", "FROM scratch"), {"web"})
