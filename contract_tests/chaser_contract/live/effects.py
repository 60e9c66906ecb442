"""Effects: what each operation does to an account: it reads, makes what can be removed again, changes, or lasts."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract.document import Document

WRITES = "writes"
"""What allows every operation whose traces can be removed again."""


@dataclass(frozen=True)
class Kind:
    """A kind of resource. `listing` is the operation that lists it, under `key` (None: a bare array), by `id`.

    `removal` takes its id as `parameter` of the path, and what `parents` name beside it; None: nothing removes it.
    `names` are the fields in which what was asked for can be told again.
    """

    name: str
    listing: str
    key: str | None
    removal: str | None
    parameter: str = "id"
    parents: tuple[str, ...] = ()
    id: str = "id"
    names: tuple[str, ...] = ("name",)
    query: Mapping[str, str] | None = None


_FORCE = {"force": "true"}

KINDS: Mapping[str, Kind] = {
    one.name: one
    for one in (
        Kind("session", "list-sessions", "sessions", "terminate-session", names=(), query=_FORCE),
        Kind("workspace", "list-workspaces", None, "delete-workspace", "ws", query=_FORCE),
        Kind(
            "snapshot", "list-workspace-snapshots", None, "delete-workspace-snapshot", "name", ("ws",),
            names=("id", "name"), query=_FORCE,
        ),
        Kind("job", "list-jobs", "jobs", "cancel-job", names=("idempotency_key",)),
        Kind("key", "list-keys", "keys", "revoke-key"),
        Kind("ssh-key", "list-ssh-keys", "keys", "delete-ssh-key", names=("name", "public_key")),
        Kind("webhook", "list-webhooks", "webhooks", "delete-webhook", names=("url", "description")),
        Kind(
            "member", "list-current-members", "members", "remove-current-member", "uid", id="user_id", names=("email",),
        ),
        Kind(
            "service-account", "list-current-service-accounts", "service_accounts",
            "delete-current-service-account", "said",
        ),
        Kind(
            "service-account-key", "list-current-service-account-keys", "keys",
            "revoke-current-service-account-key", "kid", ("said",),
        ),
        Kind("organization", "list-accounts", "accounts", None),
        Kind("assistant", "list-assistants", "assistants", None),
        Kind("channel", "get-assistant", None, "remove-assistant-channel", "bid", ("id",), names=("channel_id",)),
        Kind("user", "get-me", None, None, names=("email",)),
    )
}  # fmt: skip

MAKES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "create-session": ("session", ("id",)),
    "exec-sandbox": ("session", ("session_id",)),
    "create-workspace": ("workspace", ("id",)),
    "import-workspace": ("workspace", ("workspace", "id")),
    "create-workspace-snapshot": ("snapshot", ("id",)),
    "create-job": ("job", ("id",)),
    "retry-job": ("job", ("id",)),
    "create-key": ("key", ("id",)),
    "create-ssh-key": ("ssh-key", ("key", "id")),
    "create-webhook": ("webhook", ("webhook", "id")),
    "add-current-member": ("member", ("member", "user_id")),
    "create-current-service-account": ("service-account", ("service_account", "id")),
    "create-current-service-account-key": ("service-account-key", ("id",)),
    "create-organization": ("organization", ("account", "id")),
    "create-assistant": ("assistant", ("assistant", "id")),
    "add-assistant-channel": ("channel", ("id",)),
    "register": ("user", ("user", "id")),
}
"""What an operation makes, and where its answer names it."""

LASTING: Mapping[str, str] = {
    "create-organization": "no operation removes an organization",
    "create-assistant": "no operation removes an assistant",
    "register": "no operation removes a user",
    "login": "a wrong password too often may lock somebody out",
    "finish-google-login": "it signs somebody in, who stays",
    "finish-github-login": "it signs somebody in, who stays",
    "finish-codex-login": "it binds an account of another service",
    "post-codex-callback": "it binds an account of another service",
    "store-assistant-credential": "no operation removes a credential",
    "resolve-assistant-credential": "it tells a secret of the account",
    "update-billing-account": "it changes what the account pays",
    "create-billing-checkout": "it asks for money",
}
"""What can not be undone, with why; each of these has to be named by its id."""

_SIGNING_IN = frozenset({"finish-google-login", "finish-github-login", "finish-codex-login"})


def reads(operation: Operation) -> bool:
    """Whether it changes nothing; not every GET does, such as those that open pages."""
    if operation.method != "GET" or operation.upgrades or operation.id in _SIGNING_IN:
        return False
    # Commands are looked at with the right to run them.
    return operation.scope is None or not operation.scope.endswith(".write") or operation.scope == "exec.write"


def removes(operation: Operation) -> Kind | None:
    """The kind of resource of which it removes one."""
    return next((kind for kind in KINDS.values() if kind.removal == operation.id), None)


def allowed(operation: Operation, allow: Collection[str]) -> bool:
    """Whether a run that is allowed these (ids, tags, `writes`) may call it.

    Who may make something may remove it as well.
    """
    if reads(operation) or operation.id in allow:
        return True
    if operation.id in LASTING:
        return False
    if WRITES in allow or operation.tag in allow:
        return True
    kind = removes(operation)
    return kind is not None and any(maker in allow for maker, (made, _) in MAKES.items() if made == kind.name)


def unknown(document: Document, allow: Collection[str]) -> dict[str, list[str]]:
    """What of this names no operation and no tag, with what may have been meant."""
    known = {WRITES, *document.operations, *(one.tag for one in document.operations.values())}
    return {name: difflib.get_close_matches(name, known, 3) for name in allow if name not in known}


def id_in(value: Any, place: tuple[str, ...]) -> str | None:
    """The text at a place of an answer's JSON."""
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None
