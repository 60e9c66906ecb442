"""How handles ask the control plane of an emulator, which is in this process or at an address."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
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

    @property
    def own_host(self) -> Host | None:
        """The emulator in this very process; one that it was forked from has another."""
        return self.host if self.host is not None and self.host.pid == os.getpid() else None

    @property
    def kept(self) -> httpx.BaseTransport:
        """A transport over the sockets, which stay open when a client of it is closed."""
        return Kept(self.sockets)

    def ask(
        self, method: str, path: str, body: Any = None, *, world: str | None = None, content: bytes | None = None,
        headers: Mapping[str, str] | None = None, **query: Any,
    ) -> Any:  # fmt: skip
        """The JSON that an operation under /_emulator answers, or its bytes. Raises Refused."""
        response = self.send(method, path, body, world=world, content=content, headers=headers, **query)
        if "application/json" in response.headers.get("content-type", ""):
            return response.json()
        return response.content or None

    def send(
        self, method: str, path: str, body: Any = None, *, world: str | None = None, content: bytes | None = None,
        headers: Mapping[str, str] | None = None, **query: Any,
    ) -> httpx.Response:  # fmt: skip
        """The whole answer. Raises Refused."""
        sent = {"Authorization": f"Bearer {self.api_key}"}
        if world is not None:
            sent["X-Chaser-World"] = world
        if content is not None:
            sent["Content-Type"] = "application/octet-stream"
        elif body is not None:
            content = json.dumps(body, default=_plain).encode()
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        said = {name: _said(value) for name, value in query.items() if value is not None}
        with httpx.Client(transport=self._transport(), base_url=self.url, timeout=_PATIENCE) as client:
            response = client.request(method, f"/_emulator{path}", content=content, headers=sent, params=said)
        if response.status_code >= 400:
            raise _refused(response)
        return response

    def _transport(self) -> httpx.BaseTransport:
        if (host := self.own_host) is not None:
            return ChaserTransport(host, "default")
        return self.kept


@dataclass(frozen=True)
class Kept(httpx.BaseTransport):
    """A transport that stays open when a client that used it is closed."""

    inner: httpx.BaseTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.inner.handle_request(request)


def segment(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")


def _plain(value: Any) -> Any:
    """What JSON has no form for, and YAML or a test may hold."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} has no form in JSON")


def _said(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _refused(response: httpx.Response) -> Refused:
    try:
        said = response.json()
        return Refused(response.status_code, said["code"], said["message"], said.get("details"))
    except (ValueError, KeyError, TypeError):
        return Refused(response.status_code, "unknown", f"{response.status_code}: {response.text[:200]}")
