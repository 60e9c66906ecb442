"""Assistants: made with a home workspace of their own, changed, paused and resumed."""

from __future__ import annotations

import json
from collections import defaultdict

from chaser_emulator import creation, events, lookup
from chaser_emulator.assistant_resources import assistant_info
from chaser_emulator.clock import new_id
from chaser_emulator.merging import merged, same
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import workspace_info
from chaser_emulator.shapes import AssistantEnvelope, AssistantInfo, AssistantList
from chaser_emulator.storage import require_room
from chaser_emulator.store import Reader, Row, Transaction, assistants, workspaces


@operation("list-assistants")
async def list_assistants(call: Call) -> AssistantList:
    """Every assistant of the account, newest first."""
    bound: defaultdict[str, list[Row]] = defaultdict(list)
    rows = await assistants.of_account(call.store, call.account.id)
    for channel in await assistants.channels_of_account(call.store, call.account.id):
        bound[channel["assistant_id"]].append(channel)
    return {"assistants": [assistant_info(row, bound[row["id"]]) for row in rows]}


@operation("create-assistant")
async def create_assistant(call: Call) -> AssistantEnvelope:
    """A new assistant that is active, and its home (T21)."""
    await require_room(call)
    async with call.store.transaction() as tx:
        workspace_id = await _home(call, tx)
        row = await assistants.insert(
            tx,
            call.account.id,
            call.body["name"],
            json.dumps(call.body.get("config", {})),
            workspace_id=workspace_id,
            at=call.clock.timestamp(),
        )
    return {"assistant": assistant_info(row, [])}


async def _home(call: Call, tx: Transaction) -> str:
    """Make an empty sandbox workspace that is marked as a home; answers its id."""
    await creation.require_place(call, tx)
    name = await creation.free_name(call, tx, None)
    workspace_id = new_id()
    await workspaces.insert(
        tx,
        workspace_id,
        account_id=call.account.id,
        name=name,
        session_type="sandbox",
        created_at=call.clock.timestamp(),
        assistant_home=True,
    )
    row = await lookup.workspace(call, workspace_id, tx)
    # It is a workspace like others, so the log has its beginning as it will have its end.
    mark = call.spec.operations["create-workspace"].audit
    assert mark is not None  # noqa: S101 - the document says so
    summary = f"created workspace {name} as the home of an assistant"
    await events.audit(
        tx, call.clock, call.account.id, call.actor, mark.action, mark.resource_type, workspace_id, summary
    )
    await call.emit(tx, "workspace.created", workspace_id, workspace_info(row))
    return workspace_id


@operation("get-assistant")
async def get_assistant(call: Call) -> AssistantEnvelope:
    """One assistant."""
    row = await lookup.assistant(call, call.path["id"])
    return {"assistant": await shown(call.store, row)}


@operation("update-assistant")
async def update_assistant(call: Call) -> AssistantEnvelope:
    """Give it another name, and merge changes into its configuration (T12)."""
    async with call.store.transaction() as tx:
        row = await lookup.assistant(call, call.path["id"], tx)
        name = call.body.get("name")
        if name is not None and name != row["name"]:
            await assistants.rename(tx, row["id"], name, call.clock.timestamp())
        if "config" in call.body:
            await patch_config(call, tx, row, call.body["config"])
        return await _answer(call, tx)


async def patch_config(call: Call, tx: Transaction, row: Row, patch: object) -> None:
    """Merge changes into the configuration of an assistant; what changes nothing makes no new version."""
    before = json.loads(row["config"])
    after = merged(before, patch)
    if not same(before, after):
        await assistants.set_config(tx, row["id"], json.dumps(after), call.clock.timestamp())


@operation("pause-assistant")
async def pause_assistant(call: Call) -> AssistantEnvelope:
    """Let an assistant rest; one that does stays as it is (T13)."""
    return await _become(call, assistants.PAUSED)


@operation("resume-assistant")
async def resume_assistant(call: Call) -> AssistantEnvelope:
    """Wake an assistant; one that is active stays as it is (T13)."""
    return await _become(call, assistants.ACTIVE)


async def _become(call: Call, status: str) -> AssistantEnvelope:
    async with call.store.transaction() as tx:
        row = await lookup.assistant(call, call.path["id"], tx)
        if row["status"] != status:
            await assistants.set_status(tx, row["id"], status, call.clock.timestamp())
        return await _answer(call, tx)


async def _answer(call: Call, tx: Transaction) -> AssistantEnvelope:
    row = await lookup.assistant(call, call.path["id"], tx)
    return {"assistant": await shown(tx, row)}


async def shown(reader: Reader, row: Row) -> AssistantInfo:
    """How the API shows an assistant, with its channels."""
    return assistant_info(row, await assistants.channels(reader, row["id"]))
