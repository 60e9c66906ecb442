"""Writes that are lost, done twice, seen late or not undone, and names that are not what they seem."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import all_of, answers, as_status, edit, schema

defect = partial(declare, __name__)

defect(
    "rename-lost",
    "A workspace keeps its name though renaming it succeeded.",
    edit("store.workspaces:rename", "SET name = ? WHERE id = ?", "SET name = name WHERE ? <> '' AND id = ?"),
    "workspaces.it-is-renamed",
)
defect(
    "template-of-all",
    "Marking a workspace as a template marks all.",
    edit("store.workspaces:set_template", "WHERE id = ?", "WHERE id <> '' OR id = ?"),
    "workspace-lifecycle.workspaces-live-as-a-model-says",
)
defect(
    "template-lost",
    "A workspace does not become a template.",
    edit(
        "handlers.workspaces:set_workspace_template", 'await workspaces.set_template(tx, row["id"], template)', "pass"
    ),
    "workspaces.it-is-a-template-or-none",
)
defect(
    "template-never-again",
    "A template cannot become none.",
    edit("store.workspaces:set_template", "SET template = ?", "SET template = max(template, ?)"),
    "workspaces.it-is-a-template-or-none",
)
defect(
    "template-at-creation-lost",
    "A workspace that was made as a template is none.",
    edit("handlers.workspaces:create_workspace", 'bool(call.body.get("template"))', "False"),
    "writes sessions workspaces",
)
defect(
    "image-at-creation-lost",
    "A workspace's image is not kept.",
    edit("handlers.workspaces:create_workspace", 'image=call.body.get("image")', "image=None"),
    "workspaces.a-new-one-is-what-was-asked-for",
)
defect(
    "create-twice",
    "Creating a workspace makes two.",
    edit(
        "handlers.workspaces:create_workspace",
        '        return await creation.created(call, tx, workspace_id, f"created workspace {name}")',
        "        await workspaces.insert(tx, new_id(), account_id=call.account.id, name=name + '-2',\n"
        "            session_type=call.body['session_type'], created_at=call.clock.timestamp())\n"
        '        return await creation.created(call, tx, workspace_id, f"created workspace {name}")',
    ),
    "listings.workspaces-are-all-listed",
)
defect(
    "name-case-sensitive",
    "`Box` and `box` are two workspaces.",
    schema("name TEXT COLLATE NOCASE,", "name TEXT,"),
    "writes sessions workspaces",
)
defect(
    "name-lowered",
    "A workspace's name loses its capitals.",
    edit("creation:free_name", "await require_free(call, tx, name)", "name = name.lower()"),
    "workspaces.names-are-taken-in-any-case",
)
defect(
    "snapshot-name-case-sensitive",
    "A snapshot is not found by its name in another case.",
    edit("store.snapshots:named", "AND name = ?", "AND name = ? COLLATE BINARY"),
    "snapshots.names-are-taken-in-any-case",
)
defect(
    "organization-name-case-sensitive",
    "I can have `Acme` and `acme`.",
    edit(
        "handlers.accounts:create_organization", "if name.casefold() in taken:", "if name in taken and name.islower():"
    ),
    "accounts.names-are-taken-in-any-case",
)
defect(
    "organization-name-untrimmed",
    "The name of an organization keeps the spaces around it.",
    edit("handlers.accounts:create_organization", 'call.body["name"].strip()', 'call.body["name"]'),
    "accounts.an-organization-is-what-was-asked-for",
)
defect(
    "own-name-taken",
    "Renaming a workspace to its own name in another case is refused.",
    edit("creation:require_free", 'other["id"] != but', "True"),
    "workspaces.names-are-taken-in-any-case",
)
defect(
    "rename-does-not-check",
    "Renaming takes a name that another workspace has.",
    edit(
        "handlers.workspaces:set_workspace_name", 'await creation.require_free(call, tx, name, but=row["id"])', "pass"
    ),
    "workspaces.names-are-taken-in-any-case",
)
defect(
    "selector-by-name-only",
    "A workspace is not found by its id.",
    edit("store.workspaces:find", "if _UUID.match(selector):", "if False:"),
    "workspaces.it-is-renamed",
)
defect(
    "selector-id-exact-case",
    "An id in capital letters is not found.",
    edit("store.workspaces:find", "selector.lower(), account_id", "selector, account_id"),
    "particulars.a-workspace-is-found-by-its-id-in-any-case",
)
defect(
    "generated-name-form",
    "A name that was made up has no number.",
    edit("clock:new_name", "-{secrets.randbelow(10000):04d}", ""),
    "workspaces.a-name-is-made-up",
)
defect(
    "clone-without-files",
    "A copy of a workspace is empty.",
    edit("disks:Disks.copy", "await self._engine.copy_disk(source_id, disk_id)", "pass"),
    "disks.going-back-brings-files-back",
)
defect(
    "clone-shares-files",
    "What I write in a copy of a workspace is in the original.",
    edit(
        "sandbox.scripted:ScriptedEngine.copy_disk",
        "dict(self._disks.get(source_id, {}))",
        "self._disks.setdefault(source_id, {})",
    ),
    "disks.a-copy-has-files-of-its-own",
)
defect(
    "clone-without-type",
    "A copy of a workspace for browsers is one for sandboxes.",
    edit("handlers.workspaces:_clone", 'session_type=source["session_type"]', 'session_type="sandbox"'),
    "workspaces.a-copy-takes-after-its-source",
)
defect(
    "clone-without-image",
    "A copy of a workspace has another image.",
    edit("handlers.workspaces:_clone", 'image=source["image"]', "image=None"),
    "workspaces.a-copy-takes-after-its-source",
)
defect(
    "clone-is-template",
    "A copy of a template is a template.",
    edit("handlers.workspaces:_clone", 'template=bool(call.body.get("template"))', 'template=bool(source["template"])'),
    "workspaces.it-is-a-template-or-none",
)
defect(
    "clone-of-busy",
    "A workspace is copied while a session writes to it.",
    all_of(
        edit("handlers.workspaces:_clone", "await occupancy.rest(call, source, force=False)", "pass"),
        edit("occupancy:require_idle", 'if row["active_session_id"] is not None:', "if False:"),
    ),
    "workspaces.one-in-use-is-not-touched",
)
defect(
    "delete-does-nothing",
    "A deleted workspace is still there.",
    edit("handlers.workspaces:_delete", 'disks = await workspaces.delete(tx, row["id"])', "disks: list[str] = []"),
    "job-results.a-workspace-is-deleted-by-a-job",
)
defect(
    "delete-without-force",
    "A workspace in use is deleted though I did not force it.",
    edit(
        "handlers.workspaces:_delete",
        "await occupancy.rest(call, found, force=force)",
        "await occupancy.rest(call, found, force=True)",
    ),
    "job-results.a-workspace-is-deleted-by-a-job",
)
defect(
    "delete-with-force-refused",
    "A workspace in use cannot be deleted by force.",
    edit("handlers.workspaces:delete_workspace", 'force=call.query.get("force", False)', "force=False"),
    "deletions endings sessions workspaces",
)
defect(
    "bulk-delete-counts-wrong",
    "Deleting many counts those that failed as deleted.",
    edit(
        "handlers.workspaces:bulk_delete_workspaces",
        'deleted = sum(result["deleted"] for result in results)',
        "deleted = len(results)",
    ),
    "deletions.many-are-deleted",
)
defect(
    "bulk-delete-stops",
    "Deleting many stops at the first that is not there.",
    edit(
        "handlers.workspaces:bulk_delete_workspaces",
        "            if row is None:",
        "            if row is None and rows:\n                break\n            if row is None:",
    ),
    "deletions.many-are-deleted",
)
defect(
    "bulk-delete-twice",
    "A workspace that is named twice is counted twice.",
    edit(
        "handlers.workspaces:bulk_delete_workspaces",
        'dict.fromkeys(row["id"] for row in rows)',
        '[row["id"] for row in rows]',
    ),
    "deletions.many-are-deleted",
)
defect(
    "bulk-delete-all-forced",
    "Deleting all ends sessions though I did not force it.",
    edit(
        "handlers.workspaces:bulk_delete_workspaces",
        'force = bool(call.body.get("force"))',
        'force = bool(call.body.get("force") or call.body.get("all"))',
    ),
    "deletions.all-are-those-of-the-account",
)
defect(
    "delete-again-succeeds",
    "Deleting what is not there succeeds.",
    answers("delete-workspace", as_status(204, b""), status=404),
    "deletions endings",
)
defect(
    "webhook-deleted-listed",
    "A deleted webhook is still listed.",
    edit("store.webhooks:of_account", "AND deleted_at IS NULL", ""),
    "deletions endings webhooks deliveries happenings",
)
defect(
    "webhook-deleted-twice",
    "A deleted webhook can be deleted again.",
    edit("store.webhooks:get", "AND deleted_at IS NULL", ""),
    "webhooks.one-is-told-as-it-was-made",
)
defect(
    "webhook-delete-keeps-pending",
    "What was to be sent to a deleted webhook stays pending.",
    edit("handlers.webhooks:delete_webhook", 'await deliveries.discard_pending(tx, row["id"], at)', "0"),
    "deletes.a-deleted-webhook-gets-nothing",
)
defect(
    "ssh-key-stays",
    "A deleted SSH key is still listed.",
    edit("handlers.ssh_keys:delete_ssh_key", 'await ssh_keys.delete(tx, row["id"])', "pass"),
    "ssh-keys.one-is-registered-once",
)
defect(
    "member-stays",
    "A removed member is still listed.",
    edit(
        "store.accounts:remove_member",
        '"DELETE FROM members WHERE account_id = ? AND user_id = ?"',
        '"UPDATE members SET role = role WHERE account_id = ? AND user_id = ?"',
    ),
    "deletes.what-is-deleted-is-found-by-nothing",
)
defect(
    "role-lost",
    "A member keeps their role though changing it succeeded.",
    edit(
        "handlers.accounts:update_current_member",
        'await accounts.set_role(tx, call.account.id, row["user_id"], role)',
        "pass",
    ),
    "accounts members service-accounts",
)
defect(
    "role-everywhere",
    "Changing a role in one organization changes it in all.",
    edit(
        "store.accounts:set_role",
        "WHERE account_id = ? AND user_id = ?",
        "WHERE (account_id = ? OR true) AND user_id = ?",
    ),
    "distinctions.a-role-is-of-one-organization",
)
defect(
    "member-twice",
    "Adding a member again makes them another role.",
    edit(
        "handlers.accounts:add_current_member",
        "if await accounts.member(tx, call.account.id, user_id) is not None:",
        "if await accounts.member(tx, call.account.id, user_id) is not None and role == 'member':",
    ),
    "members.one-is-a-member-once",
)
defect(
    "member-default-role",
    "A new member is an admin.",
    edit(
        "handlers.accounts:add_current_member", 'call.body.get("role") or "member"', 'call.body.get("role") or "admin"'
    ),
    "roles.members-may-leave-and-are-added-once",
)
defect(
    "member-by-exact-case",
    "An address in another case is another user.",
    edit("store.accounts:user_by_email", "WHERE email = ?", "WHERE email = ? COLLATE BINARY"),
    "members.one-is-a-member-once",
)
defect(
    "revoke-again-moves",
    "Revoking a key again moves the time of its revocation.",
    edit("store.keys:revoke", "AND revoked_at IS NULL", ""),
    "keys ssh-keys deletions endings",
)
defect(
    "revoke-nothing",
    "Revoking a key answers a time and does nothing.",
    edit(
        "store.keys:revoke",
        "SET revoked_at = ? WHERE",
        "SET name = name WHERE ? <> '' AND",
        ('return str(row["revoked_at"])', "return at"),
    ),
    "access.a-revoked-key-is-refused-at-once",
)
defect(
    "reads-are-late",
    "What I have just written is not in the list yet.",
    edit(
        "store.workspaces:of_account",
        "    return await reader.all(",
        "    import time\n"
        "    await reader.one('SELECT 1')\n"
        "    late = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(time.time() - 0.5))\n"
        "    return await reader.all(",
        (
            "WHERE workspaces.account_id = ? ORDER",
            "WHERE workspaces.account_id = ? AND workspaces.created_at < '{late}' ORDER",
        ),
    ),
    "workspaces.names-are-taken-within-an-account",
)
defect(
    "half-written",
    "A refused rename has changed the name all the same.",
    edit(
        "handlers.workspaces:set_workspace_name",
        '    name = call.body["name"]\n',
        "    name = call.body['name']\n"
        "    async with call.store.transaction() as tx:\n"
        "        before = await lookup.workspace(call, call.path['ws'], tx)\n"
        "        if name is not None and await workspaces.named(tx, call.account.id, name) is not None:\n"
        "            await workspaces.rename(tx, before['id'], None)\n",
    ),
    "workspaces.names-are-taken-in-any-case",
)
