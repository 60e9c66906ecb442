"""The clock of the world: read, set, and moved on with all that falls due on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from chaser_emulator.agenda import Due, Fired
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import Problem, invalid, invalid_field
from chaser_emulator.world import World

_FIRST, _LAST = moment("1970-01-01T00:00:00Z"), moment("3000-01-01T00:00:00Z")
"""Between these every date that follows from the clock's can be written."""

_SOON = 3600
"""Seconds within which nothing is to be due any more, unless a call says otherwise."""


@control("get-clock")
async def get_clock(call: ControlCall) -> dict[str, Any]:
    """What time it is."""
    return _now(call.world)


@control("set-clock")
async def set_clock(call: ControlCall) -> dict[str, Any]:
    """Let it stand still or go."""
    world, body = call.world, call.body
    at = moment_of(body["at"], "/at") if "at" in body else None
    async with world.agenda.moving:
        await world.set_clock(body["mode"], at)
        world.happenings.clock_moved()
        return _now(world)


@control("advance-clock")
async def advance_clock(call: ControlCall) -> dict[str, Any]:
    """Move it on, with all that falls due on the way."""
    world, body = call.world, call.body
    async with world.agenda.moving:
        before = world.clock.now()
        to = moment_of(body["to"], "/to") if "to" in body else before + timedelta(seconds=body["seconds"])
        if to < before:
            raise invalid_field("/to", f"lies before {timestamp(before)}; POST clock sets a clock back")
        if to > _LAST:
            raise invalid_field("/seconds", f"leads beyond {timestamp(_LAST)}")
        # After a crash on the way nothing is to lie ahead of the clock; what is due by then is seen to at the start.
        await world.keep_clock(to)
        fired = await world.agenda.advance(to)
        await world.keep_clock()
        return _moved(world, fired)


@control("run-clock-until-idle")
async def run_clock_until_idle(call: ControlCall) -> dict[str, Any]:
    """Move it on from one thing that falls due to the next, until nothing is due soon."""
    world, within = call.world, timedelta(seconds=call.body.get("within", _SOON))
    async with world.agenda.moving:
        await world.keep_clock()
        fired, idle = await world.agenda.run_until_idle(within, world.keep_clock)
        await world.keep_clock()
        return _moved(world, fired) | {"idle": idle}


@control("list-due")
async def list_due(call: ControlCall) -> dict[str, Any]:
    """What falls due next."""
    most = call.query["limit"]
    found = await call.world.agenda.ahead(most + 1)
    return _now(call.world) | {"due": [_told(one) for one in found[:most]], "more": len(found) > most}


def _now(world: World) -> dict[str, Any]:
    return {"now": world.clock.timestamp(), "mode": world.clock.mode}


def _moved(world: World, fired: Sequence[Fired]) -> dict[str, Any]:
    world.happenings.clock_moved()
    return _now(world) | {"fired": [_told(one) for one in fired]}


def _told(one: Fired | Due) -> dict[str, Any]:
    return {"what": one.what, "id": one.id, "at": timestamp(one.at)}


def moment_of(text: str, field: str, location: Literal["body", "query"] = "body") -> datetime:
    """A moment that somebody sent. Raises ApiError for one that a clock cannot show."""
    try:
        # RFC 3339 allows small letters, which Python does not read.
        found = moment(text.upper())
    except (ValueError, OverflowError) as error:
        raise invalid([Problem(location, field, f"is no moment: {error}")]) from None
    if not _FIRST <= found <= _LAST:
        raise invalid([Problem(location, field, f"must lie between {timestamp(_FIRST)} and {timestamp(_LAST)}")])
    return found
