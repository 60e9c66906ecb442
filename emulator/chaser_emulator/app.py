"""Where the parts are put together: the document becomes routes, worlds open and close with the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from chaser_emulator import handlers, spec, uploads
from chaser_emulator.browsers import door
from chaser_emulator.control import Control
from chaser_emulator.edge import Edge
from chaser_emulator.errors import ApiError
from chaser_emulator.gateway.door import Gateway
from chaser_emulator.gateway.visit import Visit
from chaser_emulator.handlers.description import swagger_assets
from chaser_emulator.operations import HANDLERS, REFUSALS
from chaser_emulator.paths import CONTROL
from chaser_emulator.pipeline import Endpoint, Pipeline
from chaser_emulator.sandbox import Engine
from chaser_emulator.selection import Selection
from chaser_emulator.settings import Settings
from chaser_emulator.worlds import Worlds


@dataclass(frozen=True)
class Emulator:
    """A running emulator: the application to serve, and its worlds."""

    app: Edge
    worlds: Worlds


@asynccontextmanager
async def open_emulator(
    settings: Settings, engine: Engine | None = None, base_url: str | None = None, own_ports: Collection[int] = ()
) -> AsyncIterator[Emulator]:
    """An emulator on its data, ready to serve until the block ends. `engine` takes the place of the settings' one.

    `base_url` is the address at which it will be served, `own_ports` are all ports of this machine at which it will.
    """
    handlers.load()
    document = spec.load(HANDLERS)
    pipeline = Pipeline(document, HANDLERS, REFUSALS)
    async with Worlds(settings, pipeline.invoke, base_url, own_ports).opened(engine) as worlds:
        routes = [*_routes(document, pipeline), Route(CONTROL, _ConsoleNearby(_nothing(pipeline)))]
        routes.append(Mount(CONTROL, Control(document)))
        inner = Starlette(routes=routes, exception_handlers={404: _no_file(pipeline)})
        # A slash too many is a wrong path, not a redirect: Chaser's clients would lose their bodies on a 307.
        inner.router.redirect_slashes = False

        async def browser(visit: Visit) -> None:
            if not await door.answer(visit):
                await gateway.index(visit)

        if settings.seed is not None:
            # Imported on use: a start without a seed reads no YAML.
            from chaser_emulator.seeding.starting import seed_once

            await seed_once(worlds, document, settings.seed)
        gateway = Gateway(settings, inner, document.error_status, {"browser": browser})
        inner.router.default = gateway.or_else(_nothing(pipeline))
        yield Emulator(Edge(Selection(worlds, settings, gateway, document.error_status), settings), worlds)


def _routes(document: spec.Spec, pipeline: Pipeline) -> list[BaseRoute]:
    """One route a path; fixed words before parameters, so that `/v1/jobs/kinds` is no job."""
    paths: dict[str, dict[str, spec.Operation]] = {}
    for operation in document.operations.values():
        paths.setdefault(operation.path, {})[operation.method] = operation
    ordered = sorted(paths, key=lambda path: [segment.startswith("{") for segment in path.split("/")])
    routes: list[BaseRoute] = [Route(path, Endpoint(pipeline, paths[path])) for path in ordered]
    sockets = [path for path in ordered if any(operation.upgrades for operation in paths[path].values())]
    routes += [WebSocketRoute(path, Endpoint(pipeline, paths[path])) for path in sockets]
    # Chromium takes its own paths with a slash at the end as well, and some of its clients ask so.
    devtools = [path for path in ordered if path.startswith("/v1/sessions/{id}/json")]
    routes += [Route(f"{path}/", Endpoint(pipeline, paths[path])) for path in devtools]
    routes.append(Mount("/swagger-ui", StaticFiles(directory=swagger_assets())))
    return routes


class _ConsoleNearby:
    """What leads who has left out the slash to the console; a class, so that a route takes every method to it."""

    def __init__(self, nothing: ASGIApp) -> None:
        self._nothing = nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        looks = scope["method"] in ("GET", "HEAD")
        # Relative, so that it is right behind a proxy with a path of its own.
        await (RedirectResponse("_emulator/") if looks else self._nothing)(scope, receive, send)


def _nothing(pipeline: Pipeline) -> ASGIApp:
    """What answers where there is no route."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        error = ApiError("not_found", f"there is nothing at {scope['path']}")
        async with pipeline.noted(scope, receive, send, None) as (receive, send):
            if scope["type"] == "http":
                await uploads.let_pass(Request(scope, receive))
            await pipeline.refusal(error, HTTPConnection(scope))(scope, receive, send)

    return answer


def _no_file(pipeline: Pipeline) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, _error: Exception) -> Response:
        return pipeline.refusal(ApiError("not_found", f"there is nothing at {request.url.path}"), request)

    return answer
