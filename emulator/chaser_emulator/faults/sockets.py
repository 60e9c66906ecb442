"""A WebSocket that is dropped after so many messages or seconds, with a code or without a word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.types import Message
from starlette.websockets import WebSocket

from chaser_emulator.cutting import cut_of
from chaser_emulator.faults import effects

VANISHED = 1006
"""The code of RFC 6455 for a connection that ended without one."""


class Dropping:
    """A WebSocket that ends before its talk does. Enter `at_work` around the talk on `websocket`."""

    def __init__(self, wanted: effects.Drop, inner: WebSocket, not_reached: Callable[[], None]) -> None:
        self._wanted = wanted
        self._inner = inner
        self._not_reached = not_reached
        self.websocket = WebSocket(inner.scope, self._receive, self._send)
        self._sent = 0
        self._dropped = asyncio.Event()

    async def _receive(self) -> Message:
        """The client's next message; once it is dropped, that it has gone."""
        if self._dropped.is_set():
            return {"type": "websocket.disconnect", "code": self._wanted.code}
        return await self._inner.receive()

    async def _send(self, message: Message) -> None:
        """Raises OSError once it is dropped, as servers do whose client has gone."""
        if self._dropped.is_set():
            raise OSError("the WebSocket was dropped, as planned")
        await self._inner.send(message)
        if message["type"] == "websocket.accept" and self._wanted.messages == 0:
            await self._drop()
        elif message["type"] == "websocket.send":
            self._sent += 1
            if self._sent == self._wanted.messages:
                await self._drop()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Drop it when its time is over."""
        timer = asyncio.create_task(self._later()) if self._wanted.seconds is not None else None
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)
            if not self._dropped.is_set():
                self._not_reached()

    async def _later(self) -> None:
        await asyncio.sleep(self._wanted.seconds or 0)
        await self._drop()

    async def _drop(self) -> None:
        self._dropped.set()
        if self._wanted.code == VANISHED:
            cut_of(self._inner.scope)(False)
        else:
            with contextlib.suppress(OSError, RuntimeError):
                await self._inner.send({"type": "websocket.close", "code": self._wanted.code})
