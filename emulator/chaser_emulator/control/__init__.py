"""The control plane under /_emulator: what a test or a person does to the emulator, and Chaser's API does not offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from chaser_emulator import callers, origins
from chaser_emulator.admission import unauthorized
from chaser_emulator.errors import ApiError
from chaser_emulator.selection import world_at
from chaser_emulator.spec import Spec

if TYPE_CHECKING:
    from chaser_emulator.control.plane import Plane

DELIVERY_HEADER = "x-chaser-delivery"
"""What every delivery of a webhook carries; none of them is let in here."""

_SINK = "/webhooks/sink/"
"""Where the one place begins that is made for them."""

_FILES = ("/style.css", "/console/")
"""What pages load: styles and scripts, the same for everybody."""

_FOR_EVERY_BROWSER = (*_FILES, "/checkout/", "/sign-in/")
"""Starts of the paths of pages to which the API sends people, from anywhere; these look themselves at who comes."""

_CONSOLE = "/"
"""A page that shows nothing by itself: all that it asks for carries a key."""


class Control:
    """The control plane of all worlds, behind the check of who may use it; its document is read at the first use."""

    def __init__(self, api: Spec) -> None:
        self._api = api
        self._plane: Plane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if self._plane is None:
            from chaser_emulator.control.plane import Plane

            self._plane = Plane(self._api)
        try:
            self._admit(connection)
            if scope["type"] != "http":
                raise ApiError("not_found", f"there is no WebSocket at {scope['path']}")
        except ApiError as error:
            await self._plane.refusal(error, connection)(scope, receive, send)
            return
        await self._plane(scope, receive, send)

    def _admit(self, connection: HTTPConnection) -> None:
        """Raise ApiError for whom this is not for."""
        path = _path(connection)
        if DELIVERY_HEADER in connection.headers and not path.startswith(_SINK):
            raise ApiError("forbidden", "webhooks do not reach the control plane")
        if "service-worker" in connection.headers:
            raise ApiError("forbidden", "header Service-Worker: no script here answers in place of the emulator")
        world = world_at(connection)
        origins.require_own(connection, world.settings)
        shows_key = callers.shows_key(connection, world.api_key)
        if not path.startswith(_FILES):
            _require_own_window(connection, shows_key=shows_key)
        if path.startswith(_FOR_EVERY_BROWSER) or path == _CONSOLE or callers.is_this_machine(connection):
            return
        if not shows_key:
            raise unauthorized()


def _require_own_window(connection: HTTPConnection, *, shows_key: bool) -> None:
    """Raise ApiError `forbidden` for what a browser asks for on behalf of another page than a person looks at.

    A preview of a sandbox by path is a page of this very origin: its scripts could move the clock, pay, sign in as
    anybody in a frame, and read the key in a window that they open. Those of the console are told from them by the key
    that a person has given it. Only browsers name the site; Node.js sends the mode as well, and no page is behind it.
    """
    asked, path = connection.headers, _path(connection)
    if "sec-fetch-site" not in asked:
        return
    if asked.get("sec-fetch-mode", "navigate") != "navigate":
        if not shows_key:
            raise ApiError("forbidden", "header Sec-Fetch-Mode: scripts of pages come here with the key of the world")
        if asked["sec-fetch-site"] != "same-origin":
            raise ApiError("forbidden", "header Sec-Fetch-Site: no other site sends anything here")
        return
    if asked.get("sec-fetch-dest", "document") != "document":
        raise ApiError("forbidden", "header Sec-Fetch-Dest: this opens in a window of its own, in no frame")
    if not (path.startswith(_FOR_EVERY_BROWSER) or path == _CONSOLE):
        if asked["sec-fetch-site"] != "none":
            raise ApiError("forbidden", "header Sec-Fetch-Site: people come here by themselves, and led by no page")
        if connection.scope["method"] not in ("GET", "HEAD"):
            raise ApiError("forbidden", "header Sec-Fetch-Mode: no page has a form for this")
    elif connection.scope["method"] not in ("GET", "HEAD") and asked["sec-fetch-site"] not in ("same-origin", "none"):
        raise ApiError("forbidden", "header Sec-Fetch-Site: no other site sends anything here")


def _path(connection: HTTPConnection) -> str:
    """The path below the control plane's own."""
    return str(connection.scope["path"].removeprefix(connection.scope.get("root_path", "")))
