"""A command under way: follow its output, feed it, signal its group, and learn how it ended."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass

from chaser_emulator.sandbox.children import ready

CHUNK = 65_536
GRACE = 0.1
"""Seconds that output is still awaited once a command has ended while a child of it keeps the pipe open."""
DRAIN_PAUSE = 0.05


@dataclass
class Streams:
    """Our ends of a command's pipes."""

    output: int
    stdin: int | None


class LocalProcess:
    """A command of a local sandbox: `pid` as the sandbox sees it, `group` as we do."""

    def __init__(self, *, pid: int, group: int, ended: asyncio.Future[int], streams: Streams) -> None:
        self._loop = asyncio.get_running_loop()
        self._pid = pid
        self._group = group
        self._ended = ended
        self._streams = streams
        self._ended_at = 0.0
        self._writing = asyncio.Lock()
        self._drain_timer: asyncio.TimerHandle | None = None
        os.set_blocking(streams.output, False)
        if streams.stdin is not None:
            os.set_blocking(streams.stdin, False)
        ended.add_done_callback(self._note_end)

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended; its group's number is nobody else's then."""
        return not self._ended.done()

    async def output(self) -> AsyncIterator[bytes]:
        owed: int | None = None  # what is left to read, once nothing new counts
        try:
            while (fd := self._streams.output) >= 0 and owed != 0:
                try:
                    chunk = os.read(fd, CHUNK if owed is None else min(CHUNK, owed))
                except BlockingIOError:
                    if owed is not None:
                        return
                    if not await self._more(fd):
                        owed = _unread(fd)
                    continue
                if not chunk:
                    self._close_output()
                    return
                yield chunk
                if owed is not None:
                    owed -= len(chunk)
                elif self._ended_at and self._loop.time() >= self._ended_at + GRACE:
                    owed = _unread(fd)
                await asyncio.sleep(0)  # a flood must leave the loop to others
        finally:
            self._drain()

    async def _more(self, fd: int) -> bool:
        """Wait for more output; False once the command and its grace are over."""
        if not self._ended_at and await ready(fd, unless=self._ended):
            return True
        if not self._ended_at:
            await asyncio.sleep(0)  # the end is known, but `_note_end` has yet to run
        return await ready(fd, at=self._ended_at + GRACE)

    def _drain(self) -> None:
        """Read on to nowhere, slowly, for children that live on: without a reader their next line would kill them."""
        fd = self._streams.output
        if fd < 0:
            return
        try:
            if not os.read(fd, CHUNK):
                self._close_output()
                return
        except BlockingIOError:
            self._loop.add_reader(fd, self._drain)
            return
        self._loop.remove_reader(fd)
        self._drain_timer = self._loop.call_later(DRAIN_PAUSE, self._drain)

    def _close_output(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        if self._streams.output >= 0:
            self._loop.remove_reader(self._streams.output)
            os.close(self._streams.output)
            self._streams.output = -1

    async def write(self, data: bytes) -> None:
        async with self._writing:
            rest = memoryview(data)
            while rest:
                fd = self._streams.stdin
                if fd is None or self._ended.done():
                    raise BrokenPipeError("the command reads no more")
                try:
                    rest = rest[os.write(fd, rest) :]
                except BlockingIOError:
                    await ready(fd, write=True, unless=self._ended)
                    if self._ended.done():
                        self._close_stdin()

    async def close_stdin(self) -> None:
        async with self._writing:
            self._close_stdin()

    def _close_stdin(self) -> None:
        if self._streams.stdin is not None:
            self._loop.remove_writer(self._streams.stdin)
            os.close(self._streams.stdin)
            self._streams.stdin = None

    async def signal(self, number: int) -> None:
        if self._ended.done():
            return
        try:
            os.killpg(self._group, number)
        except (ProcessLookupError, PermissionError):
            return  # it has just ended; macOS says the latter of a zombie

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def _note_end(self, _: asyncio.Future[int]) -> None:
        self._ended_at = self._loop.time()
        if not self._writing.locked():  # else `write` is waiting on the descriptor, and closes it
            self._close_stdin()

    def __del__(self) -> None:
        if self._streams.output >= 0:
            os.close(self._streams.output)
            self._streams.output = -1  # a reader that ends after this would close somebody else's
        if self._streams.stdin is not None:
            os.close(self._streams.stdin)


def _unread(fd: int) -> int:
    """Bytes waiting in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0])
