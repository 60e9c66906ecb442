"""The surface of the API as its published pages list it, apart from the document: every path with its methods."""

from __future__ import annotations

_TABLE = """
/v1/sessions POST GET
/v1/sessions/{id} GET DELETE
/v1/sessions/bulk-terminate POST
/v1/sessions/{id}/pty GET
/v1/sessions/{id}/resize POST
/v1/exec POST
/v1/sessions/{id}/exec POST
/v1/sessions/{id}/self-test POST
/v1/sessions/{id}/commands GET
/v1/sessions/{id}/commands/{cid} GET
/v1/sessions/{id}/commands/{cid}/stream GET
/v1/sessions/{id}/commands/{cid}/stdin POST
/v1/sessions/{id}/commands/{cid}/kill POST
/v1/sessions/{id}/upload POST
/v1/sessions/{id}/download GET
/v1/workspaces POST GET
/v1/workspaces/import POST
/v1/workspaces/bulk-delete POST
/v1/workspaces/{ws} DELETE
/v1/workspaces/{ws}/name PUT
/v1/workspaces/{ws}/template PUT
/v1/workspaces/{ws}/snapshots GET POST
/v1/workspaces/{ws}/snapshots/{name}/restore POST
/v1/workspaces/{ws}/snapshots/{name} DELETE
/v1/jobs POST GET
/v1/jobs/kinds GET
/v1/jobs/{id} GET
/v1/jobs/{id}/cancel POST
/v1/jobs/{id}/retry POST
/v1/accounts GET
/v1/accounts/current GET
/v1/accounts/organizations POST
/v1/accounts/current/members GET POST
/v1/accounts/current/members/{uid} PATCH DELETE
/v1/accounts/current/service-accounts GET POST
/v1/accounts/current/service-accounts/{said} DELETE
/v1/accounts/current/service-accounts/{said}/keys GET POST
/v1/accounts/current/service-accounts/{said}/keys/{kid} DELETE
/v1/keys GET POST
/v1/keys/{id} DELETE
/v1/ssh-keys GET POST
/v1/ssh-keys/{id} DELETE
/v1/webhooks GET POST
/v1/webhooks/{id} DELETE
/v1/webhooks/deliveries GET
/v1/webhooks/deliveries/{did} GET
/v1/webhooks/deliveries/{did}/replay POST
/v1/webhooks/deliveries/{did}/discard POST
/v1/billing/summary GET
/v1/billing/account POST
/v1/billing/checkout POST
/v1/audit/events GET
/v1/mcp POST
/auth/register POST
/auth/login POST
/auth/google/login GET
/auth/google/callback GET
/auth/github/login GET
/auth/github/callback GET
/auth/codex/login-url GET
/auth/codex/callback GET POST
/auth/me GET
/v1/assistants POST GET
/v1/assistants/{id} GET PATCH
/v1/assistants/{id}/pause POST
/v1/assistants/{id}/resume POST
/v1/assistants/{id}/channels POST
/v1/assistants/{id}/channels/{bid} DELETE
/v1/assistants/credentials PUT
/v1/assistants/resolve-credential POST
/v1/assistants/resolve-channel POST
/v1/assistants/{id}/runtime-state GET PUT
/v1/assistants/{id}/usage-events POST GET
/v1/assistants/{id}/config-change-requests POST
/v1/assistants/{id}/config-change-requests/{rid}/approve POST
/v1/assistants/{id}/config-change-requests/{rid}/deny POST
/v1/sessions/{id}/json/version GET
/v1/sessions/{id}/json/list GET
/v1/sessions/{id}/json GET
/v1/sessions/{id}/json/new PUT GET
/v1/sessions/{id}/json/activate/{target} GET
/v1/sessions/{id}/json/close/{target} GET
/v1/sessions/{id}/json/protocol GET
/v1/sessions/{id}/devtools/browser/{guid} GET
/v1/sessions/{id}/devtools/page/{target} GET
/v1/sessions/{id}/extensions POST
/v1/github/repositories GET
/api-docs/openapi.json GET
/swagger-ui GET
"""

# Every operation as (method, path).
SURFACE = frozenset((method, line.split()[0]) for line in _TABLE.strip().splitlines() for method in line.split()[1:])
