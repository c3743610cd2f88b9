"""The matrix: cases of `cases_stages`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("stages")
