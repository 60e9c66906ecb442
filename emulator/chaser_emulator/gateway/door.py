"""The gateway's door: what comes to a session by path or by host is sent to its port, or to what its type answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chaser_emulator import sandbox
from chaser_emulator.errors import ApiError
from chaser_emulator.gateway import http, sockets
from chaser_emulator.gateway.page import error_page, index_page
from chaser_emulator.gateway.places import Place, astray, find, root_host
from chaser_emulator.gateway.visit import Visit, prefers_html
from chaser_emulator.settings import Settings
from chaser_emulator.store import Row, sessions

if TYPE_CHECKING:
    from chaser_emulator.world import World

_log = logging.getLogger(__name__)

_START_PATIENCE = 30.0
"""Seconds that whoever comes to a session that still starts is kept waiting."""

_PORTS_PATIENCE = 5.0

Tail = Callable[[Visit], Awaitable[None]]
"""Answers what is asked of a session itself; `visit.place.tail` is the raw path below its base.

It answers on the visit's own ends, or raises ApiError or SandboxError before it has.
"""


class Gateway:
    """An ASGI application in front of the API's: it answers what names a session, and passes the rest on to `inner`.

    `tails` are for each type of session what answers beside forwarded ports; without one, its index does.
    """

    def __init__(
        self,
        settings: Settings,
        inner: ASGIApp,
        error_status: Mapping[str, int],
        tails: Mapping[str, Tail] | None = None,
    ) -> None:
        self._settings = settings
        self._inner = inner
        self._error_status = error_status
        self._tails = dict(tails or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        try:
            place = find(scope, self._settings)
        except ApiError as error:
            await self._refusal(scope, error)(scope, receive, send)
            return
        if place is None:
            await self._inner(scope, receive, send)
        else:
            await self._enter(place, scope, receive, send)

    def or_else(self, nothing: ASGIApp) -> ASGIApp:
        """What answers where the API has no route: an app in a sandbox that thinks itself at the root, or `nothing`."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            place = astray(scope, self._settings, None)
            if place is None:
                await nothing(scope, receive, send)
            elif scope["type"] == "websocket":
                await self._enter(place, scope, receive, send)
            else:
                await _back_inside(place, scope)(scope, receive, send)

        return answer

    async def _enter(self, place: Place, scope: Scope, receive: Receive, send: Send) -> None:
        world: World = scope["state"]["world"]
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        async def render(error: ApiError) -> None:
            if started:
                _log.warning("%s failed after its answer had begun: %s", scope["path"], error.message)
            else:
                await self._refusal(scope, error)(scope, receive, send)

        try:
            if scope["type"] == "websocket":
                await receive()  # its connect
                sockets.require_own(scope, place, self._settings)
            row = await _running(world, place.session_id)
            await self._answer(Visit(world, place, row, scope, receive, noted))
        except ApiError as error:
            await render(error)
        except sandbox.PortClosed:
            await render(await _closed(world, row, place))
        except sandbox.SandboxGone:
            await world.lifecycle.lost(row)
            await render(ApiError("not_found", f"session {row['id']} has ended: its sandbox is gone"))
        except sandbox.SandboxError as error:
            await render(ApiError("sandbox_unavailable", str(error)))
        except TimeoutError:
            text = f"what listens on port {place.port} of the sandbox did not answer in time"
            await render(ApiError("gateway_timeout", text))
        except Exception:
            _log.exception("%s failed", scope["path"])
            await render(ApiError("internal_error", "the emulator failed; its log says why, under this request id"))

    async def _answer(self, visit: Visit) -> None:
        if visit.place.port is not None:
            await self._forward(visit)
        else:
            await self._tails.get(visit.row["session_type"], self.index)(visit)

    async def _forward(self, visit: Visit) -> None:
        patience, connections = self._settings.forward_timeout, visit.world.connections
        if visit.is_socket:
            # It leases the session once it is open.
            await sockets.forward(visit, connections, patience)
        elif visit.place.base and visit.headers.get("service-worker") == "script":
            # What it answers goes past the gateway, with headers by which its pages could have a hand on the console.
            raise ApiError("forbidden", "a service worker needs an origin of its own: open the preview by its host")
        elif visit.place.prefix and not visit.place.tail and visit.scope["method"] in ("GET", "HEAD"):
            # Relative links of the page would lead beside it.
            await _redirect(visit.place.prefix + "/", visit.scope)(visit.scope, visit.receive, visit.send)
        else:
            with visit.world.lifecycle.use(visit.row["id"]):
                await http.forward(visit, connections, patience)

    async def index(self, visit: Visit) -> None:
        """The tail of types that have no other: what listens in the session, and the way back for lost requests."""
        scope, ends = visit.scope, (visit.scope, visit.receive, visit.send)
        by_host = not visit.place.base
        lost = astray(scope, self._settings, visit.place) if by_host else None
        if lost is not None and visit.is_socket:
            await self._forward(Visit(visit.world, lost, visit.row, scope, visit.receive, visit.send))
        elif lost is not None:
            await _back_inside(lost, scope)(*ends)
        elif visit.place.tail not in ("", "/") or visit.is_socket:
            shown = f"{visit.place.base}{visit.place.tail}"
            raise ApiError(
                "not_found", f"there is nothing at {shown[:200]} of session {visit.row['id']}; /forward/<port>/ is"
            )
        elif scope["method"] not in ("GET", "HEAD"):
            raise ApiError(
                "method_not_allowed",
                f"{scope['method']} is not offered here; GET, HEAD are",
                headers={"Allow": "GET, HEAD"},
            )
        else:
            visit.world.lifecycle.touch(visit.row["id"])
            found = await self._found(visit)
            html = prefers_html(HTTPConnection(scope))
            response = index_page(found) if html else JSONResponse(found, headers={"Vary": "Accept"})
            await response(*ends)

    async def _found(self, visit: Visit) -> dict[str, Any]:
        """The index of a session: what it is, and the address of each port that listens."""
        outside = visit.outside
        inside = f"{outside.scheme}://{outside.host}{visit.place.base}"
        roots = root_host(outside.host, visit.row["id"], self._settings)
        ports = []
        for port in await _ports(visit.world, visit.row["ref"]):
            entry = {"port": port, "url": f"{inside}/forward/{port}/"}
            if roots is not None:
                entry["root_url"] = f"{outside.scheme}://{port}-{roots}/"
            ports.append(entry)
        return {
            "session_id": visit.row["id"],
            "session_type": visit.row["session_type"],
            "status": visit.row["status"],
            "workspace_id": visit.row["workspace_id"],
            "forward_url": f"{inside}/forward/{{port}}/",
            "ports": ports,
        }

    def _refusal(self, scope: Scope, error: ApiError) -> Response:
        connection = HTTPConnection(scope)
        request_id, status = connection.state.request_id, self._error_status[error.code]
        if scope["type"] == "http" and prefers_html(connection):
            return error_page(status, error.message, request_id, error.headers)
        return JSONResponse(error.body(request_id), status, {"Vary": "Accept", **error.headers})


