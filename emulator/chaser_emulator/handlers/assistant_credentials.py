"""Credentials of assistants: sealed in the database, and told by one operation alone, which the audit log notes."""

from __future__ import annotations

from chaser_emulator import lookup
from chaser_emulator.assistant_resources import credential_info
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call, operation
from chaser_emulator.shapes import AssistantCredentialEnvelope, ResolvedAssistantCredential
from chaser_emulator.store import assistants


@operation("store-assistant-credential")
async def store_assistant_credential(call: Call) -> AssistantCredentialEnvelope:
    """Keep a secret for one assistant or for all of the account, in place of an earlier one (T15)."""
    sealed = call.world.vault.seal(call.body["value"])
    async with call.store.transaction() as tx:
        owner = None
        if "assistant_id" in call.body:
            owner = (await lookup.assistant(call, call.body["assistant_id"], tx))["id"]
        row = await assistants.store_credential(
            tx, call.account.id, owner, call.body["name"], sealed, call.clock.timestamp()
        )
    return {"credential": credential_info(row)}


@operation("resolve-assistant-credential")
async def resolve_assistant_credential(call: Call) -> ResolvedAssistantCredential:
    """A secret, as whoever runs an assistant needs it (T16)."""
    name = call.body["name"]
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.body["assistant_id"], tx)
        row = await assistants.credential(tx, assistant, name)
        if row is None:
            raise ApiError(
                "not_found", f"neither assistant {assistant['id']} nor the account has a credential {name!r}"
            )
        # Opened before it is noted: what cannot be opened was not read.
        value = call.world.vault.open(row["sealed"])
        named = {"assistant_id": assistant["id"], "name": name}
        await call.audit(tx, name, f"read credential {name} for assistant {assistant['id']}", named)
    return {"name": name, "value": value}
