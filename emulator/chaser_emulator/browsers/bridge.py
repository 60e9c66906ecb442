"""The protocol of a browser, frame by frame, between a client and Chromium; each holds the other back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed

from chaser_emulator.browsers import devtools, refusals
from chaser_emulator.operations import Upgrade

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_GOING_AWAY = 1001


def upgrade(place: devtools.Place, path: str, lease: AbstractContextManager[None]) -> Upgrade:
    """What a handler answers for `browser/<guid>` or `page/<target>`: Chromium is reached before the client is told.

    `lease` is held while they talk (S11).
    """
    opened: list[ClientConnection] = []

    @asynccontextmanager
    async def held() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with refusals.as_answers():
                opened.append(await stack.enter_async_context(devtools.socket_to(place, path)))
            stack.enter_context(lease)
            yield

    async def talk(client: WebSocket) -> None:
        await _talk(client, opened[0])

    return Upgrade(talk, held())


async def _talk(client: WebSocket, chromium: ClientConnection) -> None:
    up = asyncio.create_task(_up(client, chromium))
    down = asyncio.create_task(_down(client, chromium))
    try:
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
    if up.cancelled() or not up.result():
        # Chromium left first: the page was closed, or the browser has ended.
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await client.close(_GOING_AWAY, "the browser closed the connection")


async def _up(client: WebSocket, chromium: ClientConnection) -> bool:
    """Answers whether the client left, not Chromium."""
    with contextlib.suppress(ConnectionClosed):
        while (message := await client.receive())["type"] == "websocket.receive":
            text = message.get("text")
            await chromium.send(message["bytes"] if text is None else text)
        return True
    return False


async def _down(client: WebSocket, chromium: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed, RuntimeError, WebSocketDisconnect):
        async for frame in chromium:
            if isinstance(frame, str):
                await client.send_text(frame)
            else:
                await client.send_bytes(frame)
