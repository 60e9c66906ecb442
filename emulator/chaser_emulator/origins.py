"""Which pages of a browser may open a WebSocket here: our own, and those that the settings allow (S15)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from chaser_emulator.errors import ApiError
from chaser_emulator.settings import Settings


def require_own(connection: HTTPConnection, settings: Settings) -> None:
    """Raise ApiError `forbidden` for a page of a foreign origin; programs send no Origin and are let through.

    A browser sends WebSockets anywhere and attaches what it knows, without asking the server first as for other
    requests; the Origin header is all that tells.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return
    authority = urlsplit(origin).netloc.lower()
    own = {connection.headers.get("host", "").lower()}
    if settings.public_url:
        own.add(urlsplit(settings.public_url).netloc.lower())
    if authority in own and authority:
        return
    if origin.lower().rstrip("/") in {allowed.lower().rstrip("/") for allowed in settings.allowed_origins}:
        return
    raise ApiError(
        "forbidden", f"header Origin: {origin[:200]!r} is a foreign page; --allowed-origin lets others open WebSockets"
    )
