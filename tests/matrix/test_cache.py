"""The matrix: cases of `cases_cache`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("cache")
