"""A request to the API as data: built for an operation, changed in one place, sent through the whole application."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from starlette.types import ASGIApp, Message, Scope

from chaser_emulator.cutting import EXTENSION
from chaser_emulator.spec import Operation

_JSON = "application/json"
_BOUNDARY = "provoked-boundary"
_SHOWN = 4096
"""Bytes of a body that are shown of a request that was sent; more of it is only counted."""

_HIDDEN = "[hidden]"


@dataclass(frozen=True)
class ApiRequest:
    """One request. `body` is JSON (None: no body), `form` the parts of a form: text, or the bytes of a file.

    `content` and `media_type` take the place of what `body` or `form` would be sent as. `client` is the address of the
    machine that it comes from, and `upgrade` says that it asks for a WebSocket.
    """

    operation: Operation
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str | bytes] | None = None
    content: bytes | None = None
    media_type: str | None = None
    client: str = "127.0.0.1"
    upgrade: bool = False

    @property
    def target(self) -> str:
        """Path and query, as the first line of the request has them."""
        path = self.operation.path
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return f"{path}?{urlencode(self.query, quote_via=quote)}" if self.query else path

    @property
    def sent(self) -> bytes | None:
        """The body as bytes, None where there is none."""
        if self.content is not None:
            return self.content
        if self.form is not None:
            return _multipart(self.form)
        return None if self.body is None else json.dumps(self.body).encode()

    @property
    def sent_type(self) -> str | None:
        """The content type that goes with the body."""
        if self.sent is None or self.media_type is not None:
            return self.media_type
        return _JSON if self.form is None else f"multipart/form-data; boundary={_BOUNDARY}"

    def with_headers(self, **headers: str | None) -> ApiRequest:
        """The same with these headers (`X_Chaser_Account` for X-Chaser-Account), or without those that are None."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in self.headers.items() if name not in named}
        return replace(self, headers=kept | {name: value for name, value in named.items() if value is not None})

    def with_path(self, **path: str) -> ApiRequest:
        return replace(self, path={**self.path, **path})

    def with_body(self, **fields: Any) -> ApiRequest:
        return replace(self, body={**self.body, **fields})

    def info(self, *, whole: bool) -> dict[str, Any]:
        """Its JSON. `whole` is for who is to send it: with the credential, and with all of a large body."""
        headers = dict(self.headers)
        if not whole and "Authorization" in headers:
            headers["Authorization"] = f"Bearer {_HIDDEN}"
        if self.sent_type is not None:
            headers["Content-Type"] = self.sent_type
        if self.upgrade:
            headers |= {"Connection": "Upgrade", "Upgrade": "websocket"}
        shown: dict[str, Any] = {
            "method": self.operation.method,
            "url": self.target,
            "path_parameters": dict(self.path),
            "query": dict(self.query),
            "headers": headers,
        }
        data = self.sent
        if data is None:
            return shown
        if self.content is None and self.form is None:
            return shown | {"body": self.body}
        shown["body_bytes"] = len(data)
        if whole or len(data) <= _SHOWN:
            try:
                shown |= {"body": data.decode(), "encoding": "utf-8"}
            except UnicodeDecodeError:
                shown |= {"body": base64.b64encode(data).decode("ascii"), "encoding": "base64"}
        return shown


@dataclass(frozen=True)
class Answer:
    """What came back. The status is 101 where a WebSocket was accepted, and 0 where the connection was cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; as text where it is none, and None where there is none."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode(errors="replace")


async def send(app: ASGIApp, request: ApiRequest, *, base_url: str, request_id: str) -> Answer:
    """Send a request through the application without a socket, so that all that any request leaves is left of it."""
    scheme, _, host = base_url.partition("://")
    path, _, query = request.target.partition("?")
    content = request.sent
    headers = {"Host": host, "X-Request-Id": request_id, **request.headers}
    if request.sent_type is not None:
        headers["Content-Type"] = request.sent_type
    if content is not None:
        headers["Content-Length"] = str(len(content))
    name, _, port = host.rpartition(":")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.operation.method,
        "scheme": scheme,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()],
        "client": (request.client, 0),
        "server": (name, int(port)) if name and port.isdigit() else (host, 443 if scheme == "https" else 80),
        "state": {},
    }
    exchange = _Exchange(content or b"", upgrade=request.upgrade)
    scope["extensions"] = {EXTENSION: exchange.cut}
    if request.upgrade:
        del scope["method"]
        scope.update(type="websocket", scheme=scheme.replace("http", "ws"), subprotocols=[])
        scope["extensions"]["websocket.http.response"] = {}

    async def answer() -> None:
        await app(scope, exchange.receive, exchange.send)

    # In a context of its own, as every request has one: what is undone afterwards is not done for it.
    await asyncio.create_task(answer())
    return Answer(exchange.status, exchange.headers, bytes(exchange.body))


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


def _multipart(form: Mapping[str, str | bytes]) -> bytes:
    """The parts of a form as one body; bytes are files."""
    parts = []
    for name, value in form.items():
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += f'; filename="{name}"\r\nContent-Type: application/octet-stream'
        parts.append(head.encode() + b"\r\n\r\n" + (value.encode() if isinstance(value, str) else value) + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
