"""The matrix: cases of `cases_mounts`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("mounts")
