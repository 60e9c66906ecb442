"""Changes of a configuration that somebody asks for and an owner or admin decides on."""

from __future__ import annotations

import json

from chaser_emulator import lookup
from chaser_emulator.assistant_resources import change_info
from chaser_emulator.errors import ApiError
from chaser_emulator.handlers.assistants import patch_config
from chaser_emulator.operations import Call, operation
from chaser_emulator.shapes import AssistantConfigChange
from chaser_emulator.store import Row, Transaction, assistant_changes


@operation("create-assistant-config-change-request")
async def create_assistant_config_change_request(call: Call) -> AssistantConfigChange:
    """Ask for a change; the configuration stays as it is until somebody approves."""
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.path["id"], tx)
        row = await assistant_changes.propose(
            tx,
            assistant["id"],
            json.dumps(call.body["patch"]),
            call.body.get("reason"),
            proposed_by=call.principal.id,
            at=call.clock.timestamp(),
        )
    return change_info(row)


@operation("approve-assistant-config-change-request")
async def approve_assistant_config_change_request(call: Call) -> AssistantConfigChange:
    """Merge what was asked for into the configuration as it is now."""
    async with call.store.transaction() as tx:
        assistant, pending = await _pending(call, tx)
        # A valid patch of a valid configuration gives a valid one, so nothing is to be checked again.
        await patch_config(call, tx, assistant, json.loads(pending["patch"]))
        return await _decided(call, tx, pending, assistant_changes.APPROVED)


@operation("deny-assistant-config-change-request")
async def deny_assistant_config_change_request(call: Call) -> AssistantConfigChange:
    """Turn down what was asked for."""
    async with call.store.transaction() as tx:
        _, pending = await _pending(call, tx)
        return await _decided(call, tx, pending, assistant_changes.DENIED)


async def _pending(call: Call, tx: Transaction) -> tuple[Row, Row]:
    """The assistant, and the request that waits. Raises ApiError `not_found` and `invalid_state`."""
    assistant = await lookup.assistant(call, call.path["id"], tx)
    row = await assistant_changes.get(tx, assistant["id"], call.path["rid"])
    if row is None:
        raise ApiError("not_found", f"assistant {assistant['id']} has no config change request {call.path['rid']!r}")
    if row["status"] != assistant_changes.PENDING:
        raise ApiError("invalid_state", f"config change request {row['id']} is {row['status']} already")
    return assistant, row


async def _decided(call: Call, tx: Transaction, pending: Row, status: str) -> AssistantConfigChange:
    row = await assistant_changes.decide(
        tx, pending["id"], status, decided_by=call.principal.id, at=call.clock.timestamp()
    )
    return change_info(row)
