"""Which files a step reads: none is an answer too, and not knowing is another one."""

from __future__ import annotations

import pytest

from hitmiss.cache.derive import derive
from hitmiss.project.dockerfile import parse
from hitmiss.project.ignore import NOTHING_IGNORED
from hitmiss.project.manifest import Manifest
from hitmiss.project.operations import Question
from hitmiss.snapshot import StepFiles
from hitmiss.step_files import files_of
from tests.support.project import Project

TEXT = """\
FROM base AS first
WORKDIR /app
RUN make
COPY src/ src/
RUN --mount=target=/t,source=src ls /t
FROM base AS last
COPY --from=first /app /app
COPY src/b other /
"""


@pytest.fixture
def manifest(project: Project) -> Manifest:
    project.write("src/a", "1")
    project.write("src/b", "22")
    found = Manifest(str(project.path), NOTHING_IGNORED)
    found.read()
    return found


def read(stage: str, index: int, manifests: dict[str, Manifest]) -> StepFiles | None:
    operations = derive(Question(parse(TEXT), build_platform="linux/amd64"))
    return files_of(operations, operations.steps["", stage, index], manifests, None)


@pytest.mark.parametrize(
    ("stage", "index", "paths"),
    [
        ("first", 1, []),
        ("first", 2, []),
        ("first", 3, []),
        ("first", 4, ["src/b", "src/a"]),
        ("first", 5, ["src/b", "src/a"]),
        ("last", 2, []),
        ("last", 3, ["src/b"]),
    ],
)
def test_the_files_of_each_step(stage: str, index: int, paths: list[str], manifest: Manifest) -> None:
    found = read(stage, index, {"": manifest})
    assert found is not None
    assert [row.path for row in found.rows] == paths
    assert found.count == len(paths)


def test_a_context_that_was_not_looked_at() -> None:
    assert read("first", 4, {}) is None
    assert read("first", 3, {}) == StepFiles()
