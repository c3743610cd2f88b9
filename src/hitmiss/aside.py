"""Where plans and causes are worked out while the screen goes on: two threads, however many targets there are.

Python runs one thread at a time. With a thread for each of 20 targets a key would wait for its turn behind all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_threads = ThreadPoolExecutor(2, "hitmiss-aside")


async def aside(work: Callable[_P, _T], *args: _P.args, **words: _P.kwargs) -> _T:
    """The result of `work`, which computes more than it waits and waits for nothing else that is done here."""
    return await asyncio.get_running_loop().run_in_executor(_threads, partial(work, *args, **words))
