"""What every test gets: folders of its own, and on request a private engine.

No test can reach an engine that somebody uses: without `engine_env`, docker is pointed at a socket that is not
there; with it, at a daemon that belongs to this process. Tests of the pure rooms need nothing of `tests.support`
beyond the standard library, so the engine is imported by those who ask for it.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.environment import PERSONAL, STRAY, home_variables
from tests.support.project import Project

if TYPE_CHECKING:
    from tests.support.engine import PrivateEngine
    from tests.support.registry import Registry

ENGINE_FIXTURES = frozenset({"engine", "second_engine", "mortal_engine", "registry"})

_numbers = itertools.count()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses an engine, before `-m` looks at the marks."""
    for item in items:
        if ENGINE_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.engine)


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME and the XDG folders of this test alone; docker is pointed at nothing."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_numbers))
    home.mkdir(parents=True)
    for name in [name for name in os.environ if STRAY.match(name) or PERSONAL.match(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home / 'no-engine.sock'}")
    for name, value in home_variables(home).items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh folder for a project."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def engine() -> Iterator["PrivateEngine"]:
    """The private engine of this file's tests, with stand-in base images: no file sees what another left running."""
    yield from started_engine()


@pytest.fixture(scope="module")
def second_engine(engine: "PrivateEngine") -> Iterator["PrivateEngine"]:
    """Another one with the same base images; `engine.add_builder(second_engine)` makes it a builder."""
    for other in started_engine(empty=True):
        engine.copy_images_to(other, *_base_names())
        yield other


@pytest.fixture
def mortal_engine() -> Iterator["PrivateEngine"]:
    """An engine of this test alone, which it may kill."""
    yield from started_engine()


@pytest.fixture(scope="session")
def registry() -> Iterator["Registry"]:
    """A registry on loopback."""
    from tests.support.engine import NoEngineError
    from tests.support.registry import Registry

    try:
        server = Registry().start()
    except NoEngineError as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.stop()


@pytest.fixture
def empty_cache(engine: "PrivateEngine") -> "PrivateEngine":
    """The engine, with nothing in its build cache."""
    engine.empty_cache()
    return engine


@pytest.fixture
def engine_env(engine: "PrivateEngine", isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> "PrivateEngine":
    """This process, and those that it starts, use the private engine."""
    use_engine(engine, monkeypatch)
    return engine


def use_engine(engine: "PrivateEngine", monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the environment of this process that of `engine.env()`."""
    env = engine.env()
    for name in os.environ.keys() - env.keys():
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def started_engine(*, empty: bool = False) -> Iterator["PrivateEngine"]:
    """An engine until the generator ends. Where none can be had the test fails: it is never skipped."""
    from tests.support.engine import NoEngineError, PrivateEngine

    try:
        private = PrivateEngine().start()
    except NoEngineError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        if not empty:
            private.import_base()
        yield private
    finally:
        private.stop()


def _base_names() -> tuple[str, ...]:
    from tests.support.images import DEFAULT_NAMES

    return DEFAULT_NAMES
