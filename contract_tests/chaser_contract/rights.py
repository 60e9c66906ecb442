"""Rights: which scope, role and surface an operation has by the rulings, said here once more, and read from nowhere.

The document says the same in `x-scope`, `x-roles`, `x-service-account`, `x-rate` and `x-audit`, and the emulator does
what it says there; held against this, neither can lose a right unseen.
"""

from __future__ import annotations

import re

from chaser_emulator.spec import Operation

FULL, DYNAMIC = "full", "dynamic"

_SCOPES: tuple[tuple[str, str | None, str | None], ...] = (
    # The path, and the scope of GET and of every other method (G8, G9). The first that fits counts.
    (r"/auth/.*|/api-docs/.*|/swagger-ui", None, None),
    (r"/v1/sessions/\{id\}/(exec|self-test|pty|commands.*)|/v1/exec", "exec.write", "exec.write"),
    (r"/v1/sessions/\{id\}/(upload|download)", "files.read", "files.write"),
    (r"/v1/sessions/\{id\}/devtools/.*", None, None),
    (r"/v1/sessions/\{id\}/json/(new|activate|close).*", "sessions.write", "sessions.write"),
    (r"/v1/sessions.*", "sessions.read", "sessions.write"),
    (r"/v1/workspaces.*", "workspaces.read", "workspaces.write"),
    (r"/v1/github/.*", "workspaces.read", None),
    (r"/v1/jobs.*", "sessions.read", DYNAMIC),
    (r"/v1/mcp", None, DYNAMIC),
    (r"/v1/(keys|ssh-keys).*", "keys.read", "keys.write"),
    (r"/v1/webhooks.*", "webhooks.read", "webhooks.write"),
    (r"/v1/billing/.*", "billing.read", "billing.write"),
    (r"/v1/audit/.*", "audit.read", None),
    (r"/v1/accounts|/v1/accounts/current", None, None),
    (r"/v1/(accounts|assistants).*", FULL, FULL),
)

SCOPES = (
    "sessions.read", "sessions.write", "workspaces.read", "workspaces.write", "files.read", "files.write", "keys.read",
    "keys.write", "billing.read", "billing.write", "webhooks.read", "webhooks.write", "exec.write", "audit.read",
)  # fmt: skip

KINDS = {
    "sandbox.exec": "exec.write", "pipeline.run": "exec.write", "browser.action": "sessions.write",
    "browser.scrape": "sessions.write", "github.runner": "exec.write", "session.terminate": "sessions.write",
    "session.bulk_terminate": "sessions.write", "workspace.delete": "workspaces.write",
    "workspace.bulk_delete": "workspaces.write",
}  # fmt: skip
"""What each kind of job needs."""

TOOLS = {
    "terminal": "exec.write", "browser": "sessions.write", "chaser_list_sessions": "sessions.read",
    "chaser_get_session": "sessions.read", "chaser_create_sandbox_session": "sessions.write",
    "chaser_create_browser_session": "sessions.write", "chaser_terminate_session": "sessions.write",
    "chaser_list_workspaces": "workspaces.read", "chaser_create_workspace": "workspaces.write",
    "chaser_delete_workspace": "workspaces.write", "chaser_rename_workspace": "workspaces.write",
    "chaser_list_snapshots": "workspaces.read", "chaser_create_snapshot": "workspaces.write",
    "chaser_restore_snapshot": "workspaces.write", "chaser_list_assistants": FULL, "chaser_get_assistant": FULL,
    "chaser_propose_assistant_config": FULL, "chaser_store_credential": FULL,
}  # fmt: skip
"""What each tool of MCP needs."""

LEADERS = frozenset({"owner", "admin"})

_LED = (
    r"(POST|PATCH) /v1/accounts/current/members.*|\w+ /v1/accounts/current/service-accounts.*|POST /v1/billing/.*|"
    r"POST /v1/assistants/\{id\}/config-change-requests/\{rid\}/(approve|deny)"
)
"""What owners and admins of an organization do alone."""

_OF_PEOPLE = (
    r"\w+ /v1/assistants.*|\w+ /v1/accounts/current/service-accounts.*|(POST|PATCH|DELETE) /v1/accounts/.*|"
    r"(POST|DELETE) /v1/(keys|ssh-keys).*|GET /auth/me"
)
"""What no service account does."""

