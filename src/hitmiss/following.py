"""The watch of a session: it goes on over what there is to watch, whatever that comes to be.

One watch ends when the next has begun, so that no save falls between them; one that breaks off is begun anew. What a
change means is its caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from hitmiss.project import watch
from hitmiss.project.gathered import Gathered
from hitmiss.snapshot import Watch

_PAUSE_S = 0.5
"""So long after a watch has broken off the next is begun; twice as long each time that none has begun since."""
_LONGEST_PAUSE_S = 60.0


class Following:
    """Watches until it is stopped. `state` is how the watch stands, as far as it knows by itself."""

    def __init__(
        self,
        gathered: Gathered,
        changed: Callable[[frozenset[watch.Change]], None],
        notices: Callable[[tuple[str, ...]], None],
        failed: Callable[[Exception], None],
        on_state: Callable[[], None],
    ) -> None:
        """`changed` is told of every batch; an empty one says that a watch has begun. `notices` is given all that
        hold now, none when all is well, `failed` what a watch has broken off by.
        """
        self.gathered = gathered
        self.state = Watch.STARTING
        self._tell = changed
        self._notices = notices
        self._failed = failed
        self._on_state = on_state
        self._again = asyncio.Event()
        self._stopped = False

    def turn_to(self, gathered: Gathered) -> bool:
        """Watch this from now on; whether that takes another watch, which has still to begin."""
        before, self.gathered = self.gathered, gathered
        same = set(gathered.folders()) == set(before.folders())
        if not same or set(gathered.definitions()) != set(before.definitions()):
            self._again.set()
        return self._again.is_set()

    def stop(self) -> None:
        """End; `run` returns soon."""
        self._stopped = True
        self._again.set()

    async def run(self) -> None:
        """Watch what there is to watch."""
        watches: set[asyncio.Task[None]] = set()
        before = asyncio.Event()
        pause = _PAUSE_S
        try:
            while not self._stopped:
                self._again, now, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
                task: asyncio.Task[None] | None = None
                try:
                    if self.gathered.definitions() or self.gathered.folders():
                        task = asyncio.create_task(self._follow(self.gathered, begun, now))
                        watches.add(task)
                        task.add_done_callback(watches.discard)
                        await _first(begun, task)
                        pause = _PAUSE_S
                    else:
                        self._notices(())
                        self._set(Watch.UNWATCHED)
                    before.set()
                    before = now
                    await _first(self._again, task)
                except Exception as error:  # noqa: BLE001 - whatever has gone wrong, the watch goes on
                    self._failed(error)
                    self._set(Watch.STARTING)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._again.wait(), pause)
                    pause = min(_LONGEST_PAUSE_S, 2 * pause)
        finally:
            before.set()
            for each in watches:
                each.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _follow(self, gathered: Gathered, begun: asyncio.Event, stop: asyncio.Event) -> None:
        def tell(notices: tuple[str, ...]) -> None:
            if not stop.is_set():  # the next watch tells of its own
                self._notices(notices)

        async for changes in watch.watch(gathered, stop=stop, on_notices=tell):
            if not begun.is_set():
                begun.set()
                self._set(Watch.WATCHING)
            kinds = {change.kind for change in changes}
            if watch.Kind.GONE in kinds:
                self._set(Watch.GONE)
            elif watch.Kind.BACK in kinds:
                self._set(Watch.WATCHING)
            self._tell(changes)

    def _set(self, state: Watch) -> None:
        self.state = state
        self._on_state()


async def _first(event: asyncio.Event, work: asyncio.Task[None] | None) -> None:
    """Wait for the event; raises what goes wrong with `work` meanwhile."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({waiting, work} if work else {waiting}, return_when=asyncio.FIRST_COMPLETED)
        if work and work.done():
            work.result()
    finally:
        waiting.cancel()
