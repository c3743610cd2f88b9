"""One round of building: several targets, each in its turn, side by side where nothing stands between them.

It starts and ends runners, and decides nothing else: what is built, and what is made of it, is its caller's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

from hitmiss.build.model import Build, Status
from hitmiss.runner import Runner

_MOST = max(2, os.cpu_count() or 2)
"""So many clients run at once; how much the builder does at once is its own affair."""


class Lane(msgspec.Struct, frozen=True):
    """What one client builds: the targets by name, and those that must be built before. `begin` starts its clock."""

    names: tuple[str, ...]
    begin: Callable[[], Runner]
    needs: frozenset[str] = frozenset()


Ended = Callable[[Lane, Runner, Mapping[str, Build]], None]


class Round:
    """Runs lanes in the order of their needs; after the first that fails no other one begins."""

    def __init__(self, lanes: Sequence[Lane], ended: Ended) -> None:
        """`ended` is told of each lane when it is over."""
        self._lanes = tuple(lanes)
        self._ended = ended
        self._runners: dict[Lane, Runner] = {}
        self._over: dict[str, Status] = {}
        self._stopped = False

    @property
    def names(self) -> tuple[str, ...]:
        """All targets of the round."""
        return tuple(name for lane in self._lanes for name in lane.names)

    def runner(self, name: str) -> Runner | None:
        """The runner of a target that is being built now."""
        return next((runner for lane, runner in self._runners.items() if name in lane.names), None)

    def waits_for(self, name: str) -> tuple[str, ...]:
        """What a target that has not begun still needs; nothing for others."""
        if name in self._over or self.runner(name):
            return ()
        lane = next((lane for lane in self._lanes if name in lane.names), None)
        mine = self.names
        return tuple(
            need
            for need in (sorted(lane.needs) if lane else ())
            if need in mine and self._over.get(need) is not Status.SUCCEEDED
        )

    def cancel(self) -> None:
        """End all; `run()` returns within a second."""
        self._stopped = True
        for runner in self._runners.values():
            runner.cancel()

    def abandon(self) -> None:
        """End all by force, without waiting: the program is leaving."""
        self._stopped = True
        for runner in self._runners.values():
            runner.abandon()

    async def run(self) -> None:
        """Build all that can be built."""
        waiting = list(self._lanes)
        running: dict[asyncio.Task[dict[str, Build]], Lane] = {}
        try:
            while waiting or running:
                for lane in [each for each in waiting if self._may_begin(each)][: _MOST - len(running)]:
                    waiting.remove(lane)
                    runner = self._runners[lane] = lane.begin()
                    running[asyncio.create_task(runner.run())] = lane
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._end(running.pop(task), task.result())
        finally:
            for task in running:
                task.cancel()

    def _may_begin(self, lane: Lane) -> bool:
        if self._stopped:
            return False
        mine = set(self.names)
        return all(self._over.get(need) is Status.SUCCEEDED for need in lane.needs & mine)

    def _end(self, lane: Lane, builds: Mapping[str, Build]) -> None:
        runner = self._runners.pop(lane)
        self._over |= {name: build.status for name, build in builds.items()}
        if any(build.status is not Status.SUCCEEDED for build in builds.values()):
            self._stopped = True
        self._ended(lane, runner, builds)
