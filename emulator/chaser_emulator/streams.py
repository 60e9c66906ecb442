"""An answer whose bytes come as they are made."""

from __future__ import annotations

from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send

from chaser_emulator.operations import Reply


class Stream(StreamingResponse):
    """Bytes as they come. Their source is closed at the end, also when the client left before it."""

    def __init__(self, reply: Reply, status: int) -> None:
        assert reply.chunks is not None  # noqa: S101 - the caller looked
        super().__init__(reply.chunks, status, reply.headers, reply.media_type)
        self._source = reply.chunks

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._source):
            await super().stream_response(send)
