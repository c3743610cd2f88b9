"""What nobody may see is in nothing that is kept or shown, and alike values stay alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitmiss.build.model import Cause, CauseKind
from hitmiss.cache.derive import derive
from hitmiss.cache.hidden import Hider
from hitmiss.forecast import Forecaster, Plan
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine
from hitmiss.project.definition import Definition, load
from hitmiss.project.dockerfile import parse
from hitmiss.project.operations import Question
from hitmiss.settings import BuildOptions

DOCKERFILE = """\
FROM busybox AS vault
RUN echo vault > /vault
ARG DB_PASSWORD
ARG WHERE
RUN echo $WHERE
"""
SALT = b"salt"


def shown(hider: Hider, **given: str) -> str:
    question = Question(parse(DOCKERFILE), "", given, build_platform="linux/amd64")
    return repr(hider.operations(derive(question, (), images={})))


def test_a_secret_is_in_no_operation_and_no_argument() -> None:
    hider = Hider(["hunter22"], SALT).beside([DOCKERFILE])
    given = {"DB_PASSWORD": "hunter22", "WHERE": "https://hunter22@example"}
    assert "hunter22" not in shown(hider, **given)
    assert "hunter22" not in repr(hider.arguments(given))


def test_what_the_dockerfile_says_itself_stays_as_it_is() -> None:
    hider = Hider(["vault", "hunter22"], SALT)
    beside = hider.beside([DOCKERFILE])
    assert "echo vault > /vault" in shown(beside, DB_PASSWORD="vault")
    assert "DB_PASSWORD" in shown(beside, DB_PASSWORD="vault")
    assert beside.arguments({"DB_PASSWORD": "vault"}) == hider.arguments({"DB_PASSWORD": "vault"})
    assert "vault" not in repr(beside.arguments({"DB_PASSWORD": "vault"}))
    assert beside.arguments({"WHERE": "vault"}) == {"WHERE": "vault"}
    assert "hunter22" not in repr(beside.arguments({"WHERE": "hunter22"}))
    assert hider.text("vault") == "•••"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(tmp_path / "history.sqlite")) as store:
        yield store


def planned(store: Store, definition: Definition, options: BuildOptions, *hidden: str) -> Plan:
    plan = Forecaster(store, Path("/project"), "default", hidden).plan(definition, options, Engine())
    assert plan
    return plan


def test_a_secret_that_nothing_reads_changes_no_plan(store: Store, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    definition = load(BuildOptions(), cwd=tmp_path, environment={})
    with_it = planned(store, definition, BuildOptions(), "vault", "busybox")
    assert with_it.facts.dockerfile == DOCKERFILE
    assert with_it.facts.operations == planned(store, definition, BuildOptions()).facts.operations
    assert [step.text for step in with_it.facts.steps][1] == "RUN echo vault > /vault"


def test_nor_that_of_a_target_built_on_another(store: Store, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "app").write_text("FROM base\nRUN echo app\n")
    base = load(BuildOptions(), cwd=tmp_path, environment={})
    options = BuildOptions(file="app", build_contexts=("base=target:base",))
    app = load(options, cwd=tmp_path, environment={}, linked={"base": ("base", base)})
    operations = planned(store, app, options, "vault").facts.operations
    assert operations == planned(store, app, options).facts.operations
    assert "echo vault" in repr(operations)


def test_a_cause_is_told_without_secrets() -> None:
    hider = Hider(["hunter22"], SALT)
    cause = Cause(CauseKind.INSTRUCTION_CHANGED, "id", "It was edited.", old="RUN echo hunter22", new="RUN echo")
    clean = hider.cause(cause)
    assert (clean.old, clean.new, clean.detail) == ("RUN echo •••", "RUN echo", cause.detail)
    other = Cause(CauseKind.FIRST_BUILD, "id", "It was never built.")
    assert hider.cause(other) is other
