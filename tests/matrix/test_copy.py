"""The matrix: cases of `cases_copy`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("copy")
