"""The sink of a world: what webhooks have brought, how it is to behave, and waiting for an event."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from chaser_emulator import uploads
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.webhooks.expecting import Expected, expect
from chaser_emulator.webhooks.sink import EVERY, Behaviour, Received, Sink

_LONGEST = 600.0
"""Real seconds that a request waits at most."""


@control("list-received")
async def list_received(call: ControlCall) -> dict[str, Any]:
    """What fits, at once or once there is something."""
    sink, query = call.world.sink, call.query
    found = await sink.wait_for(lambda: _found(sink, query), query["wait"])
    shown = [one.info() for one in found[-query["limit"] :]]
    return {"received": shown, "count": len(found), "url": sink.address("", call.base_url)}


def _found(sink: Sink, query: Any) -> list[Received]:
    return sink.found(
        name=query.get("name"), event=query.get("event"), verified=query.get("verified"), since=query["since"]
    )


@control("clear-received")
async def clear_received(call: ControlCall) -> dict[str, Any]:
    """Forget it."""
    return {"cleared": call.world.sink.clear(call.query.get("name"))}


@control("expect-webhook")
async def expect_webhook(call: ControlCall) -> dict[str, Any]:
    """Wait for an event."""
    body, world = call.body, call.world
    expected = Expected(
        body["event"],
        name=body.get("name"),
        where=body.get("where", {}),
        verified=body.get("verified", True),
        since=body.get("since", 0),
    )
    within = body.get("within", 5)
    if world.clock.mode == "real":
        within = min(within, _LONGEST)
    return (await expect(world, expected, within=within)).info()


@control("list-sink-behaviours")
async def list_sink_behaviours(call: ControlCall) -> dict[str, Any]:
    """How names behave."""
    return _behaviours(call.world.sink)


def _behaviours(sink: Sink) -> dict[str, Any]:
    return {
        "behaviours": [
            {"name": name, "status": one.status, "delay": one.delay}
            | ({} if one.times is None else {"times": one.times})
            for name, one in sorted(sink.behaviours().items())
        ]
    }


@control("set-sink-behaviour")
async def set_sink_behaviour(call: ControlCall) -> dict[str, Any]:
    """Let a name behave in another way."""
    body = call.body
    times = body.get("times")
    # 3.0 is a whole number to JSON Schema.
    behaviour = Behaviour(int(body.get("status", 200)), body.get("delay", 0), None if times is None else int(times))
    call.world.sink.behave(body.get("name", EVERY), behaviour)
    return _behaviours(call.world.sink)


@control("receive-at-sink")
async def receive_at_sink(call: ControlCall) -> Response:
    """Keep what anybody sends."""
    body = await uploads.read_json(call.request)
    sink = call.world.sink
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in call.request.headers.raw]
    received = await sink.take(call.path["name"], headers, body, secret=None)
    return JSONResponse({"number": received.number}, received.status or 200)
