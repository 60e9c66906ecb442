"""Fields of answers that are missing, have another name or type, are null, or say something else."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import answers, dropped, edit, renamed, turned

defect = partial(declare, __name__)

defect(
    "session-without-workspace-id",
    "A session does not say which workspace it is on.",
    answers("get-session", dropped("workspace_id")),
    "sessions.a-self-test-tells-of-its-session",
)
defect(
    "session-workspace-id-null",
    "A session on a workspace says that it is on none.",
    edit("resources:session_info", '"workspace_id": row["workspace_id"]', '"workspace_id": None'),
    "sessions.one-of-a-workspace-names-it",
)
defect(
    "session-persistence-inverted",
    "An ephemeral session says that it persists.",
    edit("resources:session_info", 'not row["ephemeral"]', 'bool(row["ephemeral"])'),
    "sessions workspaces session-lifecycle workspace-lifecycle writes",
)
defect(
    "session-type-wrong",
    "A sandbox says that it is a browser.",
    answers("get-session", turned(lambda _: "browser", "session_type")),
    "sessions.a-new-one-is-what-was-asked-for",
)
defect(
    "session-created-at-now",
    "A session was created whenever I look.",
    answers("get-session", turned(lambda _: "2026-01-01T00:00:00.000000Z", "created_at")),
    "sessions.a-new-one-is-what-was-asked-for",
)
defect(
    "session-id-renamed",
    "A session's id is called `session_id`.",
    answers("create-session", renamed("session_id", "id")),
    "sessions.its-control-endpoint-is-its-gateway",
)
defect(
    "session-endpoints-of-another-host",
    "The address of a session leads nowhere.",
    edit("resources:session_info", 'f"{base_url}/s/', 'f"https://sessions.example.com/s/'),
    "sessions workspaces gateway",
)
defect(
    "session-video-missing",
    "A browser session has no address of its video.",
    edit("resources:_endpoints", 'row["session_type"] == "browser"', "False"),
    "sessions.browsers-have-a-picture",
    engine="local",
)
defect(
    "session-leases-text",
    "The number of leases is a text.",
    answers("get-session", turned(lambda value: None if value is None else str(value), "active_connection_leases")),
    "sessions.its-control-endpoint-is-its-gateway",
)
defect(
    "session-leases-never-counted",
    "A session that something is connected to has no leases.",
    edit("lifecycle:Lifecycle.leases", "live.leases if live else 0", "0"),
    "endings.one-that-is-held-takes-force",
)
defect(
    "workspace-status-always-idle",
    "A workspace that a session uses is idle.",
    edit("resources:workspace_info", '"active" if row["active_session_id"] else "idle"', '"idle"'),
    "sessions.one-of-a-workspace-names-it",
)
defect(
    "workspace-without-active-session",
    "A workspace does not say which session uses it.",
    edit("resources:workspace_info", 'active_session_id=row["active_session_id"]', "active_session_id=None"),
    "sessions.one-of-a-workspace-names-it",
)
defect(
    "workspace-without-last-session",
    "A workspace forgets which session used it last.",
    edit("resources:workspace_info", 'last_session_id=row["last_session_id"]', "last_session_id=None"),
    "workspace-lifecycle.workspaces-live-as-a-model-says",
)
defect(
    "workspace-template-lost",
    "A template says that it is none.",
    edit("resources:workspace_info", 'template=bool(row["template"])', "template=False"),
    "sessions workspaces writes",
)
defect(
    "workspace-image-lost",
    "A workspace forgets its image.",
    edit("resources:workspace_info", 'image=row["image"]', "image=None"),
    "workspaces.a-new-one-is-what-was-asked-for",
)
defect(
    "workspace-source-lost",
    "A copy of a workspace does not say of what.",
    edit("resources:workspace_info", 'row["source_workspace_id"]', "None"),
    "sessions workspaces writes",
)
defect(
    "workspace-repository-lost",
    "An imported workspace does not say of which repository.",
    edit("resources:workspace_info", 'github_repo=row["github_repo"]', "github_repo=None"),
    "github.an-import-is-what-was-asked-for",
)
defect(
    "workspace-home-unmarked",
    "The home of an assistant looks like any workspace.",
    edit("resources:workspace_info", 'bool(row["assistant_home"])', "False"),
    "assistants.one-is-what-was-asked-for",
)
defect(
    "workspace-unnamed-has-no-name",
    "A workspace without a name has an empty one instead of its id.",
    edit("resources:workspace_info", 'row["name"] or row["id"]', 'row["name"] or ""'),
    "workspaces.it-is-renamed",
)
defect(
    "snapshot-id-is-workspace",
    "Snapshots are called by the id of their workspace.",
    edit("resources:snapshot_info", 'id=row["name"]', 'id=row["workspace_id"]'),
    "snapshots.a-new-one-is-what-was-asked-for",
)
defect(
    "snapshot-restored-at-never",
    "A snapshot does not say when it was gone back to.",
    edit("resources:snapshot_info", 'restored_at=row["restored_at"]', "restored_at=None"),
    "snapshots sessions workspaces",
)
defect(
    "snapshot-without-size",
    "A snapshot does not say how large it is.",
    edit("resources:snapshot_info", 'used_bytes=row["used_bytes"]', "used_bytes=None"),
    "disks.storage-is-what-they-hold",
)
defect(
    "command-milliseconds",
    "The start of a command is in milliseconds.",
    edit(
        "resources:command_info",
        'int(moment(row["started_at"]).timestamp())',
        'int(moment(row["started_at"]).timestamp() * 1000)',
    ),
    "background.it-is-timed-by-the-clock",
)
defect(
    "command-cwd-lost",
    "A background command does not say where it runs.",
    edit("resources:command_info", 'cwd=row["cwd"]', "cwd=None"),
    "background.it-is-told-while-it-runs",
)
defect(
    "command-user-lost",
    "A background command does not say as whom it runs.",
    edit("resources:command_info", 'user=row["user"]', "user=None"),
    "particulars.a-background-command-says-as-whom-and-where-it-runs",
)
defect(
    "command-finished-at-lost",
    "A background command does not say when it ended.",
    edit(
        "resources:command_info", 'int(moment(row["finished_at"]).timestamp()) if row["finished_at"] else None', "None"
    ),
    "background.it-is-timed-by-the-clock",
)
defect(
    "command-list-with-output",
    "The list of commands carries their output.",
    edit(
        "handlers.commands:list_session_commands",
        "command_info(row, *call.world.commands.state(row))",
        "command_info(row, *call.world.commands.state(row), call.world.commands.output(row)[0])",
    ),
    "background.it-is-told-while-it-runs",
)
defect(
    "exec-echoes-nothing",
    "An answer does not say which command it is of.",
    edit("handlers.exec:_answer", 'command=call.body["command"]', 'command=""'),
    "commands.tells-how-it-ended",
)
defect(
    "exec-not-ephemeral",
    "A command in a throw-away sandbox says that this stays.",
    edit("handlers.exec:_answer", 'bool(row["ephemeral"])', "False"),
    "commands one-shot background sessions workspaces",
)
defect(
    "exec-workspace-id-for-name",
    "A command says the id of its workspace where its name should be.",
    edit("handlers.exec:_answer", '(workspace["name"] or workspace["id"])', 'workspace["id"]'),
    "commands.tells-how-it-ended",
)
defect(
    "account-role-wrong",
    "I am called a member of my own account.",
    edit("resources:account_info", 'row["role"] or "member"', '"member"'),
    "accounts.an-organization-is-what-was-asked-for",
)
defect(
    "account-personal-inverted",
    "An organization says that it is personal.",
    edit("resources:account_info", 'row["kind"] == "personal"', 'row["kind"] != "personal"'),
    "accounts.an-organization-is-what-was-asked-for",
)
defect(
    "member-owner-wrong",
    "An admin is shown as owner.",
    edit("resources:member_info", 'row["role"] == "owner"', 'row["role"] != "member"'),
    "members.an-owner-remains",
)
defect(
    "member-without-name",
    "Members have no names.",
    edit("resources:member_info", 'name=row["name"] or None', "name=None"),
    "members.an-unknown-address-is-invited",
)
defect(
    "key-full-access-inverted",
    "A key with scopes says that it may do everything.",
    edit("resources:key_info", "full_access=not scopes", "full_access=bool(scopes)"),
    "keys.one-is-what-was-asked-for",
)
defect(
    "key-last-used-lost",
    "A key does not say when it was used.",
    edit("resources:key_info", 'last_used_at=row["last_used_at"]', "last_used_at=None"),
    "keys.uses-are-noted",
)
defect(
    "key-revoked-lost",
    "A revoked key is listed as any other.",
    edit("resources:key_info", 'revoked=row["revoked_at"]', "revoked=None"),
    "keys.one-that-is-revoked-stops-at-once",
)
defect(
    "key-prefix-short",
    "The beginning of a key that is shown is not the key's.",
    edit("store.identity:add_key", "key_prefix=secret[:10]", "key_prefix=secret[3:13]"),
    "keys.a-secret-is-shown-once",
)
defect(
    "key-scopes-lost",
    "A new key has no scopes in the list.",
    edit("resources:key_info", "scopes=scopes", "scopes=[]"),
    "keys.one-is-what-was-asked-for",
)
defect(
    "ssh-key-comment-lost",
    "An SSH key is not called by its comment.",
    edit("handlers.ssh_keys:create_ssh_key", 'call.body.get("name") or key.comment', 'call.body.get("name")'),
    "ssh-keys.one-is-what-was-registered",
)
defect(
    "ssh-key-fingerprint-of-text",
    "The fingerprint of an SSH key is not the one that ssh-keygen says.",
    edit("handlers.ssh_keys:read", "hashlib.sha256(blob)", "hashlib.sha256(data.encode())"),
    "ssh-keys.keys-of-all-kinds-are-keys",
)
defect(
    "job-result-as-text",
    "The result of a job is a text with JSON in it.",
    edit("resources:job_info", 'json.loads(row["result"]) if row["result"] is not None else None', 'row["result"]'),
    "jobs.one-whose-time-is-over-runs-at-once",
)
defect(
    "job-error-lost",
    "A job that failed does not say why.",
    edit("resources:job_info", 'error=row["error"]', "error=None"),
    "job-results.a-workspace-is-deleted-by-a-job",
)
defect(
    "job-key-lost",
    "A job does not say under which idempotency key it was queued.",
    edit("resources:job_info", 'idempotency_key=row["idempotency_key"]', "idempotency_key=None"),
    "jobs.a-new-one-is-what-was-asked-for",
)
defect(
    "job-run-at-lost",
    "A job that waits does not say until when.",
    edit("resources:job_info", 'run_at=row["run_at"]', "run_at=None"),
    "jobs job-results job-times",
)
defect(
    "job-updated-at-stands",
    "A job's `updated_at` stays that of its creation.",
    edit("resources:job_info", 'updated_at=row["updated_at"]', 'updated_at=row["created_at"]'),
    "jobs job-results job-times session-lifecycle workspace-lifecycle",
)
defect(
    "delivery-attempts-one-less",
    "A delivery counts one attempt less than there were.",
    edit("resources:delivery_info", 'attempts=row["attempts"]', 'attempts=max(0, row["attempts"] - 1)'),
    "deliveries.nobody-there-is-a-failure",
)
defect(
    "delivery-http-status-lost",
    "A delivery does not say what my server answered.",
    edit("resources:delivery_info", 'last_http_status=row["last_http_status"]', "last_http_status=None"),
    "deliveries.an-answer-has-15-seconds",
)
defect(
    "delivery-origin-lost",
    "A replay does not say of which delivery.",
    edit(
        "resources:delivery_info",
        'replayed_from_delivery_id=row["replayed_from_delivery_id"]',
        "replayed_from_delivery_id=None",
    ),
    "replays.one-is-sent-again-as-another",
)
defect(
    "webhook-events-lost",
    "A webhook does not say which events it wants.",
    edit("resources:webhook_info", 'events=json.loads(row["events"])', "events=[]"),
    "webhooks.one-is-told-as-it-was-made",
)
defect(
    "webhook-description-lost",
    "A webhook forgets its description.",
    edit("resources:webhook_info", 'description=row["description"]', "description=None"),
    "webhooks.one-is-told-as-it-was-made",
)
defect(
    "assistant-config-version-stands",
    "An assistant's configuration keeps its version though it changed.",
    edit("store.assistants:set_config", "config_version = config_version + 1", "config_version = config_version"),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "audit-actor-lost",
    "The audit log says that the system did what I did.",
    edit("events:audit", "actor_type=actor.kind", 'actor_type="system"'),
    "audit.each-change-leaves-one-event",
)
defect(
    "audit-resource-lost",
    "The audit log does not say to what something was done.",
    edit("events:audit", "resource_id=resource_id", "resource_id=None"),
    "audit.what-ends-by-itself-is-the-systems",
)
defect(
    "audit-metadata-lost",
    "The audit log does not say what was asked for.",
    edit("events:audit", "json.dumps(metadata or {})", '"{}"'),
    "audit-log audit",
)
defect(
    "times-without-microseconds",
    "Times are whole seconds.",
    edit("clock:timestamp", 'timespec="microseconds"', 'timespec="seconds"'),
    "background.it-is-timed-by-the-clock",
)
defect(
    "times-with-offset",
    "Times end in +00:00 instead of Z.",
    edit("clock:timestamp", '.replace("+00:00", "Z")', ""),
    "sessions.a-new-one-is-what-was-asked-for",
)
defect(
    "ids-in-capitals",
    "Ids are in capital letters.",
    edit("clock:new_id", "str(uuid.uuid4())", "str(uuid.uuid4()).upper()"),
    "snapshots.is-made-and-restored-now",
)
defect(
    "me-without-accounts",
    "I belong to no account.",
    answers("get-me", turned(lambda _: [], "accounts")),
    "tokens.who-one-is-is-told-to-people",
)
