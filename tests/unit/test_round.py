"""One round of several targets, with runners that end when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from hitmiss import round as rounds
from hitmiss.build.model import Build, Status
from hitmiss.round import Lane, Round
from hitmiss.runner import Runner


class StandIn:
    """A client that runs until it is told how it ended."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.over: asyncio.Future[dict[str, Status]] = asyncio.get_running_loop().create_future()

    async def run(self) -> dict[str, Build]:
        return {name: Build(status=status) for name, status in (await self.over).items()}

    def builds(self) -> dict[str, Build]:
        return {name: Build(status=Status.RUNNING) for name in self.names}

    def end(self, status: Status = Status.SUCCEEDED, **others: Status) -> None:
        self.over.set_result(dict.fromkeys(self.names, status) | others)

    def cancel(self) -> None:
        if not self.over.done():
            self.end(Status.CANCELED)

    abandon = cancel


class Played:
    """A round that is played step by step; targets by name, each with what it needs."""

    def __init__(self, *lanes: tuple[tuple[str, ...], set[str]]) -> None:
        self.begun: list[str] = []
        self.ended: dict[str, Status] = {}
        self.clients: dict[str, StandIn] = {}
        self.round = Round([self._lane(names, needs) for names, needs in lanes], self._over)
        self.task = asyncio.create_task(self.round.run())

    def _lane(self, names: tuple[str, ...], needs: set[str]) -> Lane:
        def begin() -> Runner:
            client = StandIn(*names)
            self.begun += names
            self.clients |= dict.fromkeys(names, client)
            return cast(Runner, client)

        return Lane(names, begin, frozenset(needs))

    def _over(self, _lane: Lane, _runner: Runner, builds: Any) -> None:
        self.ended |= {name: build.status for name, build in builds.items()}

    async def end(self, name: str, status: Status = Status.SUCCEEDED) -> None:
        self.clients[name].end(status)
        await settle()


async def settle() -> None:
    """Let everything that can happen happen."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_MOST", 2)


def one(name: str, *needs: str) -> tuple[tuple[str, ...], set[str]]:
    return (name,), set(needs)


async def test_what_is_needed_is_built_first_and_the_rest_waits_by_name() -> None:
    played = Played(one("base"), one("app", "base"), one("top", "app", "base"))
    await settle()
    assert played.begun == ["base"]
    assert played.round.waits_for("app") == ("base",)
    assert played.round.waits_for("top") == ("app", "base")
    assert played.round.waits_for("base") == ()
    await played.end("base")
    assert played.begun == ["base", "app"]
    assert played.round.waits_for("top") == ("app",)
    await played.end("app")
    await played.end("top")
    await played.task
    assert played.ended == dict.fromkeys(("base", "app", "top"), Status.SUCCEEDED)


async def test_what_needs_nothing_runs_side_by_side_up_to_a_limit() -> None:
    played = Played(one("a"), one("b"), one("c"))
    await settle()
    assert played.begun == ["a", "b"]
    assert [name for name in "abc" if played.round.runner(name)] == ["a", "b"]
    await played.end("b")
    assert played.begun == ["a", "b", "c"]
    await played.end("a")
    await played.end("c")
    await played.task


async def test_a_need_outside_the_round_is_met() -> None:
    played = Played(one("app", "base"))
    await settle()
    assert played.begun == ["app"]
    assert played.round.waits_for("app") == ()
    await played.end("app")
    await played.task


async def test_after_the_first_failure_nothing_begins_and_what_runs_goes_on() -> None:
    played = Played(one("a"), one("b"), one("c"), one("d", "a"))
    await settle()
    await played.end("a", Status.FAILED)
    assert played.begun == ["a", "b"]
    assert not played.task.done()
    await played.end("b")
    await played.task
    assert played.ended == {"a": Status.FAILED, "b": Status.SUCCEEDED}
    assert played.round.waits_for("d") == ("a",)


async def test_a_failed_part_of_one_client_stops_the_round() -> None:
    played = Played((("a", "b"), set()), one("c", "a"))
    await settle()
    played.clients["a"].end(Status.SUCCEEDED, b=Status.FAILED)
    await played.task
    assert played.begun == ["a", "b"]


@pytest.mark.parametrize("how", ["cancel", "abandon"])
async def test_the_whole_round_is_ended(how: str) -> None:
    played = Played(one("a"), one("b"), one("c"))
    await settle()
    getattr(played.round, how)()
    await played.task
    assert played.ended == {"a": Status.CANCELED, "b": Status.CANCELED}


async def test_one_that_is_canceled_before_it_begins_builds_nothing() -> None:
    played = Played(one("a"))
    played.round.cancel()
    await played.task
    assert played.begun == []


async def test_a_round_that_is_dropped_leaves_nothing_running() -> None:
    played = Played(one("a"))
    await settle()
    played.task.cancel()
    await asyncio.gather(played.task, return_exceptions=True)
    await settle()
    assert played.clients["a"].over.cancelled()
