"""HTTP through the gateway to a port in a sandbox: body and answer at once, nothing buffered, nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, NoReturn

import h11

from chaser_emulator import weblog
from chaser_emulator.errors import ApiError
from chaser_emulator.gateway.connections import Connection, Connections
from chaser_emulator.gateway.headers import Rewriting
from chaser_emulator.gateway.visit import Visit, first_of
from chaser_emulator.store import sessions

_log = logging.getLogger(__name__)

_CHUNK = 262_144
_CONTINUE_PATIENCE = 1.0
"""Seconds that a client who asked whether to send its body waits for a server that never says so."""


class _Stale(Exception):
    """A kept connection was closed before it said anything; the request may be sent again."""


class _Broken(Exception):
    """The answer ended in the middle."""


async def forward(visit: Visit, connections: Connections, patience: float) -> None:
    """Carry one request and its answer.

    `patience` is how many seconds the server may take for its first byte once it has all of the request. Raises
    ApiError `bad_gateway`, what the engine raises, and TimeoutError, all before anything has been answered.
    """
    ref = visit.row["ref"]
    request, has_body = _request(visit)
    connection = None
    # A request that must not be sent twice never rides on a connection that may be closing at this moment.
    if not has_body and request.method in (b"GET", b"HEAD", b"OPTIONS"):
        connection = connections.take(ref, visit.port)
    if connection is not None:
        with contextlib.suppress(_Stale):
            await _Exchange(visit, connections, connection, patience).run(request, has_body)
            return
    connection = await connections.open(ref, visit.port)
    await _Exchange(visit, connections, connection, patience).run(request, has_body)


def _request(visit: Visit) -> tuple[h11.Request, bool]:
    """The request as the app gets it, and whether it has a body."""
    if visit.scope["method"] == "CONNECT":
        # It asks for a tunnel, which has no end that an answer could have.
        allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        raise ApiError("method_not_allowed", f"CONNECT is not offered here; {allow} are", headers={"Allow": allow})
    headers = visit.headers
    chunked = "transfer-encoding" in headers
    passed = Rewriting(visit.place, visit.outside).request(visit.scope["headers"])
    if chunked:
        # Both together are the stuff of smuggled requests.
        passed = [(name, value) for name, value in passed if name != b"content-length"]
        passed.append((b"transfer-encoding", b"chunked"))
    has_body = chunked or headers.get("content-length", "0").strip() != "0"
    try:
        return h11.Request(method=visit.scope["method"], target=visit.target, headers=passed), has_body
    except h11.LocalProtocolError as error:
        raise ApiError("invalid_request", f"the request cannot be passed on: {error}") from None


class _Exchange:
    """One request and its answer on one connection, which is kept or closed at the end."""

    def __init__(self, visit: Visit, connections: Connections, connection: Connection, patience: float) -> None:
        self._visit = visit
        self._connections = connections
        self._connection = connection
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._limit: asyncio.Timeout | None = None
        self._go_on = asyncio.Event()
        self._heard = False
        self._answered = False
        self._sent = False
        self._kept = False

    async def run(self, request: h11.Request, has_body: bool) -> None:
        http = self._connection.http
        head = http.send(request) or b""
        if not has_body:
            head += http.send(h11.EndOfMessage()) or b""
        try:
            async with asyncio.timeout(self._patience):
                await self._write(head)
            self._sent = not has_body
            await first_of(self._respond(request.method), self._upload(request, has_body), self._until_ended())
        except _Broken as error:
            # Returning without an end makes the server break the client's connection, so that it sees no whole answer.
            _log.info("port %s of session %s broke off: %s", self._visit.port, self._visit.row["id"], error)
            weblog.unfinished_on_purpose()
        finally:
            if not self._kept:
                self._connection.close()

    # The request's body

    async def _upload(self, request: h11.Request, has_body: bool) -> None:
        """Send the body as it comes; returns when the client has gone away."""
        http, writable, more = self._connection.http, True, has_body
        if has_body and any(name == b"expect" for name, _ in request.headers):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CONTINUE_PATIENCE):
                    await self._go_on.wait()
        while more:
            # While it is the client who is slow, the server's time does not run.
            self._owe(None)
            message = await self._visit.receive()
            if message["type"] == "http.disconnect":
                return
            self._owe(self._patience)
            more = message.get("more_body", False)
            event = h11.Data(message["body"]) if message.get("body") else None
            for piece in (event, None if more else h11.EndOfMessage()):
                if piece is not None and writable:
                    try:
                        await self._write(http.send(piece) or b"")
                    except (_Stale, _Broken, ApiError):
                        # It reads no more, and may have answered all the same; the rest of the body is let go.
                        writable = False
            self._owe(self._patience)
        self._sent = writable
        while (await self._visit.receive())["type"] != "http.disconnect":
            pass

    def _owe(self, seconds: float | None) -> None:
        """From now on the server has so long to answer."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(None if seconds is None else self._loop.time() + seconds)

    # The answer

    async def _respond(self, method: bytes) -> None:
        """Carry the answer to its end."""
        with self._connections.waiting(self._connection.key):
            async with asyncio.timeout(self._patience) as self._limit:
                try:
                    response = await self._head()
                finally:
                    self._limit = None
        rewriting = Rewriting(self._visit.place, self._visit.outside)
        headers = rewriting.response(response.headers)
        names = {name for name, _ in response.headers}
        if response.status_code in (204, 304) or b"transfer-encoding" in names:
            # The length says nothing of their body, and our server would take it at its word.
            headers = [(name, value) for name, value in headers if name != b"content-length"]
        if self._is_page(method, headers):
            headers.append(rewriting.remember())
        self._answered = True
        await self._visit.send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await self._body(until_closed=not names & {b"content-length", b"transfer-encoding"})

    async def _head(self) -> h11.Response:
        while True:
            event = await self._event()
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 100:
                    self._go_on.set()
            elif isinstance(event, h11.Response):
                if event.status_code > 599:
                    raise ApiError("bad_gateway", f"port {self._visit.port} answered with status {event.status_code}")
                return event
            else:
                raise self._failure("closed the connection without an answer")

    async def _event(self) -> Any:
        """The next thing that the server says; waits for it."""
        while True:
            event = self._next()
            if event is not h11.NEED_DATA:
                return event
            await self._read()

    def _next(self) -> Any:
        try:
            return self._connection.http.next_event()
        except h11.RemoteProtocolError as error:
            text = "closed the connection without an answer" if not self._heard else f"answered no HTTP: {error}"
            raise self._failure(text) from None

    async def _body(self, *, until_closed: bool) -> None:
        """Carry the body in pieces as they come, and let go of the connection before the client knows the end."""
        pending = bytearray()
        while True:
            event = self._next()
            if event is h11.NEED_DATA:
                if pending:
                    await self._visit.send({"type": "http.response.body", "body": bytes(pending), "more_body": True})
                    pending.clear()
                await self._read()
            elif isinstance(event, h11.Data):
                pending += event.data
            elif isinstance(event, h11.EndOfMessage):
                if until_closed and await self._session_is_over():
                    # Any end of the connection is the end of such an answer, also that of a server that was killed.
                    raise self._failure("was ended with its session")
                if self._sent:
                    self._kept = True
                    self._connections.keep(self._connection)
                await self._visit.send({"type": "http.response.body", "body": bytes(pending), "more_body": False})
                return
            else:
                raise self._failure("broke off")

    def _is_page(self, method: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a browser shows the answer as a page, whose scripts may then ask for things at the root."""
        if not self._visit.place.prefix or method != b"GET":
            return False
        if self._visit.headers.get("sec-fetch-dest", "document") not in ("document", "iframe", "frame"):
            return False
        return any(name == b"content-type" and value.lower().startswith(b"text/html") for name, value in headers)

    # The connection

    async def _read(self) -> None:
        try:
            data = await self._loop.sock_recv(self._connection.sock, _CHUNK)
        except OSError as error:
            raise self._failure(f"broke the connection ({error.strerror})") from None
        self._heard = self._heard or bool(data)
        self._connection.http.receive_data(data)

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            await self._loop.sock_sendall(self._connection.sock, data)
        except OSError as error:
            raise self._failure(f"broke the connection ({error.strerror})") from None

    def _failure(self, what: str) -> Exception:
        if self._answered:
            return _Broken(what)
        if self._connection.reused and not self._heard:
            return _Stale()
        return ApiError("bad_gateway", f"what listens on port {self._visit.port} of the sandbox {what}")

    async def _session_is_over(self) -> bool:
        row = await sessions.get(self._visit.world.store, self._visit.row["id"])
        return row is None or row["status"] != sessions.RUNNING

    async def _until_ended(self) -> NoReturn:
        await self._visit.world.lifecycle.ended(self._visit.row["id"])
        if self._answered:
            raise _Broken("the session has ended")
        raise ApiError("not_found", f"session {self._visit.row['id']} has ended")
