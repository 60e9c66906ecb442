"""The journal of a world: the exchanges that fit, how many there are, none of them any more, and one once more."""

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
    newest = found[-call.query["limit"] :]
    return {"requests": [one.brief() if call.query["brief"] else one.info() for one in newest], "count": len(found)}


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
    return _one(call).info()


@control("get-request-lines")
async def get_request_lines(call: ControlCall) -> dict[str, Any]:
    """What is typed to make it once more."""
    # Imported on use, as is what sends them again: most who come to the control plane want neither.
    from chaser_emulator.repeating.lines import lines_of

    return (await lines_of(call.world, _one(call), call.api, call.base_url)).info()


@control("replay-request")
async def replay_request(call: ControlCall) -> dict[str, Any]:
    """The same once more, or with something else in its place."""
    from chaser_emulator.repeating.again import Wish, again

    body = call.body
    given = {name: body[name] for name in ("value", "text") if name in body} or None
    wish = Wish(
        body.get("method"), body.get("path"), body.get("headers", {}), given, body.get("caller", "same"),
        body.get("within", 30.0),
    )  # fmt: skip
    client = call.request.client
    done = await again(
        call.request.state.application, call.world, _one(call), call.api, wish,
        base_url=call.base_url, client=(client.host, client.port) if client is not None else ("127.0.0.1", 0),
    )  # fmt: skip
    return done.info()


def _one(call: ControlCall) -> Exchange:
    """The exchange that the path names."""
    name = call.path["number"]
    wanted: dict[str, Any] = {"request_id": name}
    if name.isascii() and name.isdigit():
        wanted = {"number": int(name[:18])}
    found = call.world.journal.find(**wanted)
    if not found:
        raise ApiError("not_found", f"the journal has no request {name[:128]!r}; it keeps the last ones only")
    return found[-1]


def _found(call: ControlCall) -> list[Exchange]:
    query = dict(call.query)
    since = query.pop("since", None)
    query.pop("limit", None)
    query.pop("world", None)
    query.pop("brief", None)
    query["resource_id"] = query.pop("session_id", None)
    found = call.world.journal.find(**query)
    if since is None:
        return found
    earliest = timestamp(moment_of(since, "since", "query"))
    return [one for one in found if one.at >= earliest]
