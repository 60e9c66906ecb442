"""DevTools of a Chromium in a sandbox: its pages over HTTP, its protocol over WebSockets, in addresses of our own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import h11
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from chaser_emulator.sandbox import CommandSpec, Process

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FRAME_LIMIT = 2**28
"""Bytes of a message of the protocol: screenshots and traces are large."""

_PATIENCE = 10.0
_ANSWER_LIMIT = 2**26
_HOST = "localhost"
"""Chromium answers to addresses and to this name only."""

_HALVES = re.compile(r"\\u[dD][89a-fA-F]")
_NO_SESSION = -32001
_CLOSED = "the browser closed the connection"

Json = dict[str, Any]
Heard = Callable[[str, Json], None]
"""Told of what comes unasked: a method of the protocol, and what belongs to it."""


class Failed(Exception):
    """Chromium refused, broke the connection, or spoke nonsense. The text is one sentence for the API's caller."""


class NoTarget(Failed):
    """It has no such target."""


class NoAnswer(Failed):
    """It took longer than the caller would wait."""


class Refused(Failed):
    """It does not do what a command of the protocol asks; the text is its own."""


class Reaches(Protocol):
    """What of an engine leads to a browser in a sandbox of its."""

    async def connect(self, ref: str, port: int) -> socket.socket: ...
    async def exec(self, ref: str, command: CommandSpec) -> Process: ...


@dataclass(frozen=True)
class Place:
    """Where a Chromium listens: a port in a sandbox; and how long its answers may take, in seconds."""

    engine: Reaches
    ref: str
    port: int
    patience: float = _PATIENCE


async def version(place: Place, base: str, guid: str) -> Json:
    """What the browser is, with the address that drives it below `base`, a session's URL. Raises Failed."""
    told = await _json(place, "/json/version")
    names = ("Browser", "Protocol-Version", "User-Agent", "V8-Version", "WebKit-Version")
    return {name: str(told.get(name, "")) for name in names} | {
        "webSocketDebuggerUrl": f"{_sockets(base)}/devtools/browser/{guid}"
    }


async def targets(place: Place, base: str) -> list[Json]:
    """Everything that can be attached to, what was used last first; not what Chromium's own surface is made of."""
    told = await _json(place, "/json/list")
    return [_target(one, base) for one in told if one.get("type") != "browser_ui"]


async def open_target(place: Place, base: str, url: str) -> Json:
    """A new page."""
    return _target(await _json(place, f"/json/new?{quote(url, safe='')}", method="PUT"), base)


async def activate(place: Place, target: str) -> str:
    """Bring a page to the front; answers Chromium's words. Raises NoTarget."""
    return (await _ask(place, f"/json/activate/{quote(target, safe='')}")).decode(errors="replace")


async def close(place: Place, target: str) -> str:
    """Close a page; answers Chromium's words. Raises NoTarget."""
    return (await _ask(place, f"/json/close/{quote(target, safe='')}")).decode(errors="replace")


async def protocol(place: Place) -> Json:
    """The protocol as Chromium describes it."""
    told: Json = await _json(place, "/json/protocol")
    return told


