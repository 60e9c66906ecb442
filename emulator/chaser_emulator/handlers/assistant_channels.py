"""Channels of assistants: which of them answers where."""

from __future__ import annotations

from chaser_emulator import lookup
from chaser_emulator.assistant_resources import channel_info
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call, operation
from chaser_emulator.shapes import AssistantChannel, ResolvedAssistantChannel
from chaser_emulator.store import assistants


@operation("add-assistant-channel")
async def add_assistant_channel(call: Call) -> AssistantChannel:
    """Bind an assistant to a channel that no other one of the account has (T14)."""
    channel_type, channel_id = call.body["channel_type"], call.body["channel_id"]
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.path["id"], tx)
        known = await assistants.channel(tx, call.account.id, channel_type, channel_id)
        if known is not None:
            whose = "this assistant" if known["assistant_id"] == assistant["id"] else "another assistant"
            raise ApiError(
                "already_exists",
                f"the {channel_type} channel {channel_id!r} is bound to {whose} already",
                details={"assistant_id": known["assistant_id"], "binding_id": known["id"]},
            )
        row = await assistants.bind(
            tx, assistant, channel_type, channel_id, call.body.get("credential_name"), call.clock.timestamp()
        )
    return channel_info(row)


@operation("remove-assistant-channel")
async def remove_assistant_channel(call: Call) -> None:
    """Free a channel for another assistant."""
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.path["id"], tx)
        if not await assistants.unbind(tx, assistant["id"], call.path["bid"], call.clock.timestamp()):
            raise ApiError("not_found", f"assistant {assistant['id']} has no channel binding {call.path['bid']!r}")


@operation("resolve-assistant-channel")
async def resolve_assistant_channel(call: Call) -> ResolvedAssistantChannel:
    """Who answers in a channel (T16)."""
    channel_type, channel_id = call.body["channel_type"], call.body["channel_id"]
    row = await assistants.channel(call.store, call.account.id, channel_type, channel_id)
    if row is None:
        raise ApiError(
            "not_found", f"no assistant of this account is bound to the {channel_type} channel {channel_id!r}"
        )
    return {"assistant_id": row["assistant_id"], "binding_id": row["id"]}
