"""The clock of the world: read, set, and moved on with all that falls due on the way."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from chaser_emulator.agenda import Fired
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import invalid_field
from chaser_emulator.store import identity
from chaser_emulator.world import CLOCK_FACT, World

_FIRST, _LAST = moment("1970-01-01T00:00:00Z"), moment("3000-01-01T00:00:00Z")
"""Between these every date that follows from the clock's can be written."""


@control("get-clock")
async def get_clock(call: ControlCall) -> dict[str, Any]:
    """What time it is."""
    return _now(call.world)


@control("set-clock")
async def set_clock(call: ControlCall) -> dict[str, Any]:
    """Let it stand still or go."""
    world, body = call.world, call.body
    at = _moment(body["at"], "/at") if "at" in body else None
    async with world.agenda.moving:
        world.clock.set(body["mode"], at)
        await _keep(world)
        await world.agenda.settle()
        return _now(world)


@control("advance-clock")
async def advance_clock(call: ControlCall) -> dict[str, Any]:
    """Move it on, with all that falls due on the way."""
    world, body = call.world, call.body
    async with world.agenda.moving:
        before = world.clock.now()
        to = _moment(body["to"], "/to") if "to" in body else before + timedelta(seconds=body["seconds"])
        if to < before:
            raise invalid_field("/to", f"lies before {timestamp(before)}; POST clock sets a clock back")
        if to > _LAST:
            raise invalid_field("/seconds", f"leads beyond {timestamp(_LAST)}")
        # After a crash on the way nothing is to lie ahead of the clock; what is due by then is seen to at the start.
        await _keep(world, to)
        fired = await world.agenda.advance(to)
        await _keep(world)
        return _now(world) | {"fired": [_told(one) for one in fired]}


def _now(world: World) -> dict[str, Any]:
    return {"now": world.clock.timestamp(), "mode": world.clock.mode}


def _told(fired: Fired) -> dict[str, Any]:
    return {"what": fired.what, "id": fired.id, "at": timestamp(fired.at)}


async def _keep(world: World, at: datetime | None = None) -> None:
    async with world.store.transaction() as tx:
        await identity.set_fact(tx, CLOCK_FACT, json.dumps(world.clock.state(at)))


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
