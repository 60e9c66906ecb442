"""A request to the API as data: built for an operation, changed in one place, sent through the whole application."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from starlette.types import ASGIApp

from chaser_emulator import inward
from chaser_emulator.inward import Answer
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


async def send(app: ASGIApp, request: ApiRequest, *, base_url: str, request_id: str) -> Answer:
    """Send a request through the application without a socket, so that all that any request leaves is left of it."""
    headers = {"X-Request-Id": request_id, **request.headers}
    if request.sent_type is not None:
        headers["Content-Type"] = request.sent_type
    return await inward.send(
        app, request.operation.method, request.target, headers.items(), request.sent,
        base_url=base_url, client=(request.client, 0), upgrade=request.upgrade,
    )  # fmt: skip


def _multipart(form: Mapping[str, str | bytes]) -> bytes:
    """The parts of a form as one body; bytes are files."""
    parts = []
    for name, value in form.items():
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += f'; filename="{name}"\r\nContent-Type: application/octet-stream'
        parts.append(head.encode() + b"\r\n\r\n" + (value.encode() if isinstance(value, str) else value) + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
