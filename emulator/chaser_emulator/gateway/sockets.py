"""WebSockets through the gateway: the app accepts first, then messages, closes and refusals pass both ways."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import EXTERNAL_CLOSE_CODES, Frame, Opcode
from websockets.http11 import Response as Accepted
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from chaser_emulator import origins
from chaser_emulator.errors import ApiError
from chaser_emulator.gateway.connections import Connections
from chaser_emulator.gateway.headers import Pairs, Rewriting
from chaser_emulator.gateway.places import Place, authority_of, split_label
from chaser_emulator.gateway.visit import Visit, first_of
from chaser_emulator.settings import Settings
from chaser_emulator.store import sessions

_CHUNK = 262_144
_LARGEST = 2**28
_FAREWELL = 2.0
"""Seconds that the app gets to read our close, before the connection goes."""

# Close codes of RFC 6455.
_NORMAL, _GOING_AWAY, _NO_CODE, _VANISHED, _INVALID, _BROKEN = 1000, 1001, 1005, 1006, 1007, 1011


def require_own(scope: Scope, place: Place, settings: Settings) -> None:
    """Raise ApiError `forbidden` for a page that is neither of this session nor of the emulator itself (S15)."""
    headers = Headers(scope=scope)
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        origin = ""
    label = split_label(origin, settings)
    if label is not None and label[0] == place.session_id:
        here = split_label(headers.get("host", ""), settings)
        site = here[2] if here else authority_of(headers.get("host", ""))[0]
        # Pages of one session talk with all of its ports, whatever the form of their addresses.
        if label[2] == site and authority_of(origin)[1] == authority_of(headers.get("host", ""))[1]:
            return
    origins.require_own(HTTPConnection(scope), settings)


async def forward(visit: Visit, connections: Connections, patience: float) -> None:
    """Carry one WebSocket to its end. Raises before it is accepted: ApiError, what the engine raises, TimeoutError."""
    require_own(visit.scope, visit.place, visit.world.settings)
    sock = await connections.dial(visit.row["ref"], visit.port)
    with contextlib.closing(sock), visit.world.lifecycle.lease(visit.row["id"]):
        upstream = _Upstream(visit, sock)
        with connections.waiting((visit.row["ref"], visit.port)):
            async with asyncio.timeout(patience):
                accepted = await upstream.open()
        if accepted.status_code != 101:
            await _deny(visit, accepted)
            return
        rewriting = Rewriting(visit.place, visit.outside)
        headers = [pair for pair in rewriting.response(_pairs(accepted)) if not _is_of_handshake(pair[0])]
        with contextlib.suppress(OSError):
            await visit.send(
                {"type": "websocket.accept", "subprotocol": upstream.protocol.subprotocol, "headers": headers}
            )
            await first_of(upstream.to_client(), upstream.to_app(), upstream.pong(), upstream.until_ended())


async def _deny(visit: Visit, refused: Accepted) -> None:
    """Pass on the plain answer with which an app refuses a WebSocket."""
    headers = Rewriting(visit.place, visit.outside).response(_pairs(refused))
    status = refused.status_code if 200 <= refused.status_code <= 511 else 502
    response = Response(bytes(refused.body or b""), status)
    response.raw_headers = [pair for pair in headers if pair[0] not in (b"content-length", b"date", b"server")]
    response.raw_headers.append((b"content-length", str(len(response.body)).encode()))
    await response(visit.scope, visit.receive, visit.send)


def _pairs(response: Accepted) -> Pairs:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.raw_items()]


def _is_of_handshake(name: bytes) -> bool:
    return name.startswith(b"sec-websocket-") or name in (b"date", b"server", b"content-length")


class _Upstream:
    """The client's side of a WebSocket to an app. Writes wait for the app, and so hold back who feeds them."""

    def __init__(self, visit: Visit, sock: socket.socket) -> None:
        self._visit = visit
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()
        self._pinged = asyncio.Event()
        self._app_done = asyncio.Event()
        self._said_goodbye = False
        self._received: deque[object] = deque()
        path, _, query = visit.target.partition("?")
        offered = [Subprotocol(name) for name in visit.scope["subprotocols"] if name]
        uri = WebSocketURI(False, "localhost", visit.port, path, query)
        self.protocol = ClientProtocol(uri, subprotocols=offered or None, max_size=_LARGEST)

    async def open(self) -> Accepted:
        """Shake hands; the answer, a refusal too. Raises ApiError `bad_gateway`."""
        request = self.protocol.connect()
        given = Rewriting(self._visit.place, self._visit.outside).request(self._visit.scope["headers"])
        del request.headers["Host"]
        for name, value in given:
            if not _is_of_handshake(name):
                request.headers[name.decode("latin-1")] = value.decode("latin-1")
        self.protocol.send_request(request)
        with contextlib.suppress(OSError):
            await self._flush()
            async for event in self._events():
                if isinstance(event, Accepted):
                    if event.status_code == 101 and self.protocol.handshake_exc is not None:
                        break
                    return event
        error = self.protocol.handshake_exc
        reason = str(error) if error is not None and error.__cause__ is None else "it closed the connection"
        raise ApiError(
            "bad_gateway", f"what listens on port {self._visit.port} of the sandbox opened no WebSocket: {reason}"
        )

    async def to_client(self) -> None:
        """Carry what the app says; returns when it has closed, or is gone."""
        pieces: list[bytes] = []
        text = False
        async for frame in self._events():
            if not isinstance(frame, Frame):
                continue
            if frame.opcode is Opcode.CLOSE:
                break
            if frame.opcode is Opcode.PING:
                self._pinged.set()
            elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                text = text if frame.opcode is Opcode.CONT else frame.opcode is Opcode.TEXT
                pieces.append(bytes(frame.data))
                if not frame.fin:
                    continue
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces = []
                try:
                    message = {"text": data.decode()} if text else {"bytes": data}
                except UnicodeDecodeError:
                    self.protocol.fail(_INVALID, "text that is no UTF-8")
                    break
                # A client that has gone is heard of in `to_app`, which tells the app before this ends.
                with contextlib.suppress(OSError):
                    await self._visit.send({"type": "websocket.send"} | message)
        self._app_done.set()
        await self._close_client(*await self._ending())
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._flush()

    async def _ending(self) -> tuple[int, str]:
        """The close for the client when the app is done: the app's, ours, or one that says that it is gone."""
        # A frame that breaks the rules is answered by our own close, and that is the true reason.
        close = self.protocol.close_rcvd or self.protocol.close_sent
        if close is not None and close.code != _VANISHED:
            return (close.code if _may_be_sent(close.code) else _NORMAL), close.reason
        row = await sessions.get(self._visit.world.store, self._visit.row["id"])
        if row is None or row["status"] != sessions.RUNNING:
            return _GOING_AWAY, "the session has ended"
        return _BROKEN, "the server in the sandbox has gone away"

    async def to_app(self) -> None:
        """Carry what the client says; returns when it has closed, or is gone, and the app has been told."""
        while True:
            message = await self._visit.receive()
            if message["type"] == "websocket.disconnect":
                break
            if message["type"] != "websocket.receive":
                continue
            try:
                if message.get("bytes") is not None:
                    self.protocol.send_binary(message["bytes"])
                else:
                    self.protocol.send_text(message["text"].encode())
                await self._flush()
            except (OSError, InvalidState):
                # What has become of the app comes out of `to_client`.
                await self._app_done.wait()
        code, reason = message.get("code", _NO_CODE), message.get("reason") or ""
        with contextlib.suppress(OSError, TimeoutError, InvalidState):
            async with asyncio.timeout(_FAREWELL):
                if _may_be_sent(code):
                    self.protocol.send_close(code, reason)
                elif code == _NO_CODE:
                    self.protocol.send_close()
                else:
                    return
                await self._flush()
                # To hang up with unread bytes would break the connection before the app has read our close.
                await self._app_done.wait()

    async def pong(self) -> None:
        """Answer the app's pings, apart from reading: a write may wait for the app, which may wait for us to read."""
        with contextlib.suppress(OSError):
            while True:
                await self._pinged.wait()
                self._pinged.clear()
                await self._flush()
        await self._app_done.wait()

    async def until_ended(self) -> None:
        """Close when the session has ended."""
        await self._visit.world.lifecycle.ended(self._visit.row["id"])
        await self._close_client(_GOING_AWAY, "the session has ended")

    async def _close_client(self, code: int, reason: str) -> None:
        if not self._said_goodbye:
            self._said_goodbye = True
            with contextlib.suppress(OSError):
                await self._visit.send({"type": "websocket.close", "code": code, "reason": reason})

    async def _events(self) -> AsyncIterator[object]:
        """What the app sends, until it closes or breaks the connection or the rules. What is not taken stays."""
        ended = False
        while True:
            while self._received:
                yield self._received.popleft()
            if ended or self.protocol.parser_exc is not None or self.protocol.handshake_exc is not None:
                return
            try:
                data = await self._loop.sock_recv(self._sock, _CHUNK)
            except OSError:
                data = b""
            if data:
                self.protocol.receive_data(data)
            else:
                self.protocol.receive_eof()
                ended = True
            self._received.extend(self.protocol.events_received())

    async def _flush(self) -> None:
        async with self._writing:
            if data := b"".join(self.protocol.data_to_send()):
                await self._loop.sock_sendall(self._sock, data)


def _may_be_sent(code: int) -> bool:
    return code in EXTERNAL_CLOSE_CODES or 3000 <= code < 5000
