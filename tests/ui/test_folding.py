"""Lines of parts folded at a width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hitmiss.explain import Line, Part, Role, text_of
from hitmiss.ui.widgets.folding import fold
from hitmiss.ui.widgets.line_layout import width_of


def rows(text: str, width: int) -> list[str]:
    return [text_of(row) for row in fold((Part(text),), width)]


def test_lines_are_folded_between_words() -> None:
    assert rows("one two three four", 9) == ["one two", "three", "four"]
    assert rows("short", 9) == ["short"]
    assert rows("", 9) == [""]
    assert fold((), 9) == [()]


def test_what_goes_on_is_indented_like_the_text_it_goes_on_with() -> None:
    assert rows("  ~ src/a.py  and so on and on", 16) == ["  ~ src/a.py", "    and so on", "    and on"]
    assert rows("  was  RUN make all of it now", 24) == ["  was  RUN make all of", "       it now"]


def test_a_word_wider_than_the_row_is_cut() -> None:
    assert rows("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert rows("漢" * 7, 5) == ["漢漢", "漢漢", "漢漢", "漢"]


def test_parts_keep_their_roles_and_steps() -> None:
    line: Line = (Part("  ◆ ", Role.MISS), Part("RUN make all", Role.STEP, "s:1"), Part("  (3.2 s)", Role.DIM))
    first, second, *_ = fold(line, 14)
    assert first == (Part("  ◆ ", Role.MISS), Part("RUN make", Role.STEP, "s:1"))
    assert second[1] == Part("all", Role.STEP, "s:1")


@given(st.lists(st.tuples(st.text("ab 漢é~-\t", max_size=30), st.sampled_from(list(Role)))), st.integers(4, 40))
def test_rows_are_no_wider_than_the_view_and_lose_nothing_but_blanks(
    given_parts: list[tuple[str, Role]], width: int
) -> None:
    line = tuple(Part(text.replace("\t", " "), role) for text, role in given_parts)
    folded = fold(line, width)
    assert all(width_of(text_of(row)) <= width for row in folded)
    assert "".join(text_of(row) for row in folded).replace(" ", "") == text_of(line).replace(" ", "")
