"""Of an assistant, what Chaser's API takes and does not list: requests for changes, and the names in the vault."""

from __future__ import annotations

from typing import Any

from chaser_emulator.assistant_resources import change_info, credential_info
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.store import Row, assistant_changes, assistants


@control("list-assistant-changes")
async def list_assistant_changes(call: ControlCall) -> dict[str, Any]:
    """Every request, newest first."""
    rows = await assistant_changes.of_assistant(call.world.store, (await _found(call))["id"])
    return {"changes": [change_info(row) for row in rows]}


@control("list-assistant-credentials")
async def list_assistant_credentials(call: ControlCall) -> dict[str, Any]:
    """Names and moments; what they stand for is told by the vault alone."""
    rows = await assistants.credentials(call.world.store, await _found(call))
    return {"credentials": [credential_info(row) for row in rows]}


async def _found(call: ControlCall) -> Row:
    row = await assistants.get(call.world.store, call.path["id"])
    if row is None:
        raise ApiError("not_found", f"there is no assistant {call.path['id'][:64]!r}")
    return row
