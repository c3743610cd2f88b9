"""How a session stands by an engine that fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from hitmiss import standing
from hitmiss.crew import Crew
from hitmiss.docker import builders
from hitmiss.errands import Errands
from hitmiss.errors import EngineError
from hitmiss.standing import Standing

GONE = EngineError("It does not answer.", "Start it.")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the engine will say of itself, the next first; after that it answers."""
    said: list[bool] = []

    async def alive(_builder: str | None = None) -> bool:
        return said.pop(0) if said else True

    async def nothing(_self: Standing) -> None:
        pass

    monkeypatch.setattr(builders, "engine_alive", alive)
    monkeypatch.setattr(standing, "_ENGINE_POLL_S", 0)
    monkeypatch.setattr(Standing, "_learn", nothing)
    return said


class Builds:
    """Counts the builds that are begun when the engine is back."""

    def __init__(self) -> None:
        self.begun = 0
        self.errands = Errands()
        crew = cast(Crew, SimpleNamespace(space=SimpleNamespace(flags=SimpleNamespace(builder=""))))
        self.standing = Standing(
            crew, self.errands, tell=lambda _key, _texts: None, on_change=lambda: None, on_return=self.begin
        )

    def begin(self) -> None:
        self.begun += 1

    async def end(self, error: EngineError | None) -> Any:
        """A build is over."""
        self.standing.built(error)
        await self.errands.done()
        return self.begun, bool(self.standing.problem)


async def test_an_engine_that_comes_back_builds(answers: list[bool]) -> None:
    builds = Builds()
    for number in (1, 2, 3):
        answers += [False, False, True]
        assert await builds.end(GONE) == (number, False)


async def test_an_engine_that_answers_and_cannot_build_is_not_asked_for_ever(answers: list[bool]) -> None:
    builds = Builds()
    assert await builds.end(GONE) == (1, False)
    assert await builds.end(GONE) == (1, True)
    assert await builds.end(GONE) == (1, True)
    assert await builds.end(None) == (1, False)
    assert await builds.end(GONE) == (2, False)
