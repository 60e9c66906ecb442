"""Work for a client who may leave before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from chaser_emulator.operations import Call

T = TypeVar("T")


async def until_left(call: Call, work: Coroutine[Any, Any, T]) -> T:
    """Await the work, unless the client leaves before it: then it is cancelled, and ClientDisconnect raised."""
    running = asyncio.create_task(work)
    watching = asyncio.create_task(call.left())
    try:
        await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            await asyncio.wait({running})
            raise ClientDisconnect
        return running.result()
    finally:
        running.cancel()
        watching.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)
