"""Glyphs, words, and figures for people."""

import pytest
from rich.cells import cell_len

from hitmiss.build.model import Note, Planned, Verdict
from hitmiss.symbols import ALARM, NOTES, OFF_PLAN, PLANS, SYMBOLS, about, plain, seconds, size, symbol_of
from tests.support.subject import step


def test_every_verdict_has_a_shape_of_its_own_that_is_one_cell_wide() -> None:
    assert set(SYMBOLS) == set(Verdict)
    assert len({symbol.glyph for symbol in SYMBOLS.values()}) == len(SYMBOLS)
    assert {cell_len(symbol.glyph) for symbol in SYMBOLS.values()} == {1}
    words = [symbol.word for symbol in SYMBOLS.values() if symbol.word]
    assert len(set(words)) == len(words)


def test_plans_have_shapes_and_words_of_their_own() -> None:
    assert set(PLANS) == set(Planned)
    assert set(NOTES) == set(Note)
    both = [*SYMBOLS.values(), *PLANS.values()]
    glyphs = [*(symbol.glyph for symbol in both), ALARM, OFF_PLAN]
    assert len(set(glyphs)) == len(glyphs)
    assert {cell_len(glyph) for glyph in glyphs} == {1}
    assert [PLANS[plan].word for plan in Planned] == [plan.value for plan in Planned]


def test_the_plan_is_shown_until_there_is_a_verdict() -> None:
    for planned in Planned:
        assert symbol_of(step("s", 1, "RUN x", planned=planned)) is PLANS[planned]
        for verdict in set(Verdict) - {Verdict.PENDING}:
            assert symbol_of(step("s", 1, "RUN x", verdict, planned=planned)) is SYMBOLS[verdict]
    assert symbol_of(step("s", 1, "RUN x")) is SYMBOLS[Verdict.PENDING]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3, "~0.3 s"), (9.9, "~9.9 s"), (9.96, "~10 s"), (41.2, "~41 s"), (59.7, "~59.7 s"), (125, "~2 min 05 s")],
)
def test_about(value: float, text: str) -> None:
    assert about(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (41, "41.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3840, "1 h 04 min"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (2e12, "2.0 TB"),
        (2e15, "2000.0 TB"),
    ],
)
def test_size(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("RUN  a \\\n   b\t c", "RUN a \\ b c"),
        ("\x1b[31mred\x07", "�[31mred�"),
        ("\x9b\u202e\u200f\ud800", "����"),
        ("漢字 é", "漢字 é"),
        ("[b]x[/b]", "[b]x[/b]"),
        ("", ""),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert plain(text) == shown
