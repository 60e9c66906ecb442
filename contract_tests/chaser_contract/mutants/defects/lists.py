"""Lists that are in another order, leave something out, show something twice, or do not count right."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import all_of, edit

defect = partial(declare, __name__)

defect(
    "sessions-oldest-first",
    "The list of sessions begins with the oldest.",
    edit("store.sessions:live", "created_at DESC, id DESC", "created_at, id"),
    "pagination.pages-of-sessions-join",
)
defect(
    "sessions-page-one-short",
    "A page of sessions holds one fewer than I asked for.",
    edit("handlers.sessions:list_sessions", 'limit=call.query["limit"]', 'limit=max(1, call.query["limit"] - 1)'),
    "pagination filters listings",
)
defect(
    "sessions-offset-one-too-far",
    "Every page of sessions but the first skips one.",
    edit("store.sessions:live", "        offset,\n    )", "        offset + (offset > 0),\n    )"),
    "pagination.pages-of-sessions-join",
)
defect(
    "sessions-offset-ignored",
    "Every page of sessions is the first one.",
    edit("store.sessions:live", "LIMIT ? OFFSET ?", "LIMIT ? OFFSET 0 * ?"),
    "pagination.pages-of-sessions-join",
)
defect(
    "sessions-total-of-page",
    "The total of sessions is that of the page.",
    edit("handlers.sessions:list_sessions", "total - (len(rows) - len(still))", "len(still)"),
    "pagination.pages-of-sessions-join",
)
defect(
    "sessions-total-beyond-the-end",
    "Beyond the last page the total of sessions is 0.",
    edit("store.sessions:live", "return rows, await count_live(reader, account_id)", "return rows, 0"),
    "pagination.pages-of-sessions-join",
)
defect(
    "sessions-ended-listed",
    "Sessions that have ended are listed for ever.",
    edit(
        "store.sessions:live",
        "account_id = ? AND ended_at IS NULL",
        "account_id = ?",
    ),
    "pagination.pages-of-sessions-follow-a-model",
)
defect(
    "sessions-starting-left-out",
    "The list of sessions shows only sandboxes.",
    edit("store.sessions:live", "AND ended_at IS NULL", "AND ended_at IS NULL AND NOT ephemeral"),
    "pagination.pages-of-sessions-join",
)
defect(
    "sessions-default-limit",
    "Without a limit only ten sessions are listed.",
    edit(
        "handlers.sessions:list_sessions",
        'limit=call.query["limit"]',
        'limit=call.query["limit"] if "limit" in call.request.query_params else 10',
    ),
    "pagination filters listings",
)
defect(
    "jobs-oldest-first",
    "The list of jobs begins with the oldest.",
    edit("store.jobs:page", "ORDER BY created_at DESC, id DESC", "ORDER BY created_at, id"),
    "pagination filters listings jobs job-results job-times",
)
defect(
    "jobs-more-at-the-end",
    "The last page of jobs says that there are more.",
    edit("handlers.jobs:list_jobs", "offset + len(rows) < total", "offset + len(rows) <= total"),
    "pagination.pages-of-jobs-join",
)
defect(
    "jobs-never-more",
    "No page of jobs says that there are more.",
    edit("handlers.jobs:list_jobs", "offset + len(rows) < total and bool(rows)", "False"),
    "pagination.pages-of-jobs-join",
)
defect(
    "jobs-status-filter-ignored",
    "Listing queued jobs lists all.",
    edit("handlers.jobs:list_jobs", '("status", "kind")', '("kind",)'),
    "pagination filters listings jobs job-results job-times",
)
defect(
    "jobs-kind-filter-ignored",
    "Listing jobs of one kind lists all kinds.",
    edit("handlers.jobs:list_jobs", '("status", "kind")', '("status",)'),
    "filters.jobs-are-listed-by-kind-and-status",
)
defect(
    "jobs-total-without-filter",
    "The total of filtered jobs is that of all.",
    edit(
        "store.jobs:page",
        'FROM jobs WHERE {where}"  #',
        'FROM jobs"  #',
        ("[*values, *values, limit", "[*values, limit"),
    ),
    "pagination.pages-of-jobs-join",
)
defect(
    "jobs-echo-limit",
    "The list of jobs says another limit than I asked for.",
    edit("handlers.jobs:list_jobs", '"limit": limit', '"limit": len(rows)'),
    "jobs.what-is-no-job-is-refused",
)
defect(
    "jobs-echo-offset",
    "The list of jobs says offset 0 on every page.",
    edit("handlers.jobs:list_jobs", '"offset": offset', '"offset": 0'),
    "pagination.pages-of-jobs-join",
)
defect(
    "audit-before-included",
    "The next page of the audit log begins with the last event of the one before.",
    edit("store.audit:page", "created_at < ?", "created_at <= ?"),
    "filters.audit-pages-join-by-their-cursor",
)
defect(
    "audit-before-ignored",
    "The audit log has only its first page.",
    edit("handlers.audit:list_audit_events", "before=before", "before=None"),
    "audit-log.pages-by-moments-join",
)
defect(
    "audit-filter-status-ignored",
    "Asking the audit log for failures gives successes as well.",
    edit("handlers.audit:list_audit_events", "if name in call.query", 'if name in call.query and name != "status"'),
    "filters.audit-events-are-found-by-each-filter",
)
defect(
    "audit-filter-resource-ignored",
    "Asking the audit log for one resource gives events of others.",
    edit(
        "handlers.audit:list_audit_events", "if name in call.query", 'if name in call.query and name != "resource_id"'
    ),
    "filters.audit-events-are-found-by-each-filter",
)
defect(
    "audit-filters-any",
    "Two filters of the audit log find what fits one of them.",
    edit(
        "store.audit:page",
        '" AND ".join(conditions)',
        '" AND ".join(conditions[:2])',
        ("[*values, limit]", "[*values[:2], limit]"),
    ),
    "filters.audit-events-are-found-by-each-filter",
)
defect(
    "audit-oldest-first",
    "The audit log begins with the oldest event.",
    edit("store.audit:page", "ORDER BY created_at DESC, id DESC", "ORDER BY created_at, id"),
    "audit-log.the-newest-event-comes-first",
)
defect(
    "audit-limit-ignored",
    "The audit log answers all events at once.",
    edit("handlers.audit:list_audit_events", 'limit=call.query["limit"]', "limit=10_000"),
    "filters.audit-events-are-found-by-each-filter",
)
defect(
    "workspaces-oldest-first",
    "The list of workspaces begins with the oldest.",
    edit("store.workspaces:of_account", "workspaces.created_at DESC, workspaces.id DESC", "workspaces.created_at"),
    "listings.workspaces-are-all-listed",
)
defect(
    "workspaces-last-left-out",
    "The oldest workspace is not in the list.",
    edit(
        "handlers.workspaces:list_workspaces",
        "await workspaces.of_account(call.store, call.account.id)",
        "(await workspaces.of_account(call.store, call.account.id))[:2]",
    ),
    "assistants.one-is-what-was-asked-for",
)
defect(
    "workspaces-templates-left-out",
    "Templates are not in the list of workspaces.",
    edit(
        "handlers.workspaces:list_workspaces",
        "call.account.id)]",
        'call.account.id) if not row["template"]]',
    ),
    "idempotency.what-is-said-again-changes-nothing",
)
defect(
    "snapshots-oldest-first",
    "The list of snapshots begins with the oldest.",
    edit("store.snapshots:of_workspace", "created_at DESC, name DESC", "created_at, name"),
    "listings.snapshots-are-all-listed",
)
defect(
    "snapshots-of-all-workspaces",
    "A workspace lists the snapshots of others.",
    edit("store.snapshots:of_workspace", "WHERE workspace_id = ?", "WHERE workspace_id <> '' OR workspace_id = ?"),
    "deletes.a-deleted-snapshot-is-found-by-nothing",
)
defect(
    "commands-oldest-first",
    "The list of background commands begins with the oldest.",
    edit("store.commands:of_session", "started_at DESC, id DESC", "started_at, id"),
    "background.the-list-is-newest-first-and-complete",
)
defect(
    "commands-finished-left-out",
    "A background command is not listed any more once it has ended.",
    edit("store.commands:of_session", "WHERE session_id = ?", "WHERE session_id = ? AND finished_at IS NULL"),
    "background.the-list-is-newest-first-and-complete",
)
defect(
    "keys-oldest-first",
    "The list of API keys begins with the oldest.",
    edit("store.keys:of_user", "created_at DESC, id DESC", "created_at, id"),
    "listings.api-keys-are-all-listed",
)
defect(
    "keys-revoked-left-out",
    "A revoked API key is not listed any more.",
    edit("store.keys:of_user", "AND user_id = ?", "AND user_id = ? AND revoked_at IS NULL"),
    "keys.one-that-is-revoked-stops-at-once",
)
defect(
    "service-account-keys-oldest-first",
    "The keys of a service account are listed oldest first.",
    edit("store.keys:of_service_account", "created_at DESC, id DESC", "created_at, id"),
    "listings.service-accounts-and-their-keys-are-all-listed",
)
defect(
    "ssh-keys-oldest-first",
    "The list of SSH keys begins with the oldest.",
    edit("store.ssh_keys:of_user", "created_at DESC, id DESC", "created_at, id"),
    "listings.ssh-keys-are-all-listed",
)
defect(
    "members-oldest-first",
    "The list of members begins with the one who joined first.",
    edit("store.accounts:members", "members.joined_at DESC, users.id DESC", "members.joined_at"),
    "members.one-is-a-member-once",
)
defect(
    "service-accounts-oldest-first",
    "The list of service accounts begins with the oldest.",
    edit("store.accounts:service_accounts", "created_at DESC, id DESC", "created_at, id"),
    "service-accounts.one-is-what-was-asked-for",
)
defect(
    "accounts-oldest-first",
    "The list of accounts begins with the oldest.",
    edit("store.identity:accounts_of", "accounts.created_at DESC, accounts.id DESC", "accounts.created_at"),
    "accounts members service-accounts",
)
defect(
    "assistants-oldest-first",
    "The list of assistants begins with the oldest.",
    edit("store.assistants:of_account", "created_at DESC, id DESC", "created_at, id"),
    "assistants.one-is-what-was-asked-for",
)
defect(
    "channels-oldest-first",
    "The channels of an assistant are listed oldest first.",
    all_of(
        edit("store.assistants:channels", "created_at DESC, id DESC", "created_at, id"),
        edit("store.assistants:channels_of_account", "created_at DESC, id DESC", "created_at, id"),
    ),
    "listings.channels-are-all-listed",
)
defect(
    "channels-not-in-list",
    "The list of assistants shows them without their channels.",
    edit("handlers.assistants:list_assistants", 'bound[row["id"]]) for', "[]) for"),
    "assistant-memory.a-channel-leads-to-one-assistant",
)
defect(
    "usage-events-oldest-first",
    "The usage events of an assistant are listed oldest first.",
    edit("store.assistant_usage:newest", "created_at DESC, id DESC", "created_at, id"),
    "assistant-memory.usage-is-summed",
)
defect(
    "usage-kind-filter-ignored",
    "Usage of one kind shows events of others.",
    edit(
        "handlers.assistant_usage:list_assistant_usage_events",
        'newest(tx, assistant["id"], kind=kind',
        'newest(tx, assistant["id"], kind=None',
    ),
    "assistant-memory.usage-is-summed",
)
defect(
    "usage-since-excluded",
    "Usage since a moment leaves out what happened at that moment.",
    edit("store.assistant_usage:_where", '"created_at >= ?"', '"created_at > ?"'),
    "assistant-memory.usage-is-summed",
)
defect(
    "usage-since-ignored",
    "Usage since yesterday shows all there ever was.",
    edit("handlers.assistant_usage:list_assistant_usage_events", 'moments.of_query(call, "since")', "None"),
    "assistant-memory.usage-is-summed",
)
defect(
    "usage-limit-ignored",
    "The list of usage events is as long as it likes.",
    edit("handlers.assistant_usage:list_assistant_usage_events", 'limit=call.query["limit"]', "limit=10_000"),
    "assistant-memory.usage-is-summed",
)
defect(
    "usage-totals-of-page",
    "The totals of usage are those of the page.",
    edit(
        "handlers.assistant_usage:list_assistant_usage_events",
        "usage_totals(sums)",
        'usage_totals({row["kind"]: row["quantity"] for row in rows})',
    ),
    "assistant-memory.usage-is-summed",
)
defect(
    "webhooks-oldest-first",
    "The list of webhooks begins with the oldest.",
    edit("store.webhooks:of_account", "created_at DESC, id DESC", "created_at, id"),
    "webhooks.one-is-told-as-it-was-made",
)
defect(
    "deliveries-oldest-first",
    "The list of deliveries begins with the oldest.",
    edit("store.deliveries:newest", "deliveries.created_at DESC, deliveries.id DESC", "deliveries.created_at"),
    "replays.they-are-listed-newest-first-and-filtered",
)
defect(
    "deliveries-status-filter-ignored",
    "Asking for failed deliveries gives delivered ones.",
    edit("handlers.webhooks:list_webhook_deliveries", 'status=call.query.get("status")', "status=None"),
    "filters.deliveries-are-listed-by-webhook-and-status",
)
defect(
    "deliveries-webhook-filter-ignored",
    "Asking for the deliveries of one webhook gives those of another.",
    edit("handlers.webhooks:list_webhook_deliveries", 'webhook_id=call.query.get("webhook_id")', "webhook_id=None"),
    "replays.they-are-listed-newest-first-and-filtered",
)
defect(
    "deliveries-limit-one-more",
    "The list of deliveries holds one more than I asked for.",
    edit("handlers.webhooks:list_webhook_deliveries", 'limit=call.query["limit"]', 'limit=call.query["limit"] + 1'),
    "replays.they-are-listed-newest-first-and-filtered",
)
defect(
    "job-kinds-one-missing",
    "A kind of job is missing from the list of kinds.",
    edit(
        "handlers.jobs:list_job_kinds",
        '"worker_kinds": [one["kind"] for one in specs]',
        '"worker_kinds": [one["kind"] for one in specs[:-1]]',
    ),
    "jobs.kinds-are-told-with-examples-that-work",
)
defect(
    "job-kinds-aliases-missing",
    "The kinds of jobs do not say which other names fields have.",
    edit("handlers.jobs:list_job_kinds", "[*ALIASES.get(kind, ())]", "[]"),
    "jobs.kinds-are-told-with-examples-that-work",
)
