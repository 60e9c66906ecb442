"""How handles ask the control plane of an emulator, which is in this process or at an address."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from chaser_emulator.embedded.direct import Host
from chaser_emulator.embedded.transport import ChaserTransport

_PATIENCE = httpx.Timeout(10, read=300)
"""Seconds. Moving a clock by years takes a while."""


class Refused(Exception):
    """The emulator refused what a test asked of it. `code` and `details` are those of its answer."""

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


@dataclass(frozen=True)
class Door:
    """The way to an emulator. `host` is the one in this process, if it is there; `sockets` are kept open between calls.

    `api_key` is that of its default world.
    """

    url: str
    api_key: str = field(repr=False)
    sockets: httpx.BaseTransport
    host: Host | None = None

    def ask(
        self, method: str, path: str, body: Any = None, *, world: str | None = None, content: bytes | None = None,
        media_type: str = "application/json", **query: Any,
    ) -> Any:  # fmt: skip
        """The JSON that an operation under /_emulator answers, or its bytes. Raises Refused."""
        response = self.send(method, path, body, world=world, content=content, media_type=media_type, **query)
        if "application/json" in response.headers.get("content-type", ""):
            return response.json()
        return response.content or None

    def send(
        self, method: str, path: str, body: Any = None, *, world: str | None = None, content: bytes | None = None,
        media_type: str = "application/json", **query: Any,
    ) -> httpx.Response:  # fmt: skip
        """The whole answer. Raises Refused."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": media_type}
        if world is not None:
            headers["X-Chaser-World"] = world
        if content is None:
            content = b"" if body is None else json.dumps(body).encode()
            if body is None:
                del headers["Content-Type"]
        said = {name: _said(value) for name, value in query.items() if value is not None}
        with httpx.Client(transport=self._transport(), base_url=self.url, timeout=_PATIENCE) as client:
            response = client.request(method, f"/_emulator{path}", content=content, headers=headers, params=said)
        if response.status_code >= 400:
            raise _refused(response)
        return response

    def _transport(self) -> httpx.BaseTransport:
        if self.host is not None and self.host.pid == os.getpid():
            return ChaserTransport(self.host, "default")
        return Kept(self.sockets)


@dataclass(frozen=True)
class Kept(httpx.BaseTransport):
    """A transport that stays open when a client that used it is closed."""

    inner: httpx.BaseTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.inner.handle_request(request)


def segment(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def _said(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _refused(response: httpx.Response) -> Refused:
    try:
        said = response.json()
        return Refused(response.status_code, said["code"], said["message"], said.get("details"))
    except (ValueError, KeyError, TypeError):
        return Refused(response.status_code, "unknown", f"{response.status_code}: {response.text[:200]}")
