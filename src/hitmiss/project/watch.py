"""Saves: the changes on disk that a build could see, as they happen.

It watches folders through watchfiles and reads them; it starts no process and knows no screen. How it works: a thread
waits for events; each event makes `Tree` look at that path again, and what differs is yielded. So the answer never
depends on what an event says, only on what is on disk: a folder that came with files in it, an editor's rename, an
event that was lost all come out right.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from hitmiss.project.ignore import IgnoreRules


class Watched(Protocol):
    """What is watched: `Contexts`, or those of several targets."""

    def folders(self) -> tuple[tuple[str, Path], ...]:
        """Every folder, by the name of its context."""
        ...

    def definitions(self) -> tuple[tuple[str, Path], ...]:
        """The files that say what is built and what is ignored, whether they exist or not: (context, path)."""
        ...

    def rules(self) -> dict[str, IgnoreRules]:
        """The ignore rules now in force for each folder."""
        ...


class Kind(StrEnum):
    """What happened to a path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    GONE = "gone"
    """The context's folder itself is gone; `path` is ""."""
    BACK = "back"
    """The context's folder is there (again, or another one in its place); `path` is ""."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `path` is relative to the context, with `/`, with surrogate escapes where the name is not UTF-8.

    `definition` marks the Dockerfile and the ignore files; one that lies outside its context has its absolute path.
    `folder` is true for what is, or was, a folder.
    """

    kind: Kind
    context: str
    path: str
    definition: bool = False
    folder: bool = False


def net(changes: Iterable[Change]) -> frozenset[Change]:
    """What changes come to, one after the other: at most one for a path, none for what came and went."""
    found: dict[tuple[str, str, bool, bool], Change] = {}
    for change in changes:
        # That a context went is told even when it is back.
        key = (change.context, change.path, change.definition, change.kind == Kind.GONE)
        before = found.get(key)
        kind = change.kind
        if before and before.kind == Kind.ADDED:
            if kind == Kind.DELETED:
                del found[key]
                continue
            kind = Kind.ADDED
        elif before and before.kind == Kind.DELETED and kind == Kind.ADDED:
            kind = Kind.MODIFIED
        found[key] = replace(change, kind=kind)
    return frozenset(found.values())


async def watch(
    contexts: Watched,
    *,
    stop: asyncio.Event,
    on_notices: Callable[[tuple[str, ...]], None],
    force_polling: bool = False,
) -> AsyncIterator[frozenset[Change]]:
    """Yield the changes of what BuildKit can see, as soon as they are seen, until `stop` is set.

    The first item is empty: from then on no change is missed. Ignored files yield nothing; ignore files are read again
    when they change, and what they now show or hide comes as added or deleted. A folder that comes or goes yields what
    is in it too. `on_notices` is called in the event loop with all that the user should know now, one plain sentence
    each: at the begin, and whenever that changes. A modification may be told twice, and a `touch` is one: compare
    contents before a build. It raises what its thread has died of: begin it anew.
    """
    from hitmiss.project.watcher import Watcher

    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()  # the thread has none of what the caller's callbacks may look for
    found: asyncio.Queue[frozenset[Change] | Exception] = asyncio.Queue()

    def emit(changes: frozenset[Change] | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(found.put_nowait, changes)

    def notice(sentences: tuple[str, ...]) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(on_notices, sentences, context=context)

    def work() -> None:
        try:
            watcher.run()
        except Exception as error:  # noqa: BLE001 - whoever waits for changes is told of it
            emit(error)

    watcher = Watcher(contexts, emit, notice, force_polling=force_polling)
    threading.Thread(target=work, name="hitmiss-watch").start()
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            item = asyncio.ensure_future(found.get())
            try:
                await asyncio.wait((item, stopped), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not item.done():
                    item.cancel()
            if item.done() and not item.cancelled():
                changes = item.result()
                if isinstance(changes, Exception):
                    raise changes
                yield changes
    finally:
        stopped.cancel()
        watcher.stopping.set()
