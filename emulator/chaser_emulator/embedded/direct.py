"""One request handed to the application itself, without a socket: its answer arrives piece by piece, in any thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, unquote

from starlette.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from chaser_emulator.worlds import Worlds

T = TypeVar("T")

_AHEAD = 16
"""Pieces of an answer that wait for who reads it; then the application waits, as it would for a slow socket."""


class Ended(Exception):
    """The connection has ended: before an answer or in the middle of one, in order or by a reset."""

    def __init__(self, *, begun: bool, reset: bool = False, why: str = "") -> None:
        where = "in the middle of its answer" if begun else "without an answer"
        super().__init__(f"the server {'reset' if reset else 'closed'} the connection {where}{why and ': '}{why}")
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
        self._scope = scope
        self._body: bytes | None = body
        self._pieces: asyncio.Queue[bytes | Ended] = asyncio.Queue(_AHEAD)
        self._left = asyncio.Event()
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

    async def _begin(self) -> Head:
        loop = asyncio.get_running_loop()
        self._head = loop.create_future()
        self._task = loop.create_task(self._run(self._head))
        return await asyncio.shield(self._head)

    async def _next(self) -> bytes:
        found = await self._pieces.get()
        if isinstance(found, Ended):
            self._pieces.put_nowait(found)
            raise found
        if not found:
            self._pieces.put_nowait(b"")
        return found

    async def _leave(self) -> None:
        self._left.set()
        # Whoever waits for room in the queue is let go: nobody reads any more.
        while not self._pieces.empty():
            self._pieces.get_nowait()
        self._pieces.put_nowait(b"")

    async def _run(self, head: asyncio.Future[Head]) -> None:
        reset, why = False, ""
        try:
            await self._host.app(self._scope, self._receive, self._send)
        except asyncio.CancelledError:
            why = "the emulator stops"
        except Exception as error:
            # As the server on a socket, which logs it and closes.
            why = repr(error)
        if not head.done():
            head.set_exception(Ended(begun=False, reset=reset, why=why))
            head.exception()  # who asked may have gone
        elif not self._whole:
            await self._put(Ended(begun=True, reset=reset, why=why))

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        assert self._head is not None  # noqa: S101 - it is what made the task
        if message["type"] == "http.response.start":
            self._head.set_result(Head(message["status"], list(message.get("headers", ()))))
        elif message["type"] == "http.response.body":
            body = bytes(message.get("body", b""))
            if body and not self._bodiless:
                await self._put(body)
            if not message.get("more_body", False):
                self._whole = True
                await self._put(b"")

    async def _put(self, piece: bytes | Ended) -> None:
        if self._left.is_set():
            return
        if self._pieces.full():
            leaving = asyncio.ensure_future(self._left.wait())
            putting = asyncio.ensure_future(self._pieces.put(piece))
            try:
                await asyncio.wait({leaving, putting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                if not putting.done():
                    putting.cancel()
        else:
            self._pieces.put_nowait(piece)


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
