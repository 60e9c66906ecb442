"""What goes wrong only when two ask at once."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import all_of, edit

defect = partial(declare, __name__)

defect(
    "names-checked-outside",
    "Two who ask at once get the same name.",
    all_of(
        edit(
            "handlers.workspaces:create_workspace",
            '    async with call.store.transaction() as tx:\n        await creation.require_place(call, tx)\n        name = await creation.free_name(call, tx, call.body.get("name"))',
            "    import asyncio\n    async with call.store.transaction() as tx:\n        await creation.require_place(call, tx)\n"
            "        name = await creation.free_name(call, tx, call.body.get('name'))\n"
            "    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:",
        ),
    ),
    "races.limits-hold-for-all-at-once",
)
defect(
    "sessions-of-one-workspace",
    "Two who ask at once get two sessions on one workspace.",
    edit(
        "targets:open_session",
        "            if live is None:\n                row = await _insert(call, tx, account, session_type, workspace, body, github_repo)\n                break",
        "        if live is None:\n            await asyncio.sleep(0.02)\n            async with call.store.transaction() as tx:\n"
        "                row = await _insert(call, tx, account, session_type, workspace, body, github_repo)\n            break",
    ),
    "races.a-workspace-gets-one-session",
)
defect(
    "idempotency-without-lock",
    "Two who repeat a request at once queue two jobs.",
    edit(
        "handlers.jobs:create_job",
        "        now = call.clock.timestamp()",
        "    import asyncio\n    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:\n        now = call.clock.timestamp()",
    ),
    "races.an-idempotency-key-makes-one-job",
)
defect(
    "state-lost-update",
    "Two who write the same version of a state at once both succeed.",
    edit(
        "handlers.assistant_state:put_assistant_runtime_state",
        "        row = await assistants.write_state(",
        "    import asyncio\n    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:\n        row = await assistants.write_state(",
    ),
    "racing-changes.a-state-is-written-by-one",
)
defect(
    "channel-bound-twice",
    "Two who bind a channel at once make the emulator fail.",
    edit(
        "handlers.assistant_channels:add_assistant_channel",
        "        row = await assistants.bind(",
        "    import asyncio\n    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:\n        row = await assistants.bind(",
    ),
    "races.one-gets-what-is-unique",
)
defect(
    "concurrency-checked-outside",
    "Two who ask at once get one session more than the plan allows.",
    edit(
        "store.sessions:count_live",
        "    row = await reader.one(",
        "    import asyncio\n    await asyncio.sleep(0)\n    row = await reader.one(",
        ('int(row["n"]) if row else 0', 'max(0, int(row["n"]) - 1) if row else 0'),
    ),
    "pagination.pages-of-sessions-follow-a-model",
)
defect(
    "rename-checked-outside",
    "Two workspaces that are renamed at once get the same name.",
    edit(
        "handlers.workspaces:set_workspace_name",
        '        await workspaces.rename(tx, row["id"], name)',
        "    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:\n        await workspaces.rename(tx, row['id'], name)",
    ),
    "races.one-gets-a-workspace-name",
)
defect(
    "last-owner-race",
    "Two owners who leave at once leave an organization without any.",
    edit(
        "handlers.accounts:remove_current_member",
        "            await _require_another_owner(call, tx)\n",
        "            await _require_another_owner(call, tx)\n    import asyncio\n    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:\n",
    ),
    "racing-changes.an-owner-stays",
)
defect(
    "change-decided-by-two",
    "Two who decide on a change at once both succeed.",
    edit(
        "handlers.assistant_changes:deny_assistant_config_change_request",
        "        _, pending = await _pending(call, tx)\n",
        "        _, pending = await _pending(call, tx)\n    import asyncio\n    await asyncio.sleep(0.02)\n    async with call.store.transaction() as tx:\n",
    ),
    "racing-changes.one-decides",
)
