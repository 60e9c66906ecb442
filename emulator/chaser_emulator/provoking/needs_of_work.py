"""What requests need that are about jobs, webhooks, assistants and tools."""

from __future__ import annotations

from typing import Any

from chaser_emulator.provoking import resources
from chaser_emulator.provoking.needs import Needs, request_of
from chaser_emulator.provoking.stage import Stage

# Jobs and webhooks


@request_of("create-job")
async def _new_job(stage: Stage) -> Needs:
    given = {"ephemeral": True, "command": "true"}
    key = stage.name()
    return Needs(body={"kind": "sandbox.exec", "input": given, "run_at": resources.FAR, "idempotency_key": key})


@request_of("get-job", "cancel-job")
async def _job(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.job(stage)})


@request_of("retry-job")
async def _final_job(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.canceled_job(stage)})


@request_of("create-webhook")
async def _new_webhook(_stage: Stage) -> Needs:
    return Needs(body={"url": resources.NOWHERE, "description": "provoked", "events": ["assistant.alert"]})


@request_of("delete-webhook")
async def _webhook(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.webhook(stage)})


@request_of("get-webhook-delivery", "discard-webhook-delivery")
async def _delivery(stage: Stage) -> Needs:
    return Needs({"did": stage.given.get("did") or await resources.delivery(stage)})


@request_of("replay-webhook-delivery")
async def _given_up(stage: Stage) -> Needs:
    return Needs({"did": stage.given.get("did") or await resources.given_up(stage)})


# Assistants


async def _assistant(stage: Stage) -> str:
    return stage.given.get("id") or await resources.assistant(stage)


@request_of(
    "get-assistant", "pause-assistant", "resume-assistant", "get-assistant-runtime-state", "list-assistant-usage-events"
)  # fmt: skip
async def _an_assistant(stage: Stage) -> Needs:
    return Needs({"id": await _assistant(stage)})


@request_of(
    "update-assistant", "add-assistant-channel", "put-assistant-runtime-state", "create-assistant-usage-event",
    "create-assistant-config-change-request",
)  # fmt: skip
async def _assistant_with_body(stage: Stage) -> Needs:
    bodies: dict[str, Any] = {
        "update-assistant": {"name": stage.name()},
        "add-assistant-channel": {"channel_type": "telegram", "channel_id": stage.name()},
        "put-assistant-runtime-state": {"state": {"greeted": ["ada"]}},
        "create-assistant-usage-event": {"kind": "tokens", "quantity": 1},
        "create-assistant-config-change-request": {"patch": {"system_prompt": "provoked"}, "reason": "provoked"},
    }
    return Needs({"id": await _assistant(stage)}, bodies[stage.operation.id])


@request_of("remove-assistant-channel")
async def _channel(stage: Stage) -> Needs:
    assistant_id = await _assistant(stage)
    return Needs({"id": assistant_id, "bid": stage.given.get("bid") or await resources.channel(stage, assistant_id)})


@request_of("approve-assistant-config-change-request", "deny-assistant-config-change-request")
async def _change(stage: Stage) -> Needs:
    assistant_id = await _assistant(stage)
    return Needs(
        {"id": assistant_id, "rid": stage.given.get("rid") or await resources.change_request(stage, assistant_id)}
    )


@request_of("store-assistant-credential")
async def _new_credential(stage: Stage) -> Needs:
    return Needs(body={"name": stage.name(), "value": "no secret at all"})


@request_of("resolve-assistant-credential")
async def _credential(stage: Stage) -> Needs:
    assistant_id, name = await resources.assistant(stage), stage.name()
    await stage.perform("store-assistant-credential", {"name": name, "value": "no secret at all"})
    stage.say(f"a credential, {name}")
    return Needs(body={"assistant_id": assistant_id, "name": name})


@request_of("resolve-assistant-channel")
async def _bound(stage: Stage) -> Needs:
    name = stage.name()
    await resources.channel(stage, await resources.assistant(stage), name)
    return Needs(body={"channel_type": "telegram", "channel_id": name})


@request_of("mcp-handler")
async def _mcp(_stage: Stage) -> Needs:
    return Needs(body={"jsonrpc": "2.0", "id": 1, "method": "ping"})
