"""A browser at its session's gateway: DevTools for clients that know its address, and the picture for people."""

from __future__ import annotations

from contextlib import aclosing
from urllib.parse import unquote

from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketState

from chaser_emulator.browsers import screen, visits
from chaser_emulator.errors import ApiError
from chaser_emulator.gateway.visit import Visit
from chaser_emulator.pipeline import converse


async def answer(visit: Visit) -> bool:
    """Answer what Chromium's own port would, and `/video`; False when it is something else that is asked for.

    A slash at the end means nothing, as to Chromium.
    """
    words = [unquote(word) for word in visit.place.tail.strip("/").split("/")]
    match words:
        case ["devtools", ("browser" | "page") as kind, name] if visit.is_socket:
            await _connect(visit, kind, name)
        case ["json", *rest] if not visit.is_socket and (response := await _json(visit, rest)) is not None:
            await response(visit.scope, visit.receive, visit.send)
        case ["video"] if not visit.is_socket:
            await _show(visit)
        case _:
            return False
    return True


async def _connect(visit: Visit, kind: str, name: str) -> None:
    connect = visits.connect_browser if kind == "browser" else visits.connect_target
    upgrade = await connect(visit.world, visit.row["id"], name)
    websocket = WebSocket(visit.scope, visit.receive, visit.send)
    websocket.client_state = WebSocketState.CONNECTED  # the gateway has heard that it wants to
    async with upgrade.held:
        await websocket.accept()
        await converse(websocket, upgrade)


async def _json(visit: Visit, rest: list[str]) -> Response | None:
    found = await visits.visit(visit.world, visit.row, _base(visit))
    match rest:
        case [] | ["list"]:
            _require(visit, "GET", "HEAD")
            return JSONResponse(await found.targets())
        case ["version"]:
            _require(visit, "GET", "HEAD")
            return JSONResponse(await found.version())
        case ["protocol"]:
            _require(visit, "GET", "HEAD")
            return JSONResponse(await found.protocol())
        case ["new"]:
            _require(visit, "PUT", "GET")
            return JSONResponse(await found.open_target(visits.address(visit.scope["query_string"].decode("latin-1"))))
        case ["activate", target]:
            _require(visit, "GET")
            return PlainTextResponse(await found.activate(target))
        case ["close", target]:
            _require(visit, "GET")
            return PlainTextResponse(await found.close(target))
        case _:
            return None


async def _show(visit: Visit) -> None:
    _require(visit, "GET", "HEAD")
    browser = (await visits.visit(visit.world, visit.row, "")).browser
    ends = (visit.scope, visit.receive, visit.send)
    headers = {"Cache-Control": "no-store"}
    if visit.scope["method"] == "HEAD":
        await Response(media_type=screen.MEDIA_TYPE, headers=headers)(*ends)
        return
    async with aclosing(browser.screen.view()) as pictures:
        await StreamingResponse(pictures, media_type=screen.MEDIA_TYPE, headers=headers)(*ends)


def _base(visit: Visit) -> str:
    """The address of the session as the caller knows it: by its path or by its host."""
    public = visit.world.settings.public_url
    if public and visit.place.base:
        return f"{public.rstrip('/')}{visit.place.base}"
    outside = visit.outside
    return f"{outside.scheme}://{outside.host}{visit.place.base}"


def _require(visit: Visit, *methods: str) -> None:
    if visit.scope["method"] not in methods:
        allow = ", ".join(methods)
        raise ApiError(
            "method_not_allowed", f"{visit.scope['method']} is not offered here; {allow} are", headers={"Allow": allow}
        )