async def _running(world: World, session_id: str) -> Row:
    """The session, once it runs. Raises ApiError `not_found` for one that never was or is over."""
    row = await sessions.get(world.store, session_id)
    if row is not None and row["status"] == sessions.STARTING:
        row = await world.lifecycle.settled(session_id, _START_PATIENCE)
        if row is not None and row["status"] == sessions.STARTING:
            raise ApiError("gateway_timeout", f"session {session_id} is still starting")
    if row is None:
        raise ApiError("not_found", f"there is no session {session_id[:64]!r}")
    if row["status"] != sessions.RUNNING:
        reason = f": {row['failure']}" if row["failure"] else ""
        raise ApiError("not_found", f"session {session_id} is {row['status']}{reason}")
    return row


async def _ports(world: World, ref: str) -> list[int]:
    async with asyncio.timeout(_PORTS_PATIENCE):
        return await world.engine.ports(ref)


async def _closed(world: World, row: Row, place: Place) -> ApiError:
    """The refusal of a port that nothing listens on, with those that something does."""
    try:
        listening = await _ports(world, row["ref"])
    except (sandbox.SandboxError, TimeoutError):
        listening = []
    others = ", ".join(map(str, listening))
    text = f"nothing listens on port {place.port} of the sandbox; " + (
        f"open are: {others}" if others else "no port is open"
    )
    return ApiError("bad_gateway", text, details={"port": place.port, "listening": listening})


def _back_inside(place: Place, scope: Scope) -> Response:
    """Send a lost request to where its app is.

    A redirect, not the answer itself: what a script at the new address asks for in turn names that as its Referer.
    """
    return _redirect(place.prefix + place.tail, scope)


def _redirect(path: str, scope: Scope) -> Response:
    query = scope["query_string"].decode("latin-1")
    response = RedirectResponse("", 307, {"Cache-Control": "no-store", "Vary": "Referer, Cookie"})
    # Escapes stay as they came, which a library would put in order.
    response.headers["Location"] = path + (f"?{query}" if query else "")
    return response
