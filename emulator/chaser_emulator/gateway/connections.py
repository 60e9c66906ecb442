"""Connections to ports in sandboxes: opened through the engine, kept for the next request where that is safe."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import h11

from chaser_emulator.sandbox import Engine

_IDLE = 2.0
"""Seconds that a connection waits for another request: node hangs up after five, and a page loads in a burst."""

_IDLE_MOST = 8
_CONNECT_PATIENCE = 10.0
_PATIENCE = 0.3
_LARGEST_HEAD = 262_144

Key = tuple[str, int]
"""A sandbox's ref and a port."""


class Connection:
    """An open stream to a port, and what HTTP has been spoken on it; `reused` ones may have gone stale."""

    def __init__(self, key: Key, sock: socket.socket) -> None:
        self.key = key
        self.sock = sock
        self.reused = False
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)

    def close(self) -> None:
        self.sock.close()

    def is_quiet(self) -> bool:
        """Whether the other side has neither hung up nor said anything."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


class Connections:
    """All connections of a gateway. A server that takes one connection at a time is not kept busy by an idle one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: dict[Key, list[Connection]] = {}
        self._hurried: Counter[Key] = Counter()

    async def open(self, ref: str, port: int) -> Connection:
        """A new connection. Raises what the engine does, and TimeoutError."""
        return Connection((ref, port), await self.dial(ref, port))

    async def dial(self, ref: str, port: int) -> socket.socket:
        """A new stream without HTTP. Raises what the engine does, and TimeoutError."""
        async with asyncio.timeout(_CONNECT_PATIENCE):
            sock = await self._engine.connect(ref, port)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def take(self, ref: str, port: int) -> Connection | None:
        """A connection that waits for a request, if there is one that still looks open."""
        waiting = self._idle.get((ref, port), [])
        while waiting:
            connection = waiting.pop()
            if connection.is_quiet():
                connection.reused = True
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection) -> None:
        """Let a connection whose exchange is over wait for the next one, or close it."""
        waiting = self._idle.setdefault(connection.key, [])
        http = connection.http
        reusable = http.our_state is h11.DONE and http.their_state is h11.DONE and not http.trailing_data[0]
        if not reusable or self._hurried[connection.key] or len(waiting) >= _IDLE_MOST:
            connection.close()
            return
        http.start_next_cycle()
        waiting.append(connection)
        asyncio.get_running_loop().call_later(_IDLE, self._tire, connection)

    def _tire(self, connection: Connection) -> None:
        waiting = self._idle.get(connection.key, [])
        # One that was taken meanwhile and came back has a later call of its own; closing it early does no harm.
        if connection in waiting:
            waiting.remove(connection)
            connection.close()
        if not waiting:
            self._idle.pop(connection.key, None)

    @contextmanager
    def waiting(self, key: Key) -> Iterator[None]:
        """While a request waits long for the first byte, no idle connection may be what its server is busy with."""
        hurried = False

        def hurry() -> None:
            nonlocal hurried
            hurried = True
            self._hurried[key] += 1
            self._drop(key)

        timer = asyncio.get_running_loop().call_later(_PATIENCE, hurry)
        try:
            yield
        finally:
            timer.cancel()
            if hurried:
                self._hurried[key] -= 1
                if not self._hurried[key]:
                    del self._hurried[key]

    def _drop(self, key: Key) -> None:
        for connection in self._idle.pop(key, []):
            connection.close()

    def close(self) -> None:
        for key in list(self._idle):
            self._drop(key)
