"""The control plane under /_emulator: what a test or a person does to the emulator, and Chaser's API does not offer."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chaser_emulator import callers, origins
from chaser_emulator.admission import unauthorized
from chaser_emulator.control import checkout, clock, pages, sign_in, workflow_jobs
from chaser_emulator.errors import ApiError
from chaser_emulator.spec import Spec
from chaser_emulator.world import World

_MODULES = (checkout, clock, pages, sign_in, workflow_jobs)

DELIVERY_HEADER = "x-chaser-delivery"
"""What every delivery of a webhook carries; none of them is let in here."""

_STYLE = "/style.css"

_FOR_EVERY_BROWSER = (_STYLE, "/checkout/", "/sign-in/")
"""Starts of the paths of pages to which the API sends people, from anywhere; these look themselves at who comes."""


class Control:
    """The routes of the control plane, behind the check of who may use them; refusals have the form of the API's."""

    def __init__(self, world: World, spec: Spec) -> None:
        self._world = world
        self._error_status: Mapping[str, int] = spec.error_status
        routes = [route for module in _MODULES for route in module.routes(world, spec)]

        async def refused(request: Request, error: Exception) -> Response:
            assert isinstance(error, ApiError)  # noqa: S101 - registered for nothing else
            return self._refusal(request, error)

        async def nothing(request: Request, _error: Exception) -> Response:
            return self._refusal(request, ApiError("not_found", f"there is nothing at {request.url.path}"))

        async def not_here(request: Request, error: Exception) -> Response:
            allow = getattr(error, "headers", None) or {}
            text = f"{request.method} is not offered here; {allow.get('Allow', 'nothing')} is"
            return self._refusal(request, ApiError("method_not_allowed", text, headers=allow))

        self._inner: ASGIApp = Starlette(
            routes=routes, exception_handlers={ApiError: refused, 404: nothing, 405: not_here}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            self._admit(connection)
        except ApiError as error:
            await self._refusal(connection, error)(scope, receive, send)
            return
        await self._inner(scope, receive, send)

    def _admit(self, connection: HTTPConnection) -> None:
        """Raise ApiError for whom this is not for."""
        if DELIVERY_HEADER in connection.headers:
            raise ApiError("forbidden", "webhooks do not reach the control plane")
        origins.require_own(connection, self._world.settings)
        path = connection.scope["path"].removeprefix(connection.scope.get("root_path", ""))
        if path != _STYLE:
            _require_own_window(connection)
        if path.startswith(_FOR_EVERY_BROWSER) or callers.is_this_machine(connection):
            return
        if not callers.shows_key(connection, self._world.settings.api_key):
            raise unauthorized()

    def _refusal(self, connection: HTTPConnection, error: ApiError) -> Response:
        body = error.body(connection.state.request_id)
        return JSONResponse(body, self._error_status[error.code], error.headers)


def _require_own_window(connection: HTTPConnection) -> None:
    """Raise ApiError `forbidden` for what a browser asks for on behalf of another page than a person looks at.

    A preview of a sandbox by path is a page of this very origin: its scripts could move the clock, pay, and sign in as
    anybody in a frame. Only browsers name the site; Node.js sends the mode as well, and no page is behind it.
    """
    asked = connection.headers
    if "sec-fetch-site" not in asked:
        return
    if asked.get("sec-fetch-mode", "navigate") != "navigate":
        raise ApiError("forbidden", "header Sec-Fetch-Mode: people and programs come here, scripts of pages do not")
    if asked.get("sec-fetch-dest", "document") != "document":
        raise ApiError("forbidden", "header Sec-Fetch-Dest: this opens in a window of its own, in no frame")
    if connection.scope["method"] not in ("GET", "HEAD") and asked["sec-fetch-site"] not in ("same-origin", "none"):
        raise ApiError("forbidden", "header Sec-Fetch-Site: no other site sends anything here")
