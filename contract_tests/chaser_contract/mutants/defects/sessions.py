"""Sessions that are not reused, end too early or never, or are held by nobody."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "no-reuse",
    "Creating a session on a workspace that has one makes another.",
    edit(
        "targets:open_session",
        'live = await sessions.of_workspace(tx, workspace["id"]) if workspace is not None else None',
        "live = None",
    ),
    "sessions.without-a-word-it-is-the-default-workspace",
)
defect(
    "reuse-across-workspaces",
    "A session is reused on another workspace.",
    edit("store.sessions:of_workspace", "WHERE workspace_id = ?", "WHERE (workspace_id = ? OR true)"),
    "sessions.a-self-test-tells-of-its-session",
)
defect(
    "ephemeral-on-workspace",
    "A session that was to be ephemeral is on the default workspace.",
    edit("targets:open_session", 'ephemeral = bool(body.get("ephemeral"))', "ephemeral = False"),
    "sessions.a-new-one-is-what-was-asked-for",
)
defect(
    "default-workspace-is-ephemeral",
    "Without a workspace a session leaves nothing behind.",
    edit("targets:open_session", "ephemeral = not plan.allow_workspaces", "ephemeral = True"),
    "sessions.without-a-word-it-is-the-default-workspace",
)
defect(
    "default-workspace-name",
    "The workspace that a session falls back to has another name.",
    edit("targets:_workspace", "name = DEFAULT_WORKSPACE if selector", 'name = "main" if selector'),
    "sessions.without-a-word-it-is-the-default-workspace",
)
defect(
    "default-workspace-each-time",
    "Each session without a workspace gets a new one.",
    edit(
        "targets:_workspace",
        "found = await workspaces.find(tx, call.account.id, name)",
        "found = await workspaces.find(tx, call.account.id, name) if selector else None",
    ),
    "sessions.without-a-word-it-is-the-default-workspace",
)
defect(
    "unknown-workspace-made",
    "A workspace that is not there is made, and called otherwise.",
    edit("targets:_workspace", "if found is None and selector is None:", "if found is None:"),
    "session-requests.what-cannot-be-is-refused",
)
defect(
    "concurrency-ignored",
    "A plan lets as many sessions run as I like.",
    edit("targets:_insert", ">= limit:", ">= limit + 10_000:"),
    "billing usage plans sessions workspaces limits",
)
defect(
    "concurrency-one-more",
    "A plan lets one session more run than it says.",
    edit("targets:_insert", ">= limit:", "> limit:"),
    "billing usage plans sessions workspaces limits",
)
defect(
    "workspaces-one-more",
    "A plan lets me have one workspace more than it says.",
    edit("creation:require_place", ">= limit:", "> limit:"),
    "plans.workspaces-are-limited",
)
defect(
    "free-plan-has-workspaces",
    "On the free plan I can make workspaces.",
    edit("plans:Plan.allow_workspaces", "self.max_workspaces > 0", "True"),
    "billing.a-free-account-has-no-workspaces",
)
defect(
    "terminate-does-nothing",
    "A session that I ended runs on.",
    edit(
        "handlers.sessions:terminate_session",
        "await call.world.lifecycle.terminate",
        "assert call.world.lifecycle.terminate",
    ),
    "endings.one-that-is-ended-has-ended",
)
defect(
    "terminate-ignores-leases",
    "A session that something is connected to ends though I did not force it.",
    edit("lifecycle:Lifecycle.terminate", "and not force and (held", "and False and (held"),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "terminate-force-refused",
    "A session that something is connected to cannot be ended by force.",
    edit("handlers.sessions:terminate_session", 'call.query.get("force", False)', "False"),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "terminate-again-fails",
    "Ending a session twice is an error.",
    edit(
        "handlers.sessions:terminate_session",
        "    await call.world",
        "    if row['ended_at'] is not None:\n        raise ApiError('not_found', 'it has ended')\n    await call.world",
    ),
    "plan-time.an-ended-session-is-readable-for-a-day",
)
defect(
    "ended-is-gone",
    "A session that has ended cannot be read any more.",
    edit("store.sessions:get_in", "AND account_id = ?", "AND account_id = ? AND ended_at IS NULL"),
    "deletions endings session-lifecycle workspace-lifecycle",
)
defect(
    "ended-is-failed",
    "A session that I ended has failed.",
    edit("lifecycle:Lifecycle._stop", "TERMINATED, None", "FAILED, 'it was ended'"),
    "endings.many-are-ended-by-their-ids",
)
defect(
    "ended-keeps-workspace",
    "The workspace of an ended session stays active.",
    edit("store.workspaces:get", "{_SELECT} WHERE", "{_SELECT.replace('AND sessions.ended_at IS NULL', '')} WHERE"),
    "workspaces.one-in-use-is-not-touched",
)
defect(
    "ended-kept-for-ever",
    "A session that ended a week ago can still be read.",
    edit("keeper:Keeper.sweep", "timestamp(now - KEPT)", "timestamp(now - 100 * KEPT)"),
    "plan-time.a-session-ends-with-the-time-of-its-plan",
)
defect(
    "ended-kept-for-an-hour",
    "A session that ended an hour ago cannot be read any more.",
    edit("keeper:Keeper.sweep", "timestamp(now - KEPT)", "timestamp(now - KEPT / 24)"),
    "particulars.an-ended-session-is-kept-for-a-day",
)
defect(
    "never-expires",
    "A session runs for longer than its plan allows.",
    edit("lifecycle:Lifecycle.expired", "end <= self._clock.now()", "False"),
    "session-lifecycle workspace-lifecycle billing usage plans",
)
defect(
    "expires-early",
    "A session ends after half the time that its plan allows.",
    edit("lifecycle:Lifecycle.insert", "seconds=wanted.max_seconds)", "seconds=wanted.max_seconds / 2)"),
    "session-lifecycle workspace-lifecycle billing usage plans",
)
defect(
    "expired-takes-commands",
    "A session beyond its time takes new commands.",
    edit("lifecycle:Lifecycle.require_time", "if self.expired(row):", "if False:"),
    "session-lifecycle workspace-lifecycle commands one-shot background",
)
defect(
    "bulk-end-all-types",
    "Ending all browsers ends sandboxes.",
    edit("handlers.sessions:bulk_terminate_sessions", 'kind = call.body.get("session_type")', "kind = None"),
    "endings.all-are-all-of-a-type",
)
defect(
    "bulk-end-unknown-untold",
    "Ending many does not tell of one that is not there.",
    edit(
        "handlers.sessions:bulk_terminate_sessions",
        'failed.append(_failure(session_id, "not_found"',
        '(lambda one: None)(_failure(session_id, "not_found"',
    ),
    "endings.many-are-ended-by-their-ids",
)
defect(
    "bulk-end-by-workspace-lost",
    "Ending sessions by their workspaces ends none.",
    edit("handlers.sessions:bulk_terminate_sessions", 'call.body.get("workspaces") or []', "[]"),
    "deletes.a-deleted-workspace-is-found-by-nothing",
)
defect(
    "bulk-end-without-force",
    "Ending many ends sessions in use though I did not force it.",
    edit("handlers.sessions:bulk_terminate_sessions", 'force = bool(call.body.get("force"))', "force = True"),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "commands-survive-session",
    "A background command runs on in a session that has ended.",
    edit("sandbox.scripted:ScriptedEngine.stop", "await process.signal(9)", "pass"),
    "background.it-ends-with-its-session",
)
defect(
    "exec-in-ended-session",
    "A command in a session that has ended is a 404.",
    edit("lookup:sandbox", '"not_running",\n', '"not_found",\n'),
    "endings.one-that-is-ended-has-ended",
)
defect(
    "files-of-session-lost",
    "A workspace is empty when its next session begins.",
    edit("sandbox.scripted:ScriptedEngine.start", "self._disks.setdefault(spec.disk_id, {})", "{}"),
    "files.files-stay-with-their-workspace",
)
defect(
    "files-of-ephemeral-kept",
    "What an ephemeral session wrote is there in the next.",
    edit(
        "sandbox.scripted:ScriptedEngine.start",
        "files = {} if spec.disk_id is None else",
        "files = self._disks.setdefault('shared', {}) if spec.disk_id is None else",
    ),
    "disks.files-outlive-sessions",
)
defect(
    "resize-forgotten",
    "The next terminal does not have the size that was asked for.",
    edit(
        "store.sessions:set_size",
        "SET rows = ?, cols = ? WHERE id = ?",
        "SET rows = nullif(?, 0) * 0, cols = ? * 0 WHERE id = ?",
    ),
    "terminals.a-terminal-has-the-size-that-is-asked-for",
)
defect(
    "resize-swapped",
    "Rows and columns of a terminal are swapped.",
    edit(
        "handlers.sessions:resize_session_pty",
        'resize(row["id"], call.body["rows"], call.body["cols"])',
        'resize(row["id"], call.body["cols"], call.body["rows"])',
    ),
    "terminals.a-terminal-has-the-size-that-is-asked-for",
)
defect(
    "resize-of-open-ignored",
    "A terminal that is open keeps its size.",
    edit(
        "handlers.sessions:resize_session_pty",
        "await call.world.terminals.resize(",
        "assert call.world.terminals.resize, (",
    ),
    "terminals",
)
defect(
    "browser-operation-on-sandbox",
    "A command in a browser session is a 404.",
    edit("lookup:require_sandbox", '"not_a_sandbox", f', '"not_found", f'),
    "sessions.browsers-have-a-picture",
    engine="local",
)
