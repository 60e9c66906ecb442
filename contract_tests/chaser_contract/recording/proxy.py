"""The proxy: what is asked of it goes on to a Chaser as it is, and what comes back is told to who records."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import anyio
import httpx
import websockets
from chaser_emulator import weblog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange

LARGEST = 16 * 1024 * 1024
"""Bytes of a body that are kept; the rest passes, and is not recorded."""

_HOP = frozenset(
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"]
)
_NOT_FORWARDED = _HOP | {"accept-encoding"}
_HANDSHAKE = _HOP | {f"sec-websocket-{name}" for name in ("key", "version", "extensions", "protocol", "accept")}

Heard = Callable[[Exchange, bool], None]
"""Is told of an exchange when its answer has ended, and whether its bodies are whole."""


@dataclass
class _Body:
    """What is kept of a body that passes."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self.size <= LARGEST:
            self.pieces.append(piece)
        return piece

    @property
    def whole(self) -> bool:
        return self.size <= LARGEST

    @property
    def kept(self) -> bytes:
        return b"".join(self.pieces) if self.whole else b""


class _Passing:
    """What was asked, and when; how it was answered is told once that is known."""

    def __init__(self, document: Document, method: str, connection: HTTPConnection, heard: Heard) -> None:
        self.target = _target(connection.scope)
        self.headers = _headers(connection.headers.raw)
        self.sent, self.came = _Body(), _Body()
        self._operation = document.operation_at(method, self.target.partition("?")[0])
        self._method = method
        self._heard = heard
        self._begun, self._at = time.perf_counter(), time.time()

    def tell(self, status: int | None, answered: dict[str, str], trouble: str | None = None) -> None:
        exchange = Exchange(
            operation=None if self._operation is None else self._operation.id, method=self._method, target=self.target,
            request_headers=self.headers, request_body=self.sent.kept, status=status, headers=answered,
            body=self.came.kept, seconds=time.perf_counter() - self._begun, trouble=trouble, at=self._at,
        )  # fmt: skip
        self._heard(exchange, self.sent.whole and self.came.whole)


def proxy(to: str, document: Document, heard: Heard) -> Starlette:
    """An application that passes everything on to a base URL."""
    base = to.rstrip("/")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # The one who asks decides how long is too long.
        limits = httpx.Limits(max_connections=None)
        timeout = httpx.Timeout(None)
        async with httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False) as client:
            app.state.client = client
            yield

    endpoint = _Endpoint(base, document, heard)
    return Starlette(
        routes=[Route("/{path:path}", endpoint), WebSocketRoute("/{path:path}", endpoint.websocket)],
        lifespan=lifespan,
    )


class _Endpoint:
    """Passes requests on, of any method."""

    def __init__(self, base: str, document: Document, heard: Heard) -> None:
        self._base = base
        self._document = document
        self._heard = heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._passed_on(Request(scope, receive))
        await response(scope, receive, send)

    async def _passed_on(self, request: Request) -> Response:
        passing = _Passing(self._document, request.method, request, self._heard)

        async def body() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                yield passing.sent.add(piece)

        has_body = any(name in passing.headers for name in ("content-length", "transfer-encoding"))
        asked = httpx.Request(
            request.method,
            self._base + passing.target,
            headers=[
                (name, value) for name, value in request.headers.raw if name.decode("latin-1") not in _NOT_FORWARDED
            ],
            content=body() if has_body else None,
        )

        try:
            answer = await request.app.state.client.send(asked, stream=True)
        except httpx.TransportError as error:
            trouble = f"{type(error).__name__} {error}".rstrip()
            passing.tell(None, {}, trouble)
            return JSONResponse(
                {"error": "bad_gateway", "message": f"the recorded Chaser does not answer: {trouble}"}, 502
            )
        except ClientDisconnect:
            passing.tell(None, {}, "the client left")
            return Response(status_code=499)
        answered = _headers(answer.headers.raw)

        async def pieces() -> AsyncIterator[bytes]:
            trouble = "the client left before the end"
            try:
                async for piece in answer.aiter_raw():
                    yield passing.came.add(piece)
                trouble = ""
            except httpx.TransportError as error:
                trouble = f"the answer broke off: {type(error).__name__}"
                raise
            finally:
                with anyio.CancelScope(shield=True):
                    await answer.aclose()
                passing.tell(answer.status_code, answered, trouble or None)

        passed = StreamingResponse(pieces(), answer.status_code)
        passed.raw_headers = [
            (name, value) for name, value in answer.headers.raw if name.decode("latin-1").lower() not in _HOP
        ]
        return passed

    async def websocket(self, websocket: WebSocket) -> None:
        """Pass a WebSocket through. Recorded is that it was opened, or refused, and not what was said in it."""
        passing = _Passing(self._document, "GET", websocket, self._heard)
        address = urlsplit(self._base)._replace(scheme="wss" if self._base.startswith("https:") else "ws").geturl()

        try:
            there = await websockets.connect(
                address + passing.target,
                additional_headers=[
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in websocket.headers.raw
                    if name.decode("latin-1") not in _HANDSHAKE
                ],
                subprotocols=[websockets.Subprotocol(name) for name in websocket.scope.get("subprotocols", [])] or None,
                max_size=None,
                proxy=None,
            )
        except websockets.InvalidStatus as refused:
            response = refused.response
            answered = {name.lower(): value for name, value in response.headers.raw_items()}
            body = passing.came.add(bytes(response.body or b""))
            passing.tell(response.status_code, answered)
            weblog.unfinished_on_purpose()
            kept = {name: value for name, value in answered.items() if name not in _HOP | {"content-length"}}
            await websocket.send_denial_response(Response(body, response.status_code, kept))
            return
        except (OSError, websockets.WebSocketException) as error:
            passing.tell(None, {}, f"{type(error).__name__} {error}".rstrip())
            weblog.unfinished_on_purpose()
            await websocket.send_denial_response(JSONResponse({"error": "bad_gateway", "message": str(error)}, 502))
            return
        async with there:
            passing.tell(
                101,
                {name.lower(): value for name, value in (there.response.headers.raw_items() if there.response else [])},
            )
            await websocket.accept(there.subprotocol)
            async with anyio.create_task_group() as group:
                group.start_soon(_to_the_client, there, websocket, group.cancel_scope)
                await _to_the_chaser(websocket, there)
                group.cancel_scope.cancel()


async def _to_the_chaser(websocket: WebSocket, there: websockets.ClientConnection) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            await there.close(_code(message.get("code")), message.get("reason") or "")
            return
        said = message.get("bytes")
        try:
            await there.send(message["text"] if said is None else said)
        except websockets.ConnectionClosed:
            return


async def _to_the_client(there: websockets.ClientConnection, websocket: WebSocket, scope: anyio.CancelScope) -> None:
    try:
        async for message in there:
            if isinstance(message, str):
                await websocket.send_text(message)
            else:
                await websocket.send_bytes(message)
        await websocket.close(_code(there.close_code), there.close_reason)
    except (WebSocketDisconnect, RuntimeError, websockets.ConnectionClosedError):
        # One of the two is gone; for the other that is the end as well.
        pass
    scope.cancel()


def _code(code: int | None) -> int:
    """A code that may be sent: those that only tell what happened may not."""
    return 1000 if code in (None, 1005, 1006, 1015) else int(code or 1000)


def _target(scope: Scope) -> str:
    """Path and query as they were sent."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case; of several with one name all, as one text."""
    found: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
