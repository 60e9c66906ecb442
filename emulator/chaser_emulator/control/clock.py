"""The clock of the world: read, set, and moved on with all that falls due on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chaser_emulator.clock import moment, timestamp
from chaser_emulator.control.reading import Reading
from chaser_emulator.errors import invalid_field
from chaser_emulator.spec import Spec
from chaser_emulator.store import identity
from chaser_emulator.world import CLOCK_FACT, World

_FARTHEST = 100 * 366 * 24 * 3600

_SET = {
    "type": "object",
    "required": ["mode"],
    "additionalProperties": False,
    "properties": {
        "mode": {"type": "string", "enum": ["real", "frozen"]},
        "at": {"type": "string", "format": "date-time"},
    },
}
_ADVANCE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "seconds": {"type": "number", "minimum": 0, "maximum": _FARTHEST},
        "to": {"type": "string", "format": "date-time"},
    },
    "oneOf": [{"required": ["seconds"]}, {"required": ["to"]}],
}


def routes(world: World, spec: Spec) -> list[Route]:
    """GET and POST /clock, and POST /clock/advance."""
    reading = Reading(spec)
    clock = world.clock

    def now() -> dict[str, Any]:
        return {"now": clock.timestamp(), "mode": clock.mode}

    async def keep() -> None:
        async with world.store.transaction() as tx:
            await identity.set_fact(tx, CLOCK_FACT, json.dumps(clock.state()))

    # One route: two for one path would each name only their own method in a 405.
    async def show_or_set(request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse(now())
        body = await reading.body(request, _SET)
        clock.set(body["mode"], moment(body["at"]) if "at" in body else None)
        await keep()
        await world.agenda.settle()
        return JSONResponse(now())

    async def advance(request: Request) -> Response:
        body = await reading.body(request, _ADVANCE)
        before = clock.now()
        to = moment(body["to"]) if "to" in body else before + timedelta(seconds=body["seconds"])
        if to < before:
            raise invalid_field("/to", f"lies before {timestamp(before)}; POST clock sets a clock back")
        if to - before > timedelta(seconds=_FARTHEST):
            raise invalid_field("/to", "lies more than a hundred years ahead")
        fired = await world.agenda.advance(to)
        await keep()
        told = [{"what": one.what, "id": one.id, "at": timestamp(one.at)} for one in fired]
        return JSONResponse(now() | {"fired": told})

    return [
        Route("/clock", show_or_set, methods=["GET", "POST"]),
        Route("/clock/advance", advance, methods=["POST"]),
    ]
