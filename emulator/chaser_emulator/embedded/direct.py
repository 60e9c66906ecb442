"""One request handed to the application itself, without a socket: its answer arrives piece by piece, in any thread."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, unquote

from starlette.types import ASGIApp, Message, Scope

from chaser_emulator.cutting import EXTENSION

if TYPE_CHECKING:
    from chaser_emulator.worlds import Worlds

T = TypeVar("T")

_AHEAD = 16
"""Pieces of an answer that wait for who reads it; then the application waits, as it would for a slow socket."""


class Ended(Exception):
    """The connection has ended: before an answer or in the middle of one, in order or by a reset."""

    def __init__(self, *, begun: bool, reset: bool = False, why: str = "") -> None:
        if reset:
            text = f"[Errno {errno.ECONNRESET}] Connection reset by peer"
        elif begun:
            text = "peer closed connection without sending complete message body"
        else:
            text = "Server disconnected without sending a response."
        super().__init__(f"{text} ({why})" if why else text)
        self.begun = begun
        self.reset = reset


class Stopped(Exception):
    """The emulator does not run any more, or in another process than this."""


@dataclass(frozen=True)
class Host:
    """An emulator of this process: what answers, on which loop, the authority at which it is found, and its worlds."""

    app: ASGIApp
    loop: asyncio.AbstractEventLoop
    authority: str
    worlds: Worlds
    pid: int = field(default_factory=os.getpid)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run something on the loop of the server; the future fails with Stopped where there is none any more."""
        try:
            if self.pid != os.getpid():
                raise Stopped("the emulator runs in the process that this one was forked from; use its URL here")
            if self.loop.is_closed():
                raise Stopped("the emulator has stopped")
            return asyncio.run_coroutine_threadsafe(work, self.loop)
        except (Stopped, RuntimeError) as error:
            work.close()
            failed: Future[T] = Future()
            failed.set_exception(error if isinstance(error, Stopped) else Stopped("the emulator has stopped"))
            return failed


@dataclass(frozen=True)
class Head:
    """The start of an answer."""

    status: int
    headers: list[tuple[bytes, bytes]]


class Conversation:
    """A request under way. What it answers are futures, to be waited for in whatever way the caller has.

    `head` comes once, then `piece` until it is empty; both fail with Ended. `leave` ends it early.
    """

    def __init__(self, host: Host, scope: Scope, body: bytes) -> None:
        self._host = host
        self._scope = {**scope, "extensions": {EXTENSION: self._cut}}
        self._body: bytes | None = body
        self._pieces: deque[bytes | Ended] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._left = False
        self._over = asyncio.Event()
        self._head: asyncio.Future[Head] | None = None
        self._whole = False
        self._bodiless = scope["method"] == "HEAD"
        self._task: asyncio.Task[None] | None = None

    def head(self) -> Future[Head]:
        return self._host.submit(self._begin())

    def piece(self) -> Future[bytes]:
        """The next bytes of the body, none at its end."""
        return self._host.submit(self._next())

    def leave(self) -> None:
        """End it, as who closes the socket does; the application hears of it."""
        self._host.submit(self._leave())

    # All that follows is done on the loop of the server

    async def _begin(self) -> Head:
        loop = asyncio.get_running_loop()
        self._head = loop.create_future()
        self._task = loop.create_task(self._run(self._head))
        return await asyncio.shield(self._head)

    async def _next(self) -> bytes:
        while not self._pieces:
            self._news.clear()
            await self._news.wait()
        found = self._pieces[0]
        if isinstance(found, Ended):
            raise found
        if found:
            # The end stays the last word, whoever asks again.
            self._pieces.popleft()
            self._room.set()
        return found

    async def _leave(self) -> None:
        self._over.set()
        self._end_with(b"")

    def _cut(self, reset: bool) -> None:
        """What the application calls that ends the connection; see `cutting`."""
        self._over.set()
        if reset and self._head is not None:
            if self._head.done():
                self._end_with(Ended(begun=True, reset=True))
            else:
                self._fail(self._head, Ended(begun=False, reset=True))

    def _end_with(self, last: bytes | Ended) -> None:
        """Drop what waits to be read; whoever waits for room is let go."""
        self._pieces.clear()
        self._pieces.append(last)
        self._left = True
        self._news.set()
        self._room.set()

    @staticmethod
    def _fail(head: asyncio.Future[Head], ended: Ended) -> None:
        head.set_exception(ended)
        head.exception()  # who asked may have gone

    async def _run(self, head: asyncio.Future[Head]) -> None:
        why = ""
        try:
            await self._host.app(self._scope, self._receive, self._send)
        except asyncio.CancelledError:
            why = "the emulator stops"
        except Exception as error:
            # As the server on a socket, which logs it and closes.
            why = repr(error)
        if not head.done():
            self._fail(head, Ended(begun=False, why=why))
        elif not self._whole:
            await self._put(Ended(begun=True, why=why))

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        assert self._head is not None  # noqa: S101 - it is what made the task
        if self._over.is_set():
            return
        if message["type"] == "http.response.start":
            self._head.set_result(Head(message["status"], list(message.get("headers", ()))))
        elif message["type"] == "http.response.body":
            body = bytes(message.get("body", b""))
            if body and not self._bodiless:
                await self._put(body)
            if not message.get("more_body", False) and not self._over.is_set():
                self._whole = True
                await self._put(b"")

    async def _put(self, piece: bytes | Ended) -> None:
        while len(self._pieces) >= _AHEAD and not self._left:
            self._room.clear()
            await self._room.wait()
        if not self._left:
            self._pieces.append(piece)
            self._news.set()


def scope_of(host: Host, method: str, url: SplitResult, headers: list[tuple[bytes, bytes]]) -> Scope:
    """The scope of a request to an address, which is taken for the emulator's whatever host it names."""
    path = url.path.encode("ascii", "surrogateescape") or b"/"
    own = [(name.lower(), value) for name, value in headers if name.lower() not in (b"host", b"transfer-encoding")]
    name, _, port = host.authority.rpartition(":")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": unquote(path.decode("ascii", "replace")),
        "raw_path": path,
        "query_string": url.query.encode("ascii", "surrogateescape"),
        "root_path": "",
        "headers": [(b"host", host.authority.encode("ascii")), *own],
        "client": ("127.0.0.1", 0),
        "server": (name.strip("[]"), int(port)),
        "state": {},
    }
