"""The clock of the world: read, set, and moved on with all that falls due on the way."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
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
_FIRST, _LAST = moment("1970-01-01T00:00:00Z"), moment("3000-01-01T00:00:00Z")
"""Between these every date that follows from the clock's can be written."""

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
    moving = asyncio.Lock()  # of two who move the clock on by an hour, each moves it by an hour

    def now() -> dict[str, Any]:
        return {"now": clock.timestamp(), "mode": clock.mode}

    async def keep(at: datetime | None = None) -> None:
        async with world.store.transaction() as tx:
            await identity.set_fact(tx, CLOCK_FACT, json.dumps(clock.state(at)))

    # One route: two for one path would each name only their own method in a 405.
    async def show_or_set(request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse(now())
        body = await reading.body(request, _SET)
        at = _moment(body["at"], "/at") if "at" in body else None
        async with moving:
            clock.set(body["mode"], at)
            await keep()
            await world.agenda.settle()
            return JSONResponse(now())

    async def advance(request: Request) -> Response:
        body = await reading.body(request, _ADVANCE)
        async with moving:
            return await move(body)

    async def move(body: dict[str, Any]) -> Response:
        before = clock.now()
        to = _moment(body["to"], "/to") if "to" in body else before + timedelta(seconds=body["seconds"])
        if to < before:
            raise invalid_field("/to", f"lies before {timestamp(before)}; POST clock sets a clock back")
        if to > _LAST:
            raise invalid_field("/seconds", f"leads beyond {timestamp(_LAST)}")
        # After a crash on the way nothing is to lie ahead of the clock; what is due by then is seen to at the start.
        await keep(to)
        fired = await world.agenda.advance(to)
        await keep()
        told = [{"what": one.what, "id": one.id, "at": timestamp(one.at)} for one in fired]
        return JSONResponse(now() | {"fired": told})

    return [
        Route("/clock", show_or_set, methods=["GET", "POST"]),
        Route("/clock/advance", advance, methods=["POST"]),
    ]


def _moment(text: str, field: str) -> datetime:
    """A moment of a body. Raises ApiError for one that a clock cannot show."""
    try:
        # RFC 3339 allows small letters, which Python does not read.
        found = moment(text.upper())
    except (ValueError, OverflowError) as error:
        raise invalid_field(field, f"is no moment: {error}") from None
    if not _FIRST <= found <= _LAST:
        raise invalid_field(field, f"must lie between {timestamp(_FIRST)} and {timestamp(_LAST)}")
    return found
