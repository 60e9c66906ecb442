"""Visit: one request or WebSocket that comes to a session's gateway, and how it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from chaser_emulator.gateway.headers import Outside
from chaser_emulator.gateway.places import Place
from chaser_emulator.store import Row

if TYPE_CHECKING:
    from chaser_emulator.world import World

T = TypeVar("T")


@dataclass(frozen=True)
class Visit:
    """What comes to a session that runs: an ASGI scope with its two ends, the place it names, and the session's row."""

    world: World
    place: Place
    row: Row
    scope: Scope
    receive: Receive
    send: Send

    @property
    def headers(self) -> Headers:
        return Headers(scope=self.scope)

    @property
    def is_socket(self) -> bool:
        return bool(self.scope["type"] == "websocket")

    @property
    def port(self) -> int:
        assert self.place.port is not None, "the place names no port"  # noqa: S101
        return self.place.port

    @property
    def target(self) -> str:
        """What is asked of the port: path and query, byte for byte as they came."""
        query = self.scope["query_string"].decode("latin-1")
        return (self.place.tail or "/") + (f"?{query}" if query else "")

    @property
    def outside(self) -> Outside:
        return outside_of(self.scope)


def outside_of(scope: Scope) -> Outside:
    """How the gateway was reached, through a proxy that ends TLS as well."""
    headers = Headers(scope=scope)
    forwarded = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    plain = "https" if scope["scheme"] in ("https", "wss") else "http"
    client = scope.get("client")
    return Outside(
        headers.get("host", ""), forwarded if forwarded in ("http", "https") else plain, client[0] if client else ""
    )


def prefers_html(connection: HTTPConnection) -> bool:
    """Whether a person looks at the answer: `text/html` is named, and no less wanted than JSON."""
    wanted = {}
    for part in ",".join(connection.headers.getlist("accept")).split(","):
        media_type, *parameters = part.split(";")
        quality = next((value for name, _, value in map(_pair, parameters) if name == "q"), "1")
        try:
            wanted[media_type.strip().lower()] = float(quality)
        except ValueError:
            continue
    return wanted.get("text/html", 0) > 0 and wanted["text/html"] >= wanted.get("application/json", 0)


def _pair(parameter: str) -> tuple[str, str, str]:
    name, equals, value = parameter.partition("=")
    return name.strip().lower(), equals, value.strip()


async def first_of(*works: Coroutine[Any, Any, T]) -> T:
    """The result of the one that is done first (the first named of several); the others are cancelled and awaited."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done = next(task for task in tasks if task.done())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return done.result()
