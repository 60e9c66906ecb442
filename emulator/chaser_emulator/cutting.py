"""How an application ends its connection without an answer: an extension of ASGI that our server offers.

`scope["extensions"]["chaser.cut"]` is a function. Called with True the connection is reset; with False it is closed
once what was written has gone out. Nothing is sent afterwards, and nothing comes in but the disconnect.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send

EXTENSION = "chaser.cut"

Cut = Callable[[bool], None]


class CannotCutError(Exception):
    """The server that runs the application has no such extension."""


def cut_of(scope: Scope) -> Cut:
    """The function of a connection. Raises CannotCutError."""
    found = scope.get("extensions", {}).get(EXTENSION)
    if found is None:
        raise CannotCutError("this server cannot cut connections")
    return cast("Cut", found)


def end(transport: asyncio.Transport, *, reset: bool) -> None:
    """Close a transport, or have its peer see a reset: a socket that does not linger is closed with one."""
    if not reset:
        transport.close()
        return
    # Windows has two shorts there.
    no_linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    if (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    transport.abort()


def cuttable(app: ASGIApp, protocol: Any) -> ASGIApp:
    """The application with this extension in every request of one of uvicorn's connections for HTTP."""

    def with_extension(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        cycle = getattr(receive, "__self__", None)

        def cut(reset: bool) -> None:
            if cycle is not None:
                # Else it would take the missing rest of an answer for a failure.
                cycle.disconnected = True
            end(protocol.transport, reset=reset)

        scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: cut}
        return app(scope, receive, send)

    return with_extension