async def first_page(place: Place) -> None:
    """Wait until the browser has a page; the caller minds the time."""
    while True:
        with contextlib.suppress(Failed):
            if any(one["type"] == "page" for one in await targets(place, "")):
                return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def socket_to(place: Place, path: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket to `browser/<guid>` or `page/<target>`. Raises NoTarget, Failed and SandboxError."""
    # On use, as it would be a tenth of a start.
    from websockets.asyncio.client import connect

    stream = await place.engine.connect(place.ref, place.port)
    try:
        opened = await connect(
            f"ws://{_HOST}:{place.port}/devtools/{path}",
            sock=stream,
            max_size=FRAME_LIMIT,
            compression=None,
            ping_interval=None,
            open_timeout=place.patience,
            close_timeout=1,
            proxy=None,
            user_agent_header=None,
        )
    except InvalidStatus:
        stream.close()
        raise NoTarget("there is nothing at this address of the browser") from None
    except TimeoutError:
        stream.close()
        raise NoAnswer("the browser did not answer in time") from None
    except (OSError, WebSocketException) as error:
        stream.close()
        raise Failed(f"the browser does not answer: {error}") from None
    except BaseException:
        stream.close()
        raise
    try:
        yield opened
    finally:
        await opened.close()


class Conversation:
    """Questions and answers of the protocol on one socket; what comes unasked goes to `heard`.

    What belongs to a page that is attached on the same socket (a flat session) goes to its own ear in `sessions`.
    """

    def __init__(self, socket: ClientConnection, heard: Heard) -> None:
        self._socket = socket
        self._heard = heard
        self._waiting: dict[int, tuple[str | None, asyncio.Future[Json]]] = {}
        self._last = 0
        self.sessions: dict[str, Heard] = {}
        self.over = asyncio.Event()

    async def ask(self, method: str, **params: Any) -> Json:
        """The result of one command. Raises Refused with Chromium's own words, and Failed."""
        return await self.call(method, params)

    async def call(self, method: str, params: Json, *, session: str | None = None, patience: float = _PATIENCE) -> Json:
        """The same, of an attached page, with `patience` in seconds. Raises NoAnswer when that is over."""
        number = self._next()
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (session, answer)
        try:
            async with asyncio.timeout(patience):
                await self._send(number, method, params, session)
                return await answer
        except TimeoutError:
            raise NoAnswer(f"the browser did not answer to {method}") from None
        finally:
            self._waiting.pop(number, None)

    async def post(self, method: str, params: Json, *, session: str | None = None) -> None:
        """Send a command whose answer nobody waits for. Raises Failed."""
        await self._send(self._next(), method, params, session)

    def hang_up(self, session: str, reason: str) -> None:
        """A page is gone or cannot answer: let go of who waits for it."""
        for asked, answer in self._waiting.values():
            if asked == session and not answer.done():
                answer.set_exception(Failed(reason))

    def _next(self) -> int:
        self._last += 1
        return self._last

    async def _send(self, number: int, method: str, params: Json, session: str | None) -> None:
        message = {"id": number, "method": method, "params": params}
        try:
            await self._socket.send(json.dumps(message if session is None else message | {"sessionId": session}))
        except ConnectionClosed:
            raise Failed(_CLOSED) from None

    async def listen(self) -> None:
        """Read until the browser closes the socket."""
        try:
            async for frame in self._socket:
                message = _message(frame)
                _, waiting = self._waiting.get(message.get("id", 0), (None, None))
                if waiting is None:
                    if "method" in message:
                        ear = self.sessions.get(message.get("sessionId", ""), self._heard)
                        ear(message["method"], message.get("params", {}))
                elif not waiting.done():
                    if "error" in message:
                        waiting.set_exception(_refusal(message["error"]))
                    else:
                        waiting.set_result(message.get("result", {}))
        except ConnectionClosed:
            pass
        finally:
            self.over.set()
            for _, waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Failed(_CLOSED))


@asynccontextmanager
async def conversation(
    place: Place, path: str, heard: Heard = lambda _method, _params: None
) -> AsyncIterator[Conversation]:
    """A conversation with the browser or a page. Raises as `socket_to` does."""
    async with socket_to(place, path) as socket:
        talk = Conversation(socket, heard)
        listening = asyncio.create_task(talk.listen())
        try:
            yield talk
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def _message(frame: str | bytes) -> Json:
    """What a frame says. Half a surrogate pair, which scripts can make, is no character that anybody could send on."""
    try:
        message: Json = json.loads(frame)
    except RecursionError:
        return {"method": "", "params": {}}
    if _HALVES.search(frame if isinstance(frame, str) else frame.decode(errors="replace")):
        text = json.dumps(message, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        message = json.loads(text)
    return message


def _refusal(error: Json) -> Failed:
    if error.get("code") == _NO_SESSION:
        return Failed("the page has been closed")
    text, more = str(error.get("message", "refused")), error.get("data")
    return Refused(f"{text}: {more}" if isinstance(more, str) and more else text)


def _sockets(base: str) -> str:
    return f"ws{base.removeprefix('http')}"


def _target(told: Json, base: str) -> Json:
    names = ("id", "type", "title", "url")
    return {name: str(told.get(name, "")) for name in names} | {
        "webSocketDebuggerUrl": f"{_sockets(base)}/devtools/page/{told.get('id')}"
    }


async def _json(place: Place, path: str, method: str = "GET") -> Any:
    try:
        return json.loads(await _ask(place, path, method))
    except ValueError:
        raise Failed("the browser's answer is no JSON") from None


async def _ask(place: Place, path: str, method: str = "GET") -> bytes:
    """One request of Chromium's own HTTP server. Raises NoTarget for a 404, Failed, TimeoutError and SandboxError."""
    stream = await place.engine.connect(place.ref, place.port)
    try:
        reader, writer = await asyncio.open_connection(sock=stream)
    except BaseException:
        stream.close()
        raise
    try:
        async with asyncio.timeout(place.patience):
            status, body = await _exchange(reader, writer, method, path, f"{_HOST}:{place.port}")
    except (OSError, h11.RemoteProtocolError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise Failed(f"the browser does not answer: {error}") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if status == 404:
        raise NoTarget(body.decode(errors="replace").strip()[:300] or "there is no such target")
    if status != 200:
        raise Failed(f"the browser answered {status}: {body.decode(errors='replace').strip()[:300]}")
    return body


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, host: str
) -> tuple[int, bytes]:
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("Connection", "close"), ("Content-Length", "0")]
    sent = connection.send(h11.Request(method=method, target=path, headers=headers)) or b""
    writer.write(sent + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(2**18))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _ANSWER_LIMIT:
                raise Failed("the browser's answer is too long")
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise Failed("the browser closed the connection")
