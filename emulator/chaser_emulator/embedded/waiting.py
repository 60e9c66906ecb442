"""How work of another thread is waited for on whatever event loop a test has, asyncio's or trio's."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from anyio import to_thread

P = ParamSpec("P")
T = TypeVar("T")


async def outcome(coming: Future[T], seconds: float | None = None) -> T:
    """What a future of another thread comes to. Raises TimeoutError, and whatever the work raised."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return await to_thread.run_sync(coming.result, seconds, abandon_on_cancel=True)
    return await asyncio.wait_for(asyncio.wrap_future(coming), seconds)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do something that blocks while the loop goes on."""
    return await to_thread.run_sync(functools.partial(work, *args, **kwargs), abandon_on_cancel=True)
