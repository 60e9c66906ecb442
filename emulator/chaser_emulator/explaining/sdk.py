"""The line of the official SDK for Python that makes a request, where it has a method for it."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from typing import Any

from chaser_emulator.explaining.asking import FORM, Ask

# operationId -> method, and what it takes in order: a parameter of the path, `body.x` a field by position, `x=` a field
# or a parameter of the query by name, `**` all fields by name, `*` the whole body.
_METHODS: Mapping[str, tuple[str, ...]] = {
    "list-accounts": ("accounts.list",),
    "get-current-account": ("accounts.current",),
    "create-organization": ("accounts.create_organization", "body.name"),
    "list-current-members": ("accounts.members.list",),
    "add-current-member": ("accounts.members.add", "body.email", "role="),
    "update-current-member": ("accounts.members.update", "uid", "body.role"),
    "remove-current-member": ("accounts.members.remove", "uid"),
    "list-current-service-accounts": ("accounts.service_accounts.list",),
    "create-current-service-account": ("accounts.service_accounts.create", "body.name"),
    "delete-current-service-account": ("accounts.service_accounts.delete", "said"),
    "list-current-service-account-keys": ("accounts.service_accounts.keys.list", "said"),
    "create-current-service-account-key": ("accounts.service_accounts.keys.create", "said", "name=", "scopes="),
    "revoke-current-service-account-key": ("accounts.service_accounts.keys.revoke", "said", "kid"),
    "list-keys": ("keys.list",),
    "create-key": ("keys.create", "name=", "scopes="),
    "revoke-key": ("keys.revoke", "id"),
    "list-ssh-keys": ("ssh_keys.list",),
    "create-ssh-key": ("ssh_keys.create", "body.public_key", "name="),
    "delete-ssh-key": ("ssh_keys.delete", "id"),
    "create-session": ("sessions.create", "**"),
    "list-sessions": ("sessions.list_page",),
    "get-session": ("sessions.get", "id"),
    "self-test-session": ("sessions.self_test", "id"),
    "terminate-session": ("sessions.terminate", "id", "force="),
    "bulk-terminate-sessions": ("sessions.bulk_terminate", "*"),
    "resize-session-pty": ("sessions.resize_pty", "id", "body.rows", "body.cols"),
    "exec-sandbox": ("exec.run", "**"),
    "exec-session": ("exec.in_session", "id", "**"),
    "list-session-commands": ("commands.list", "id"),
    "get-session-command": ("commands.get", "id", "cid"),
    "write-session-command-stdin": ("commands.send_stdin", "id", "cid", "body.input", "encoding="),
    "kill-session-command": ("commands.kill", "id", "cid", "signal="),
    "upload-session-file": ("files.upload", "id", "path=", "data="),
    "download-session-file": ("files.download", "id", "query.path"),
    "list-workspaces": ("workspaces.list",),
    "create-workspace": ("workspaces.create", "**"),
    "import-workspace": ("workspaces.import_from_github", "**"),
    "set-workspace-name": ("workspaces.rename", "ws", "body.name"),
    "set-workspace-template": ("workspaces.set_template", "ws", "body.template"),
    "delete-workspace": ("workspaces.delete", "ws", "force="),
    "bulk-delete-workspaces": ("workspaces.bulk_delete", "*"),
    "list-workspace-snapshots": ("workspaces.snapshots.list", "ws"),
    "create-workspace-snapshot": ("workspaces.snapshots.create", "ws", "name="),
    "restore-workspace-snapshot": ("workspaces.snapshots.restore", "ws", "name", "force="),
    "delete-workspace-snapshot": ("workspaces.snapshots.delete", "ws", "name"),
    "get-browser-version": ("browser.version", "id"),
    "list-browser-targets": ("browser.list_targets", "id"),
    "list-github-repositories": ("github.list_repositories",),
    "get-billing-summary": ("billing.summary",),
    "update-billing-account": ("billing.update_account", "pricing_model=", "plan_code="),
    "create-billing-checkout": ("billing.create_checkout", "mode=", "plan_code=", "amount_usd="),
    "list-webhooks": ("webhooks.list",),
    "create-webhook": ("webhooks.create", "url=", "description=", "events="),
    "delete-webhook": ("webhooks.delete", "id"),
    "list-webhook-deliveries": ("webhooks.deliveries.list", "webhook_id=", "status=", "limit="),
    "get-webhook-delivery": ("webhooks.deliveries.get", "did"),
    "replay-webhook-delivery": ("webhooks.deliveries.replay", "did"),
    "discard-webhook-delivery": ("webhooks.deliveries.discard", "did"),
    "list-audit-events": (
        "audit.list", "action=", "resource_type=", "resource_id=", "status=", "before=", "limit=",
    ),
    "list-job-kinds": ("jobs.list_kinds",),
    "create-job": ("jobs.create", "kind=", "input=", "run_at=", "idempotency_key="),
    "list-jobs": ("jobs.list", "status=", "kind=", "limit=", "offset="),
    "get-job": ("jobs.get", "id"),
    "cancel-job": ("jobs.cancel", "id"),
    "retry-job": ("jobs.retry", "id"),
}  # fmt: skip


_NEEDED: Mapping[str, tuple[str, ...]] = {
    "create-job": ("kind", "input"),
    "create-webhook": ("url",),
    "upload-session-file": ("path", "file"),
}
"""Fields by name without which the method cannot be called."""


def line(operation_id: str, ask: Ask, path: Mapping[str, str], value: Callable[[Any], str] | None = None) -> str | None:
    """A call of `client`, or None where the SDK cannot make this request.

    `value` says a value as an expression of Python; by itself, what an earlier request answered goes by its name in
    small letters.
    """
    known = _METHODS.get(operation_id)
    if known is None:
        return None
    said_as = value or _value
    body = ask.body if isinstance(ask.body, Mapping) else {}
    query = dict(ask.query)
    if any(name not in body for name in _NEEDED.get(operation_id, ())):
        return None
    words: list[str] = []
    said: set[str] = set()
    for wanted in known[1:]:
        name = wanted.removeprefix("body.").removeprefix("query.").removesuffix("=")
        if wanted == "**":
            words += _by_name(body, said_as)
            said |= set(body)
        elif wanted == "*":
            words.append(said_as(dict(body)))
            said |= set(body)
        elif wanted == "data=":
            words.append(f"data=open({str(body.get('file', '@file')).removeprefix('@')!r}, 'rb').read()")
            said.add("file")
        elif wanted.endswith("="):
            found = body[name] if name in body else _typed(name, query[name]) if name in query else None
            # The SDK leaves out what is nothing, so it cannot send that.
            if found is not None:
                words.append(f"{name}={said_as(found)}")
                said.add(name)
        elif wanted.startswith("query."):
            if not query.get(name):
                return None
            words.append(said_as(query[name]))
            said.add(name)
        elif wanted.startswith("body."):
            if name not in body:
                return None
            words.append(said_as(body[name]))
            said.add(name)
        else:
            words.append(said_as(path.get(name, "")))
    unsaid = (set(body) | set(query)) - said
    if unsaid or (ask.media_type is not None and ask.media_type != FORM and not isinstance(ask.body, Mapping)):
        return None
    account = ask.headers.get("x-chaser-account")
    client = "client" if account is None else f"client.with_account({said_as(account)})"
    return f"{client}.{known[0]}({', '.join(words)})"


_OF_METHODS = ("self", "payload", "session_id")
"""Names that a field cannot be given by, as methods call something of their own so."""


def _by_name(body: Mapping[str, Any], value: Callable[[Any], str]) -> list[str]:
    fits = all(name.isidentifier() and not keyword.iskeyword(name) and name not in _OF_METHODS for name in body)
    if fits and None not in body.values():
        return [f"{name}={value(one)}" for name, one in body.items()]
    return [value(dict(body))] if body else []


def _typed(name: str, text: str) -> Any:
    """A value of a query as the SDK takes it, None where it would send another text."""
    if name == "force":
        return {"true": True, "false": False}.get(text)
    if text.isascii() and text.isdecimal():
        return int(text) if str(int(text)) == text else None
    return text or None


def _value(value: Any) -> str:
    """A value of Python; what an earlier request answered goes by its name in small letters."""
    if isinstance(value, str) and value.startswith("$CHASER_"):
        return value.removeprefix("$CHASER_").lower()
    return repr(value)
