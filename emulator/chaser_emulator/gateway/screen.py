"""What a program shows on its way to a client, and what a client types on its way to a program: bounded, both ways."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from chaser_emulator.sandbox import Process, SandboxError

FRAME = 65_536
"""The most bytes of output in one frame."""

_PAUSE = 0.004
"""Seconds between the frames of a flood that are not full."""

_UNREAD = 2**20
"""Bytes that a client may type ahead. They are taken from it so that its leaving is noticed and its pings are answered
while the program reads nothing."""

_PIECE = 65_536
"""Bytes of input that are kept and passed on in one piece: many small ones would leave memory in tatters."""


class Screen:
    """Output, joined to frames: what comes after a silence or a key goes out at once, a flood in large pieces.

    Without this a program that writes much would be sent in the 4 KiB pieces that a terminal gives.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._over = False
        self._hurried = False
        self._sent_at = 0.0
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()

    async def fill(self, output: AsyncIterator[bytes]) -> None:
        """Take output until it ends. While a frame is waiting to be sent, the program is held back."""
        try:
            async for chunk in output:
                self._data += chunk
                self._some.set()
                if len(self._data) >= FRAME:
                    self._enough.set()
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._over = True
            self._some.set()
            self._enough.set()

    def hurry(self) -> None:
        """A key was pressed: what is shown next is awaited by somebody."""
        self._hurried = True
        self._enough.set()

    async def frame(self) -> bytes:
        """The next frame; empty at the end."""
        await self._some.wait()
        due = self._sent_at + _PAUSE
        loop = asyncio.get_running_loop()
        if not self._hurried and not self._enough.is_set() and loop.time() < due:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._enough.wait()
        data = bytes(self._data[:FRAME])
        del self._data[:FRAME]
        self._hurried = False
        self._sent_at = loop.time()
        if len(self._data) < FRAME:
            self._room.set()
            if not self._over:
                self._enough.clear()
        if not self._data and not self._over:
            self._some.clear()
        return data


class Keyboard:
    """Input in the order typed; None is its end. A program that reads no more loses what comes."""

    def __init__(self) -> None:
        self._typed: deque[bytearray | None] = deque()
        self._size = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()

    def type(self, data: bytes | None) -> None:
        last = self._typed[-1] if self._typed else None
        if data is None:
            self._typed.append(None)
        elif last is not None and len(last) < _PIECE:
            last += data
        else:
            self._typed.append(bytearray(data))
        self._size += len(data or b"")
        self._some.set()

    @property
    def full(self) -> bool:
        """Whether no more is to be taken from the client for now."""
        return self._size >= _UNREAD

    async def room(self) -> None:
        """Wait until it is not full."""
        while self.full:
            self._room.clear()
            await self._room.wait()

    async def feed(self, process: Process) -> None:
        """Pass on what is typed, for ever."""
        while True:
            await self._some.wait()
            data = self._typed.popleft()
            if not self._typed:
                self._some.clear()
            try:
                if data is None:
                    await process.close_stdin()
                else:
                    await process.write(bytes(data))
            except (BrokenPipeError, SandboxError):
                # Its output and its end tell why.
                continue
            finally:
                self._size -= len(data or b"")
                self._room.set()
