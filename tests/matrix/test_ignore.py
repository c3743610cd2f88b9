"""The matrix: cases of `cases_ignore`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("ignore")
