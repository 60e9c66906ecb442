"""Which world a request is for: that of its key, or the one that it names."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from chaser_emulator.errors import ApiError
from chaser_emulator.gateway import places
from chaser_emulator.paths import CONTROL
from chaser_emulator.settings import Settings
from chaser_emulator.tokens import world_of
from chaser_emulator.world import DEFAULT, World
from chaser_emulator.worlds import Worlds

HEADER = "X-Chaser-World"

_CONTROL = f"{CONTROL}/"
_SIGN_IN = "/auth/"
_SESSION = re.compile(r"/v1/sessions/([^/]+)")


class Selection:
    """An ASGI application that finds the world of each connection and passes it on, in the scope's state."""

    def __init__(self, worlds: Worlds, settings: Settings, inner: ASGIApp, error_status: Mapping[str, int]) -> None:
        self._worlds = worlds
        self._settings = settings
        self._inner = inner
        self._error_status = error_status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        state = scope["state"]
        state["worlds"] = self._worlds
        try:
            state["world"] = await self.pick(scope)
        except ApiError as error:
            body = error.body(state["request_id"])
            await JSONResponse(body, self._error_status[error.code], error.headers)(scope, receive, send)
            return
        if scope["path"].startswith(_CONTROL):
            # Which may be what ends the world.
            await self._inner(scope, receive, send)
            return
        with self._worlds.visit(state["world"]):
            await self._inner(scope, receive, send)

    async def pick(self, scope: Scope) -> World:
        """The world of a request: its key's, else the one that it names, else the one whose session it names.

        A key that several know, as forks do their source's, is the eldest's unless the request names another of them.
        Where nothing says anything it is the default one. Raises ApiError `not_found` for a name that no world has.
        """
        while True:
            await self._settled(scope)
            try:
                world = await self._pick(scope)
            except ApiError:
                if self._change(scope) is None:
                    raise
                continue
            # Meanwhile it may have become another.
            if self._change(scope) is None:
                return world

    async def _pick(self, scope: Scope) -> World:
        if len(self._worlds) == 1 and DEFAULT in self._worlds:
            named = self._named(scope)
            return self._worlds.get(named) if named is not None else self._worlds.default
        named = self._named(scope)
        secret = _secret(scope)
        token = world_of(secret) if secret else None
        if token is not None:
            known = [self._worlds.get(token)] if token in self._worlds else []
        else:
            known = await self._worlds.of_key(secret) if secret else []
        if named is not None:
            chosen = self._worlds.get(named)
            return chosen if not known or chosen in known or token is not None else known[0]
        if known:
            return known[0]
        return self._by_session(scope) or self._worlds.get(DEFAULT)

    async def _settled(self, scope: Scope) -> None:
        """Wait while a world is replaced that the request may be for: until then its key is nobody's."""
        while self._change(scope) is not None:
            if secret := _secret(scope):
                # It may be that of a world which nobody has asked yet.
                await self._worlds.of_key(secret)
            if change := self._change(scope):
                await change.wait()

    def _change(self, scope: Scope) -> asyncio.Event | None:
        """The end of a change by which the world of a request becomes another; None: it does not, or not now."""
        if not self._worlds.replaces:
            return None
        named, secret = self._named(scope), _secret(scope)
        return self._worlds.replacing(named or (world_of(secret) if secret else None), secret)

    def _named(self, scope: Scope) -> str | None:
        named = Headers(scope=scope).get(HEADER.lower())
        if named is None and scope["path"].startswith((_CONTROL, _SIGN_IN)) and b"world=" in scope["query_string"]:
            found = parse_qs(scope["query_string"].decode("latin-1")).get("world")
            named = found[0] if found else None
        return named

    def _by_session(self, scope: Scope) -> World | None:
        """The newest world in which a session lives that the path, the host or the page that asks names."""
        session_id = None
        if match := _SESSION.match(scope["path"]):
            session_id = match[1].lower()
        else:
            with contextlib.suppress(ApiError):
                place = places.find(scope, self._settings) or places.astray(scope, self._settings, None)
                session_id = place.session_id if place is not None else None
        if session_id is None:
            return None
        return next((one for one in reversed(self._worlds.all()) if one.lifecycle.knows(session_id)), None)


def world_at(connection: HTTPConnection) -> World:
    """The world that a connection is for."""
    world = connection.state.world
    assert isinstance(world, World)  # noqa: S101 - put there by Selection
    return world


def is_over(connection: HTTPConnection) -> bool:
    """Whether the world that a connection is for is there no longer, so that its database is closed."""
    worlds: Worlds = connection.state.worlds
    return not worlds.holds(world_at(connection))


def _secret(scope: Scope) -> str | None:
    scheme, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return secret.strip()
    if b"access_token=" in scope["query_string"]:
        # Browsers cannot set a header on a WebSocket (S15).
        found = parse_qs(scope["query_string"].decode("latin-1")).get("access_token")
        return found[0] if found else None
    return None
