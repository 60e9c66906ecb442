"""What happens in a world, as a stream of events that a client can take up again where it was."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.operations import Reply


@control("watch-events")
async def watch_events(call: ControlCall) -> Reply:
    """What is remembered, then all that happens, as Server-Sent Events."""
    given = call.query.get("after", call.headers.get("Last-Event-ID"))
    beginning = 0 if call.query["remembered"] else None
    chunks = _stream(call, int(given) if given is not None else beginning, follow=call.query["follow"])
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Reply(chunks=chunks, media_type="text/event-stream", headers=headers)


async def _stream(call: ControlCall, after: int | None, *, follow: bool) -> AsyncGenerator[bytes, None]:
    # Headers are sent with the first bytes, and who watches wants to know that it has begun.
    yield b": watching\n\n"
    async with aclosing(call.world.happenings.watch(after, follow=follow)) as happenings:
        async for one in happenings:
            if one is None:
                yield b": nothing\n\n"
            else:
                data = json.dumps(one.data, separators=(",", ":"))
                yield f"id: {one.number}\nevent: {one.kind}\ndata: {data}\n\n".encode()
