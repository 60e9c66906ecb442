"""The runtime state of assistants: any JSON, replaced as a whole, with a version to write against."""

from __future__ import annotations

import json

from chaser_emulator import lookup
from chaser_emulator.assistant_resources import state_info
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call, operation
from chaser_emulator.shapes import AssistantRuntimeState
from chaser_emulator.store import assistants

LIMIT = 256 * 2**10
"""Bytes of a state as compact JSON in UTF-8 (T17)."""


@operation("get-assistant-runtime-state")
async def get_assistant_runtime_state(call: Call) -> AssistantRuntimeState:
    """What an assistant remembers."""
    assistant = await lookup.assistant(call, call.path["id"])
    return state_info(await assistants.state(call.store, assistant["id"]))


@operation("put-assistant-runtime-state")
async def put_assistant_runtime_state(call: Call) -> AssistantRuntimeState:
    """Replace what an assistant remembers, unless somebody was faster."""
    text = json.dumps(call.body["state"], ensure_ascii=False, separators=(",", ":"))
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.path["id"], tx)
        size = len(text.encode())
        if size > LIMIT:
            raise ApiError(
                "payload_too_large",
                f"the state has {size} bytes as compact JSON, and at most {LIMIT} are kept",
                details={"limit": LIMIT},
            )
        current = state_info(await assistants.state(tx, assistant["id"]))["version"]
        if call.body.get("version", current) != current:
            raise ApiError(
                "conflict",
                f"the state has version {current}, not {call.body['version']}; read it again",
                details={"version": current},
            )
        row = await assistants.write_state(tx, assistant["id"], text, call.clock.timestamp())
    return state_info(row)
