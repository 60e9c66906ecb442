"""The journal of a world: the exchanges that fit, how many there are, and none of them any more."""

from __future__ import annotations

from typing import Any

from chaser_emulator.clock import timestamp
from chaser_emulator.control.clock import moment_of
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.journal import Exchange


@control("list-requests")
async def list_requests(call: ControlCall) -> dict[str, Any]:
    """Those that fit, oldest first; of more than the limit the newest."""
    found = _found(call)
    return {"requests": [one.info() for one in found[-call.query["limit"] :]], "count": len(found)}


@control("count-requests")
async def count_requests(call: ControlCall) -> dict[str, Any]:
    """How many fit."""
    return {"count": len(_found(call))}


@control("clear-requests")
async def clear_requests(call: ControlCall) -> dict[str, Any]:
    """Forget all of them."""
    return {"cleared": call.world.journal.clear()}


@control("get-request")
async def get_request(call: ControlCall) -> dict[str, Any]:
    """One of them, by its number or its request id."""
    name = call.path["number"]
    wanted: dict[str, Any] = {"request_id": name}
    if name.isascii() and name.isdigit():
        wanted = {"number": int(name[:18])}
    found = call.world.journal.find(**wanted)
    if not found:
        raise ApiError("not_found", f"the journal has no request {name[:128]!r}; it keeps the last ones only")
    return found[-1].info()


def _found(call: ControlCall) -> list[Exchange]:
    query = dict(call.query)
    since = query.pop("since", None)
    query.pop("limit", None)
    query.pop("world", None)
    query["resource_id"] = query.pop("session_id", None)
    found = call.world.journal.find(**query)
    if since is None:
        return found
    earliest = timestamp(moment_of(since, "since", "query"))
    return [one for one in found if one.at >= earliest]
