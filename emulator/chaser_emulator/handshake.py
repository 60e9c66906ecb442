"""The start of a WebSocket whose request is long: taken as any other is, and answered where it is refused."""

from __future__ import annotations

from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11

from chaser_emulator import cutting

LINE = 2**21
"""The most bytes of a request's first line and of each header. The longest command that is accepted has 131,072
characters of up to four bytes, each of which an address writes as three; and the cookies of all previews on one host
add up."""

# The library's own limit is 8 KiB, and it has no parameter for it.
http11.MAX_LINE_LENGTH = max(http11.MAX_LINE_LENGTH, LINE)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's, which leaves the client waiting, and fails at a stop, where the library itself refuses a request.

    The application can cut its connection.
    """

    async def run_asgi(self) -> None:
        extensions = cast("dict[str, object]", self.scope["extensions"])
        extensions[cutting.EXTENSION] = self._cut
        await super().run_asgi()

    def _cut(self, reset: bool) -> None:
        # Else a 500 would be sent for the handshake that is missing, or what comes later be written all the same.
        self.handshake_complete = self.disconnected = True
        cutting.end(self.transport, reset=reset)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            self.handshake_complete = True
            self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
