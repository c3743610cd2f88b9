"""The matrix: cases of `cases_dockerfile`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("dockerfile")
