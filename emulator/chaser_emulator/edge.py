"""The outermost layer: what every answer carries, which hosts are answered, and nothing that escapes."""

from __future__ import annotations

import ipaddress
import json
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chaser_emulator import __version__, weblog
from chaser_emulator.clock import new_request_id
from chaser_emulator.gateway.places import split_label
from chaser_emulator.paths import CONTROL, routed
from chaser_emulator.settings import Settings

_GUARDED = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # A preview by path is of this origin: it could read whatever window it has opened.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer of the control plane tells a browser that says nothing else of it."""

_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::[0-9]*)?")
_GOOD_ID = re.compile(r"^[!-~]{1,128}$")


class Edge:
    """Wraps the application: request ids, the version, the check of the Host header, paths split before decoding."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _GOOD_ID.match(given) else new_request_id()
        raw = scope.get("raw_path") or scope["path"].encode()
        own = {"request_id": request_id, "application": self}
        scope = {**scope, "path": routed(raw), "state": {**scope.get("state", {}), **own}}

        host = headers.get("host", "")
        # By a host of its own a sandbox answers, on every path.
        guarded = scope["path"].startswith(CONTROL) and split_label(host, self._settings) is None
        refused = False

        async def tagged(message: Message) -> None:
            nonlocal refused
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                answered = MutableHeaders(scope=message)
                answered["x-request-id"] = request_id
                answered["X-Chaser-Emulator"] = __version__
                if guarded:
                    for name, value in _GUARDED.items():
                        answered.setdefault(name, value)
            await send(message)
            refused = refused or message["type"] == "websocket.http.response.body"

        if not self._answers(host):
            shown = json.dumps(host)
            text = f"header Host: {shown} is not answered; localhost, an address, or a name given by --allowed-host is"
            error = {"error": "forbidden", "code": "forbidden", "message": text, "request_id": request_id}
            await JSONResponse(error, 403)(scope, receive, tagged)
        else:
            await self._app(scope, receive, tagged)
        if refused:
            # A refusal is an answer, though the server says of it that nobody shook hands.
            weblog.unfinished_on_purpose()

    def _answers(self, host: str) -> bool:
        """Whether a Host header is ours; another site's name, pointed at this machine, is not (DNS rebinding)."""
        found = _HOST.fullmatch(host.strip().lower())
        if found is None:
            return False
        name = (found[1] or found[2] or "").removesuffix(".")
        if name == "localhost" or name.endswith(".localhost") or name in self._hosts or not host:
            return True
        if split_label(host, self._settings) is not None:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
