"""The matrix: cases of `cases_prune`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("prune")
