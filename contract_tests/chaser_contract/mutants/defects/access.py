"""Who may do what: scopes and roles that nobody looks at, and what belongs to somebody else."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import all_of, edit

defect = partial(declare, __name__)

defect(
    "scope-not-checked",
    "A key for reading may do everything.",
    edit("admission:require_scope", "if not principal.may(scope)", "if False"),
    "scopes.a-service-account-does-what-its-scope-names",
)
defect(
    "full-scope-not-checked",
    "A key with scopes does what takes a key without any.",
    edit("admission:Principal.may", "scope in self.scopes", 'scope in self.scopes or scope == "full"'),
    "scopes.a-service-account-does-what-its-scope-names",
)
defect(
    "write-with-read",
    "The scope for reading sessions lets me create them.",
    edit(
        "admission:Principal.may",
        "scope in self.scopes",
        'scope.replace("write", "read") in self.scopes or scope in self.scopes',
    ),
    "scopes.a-tool-needs-the-scope-of-what-it-does",
)
defect(
    "read-needs-write",
    "The scope for reading does not let me read.",
    edit("admission:Principal.may", "scope in self.scopes", 'scope in self.scopes and "read" not in scope'),
    "scopes.a-service-account-does-what-its-scope-names",
)
defect(
    "scope-named-wrong",
    "The refusal does not say which scope it takes.",
    edit("admission:require_scope", 'details={"required": scope}', 'details={"required": "full"}'),
    "scopes.a-service-account-does-what-its-scope-names",
)
defect(
    "role-not-checked",
    "A member does what takes an owner or admin.",
    edit("admission:authorise", "operation.roles is not None", "False"),
    "scopes.a-service-account-does-what-its-scope-names",
)
defect(
    "role-in-personal-account",
    "In my personal account I am refused for my role.",
    edit("admission:authorise", "and not account.personal", "and account.personal"),
    "scopes.a-service-account-does-what-its-scope-names",
)
defect(
    "service-accounts-let-in",
    "A service account does what only people may.",
    edit("admission:authorise", "not operation.service_accounts and", "False and"),
    "scopes.tools-of-people-are-closed-to-service-accounts",
)
defect(
    "any-key-is-good",
    "A key that somebody made up is one of the first user.",
    edit(
        "store.identity:credential",
        "WHERE secret_hash = ? AND",
        "WHERE (secret_hash = ? OR true) AND",
    ),
    "access.a-revoked-key-is-refused-at-once",
)
defect(
    "revoked-key-works",
    "A revoked key goes on working.",
    edit("store.identity:credential", "AND revoked_at IS NULL", ""),
    "keys.one-that-is-revoked-stops-at-once",
)
defect(
    "revocation-not-noticed",
    "A revoked key works until nobody has used it for a while.",
    edit(
        "admission:Admission._current",
        "self._version != store.identity_version or",
        "self._version < 0 or",
        ("return self._version", "return store.identity_version"),
    ),
    "access.a-revoked-key-is-refused-at-once",
)
defect(
    "bearer-any-case",
    "`Basic` is taken for `Bearer`.",
    edit("admission:authenticate", 'scheme.lower() != "bearer" or', ""),
    "access.every-bad-credential-is-refused-alike",
)
defect(
    "bearer-exact-case",
    "`bearer` in small letters is refused.",
    edit("admission:authenticate", 'scheme.lower() != "bearer"', 'scheme != "Bearer"'),
    "access.the-scheme-is-read-in-any-case",
)
defect(
    "no-challenge",
    "A 401 does not say WWW-Authenticate.",
    edit("admission:unauthorized", 'headers={"WWW-Authenticate": "Bearer"}', "headers={}"),
    "access.who-has-left-is-let-in-no-longer",
)
defect(
    "account-header-ignored",
    "X-Chaser-Account does nothing.",
    edit("admission:select_account", 'selector = (selector or "").strip(" \\t")', 'selector = ""'),
    "accounts.an-account-is-chosen-by-id-or-exact-name",
)
defect(
    "account-of-anybody",
    "X-Chaser-Account takes the account of somebody else.",
    edit(
        "admission:select_account",
        "accounts = await identity.accounts_of(store, principal.id)",
        "accounts = await store.all(\"SELECT accounts.*, 'owner' AS role FROM accounts\")",
    ),
    "accounts.everybody-has-a-personal-one",
)
defect(
    "account-name-with-wrong-code",
    "An account that does not exist is forbidden instead of not found.",
    edit(
        "admission:select_account",
        '"not_found",\n            f"X-Chaser',
        '"account_mismatch",\n            f"X-Chaser',
    ),
    "accounts.an-account-is-chosen-by-id-or-exact-name",
)
defect(
    "bound-key-goes-elsewhere",
    "A key that is bound to one account works in another of mine.",
    edit("admission:select_account", 'found["id"] != principal.account_id', "False"),
    "keys.a-key-is-bound-to-its-account",
)
defect(
    "personal-word-unknown",
    "`personal` does not name my personal account.",
    edit("admission:select_account", "selector.lower() == _PERSONAL", "False"),
    "accounts.everybody-has-a-personal-one",
)
defect(
    "account-by-id-unknown",
    "An account cannot be named by its id.",
    edit("admission:select_account", 'wanted = row["id"] == selector.lower() or (', "wanted = ("),
    "accounts.everybody-has-a-personal-one",
)
defect(
    "default-account-is-newest",
    "Without X-Chaser-Account I am in my newest organization.",
    edit(
        "admission:select_account",
        'else row["kind"] == identity.PERSONAL\n',
        'else row["kind"] != identity.PERSONAL or len(accounts) == 1\n',
    ),
    "access.an-account-is-chosen-by-id-name-or-personal",
)
defect(
    "foreign-session-readable",
    "I can read the session of somebody else by its id.",
    edit("store.sessions:get_in", "AND account_id = ?", "AND account_id <> '' || ?"),
    "isolation.jobs-do-nothing-to-others",
)
defect(
    "foreign-sessions-listed",
    "The list of sessions shows those of somebody else.",
    edit(
        "store.sessions:live",
        "WHERE account_id = ? AND",
        "WHERE (account_id = ? OR true) AND",
    ),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "bulk-end-of-everybody",
    "Ending all my sessions ends those of somebody else.",
    edit("handlers.sessions:bulk_terminate_sessions", 'row["account_id"] == call.account.id and ', ""),
    "isolation.what-others-do-changes-nothing-here",
)
defect(
    "bulk-end-of-foreign-ids",
    "Ending sessions by their ids ends one of somebody else.",
    edit(
        "handlers.sessions:bulk_terminate_sessions",
        "await sessions.get_in(call.store, call.account.id, session_id)",
        "await sessions.get(call.store, session_id)",
    ),
    "isolation.jobs-do-nothing-to-others",
)
defect(
    "foreign-workspace-by-name",
    "A name means the workspace of somebody else.",
    edit("store.workspaces:named", "AND workspaces.account_id = ?", "AND workspaces.account_id <> ?"),
    "isolation.names-are-taken-in-one-account-alone",
)
defect(
    "foreign-workspace-by-id",
    "I can use the workspace of somebody else by its id.",
    edit("store.workspaces:find", "AND workspaces.account_id = ?", "AND (workspaces.account_id = ? OR true)"),
    "isolation.jobs-do-nothing-to-others",
)
defect(
    "foreign-workspaces-listed",
    "The list of workspaces shows those of somebody else.",
    edit("store.workspaces:of_account", "WHERE workspaces.account_id = ?", "WHERE (workspaces.account_id = ? OR true)"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "names-shared-by-accounts",
    "A name that somebody else has is taken for me.",
    edit(
        "creation:require_free",
        "await workspaces.named(tx, call.account.id, name)",
        'await tx.one("SELECT * FROM workspaces WHERE name = ?", name)',
    ),
    "isolation.names-are-taken-in-one-account-alone",
)
defect(
    "foreign-job-readable",
    "I can read, cancel and retry the job of somebody else.",
    edit("store.jobs:get_in", "AND account_id = ?", "AND (account_id = ? OR true)"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-jobs-listed",
    "The list of jobs shows those of somebody else.",
    edit("store.jobs:page", '["account_id = ?"]', '["(account_id = ? OR true)"]'),
    "isolation.jobs-do-nothing-to-others",
)
defect(
    "foreign-audit",
    "The audit log shows what somebody else did in their account.",
    edit("store.audit:page", '["account_id = ?"]', '["(account_id = ? OR true)"]'),
    "isolation.jobs-do-nothing-to-others",
)
defect(
    "foreign-webhooks-listed",
    "The list of webhooks shows those of somebody else.",
    edit("store.webhooks:of_account", "WHERE account_id = ? AND", "WHERE (account_id = ? OR true) AND"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-webhook-deletable",
    "I can delete the webhook of somebody else.",
    edit("store.webhooks:get", "WHERE account_id = ? AND", "WHERE (account_id = ? OR true) AND"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-deliveries-listed",
    "The list of deliveries shows those of somebody else.",
    edit("store.deliveries:_fits", '["deliveries.account_id = ?"]', '["(deliveries.account_id = ? OR true)"]'),
    "webhooks.those-of-another-account-are-not-there",
)
defect(
    "foreign-delivery-readable",
    "I can read and replay the delivery of somebody else.",
    edit("store.deliveries:get", "deliveries.account_id = ? AND", "(deliveries.account_id = ? OR true) AND"),
    "webhooks.those-of-another-account-are-not-there",
)
defect(
    "foreign-assistant-readable",
    "I can read and change the assistant of somebody else.",
    edit("store.assistants:get_in", "AND account_id = ?", "AND (account_id = ? OR true)"),
    "isolation.bodies-name-nothing-of-others",
)
defect(
    "foreign-assistants-listed",
    "The list of assistants shows those of somebody else.",
    edit("store.assistants:of_account", "WHERE account_id = ?", "WHERE (account_id = ? OR true)"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-channel-resolved",
    "A channel leads to the assistant of somebody else.",
    edit("store.assistants:channel", "WHERE account_id = ? AND", "WHERE (account_id = ? OR true) AND"),
    "isolation.bodies-name-nothing-of-others",
)
defect(
    "foreign-credential-resolved",
    "A credential's name leads to the secret of another account.",
    edit("store.assistants:credential", "WHERE account_id = ? AND", "WHERE (account_id = ? OR true) AND"),
    "assistant-memory.a-credential-is-read-where-it-belongs",
)
defect(
    "other-assistants-credential",
    "One assistant reads the credential of another.",
    edit("store.assistants:credential", "(assistant_id = ? OR assistant_id IS NULL)", "(assistant_id = ? OR true)"),
    "assistant-memory.a-credential-is-read-where-it-belongs",
)
defect(
    "foreign-keys-listed",
    "The list of API keys shows those of other members.",
    edit("store.keys:of_user", "AND user_id = ?", "AND (user_id = ? OR true)"),
    "keys.keys-are-of-a-person",
)
defect(
    "foreign-ssh-keys-listed",
    "The list of SSH keys shows those of other members.",
    edit("store.ssh_keys:of_user", "AND user_id = ?", "AND (user_id = ? OR true)"),
    "keys.keys-are-of-a-person",
)
defect(
    "foreign-ssh-key-deletable",
    "I can delete the SSH key of another account.",
    edit("store.ssh_keys:one_of_user", "account_id = ? AND user_id = ?", "(account_id = ? OR user_id = ? OR true)"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-service-account",
    "I can use the service account of another organization.",
    edit("store.accounts:service_account", "AND account_id = ?", "AND (account_id = ? OR true)"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-service-account-keys",
    "I can revoke a key of another service account.",
    edit(
        "handlers.service_accounts:revoke_current_service_account_key", "wanted not in {", "False and wanted not in {"
    ),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "foreign-usage-events",
    "The usage of an assistant counts that of others.",
    edit("store.assistant_usage:_where", '["assistant_id = ?"]', '["(assistant_id = ? OR true)"]'),
    "filters.usage-is-listed-and-summed-by-kind-and-since",
)
defect(
    "foreign-command-readable",
    "A command can be read by way of another session.",
    edit("store.commands:get", "AND session_id = ?", "AND (session_id = ? OR true)"),
    "isolation.what-is-in-another-account-of-ones-own-is-not-found",
)
defect(
    "forbidden-for-not-found",
    "The session of somebody else is forbidden, so that I know it is there.",
    edit(
        "lookup:session",
        'raise not_found("session", session_id)',
        'raise ApiError("account_mismatch", "it is not yours")',
    ),
    "isolation.bodies-name-nothing-of-others",
)
defect(
    "idempotency-key-shared",
    "My idempotency key gives me the job of somebody else.",
    edit("store.jobs:of_key", "account_id = ? AND", "(account_id = ? OR true) AND"),
    "isolation.names-are-taken-in-one-account-alone",
)
defect(
    "members-of-anybody",
    "The members of an organization are those of all.",
    edit("store.accounts:members", 'f"{_MEMBER} ORDER', 'f"{_MEMBER} OR true ORDER'),
    "accounts.everybody-has-a-personal-one",
)
defect(
    "admin-makes-owner",
    "An admin makes somebody an owner.",
    edit("handlers.accounts:_require_right", "_OWNER in touched and role != _OWNER", "False"),
    "members.roles-may-do-what-they-may",
)
defect(
    "member-manages",
    "A plain member removes others.",
    edit("handlers.accounts:_require_right", "role not in _MANAGERS", 'role == "none"'),
    "members.roles-may-do-what-they-may",
)
defect(
    "last-owner-leaves",
    "The last owner leaves an organization, which nobody can manage any more.",
    edit("handlers.accounts:_require_another_owner", "== 1", "== 0"),
    "members.an-owner-remains",
)
defect(
    "leaving-forbidden",
    "A plain member cannot leave an organization.",
    edit(
        "handlers.accounts:remove_current_member", 'own = call.path["uid"].lower() == call.principal.id', "own = False"
    ),
    "members.an-owner-remains",
)
defect(
    "removed-members-key-works",
    "Who was removed from an organization goes on working in it with their key.",
    all_of(
        edit(
            "store.accounts:remove_member",
            "UPDATE keys SET revoked_at = ? WHERE account_id = ?",
            "UPDATE keys SET revoked_at = ? WHERE false AND account_id = ?",
        ),
        edit(
            "admission:select_account",
            "row = await identity.account_of(store, principal.id, principal.account_id)",
            "row = await identity.account(store, principal.account_id)",
        ),
    ),
    "access.who-has-left-is-let-in-no-longer",
)
defect(
    "service-account-outlives-deletion",
    "The key of a deleted service account goes on working.",
    edit(
        "store.accounts:delete_service_account",
        '"DELETE FROM service_accounts WHERE id = ?"',
        '"UPDATE service_accounts SET account_id = account_id WHERE id = ?"',
    ),
    "service-accounts.one-that-is-deleted-takes-its-keys-along",
)
defect(
    "wider-key",
    "A scoped key makes one with more scopes.",
    edit("handlers.keys:create_key", "own is not None and (", "False and ("),
    "scopes.no-key-gives-more-than-it-has",
)
defect(
    "wider-key-full",
    "A scoped key makes one without scopes.",
    edit("handlers.keys:create_key", "not scopes or not own", "not own"),
    "scopes.no-key-gives-more-than-it-has",
)
defect(
    "wider-job",
    "A key without the scope for commands queues a job that runs one.",
    edit("handlers.jobs:_require_scopes", "require_scope(call.principal, scopes[each])", "scopes[each]"),
    "scopes.a-job-needs-the-scope-of-what-it-does",
)
defect(
    "wider-pipeline",
    "A key without the scope for commands queues a pipeline with one.",
    edit("handlers.jobs:_require_scopes", 'given["steps"] if kind == PIPELINE else []', "[]"),
    "job-scopes.a-pipeline-takes-the-scopes-of-its-steps",
)
defect(
    "socket-token-in-query-of-requests",
    "A key in the address is taken for plain requests as well, and lands in logs.",
    edit("pipeline:Pipeline._admit", "authorization is None and operation.upgrades and", "authorization is None and"),
    "access.no-credential-is-taken-from-elsewhere",
)
