"""The matrix: cases of `cases_files`."""

from tests.matrix.suite import suite

test_case, test_figures = suite("files")
