"""Ports of the scripted engine: a server without a network that gives canned answers, or sends back what it gets."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.parse
from collections.abc import Sequence

import h11

from chaser_emulator.sandbox.stubs import HttpAnswer, Port

_CHUNK = 65_536
_LARGEST_BODY = 16 * 2**20
"""Bytes of a request that an echo describes."""


class ScriptedPort:
    """A port of a stub while its command runs. Each connection is a pair of sockets, one of which is served here."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._serving: set[asyncio.Task[None]] = set()

    def connect(self) -> socket.socket:
        """A new connection's other end."""
        theirs, ours = socket.socketpair()
        theirs.setblocking(False)
        ours.setblocking(False)
        serving = asyncio.create_task(self._serve(ours))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        # One that is hung up on at once never begins.
        serving.add_done_callback(lambda _: ours.close())
        return theirs

    def close(self) -> None:
        """Hang up on everybody."""
        for serving in self._serving:
            serving.cancel()

    async def _serve(self, sock: socket.socket) -> None:
        try:
            if self._port == "tcp":
                await _send_back(sock)
            else:
                await _Http(sock, self._port).serve()
        except (OSError, h11.RemoteProtocolError):
            return  # the other side hung up, or speaks no HTTP


async def _send_back(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(sock, _CHUNK):
        await loop.sock_sendall(sock, data)


class _Http:
    """One connection of HTTP/1.1."""

    def __init__(self, sock: socket.socket, port: Sequence[HttpAnswer] | str) -> None:
        self._sock = sock
        self._answers = None if isinstance(port, str) else port
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=4 * _CHUNK)
        self._loop = asyncio.get_running_loop()
        self._head = bytearray()
        """What has come of the request under way, for a WebSocket's handshake."""

    async def serve(self) -> None:
        while True:
            request = await self._next()
            if not isinstance(request, h11.Request):
                return
            if self._answers is None and _header(request, b"upgrade").lower() == b"websocket":
                await self._echo_messages()
                return
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            body = bytearray()
            while isinstance(part := await self._next(), h11.Data):
                if len(body) + len(part.data) <= _LARGEST_BODY:
                    body += part.data
            await self._answer(request, bytes(body))
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._head = bytearray(self._http.trailing_data[0])
            self._http.start_next_cycle()

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self._loop.sock_recv(self._sock, _CHUNK)
            if self._http.their_state is h11.IDLE:
                self._head += data
            self._http.receive_data(data)
        return event

    async def _answer(self, request: h11.Request, body: bytes) -> None:
        answer = _description(request, body) if self._answers is None else _fitting(self._answers, request)
        if answer.delay > 0:
            await asyncio.sleep(answer.delay)
        content = answer.body.encode() if isinstance(answer.body, str) else answer.body
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        names = {name.lower() for name, _ in headers}
        bodiless = answer.status in (204, 304)
        if not bodiless and not names & {b"content-length", b"transfer-encoding"}:
            headers.append((b"content-length", b"%d" % len(content)))
        if content and b"content-type" not in names:
            headers.append((b"content-type", b"text/plain; charset=utf-8"))
        await self._send(h11.Response(status_code=answer.status, headers=headers))
        if content and request.method != b"HEAD" and not bodiless:
            await self._send(h11.Data(data=content))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self._loop.sock_sendall(self._sock, data)

    async def _echo_messages(self) -> None:
        """Shake hands as a WebSocket's server, and send each message back."""
        from websockets.frames import DATA_OPCODES, Frame, Opcode
        from websockets.http11 import Request
        from websockets.server import ServerProtocol

        # Whoever offers subprotocols wants one of them.
        protocol = ServerProtocol(
            max_size=_LARGEST_BODY, select_subprotocol=lambda _, offered: offered[0] if offered else None
        )
        data: bytes = bytes(self._head)
        opcode, message = Opcode.TEXT, bytearray()
        while True:
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame) and event.opcode in DATA_OPCODES:
                    if event.opcode is not Opcode.CONT:
                        opcode, message = event.opcode, bytearray()
                    message += event.data
                    if event.fin:
                        send = protocol.send_text if opcode is Opcode.TEXT else protocol.send_binary
                        send(bytes(message))
            for piece in protocol.data_to_send():
                if piece:
                    await self._loop.sock_sendall(self._sock, piece)
            if not data or protocol.close_expected():
                return
            data = await self._loop.sock_recv(self._sock, _CHUNK)


def _header(request: h11.Request, name: bytes) -> bytes:
    return next((value for key, value in request.headers if key == name), b"")


def _fitting(answers: Sequence[HttpAnswer], request: h11.Request) -> HttpAnswer:
    """The first answer for a request; none at all is a 404 that names what there is."""
    method, target = request.method.decode("latin-1"), request.target.decode("latin-1")
    for answer in answers:
        if _is_for(answer, method, target):
            return answer
    known = ", ".join(f"{one.method or 'any method'} {one.path or 'any path'}" for one in answers) or "nothing"
    return HttpAnswer(status=404, body=f"The stub of this port answers {known}, and not {method} {target}.\n")


def _is_for(answer: HttpAnswer, method: str, target: str) -> bool:
    wanted = (answer.method or method).upper()
    if wanted != method and not (wanted == "GET" and method == "HEAD"):
        return False
    if answer.path is None:
        return True
    prefix = answer.path.endswith("*")
    path = answer.path.removesuffix("*")
    asked = target if "?" in path else target.partition("?")[0]
    readable = urllib.parse.unquote(asked)
    if prefix:
        return asked.startswith(path) or readable.startswith(path)
    return path in (asked, readable)


def _description(request: h11.Request, body: bytes) -> HttpAnswer:
    """A request in words, as an echo's answer."""
    path, _, query = request.target.decode("latin-1").partition("?")
    headers: dict[str, str] = {}
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    told = {
        "method": request.method.decode("latin-1"),
        "path": path,
        "query": query,
        "headers": headers,
        "body": body.decode(errors="replace"),
    }
    return HttpAnswer(headers={"content-type": "application/json"}, body=json.dumps(told))
