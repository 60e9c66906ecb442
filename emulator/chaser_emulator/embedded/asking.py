"""How handles ask the control plane of an emulator, which is in this process or at an address."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from chaser_emulator.embedded.direct import Conversation, Ended, Host, Stopped, scope_of

if TYPE_CHECKING:
    import httpx

_PATIENCE = 300.0
"""Seconds. Moving a clock by years takes a while."""


class Refused(Exception):
    """The emulator refused what a test asked of it. `code` and `details` are those of its answer."""

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class Sockets:
    """Connections to an emulator, opened when one is needed and kept open between requests."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def transport(self) -> httpx.BaseTransport:
        """What an httpx client takes; closing that leaves it open."""
        from chaser_emulator.embedded.sockets import Kept, opened

        return Kept(opened(self._url))

    def close(self) -> None:
        """Close those that were opened."""
        if "transport" in vars(self):
            from chaser_emulator.embedded.sockets import Kept

            kept = vars(self).pop("transport")
            assert isinstance(kept, Kept)  # noqa: S101 - it was made just above
            kept.inner.close()


@dataclass(frozen=True)
class Answer:
    """What the control plane answered."""

    status: int
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Door:
    """The way to an emulator. `host` is the one in this process, if it is there.

    `api_key` is that of its default world.
    """

    url: str
    api_key: str = field(repr=False)
    sockets: Sockets
    host: Host | None = None

    @property
    def own_host(self) -> Host | None:
        """The emulator in this very process; one that it was forked from has another."""
        return self.host if self.host is not None and self.host.pid == os.getpid() else None

    def ask(
        self, method: str, path: str, body: Any = None, *, world: str | None = None, content: bytes | None = None,
        headers: Mapping[str, str] | None = None, **query: Any,
    ) -> Any:  # fmt: skip
        """The JSON that an operation under /_emulator answers, or its bytes. Raises Refused and ConnectionError."""
        __tracebackhide__ = True
        sent = {"Authorization": f"Bearer {self.api_key}"}
        if world is not None:
            sent["X-Chaser-World"] = world
        if content is not None:
            sent["Content-Type"] = "application/octet-stream"
        elif body is not None:
            content = json.dumps(body, default=_plain).encode()
            sent["Content-Type"] = "application/json"
        said = urlencode({name: _said(value) for name, value in query.items() if value is not None})
        address = f"{self.url}/_emulator{path}{f'?{said}' if said else ''}"
        send = self._by_socket if self.own_host is None else self._directly
        try:
            answer = send(method, address, {**sent, **(headers or {})}, content or b"")
        except (Ended, Stopped, CancelledError, TimeoutError, ConnectionError) as error:
            raise ConnectionError(f"no emulator answers at {self.url}: {error}") from None
        if answer.status >= 400:
            raise _refused(answer)
        return json.loads(answer.content) if answer.media_type == "application/json" else answer.content or None

    def _directly(self, method: str, address: str, headers: Mapping[str, str], content: bytes) -> Answer:
        assert self.host is not None  # noqa: S101 - the caller looked
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(content)).encode()))
        conversation = Conversation(self.host, scope_of(self.host, method, urlsplit(address), raw), content)
        head = conversation.head().result(_PATIENCE)
        pieces = []
        while piece := conversation.piece().result(_PATIENCE):
            pieces.append(piece)
        media_type = next((value for name, value in head.headers if name.lower() == b"content-type"), b"")
        return Answer(head.status, media_type.decode("latin-1").partition(";")[0], b"".join(pieces))

    def _by_socket(self, method: str, address: str, headers: Mapping[str, str], content: bytes) -> Answer:
        import httpx

        try:
            with httpx.Client(transport=self.sockets.transport, timeout=_PATIENCE) as client:
                response = client.request(method, address, content=content, headers=dict(headers))
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from None
        media_type = response.headers.get("content-type", "").partition(";")[0]
        return Answer(response.status_code, media_type, response.content)


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


def _refused(answer: Answer) -> Refused:
    try:
        said = json.loads(answer.content)
        return Refused(answer.status, said["code"], said["message"], said.get("details"))
    except (ValueError, KeyError, TypeError):
        shown = answer.content[:200].decode("utf-8", "replace")
        return Refused(answer.status, "unknown", f"{answer.status}: {shown}")
