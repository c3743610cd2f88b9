"""How the engine stands that builds: whether it answers, what its builder can do, and what its cache holds.

All of it is asked while the session goes on, and told when it is known. Nothing is built here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from hitmiss.crew import Crew
from hitmiss.docker import builders, client, storage
from hitmiss.docker.current import current_builder
from hitmiss.errands import Errands
from hitmiss.errors import EngineError, HitmissError

_ENGINE_POLL_S = 1.0
_CACHE_REST_S = 0.6
"""How long after a build the cache is measured: its records settle, and a save right after has the engine to itself."""


class Standing:
    """The engine of a crew."""

    def __init__(
        self,
        crew: Crew,
        errands: Errands,
        *,
        tell: Callable[[str, Iterable[str]], None],
        on_change: Callable[[], None],
        on_return: Callable[[], None],
    ) -> None:
        """`tell` is given a key and sentences, none when they no longer hold; `on_return` is called when an engine that
        was away answers again.
        """
        self.problem = ""
        """Why the engine cannot be used."""
        self.cache_bytes: int | None = None
        self.cache_mounts: dict[str, int] | None = None
        self._crew = crew
        self._tell = tell
        self._on_change = on_change
        self._on_return = on_return
        self._errands = errands
        self._waiting: asyncio.Task[None] | None = None
        self._in_vain = False
        """Whether a build was begun anew on an engine that answered all the time."""

    def look(self) -> None:
        """Find out about the builder, and whether its client will do."""
        self._errands.run(self._learn())
        self._errands.run(self._check_client())

    def turn_to(self, name: str) -> None:
        """Work on another builder from now on; "" is docker's choice."""
        if self._waiting:
            self._waiting.cancel()
        self.problem, self.cache_bytes, self.cache_mounts = "", None, None
        self._crew.work_on(builders.BuilderInfo(name or current_builder()), name)
        self.say_limits()
        self._errands.run(self._learn())

    def built(self, error: EngineError | None) -> None:
        """A build has ended; `error` is what was wrong with the engine, which is waited for then."""
        self.problem = str(error) if error else ""
        self._in_vain = self._in_vain and bool(error)
        if error:
            self._wait()

    def measure(self, busy: Callable[[], bool]) -> None:
        """Find out how much the cache holds, unless another build is `busy` with it by then."""
        self._errands.run(self._measure(busy))

    def say_limits(self) -> None:
        """Say what the builder cannot do of what is to be built, before it is built."""
        info = self._crew.builder
        self._tell("limit", (*self._crew.limits(info), *((f"{info.name}: {info.error}",) if info.error else ())))

    async def _learn(self) -> None:
        name = self._crew.space.flags.builder
        try:
            info = await builders.builder_info(name or None)
        except HitmissError as error:
            if name == self._crew.space.flags.builder and isinstance(error, EngineError) and not self.problem:
                self.problem = str(error)
                self._wait()
        else:
            if name == self._crew.space.flags.builder:  # no other one was chosen meanwhile
                self._crew.builder = info
                self.say_limits()
        self._on_change()

    async def _check_client(self) -> None:
        try:
            await client.version()
        except EngineError as error:
            self._tell("client", [str(error)])

    async def _measure(self, busy: Callable[[], bool]) -> None:
        await asyncio.sleep(_CACHE_REST_S)
        if busy():
            return
        with contextlib.suppress(HitmissError):
            cache = await storage.usage(self._crew.space.flags.builder or None)
            self.cache_bytes, self.cache_mounts = cache.total, cache.mounts
            self._on_change()

    def _wait(self) -> None:
        if self._waiting:
            self._waiting.cancel()
        self._waiting = self._errands.run(self._wait_for_engine())

    async def _wait_for_engine(self) -> None:
        """Wait until the engine answers again: its user should not have to notice.

        One that answers all the time, and yet cannot build, is asked to once more: after that it is the user's turn.
        """
        builder = self._crew.space.flags.builder or None
        away = False
        while self.problem and not await builders.engine_alive(builder):
            away = True
            await asyncio.sleep(_ENGINE_POLL_S)
        if not away:
            await asyncio.sleep(_ENGINE_POLL_S)
        if self.problem and (away or not self._in_vain):
            self._in_vain = not away
            self.problem = ""
            self._errands.run(self._learn())
            self._on_return()
