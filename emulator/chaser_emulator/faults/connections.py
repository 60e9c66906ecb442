"""What is done to answers on their way: none comes, it breaks off, it drips, it is late."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from chaser_emulator import weblog
from chaser_emulator.cutting import cut_of
from chaser_emulator.faults import effects

_PIECES = 10
"""In how many pieces a whole body drips."""


class NoAnswer(Response):
    """Ends the connection. One that hangs does so until the client gives up, its time is over, or the rule is.

    `unread` is a request of which the body has not been read.
    """

    def __init__(self, wanted: effects.Cut, over: asyncio.Event, unread: Request | None = None) -> None:
        super().__init__()
        self._wanted = wanted
        self._over = over
        self._unread = unread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cut = cut_of(scope)
        weblog.unfinished_on_purpose()
        if self._wanted.how == "hang":
            await _first(_gone(receive), self._over.wait(), asyncio.sleep(self._wanted.seconds))
        elif self._wanted.how == "closed" and self._unread is not None and scope["type"] == "http":
            # To close on bytes that nobody has read would be a reset.
            await _first(_read(self._unread), self._over.wait(), asyncio.sleep(self._wanted.seconds))
        cut(self._wanted.how == "reset")


class _Passing(Response):
    """An answer that goes out in another way than it would; its status and headers are those of the answer itself."""

    def __init__(self, inner: Response) -> None:
        self._inner = inner
        self.status_code = inner.status_code
        self.background = inner.background
        self.raw_headers = inner.raw_headers


class Late(_Passing):
    """An answer that waits before it goes out."""

    def __init__(self, inner: Response, wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(inner)
        self._wait = wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._wait()
        await self._inner(scope, receive, send)


class _BrokenOff(Exception):
    """The connection is cut; whatever made the answer stops."""


class Truncated(_Passing):
    """An answer whose connection is cut in the midst of its body. One that is too short for that is whole."""

    def __init__(self, inner: Response, wanted: effects.Truncate, not_reached: Callable[[], None]) -> None:
        super().__init__(inner)
        self._wanted = wanted
        self._not_reached = not_reached

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cut, place = cut_of(scope), _Place(self._wanted)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                place.begin(message)
            elif message["type"] == "http.response.body":
                body = message.get("body", b"")
                kept = place.within(body)
                if kept is not None:
                    if kept:
                        await send({"type": "http.response.body", "body": body[:kept], "more_body": True})
                    raise _BrokenOff
                if not message.get("more_body", False):
                    self._not_reached()
            await send(message)

        try:
            await self._inner(scope, receive, sending)
        except _BrokenOff:
            weblog.unfinished_on_purpose()
            cut(False)


class _Place:
    """Where in a body it breaks off."""

    def __init__(self, wanted: effects.Truncate) -> None:
        self._left = wanted.bytes
        self._events = wanted.events
        self._block = bytearray()

    def begin(self, start: Message) -> None:
        """Half of a body of known length is the place, where nothing else is said."""
        length = next((int(value) for name, value in start["headers"] if name.lower() == b"content-length"), None)
        if self._left is None and self._events is None and length is not None:
            self._left = length // 2
        elif self._left is not None and length is not None and self._left >= length:
            self._left = None
            self._events = -1

    def within(self, body: bytes) -> int | None:
        """How many bytes of the next piece go out before the cut; None: all, and the cut is not here."""
        if self._events is not None:
            return self._after_events(body)
        if self._left is None:
            # Nobody knows how long it will be: half of what comes first.
            if not body:
                return None
            self._left = len(body) // 2
        if len(body) < self._left or not body:
            self._left -= len(body)
            return None
        return self._left

    def _after_events(self, body: bytes) -> int | None:
        if self._events == 0:
            return 0
        for index, byte in enumerate(body):
            self._block.append(byte)
            if self._block.endswith((b"\n\n", b"\r\n\r\n")):
                # A comment keeps the connection alive and tells of nothing.
                self._events = (self._events or 0) - (not self._block.startswith(b":"))
                self._block.clear()
                if self._events == 0:
                    return index + 1
        return None


class Dripping(_Passing):
    """An answer with a pause between its pieces."""

    def __init__(self, inner: Response, wanted: effects.Slow, over: asyncio.Event) -> None:
        super().__init__(inner)
        self._wanted = wanted
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        size = self._wanted.bytes

        async def sending(message: Message) -> None:
            nonlocal begun
            body = message.get("body", b"")
            if message["type"] != "http.response.body" or not body:
                await send(message)
                return
            more = message.get("more_body", False)
            step = size or (len(body) if begun or more else -(-len(body) // _PIECES))
            for start in range(0, len(body), step):
                if begun:
                    await _first(self._over.wait(), asyncio.sleep(self._wanted.seconds))
                begun = True
                last = start + step >= len(body)
                await send({**message, "body": body[start : start + step], "more_body": more or not last})

        await self._inner(scope, receive, sending)


async def give_up(response: Response) -> None:
    """Let go of what an answer that is not sent was to be made from."""
    close = getattr(getattr(response, "body_iterator", None), "aclose", None)
    if close is not None:
        await close()


async def _first(*works: Coroutine[Any, Any, Any]) -> None:
    """Await the first of them, and no other."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone away, whatever it sends until then."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


async def _read(request: Request) -> None:
    """Read what has not been read of a request."""
    with contextlib.suppress(ClientDisconnect):
        async for _chunk in request.stream():
            pass
