"""A request through the whole application without a socket, so that all that any request leaves is left of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Scope

from chaser_emulator.cutting import EXTENSION

_LEAVING = 1.0
"""Real seconds in which what was given up comes to its end."""


@dataclass(frozen=True)
class Answer:
    """What came back. The status is 101 where a WebSocket was accepted, and 0 where the connection was cut.

    `given_up`: there would have been more, and nobody waited for it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    given_up: bool = False

    def json(self) -> Any:
        """The body as JSON; as text where it is none, and None where there is none."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode(errors="replace")


async def send(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    content: bytes | None = None,
    *,
    base_url: str,
    client: tuple[str, int] = ("127.0.0.1", 0),
    upgrade: bool = False,
    state: Mapping[str, Any] | None = None,
    patience: float | None = None,
) -> Answer:
    """Send a request, and wait until it is answered, or for so many real seconds.

    `target` is path and query, `state` what the application is to know of the request beforehand.
    """
    scheme, _, host = base_url.partition("://")
    path, _, query = target.partition("?")
    sent = [("Host", host), *headers]
    if content is not None:
        sent.append(("Content-Length", str(len(content))))
    name, _, port = host.rpartition(":")
    scope: Scope = {
        "type": "http",
        # As the server says it: what is streamed ends when nobody listens any more.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in sent],
        "client": client,
        "server": (name, int(port)) if name and port.isdigit() else (host, 443 if scheme == "https" else 80),
        "state": dict(state or {}),
    }
    exchange = _Exchange(content or b"", upgrade=upgrade)
    scope["extensions"] = {EXTENSION: exchange.cut}
    if upgrade:
        del scope["method"]
        scope.update(type="websocket", scheme=scheme.replace("http", "ws"), subprotocols=[])
        scope["extensions"]["websocket.http.response"] = {}

    async def answer() -> None:
        await app(scope, exchange.receive, exchange.send)

    # In a context of its own, as every request has one: what is undone afterwards is not done for it.
    answering = asyncio.create_task(answer())
    given_up = False
    if patience is not None:
        await asyncio.wait({answering}, timeout=patience)
        given_up = not answering.done()
        exchange.cut(False)
        # What does not look whether anybody still listens goes on, as it does without a client that has left.
        await asyncio.wait({answering}, timeout=_LEAVING)
    if patience is None or answering.done():
        await answering
    return Answer(exchange.status, exchange.headers, bytes(exchange.body), given_up)


class _Exchange:
    """The two ends of one request: its body goes in once, and what comes out is kept."""

    def __init__(self, content: bytes, *, upgrade: bool) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        first = {"type": "websocket.connect"} if upgrade else {"type": "http.request", "body": content}
        self._incoming: list[Message] = [first]
        self._over = asyncio.Event()
        self._gone: Message = {"type": "websocket.disconnect" if upgrade else "http.disconnect", "code": 1000}

    async def receive(self) -> Message:
        if self._incoming:
            return self._incoming.pop()
        await self._over.wait()
        return self._gone

    def cut(self, _reset: bool) -> None:
        self._over.set()

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                self.headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in message["headers"]}
            case "http.response.body" | "websocket.http.response.body":
                self.body += message.get("body", b"")
                if not message.get("more_body", False):
                    self._over.set()
            case "websocket.accept":
                self.status = 101
                self._over.set()
            case "websocket.close":
                self.status = self.status or 403
                self._over.set()
