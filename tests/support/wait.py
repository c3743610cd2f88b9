"""Waiting for a condition instead of for a time.

Knows nothing of what is waited for; a test that would sleep calls one of these two.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.02
"""Seconds between two looks."""


class WaitedTooLongError(AssertionError):
    """The condition did not come true in time."""


def _complaint(condition: Callable[[], object], timeout: float, what: str) -> WaitedTooLongError:
    name = what or getattr(condition, "__qualname__", repr(condition))
    return WaitedTooLongError(f"waited {timeout:g} s in vain for {name}")


def wait_for(condition: Callable[[], T | None], timeout: float = 10.0, what: str = "", pause: float = PAUSE) -> T:
    """Return the first true value of `condition`, or raise `WaitedTooLongError` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise _complaint(condition, timeout, what)
        time.sleep(pause)


async def wait_for_async(
    condition: Callable[[], T | Awaitable[T | None] | None],
    timeout: float = 10.0,  # noqa: ASYNC109 - the same word as in its twin
    what: str = "",
    pause: float = PAUSE,
) -> T:
    """As `wait_for`, leaving the event loop free; `condition` may be a coroutine function."""
    end = time.monotonic() + timeout
    while True:
        found = condition()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if time.monotonic() > end:
            raise _complaint(condition, timeout, what)
        await asyncio.sleep(pause)
