"""Refusals for want of something: of places that the plan has, of money, of room."""

from __future__ import annotations

from dataclasses import replace

from chaser_emulator.clock import new_id
from chaser_emulator.plans import FREE, PLANS, USAGE_BASED
from chaser_emulator.provoking import resources
from chaser_emulator.provoking.arrangements import arranges
from chaser_emulator.provoking.needs_of_sandboxes import FILE
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.provoking.valid import request_for
from chaser_emulator.store import billing, sessions, snapshots

_SOME = 2**16
"""Bytes of what fills an account."""


@arranges("plan_limit_exceeded", "create-session", "exec-sandbox", by="state")
async def with_all_sessions_live(stage: Stage) -> ApiRequest:
    if not stage.own:
        await stage.move_to_plan(FREE)
    request = await request_for(stage)
    account = stage.caller.account
    limit = stage.world.plan_sessions(account.plan)
    with stage.quietly():
        while (live := await sessions.count_live(stage.world.store, account.id)) < limit:
            await resources.session(stage)
    stage.say(f"{live} sessions are live, and the plan {account.plan} allows {limit}")
    return request


@arranges("plan_limit_exceeded", "create-workspace", "import-workspace", "create-assistant", by="state")
async def with_all_workspaces_made(stage: Stage) -> ApiRequest:
    if not stage.own:
        await stage.move_to_plan(FREE)
    request = await request_for(stage)
    plan = PLANS[stage.caller.account.plan]
    there = len(await stage.perform("list-workspaces"))
    with stage.quietly():
        for _ in range(plan.max_workspaces - there):
            await resources.workspace(stage)
    exist = max(there, plan.max_workspaces)
    stage.say(f"{exist} workspaces exist, and the plan {plan.code} allows {plan.max_workspaces}")
    return request


@arranges("plan_limit_exceeded", "create-workspace-snapshot")
async def with_all_snapshots_made(stage: Stage) -> ApiRequest:
    from chaser_emulator.handlers.snapshots import LIMIT

    request = await request_for(stage)
    workspace_id = request.path["ws"]
    with stage.quietly():
        if "ws" in stage.given:
            while await snapshots.count(stage.world.store, workspace_id) < LIMIT:
                await resources.snapshot(stage, workspace_id)
        else:
            await _keep_nothing(stage, workspace_id, LIMIT)
    stage.say(f"it has {LIMIT} snapshots")
    return request


async def _keep_nothing(stage: Stage, workspace_id: str, times: int) -> None:
    """Snapshots of an empty workspace: as it has no disk yet, neither have they, and no engine has to make any."""
    async with stage.world.store.transaction() as tx:
        for _ in range(times):
            at = stage.world.clock.timestamp()
            await snapshots.insert(
                tx, workspace_id, stage.name(), disk_id=new_id(), used_bytes=0, created_at=at
            )  # fmt: skip


@arranges("conflict", "create-webhook", by="state")
async def with_all_webhooks_made(stage: Stage) -> ApiRequest:
    from chaser_emulator.handlers.webhooks import LIMIT

    request = await request_for(stage)
    there = len((await stage.perform("list-webhooks"))["webhooks"])
    with stage.quietly():
        for _ in range(LIMIT - there):
            await resources.webhook(stage)
    stage.say(f"the account has {LIMIT} webhooks")
    return request


@arranges("payment_required", "create-session", "exec-sandbox", by="state")
async def with_an_empty_wallet(stage: Stage) -> ApiRequest:
    world = stage.world
    if not stage.own:
        await stage.move_to_plan(USAGE_BASED)
        return await request_for(stage)
    account_id = stage.caller.account.id
    before = await billing.account(world.store, account_id)
    plan = PLANS[before["plan"]]
    if plan.code == USAGE_BASED and before["wallet_micros_usd"] <= 0:
        stage.say("the account pays by its wallet, which is empty already")
        return await request_for(stage)
    async with world.store.transaction() as tx:
        await billing.set_wallet(tx, account_id, 0, 0)

    async def put_back() -> None:
        # The wallet first: what runs again on its plan is to be paid by it.
        async with world.store.transaction() as tx:
            await billing.set_wallet(tx, account_id, before["wallet_micros_usd"], before["owed_parts"])
        if plan.code != USAGE_BASED:
            named = {"plan_code": plan.code} if plan.subscribed else {}
            await stage.perform("update-billing-account", {"pricing_model": plan.pricing_model, **named})
        async with world.store.transaction() as tx:
            await billing.set_plan(tx, account_id, plan.code, before["stripe_subscription_id"])

    stage.undo(put_back)
    if plan.code != USAGE_BASED:
        await stage.perform("update-billing-account", {"pricing_model": USAGE_BASED})
    stage.say("the account pays by its wallet, which is empty; what ran in it ends, as it does then")
    return await request_for(stage)


async def _filled(stage: Stage) -> str:
    """A workspace that holds something, at rest."""
    workspace_id = await resources.workspace(stage)
    session_id = await resources.session(stage, workspace_id)
    await stage.write_file(session_id, FILE, bytes(_SOME))
    await stage.perform("terminate-session", id=session_id, query={"force": True})
    return workspace_id


async def _allow_no_more(stage: Stage) -> None:
    """Lower what the account may hold to less than it does."""
    storage, account_id = stage.world.storage, stage.caller.account.id
    used = await storage.used(account_id)
    lowered = (account_id, max(used - 1, 0))
    storage.lowered.append(lowered)

    async def put_back() -> None:
        storage.lowered.remove(lowered)

    stage.undo(put_back)
    stage.say(f"the account holds {used} bytes, and may hold {lowered[1]}")


@arranges("storage_limit_exceeded", "create-workspace", "import-workspace", "create-assistant", by="state")
async def with_no_room(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    storage, account_id = stage.world.storage, stage.caller.account.id
    if await storage.used(account_id) > storage.cap_of(account_id):
        stage.say("the account holds more than it may already")
        return request
    await _filled(stage)
    await _allow_no_more(stage)
    return request


@arranges("storage_limit_exceeded", "create-session", "exec-sandbox")
async def with_no_room_to_write(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    filled = await _filled(stage)
    await _allow_no_more(stage)
    body = {key: value for key, value in request.body.items() if key != "ephemeral"}
    return replace(request, body=body | {"workspace": filled})


@arranges("storage_limit_exceeded", "create-workspace-snapshot")
async def with_no_room_for_a_copy(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    filled = await _filled(stage)
    await _allow_no_more(stage)
    return request if "ws" in stage.given else request.with_path(ws=filled)


@arranges("storage_limit_exceeded", "restore-workspace-snapshot")
async def with_no_room_for_what_was(stage: Stage) -> ApiRequest:
    """The snapshot holds more than the workspace does now."""
    request = await request_for(stage)
    filled = await _filled(stage)
    kept = await resources.snapshot(stage, filled)
    session_id = await resources.session(stage, filled)
    await stage.write_file(session_id, FILE, b"")
    await stage.perform("terminate-session", id=session_id, query={"force": True})
    await _allow_no_more(stage)
    return request.with_path(ws=filled, name=kept)