_SURFACES = (
    (r"\w+ /v1/sessions/\{id\}/(exec|self-test|commands.*)|POST /v1/exec", "exec"),
    (r"\w+ /v1/sessions/\{id\}/(upload|download)", "files"),
    (r"\w+ /v1/jobs.*", "jobs"),
    (r"POST /v1/mcp", "mcp"),
    (r"(POST|DELETE) /v1/sessions(/bulk-terminate|/\{id\}|/\{id\}/resize)?", "sessions"),
    (r"(POST|PUT|DELETE) /v1/workspaces.*", "workspaces"),
    (r"(POST|DELETE) /v1/webhooks.*", "webhooks"),
)

AUDITED = {
    "create-session": ("session.create", "session"),
    "terminate-session": ("session.terminate", "session"),
    "bulk-terminate-sessions": ("session.terminate", "session"),
    "exec-sandbox": ("session.exec", "session"),
    "exec-session": ("session.exec", "session"),
    "create-workspace": ("workspace.create", "workspace"),
    "import-workspace": ("workspace.create", "workspace"),
    "delete-workspace": ("workspace.delete", "workspace"),
    "bulk-delete-workspaces": ("workspace.delete", "workspace"),
    "set-workspace-name": ("workspace.name.update", "workspace"),
    "set-workspace-template": ("workspace.template.update", "workspace"),
    "create-workspace-snapshot": ("workspace.snapshot.create", "workspace"),
    "restore-workspace-snapshot": ("workspace.snapshot.restore", "workspace"),
    "delete-workspace-snapshot": ("workspace.snapshot.delete", "workspace"),
    "create-key": ("api_key.create", "api_key"),
    "revoke-key": ("api_key.revoke", "api_key"),
    "create-current-service-account-key": ("api_key.create", "api_key"),
    "revoke-current-service-account-key": ("api_key.revoke", "api_key"),
    "update-billing-account": ("billing.account.update", "account"),
    "create-billing-checkout": ("billing.checkout.create", "account"),
    "add-current-member": ("account.member.add", "account_member"),
    "update-current-member": ("account.member.update", "account_member"),
    "remove-current-member": ("account.member.remove", "account_member"),
    "create-current-service-account": ("service_account.create", "service_account"),
    "delete-current-service-account": ("service_account.delete", "service_account"),
    "create-ssh-key": ("ssh_key.create", "ssh_key"),
    "delete-ssh-key": ("ssh_key.delete", "ssh_key"),
    "create-webhook": ("webhook.create", "webhook"),
    "delete-webhook": ("webhook.delete", "webhook"),
    "resolve-assistant-credential": ("assistant.credential.resolve", "assistant_credential"),
}
"""What each change is called in the audit log, and the kind of what it changes; nothing else is in there."""

CODES = {
    400: "invalid_request invalid_json not_a_sandbox not_a_browser unknown_scope unknown_event unknown_job_kind",
    401: "unauthorized invalid_credentials",
    402: "payment_required",
    403: "forbidden insufficient_scope account_mismatch plan_limit_exceeded storage_limit_exceeded",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict name_taken workspace_active session_leased not_running invalid_state idempotency_conflict last_owner"
    " already_exists",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    502: "bad_gateway",
    503: "sandbox_unavailable",
    504: "gateway_timeout",
}
"""Every code of a refusal, by its status (G1)."""


def scope_of(operation: Operation) -> str | None:
    """The scope that an operation needs: one of a key, `full`, `dynamic`, or none."""
    for pattern, reading, writing in _SCOPES:
        if re.fullmatch(pattern, operation.path):
            return reading if operation.method == "GET" else writing
    raise LookupError(f"nothing is said of {operation.path}")


def roles_of(operation: Operation) -> frozenset[str] | None:
    """The roles that may do it in an organization; None: every member."""
    return LEADERS if re.fullmatch(_LED, _line(operation)) else None


def is_of_people(operation: Operation) -> bool:
    """Whether it is closed to service accounts."""
    return re.fullmatch(_OF_PEOPLE, _line(operation)) is not None


def surface_of(operation: Operation) -> str | None:
    """Where its requests are counted."""
    return next((name for pattern, name in _SURFACES if re.fullmatch(pattern, _line(operation))), None)


def _line(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"
