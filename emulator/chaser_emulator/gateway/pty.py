"""The talk of a terminal's WebSocket: bytes both ways, and the few messages beside them (S14)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeGuard

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from chaser_emulator.gateway.screen import Keyboard, Screen
from chaser_emulator.sandbox import Process, SandboxError, SandboxGone

_log = logging.getLogger(__name__)

KILLED = 137
"""The exit code of what ended with its sandbox and cannot be asked any more."""

SIZES = range(1, 1001)
"""What a terminal may have of rows and of columns (S16)."""

_GRACE = 2.0
"""Seconds that a client has for the rest of the output once its session has ended."""

_NUDGE = 0.5
"""Seconds between the empty frames that show whether a client is there which is not being read."""


@dataclass(frozen=True)
class Talk:
    """One program and what its client may do with it.

    `resize` is None where there is no terminal. `session_ended` returns when the session has; `at_end` is awaited
    between the program's end and word of it.
    """

    process: Process
    session_id: str
    mode: str
    resize: Callable[[int, int], Awaitable[None]] | None
    session_ended: Callable[[], Coroutine[Any, Any, None]]
    at_end: Callable[[int], Awaitable[None]]


async def talk(websocket: WebSocket, about: Talk) -> None:
    """Talk until the program has ended and the client knows, or the client has left.

    A client that does not read holds the program back, and a program that does not read holds the client back; that
    the client has left is noticed all the same.
    """
    screen, keyboard = Screen(), Keyboard()
    await _send(websocket, {"text": _ready(about)})
    leaving = asyncio.create_task(_listen(websocket, about, screen, keyboard))
    showing = asyncio.create_task(_show(websocket, about, screen))
    filling = asyncio.create_task(screen.fill(about.process.output()))
    feeding = asyncio.create_task(keyboard.feed(about.process))
    ending = asyncio.create_task(about.session_ended())
    tasks = (leaving, showing, filling, feeding, ending)
    try:
        either = (leaving, showing)
        await asyncio.wait((*either, ending), return_when=asyncio.FIRST_COMPLETED)
        if not leaving.done() and not showing.done():
            await asyncio.wait(either, timeout=_GRACE, return_when=asyncio.FIRST_COMPLETED)
        if not leaving.done() and not showing.done():
            showing.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await _bye(websocket, KILLED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, (SandboxError, WebSocketDisconnect)):
            raise result


def _ready(about: Talk) -> str:
    return json.dumps({"type": "ready", "session_id": about.session_id, "mode": about.mode})


async def _show(websocket: WebSocket, about: Talk, screen: Screen) -> None:
    """Send what is shown, and how it ended."""
    while data := await screen.frame():
        await _send(websocket, {"bytes": data})
    try:
        code = await about.process.wait()
    except SandboxGone:
        code = KILLED
    except SandboxError as error:
        # Nobody knows how it ended, so no exit code is sent.
        _log.warning("a program of session %s was lost: %s", about.session_id, error)
        await _send(websocket, {"type": "websocket.close", "code": 1011, "reason": str(error)[:100]})
        return
    await about.at_end(code)
    await _bye(websocket, code)


async def _bye(websocket: WebSocket, code: int) -> None:
    await _send(websocket, {"text": json.dumps({"type": "exit", "exit_code": code})})
    await _send(websocket, {"type": "websocket.close", "code": 1000, "reason": ""})


async def _send(websocket: WebSocket, message: Message) -> None:
    """Send a message, once there is room for it. Raises WebSocketDisconnect."""
    try:
        await websocket.send({"type": "websocket.send", **message})
    except RuntimeError as error:
        # This is how the server says that it has closed the connection itself, over a broken frame of the client.
        raise WebSocketDisconnect(1006) from error


async def _listen(websocket: WebSocket, about: Talk, screen: Screen, keyboard: Keyboard) -> None:
    """Take what the client sends, until it has left."""
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        data: bytes | None = message.get("bytes")
        if data is None:
            text: str = message["text"]
            control = _control(text)
            if control is not None:
                await _obey(control, about, keyboard)
                continue
            data = text.encode()
        if data:
            screen.hurry()
            keyboard.type(data)
        if keyboard.full:
            await _wait_for_room(websocket, keyboard)


async def _wait_for_room(websocket: WebSocket, keyboard: Keyboard) -> None:
    """Leave the client's frames where they are until the program has read.

    A connection that is not read does not tell that it is gone; one that is written to does.
    """
    waiting = asyncio.create_task(keyboard.room())
    try:
        while not (await asyncio.wait({waiting}, timeout=_NUDGE))[0]:
            await _send(websocket, {"bytes": b""})
    finally:
        waiting.cancel()


def _control(text: str) -> dict[str, Any] | None:
    """A control message, which is a JSON object; None for input."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


async def _obey(control: dict[str, Any], about: Talk, keyboard: Keyboard) -> None:
    """Do what a control message says. Those that say nothing known, or nothing possible, are ignored."""
    if control.get("type") == "eof":
        keyboard.type(None)
    elif control.get("type") == "resize" and about.resize is not None:
        rows, cols = control.get("rows"), control.get("cols")
        if _is_size(rows) and _is_size(cols):
            with contextlib.suppress(SandboxError):  # it is ending
                await about.resize(rows, cols)


def _is_size(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value in SIZES
