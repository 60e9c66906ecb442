"""Refusals of the state that things are in: taken, done already, in use, at an end, or one too many."""

from __future__ import annotations

from dataclasses import replace

from chaser_emulator.provoking import resources
from chaser_emulator.provoking.arrangements import arranges
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.provoking.valid import request_at_all, request_for


@arranges("already_exists")
@arranges("name_taken")
async def a_second_time(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    made = await stage.perform_at(stage.operation.id, request.path, request.body)
    stage.say("the very same was done a moment before")
    if stage.operation.id == "create-workspace":
        resources.delete_own_workspace(stage, made["id"])
    elif stage.operation.id == "create-ssh-key":
        resources.delete_own(stage, "delete-ssh-key", {"id": made["key"]["id"]})
    elif "ws" in stage.given:
        named = {"ws": request.path["ws"], "name": made["id"]}
        resources.delete_own(stage, "delete-workspace-snapshot", named, query={"force": True})
    return request


@arranges("already_exists", "register")
async def of_somebody_who_is_registered(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await stage.register(request.body["email"], request.body["password"])
    stage.say(f"{request.body['email']} is registered")
    return request


@arranges("name_taken", "import-workspace", "set-workspace-name")
async def of_another_workspace(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await resources.workspace(stage, name=request.body["name"])
    return request


@arranges("workspace_active")
async def while_in_use(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await resources.session(stage, request.path["ws"])
    return request


@arranges("workspace_active", "create-workspace")
async def of_one_in_use(stage: Stage) -> ApiRequest:
    source = await resources.workspace(stage)
    await resources.session(stage, source)
    request = await request_for(stage)
    return replace(request, body={"clone_from": source, "name": request.body["name"]})


@arranges("session_leased", "terminate-session")
async def while_somebody_is_connected(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.hold(stage.world.lifecycle.lease(request.path["id"]))
    stage.say("somebody is connected to it")
    return request


@arranges("last_owner", "remove-current-member")
@arranges("last_owner", "update-current-member")
async def of_the_only_owner(stage: Stage) -> ApiRequest:
    await stage.enter_organization(fresh=True)
    request = await request_for(stage)
    stage.say("the caller is its only owner")
    changed = request.with_path(uid=stage.caller.principal.id)
    return changed if request.body is None else replace(changed, body={"role": "member"})


@arranges("conflict", "put-assistant-runtime-state")
async def of_an_old_version(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await stage.perform_at(stage.operation.id, request.path, request.body)
    stage.say("its state was written in the meantime")
    return request.with_body(version=0)


@arranges("invalid_state", "cancel-job")
async def of_a_job_that_has_ended(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await stage.perform("cancel-job", id=request.path["id"])
    stage.say("it was canceled")
    return request


@arranges("invalid_state", "retry-job")
async def of_a_job_that_waits(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    return request.with_path(id=await resources.job(stage))


@arranges("invalid_state", "replay-webhook-delivery")
async def of_what_is_to_be_sent(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    return request.with_path(did=await resources.delivery(stage))


@arranges("invalid_state", "discard-webhook-delivery")
async def of_what_was_given_up(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await stage.perform("discard-webhook-delivery", did=request.path["did"])
    stage.say("it was given up")
    return request


@arranges(
    "invalid_state", "approve-assistant-config-change-request", "deny-assistant-config-change-request"
)  # fmt: skip
async def of_what_was_decided(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await stage.perform_at("deny-assistant-config-change-request", request.path)
    stage.say("it was turned down")
    return request


@arranges("idempotency_conflict", "create-job")
async def under_a_used_key(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    await resources.job(stage, idempotency_key=request.body["idempotency_key"])
    stage.say("it was queued under the idempotency key that this other one is sent with")
    return request.with_body(input={"ephemeral": True, "command": "false"})


@arranges("internal_error", by="state")
async def by_a_failing_handler(stage: Stage) -> ApiRequest:
    request = await request_at_all(stage)
    stage.hold(stage.world.planned.of_handler(stage.concerned))
    stage.say("what answers the operation fails")
    return request


@arranges("internal_error", "mcp-handler", by="state")
async def of_a_notification(stage: Stage) -> ApiRequest:
    """What answers a request fails in the words of JSON-RPC; a notification has no answer to put them in."""
    request = await by_a_failing_handler(stage)
    return replace(request, body={"jsonrpc": "2.0", "method": "notifications/initialized"})
