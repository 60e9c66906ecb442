"""Views: all that a caller can read of an account, thing by thing, so that what a write has changed can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chaser_contract.client import Client
from chaser_contract.subject import Subject

Key = tuple[str, str]
"""A kind of thing, and which one."""

_VOLATILE = frozenset({"last_used_at", "active_connection_leases", "used_bytes", "output", "output_bytes"})
"""Fields that go on by themselves, or with every look."""

_METERED = ("usage_last", "workspace_storage", "wallet_balance")
"""How the fields of a billing summary begin that go on by themselves."""


@dataclass(frozen=True)
class View:
    """Every thing with its fields, by its kind and id."""

    things: Mapping[Key, Mapping[str, Any]]

    def until(self, later: View) -> Change:
        """What is otherwise in a later view."""
        before, after = self.things, later.things
        return Change(
            created=frozenset(after.keys() - before.keys()),
            deleted=frozenset(before.keys() - after.keys()),
            changed=frozenset(
                (*key, name)
                for key in before.keys() & after.keys()
                for name in before[key].keys() | after[key].keys()
                if before[key].get(name) != after[key].get(name)
            ),
        )


@dataclass(frozen=True)
class Change:
    """Things that are there or gone, and fields that have another value: kind, id and field."""

    created: frozenset[Key]
    deleted: frozenset[Key]
    changed: frozenset[tuple[str, str, str]]

    def __bool__(self) -> bool:
        return bool(self.created or self.deleted or self.changed)

    def __str__(self) -> str:
        """In a line, without the ids, which are of no use to who reads it."""
        parts = [f"{kind} created" for kind, _ in sorted(self.created)]
        parts += [f"{kind} deleted" for kind, _ in sorted(self.deleted)]
        parts += [f"{kind}.{name} changed" for kind, _, name in sorted(self.changed)]
        return ", ".join(parts) or "nothing"


def view(client: Client | Subject) -> View:
    """What a caller with full access reads of the account that it acts in."""
    return View({key: _steady(fields) for key, fields in _things(client)})


def _things(client: Client | Subject) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    def listed(operation: str, items: str | None = None, **request: Any) -> list[dict[str, Any]]:
        told = client.ask(operation, expect=200, **request).json
        found: list[dict[str, Any]] = told if items is None else told[items]
        return found

    for one in listed("list-sessions", "sessions", query={"limit": 200}):
        yield ("session", one["id"]), one
        if one["session_type"] == "sandbox":
            for command in listed("list-session-commands", "commands", id=one["id"]):
                yield ("command", command["command_id"]), command
    for one in listed("list-workspaces"):
        yield ("workspace", one["id"]), one
        for kept in listed("list-workspace-snapshots", ws=one["id"]):
            yield ("snapshot", f"{one['id']}/{kept['id']}"), kept
    for one in listed("list-jobs", "jobs", query={"limit": 200}):
        yield ("job", one["id"]), one
    for one in listed("list-webhooks", "webhooks"):
        yield ("webhook", one["id"]), one
    for one in listed("list-webhook-deliveries", "deliveries", query={"limit": 200}):
        # How far each has come is the receiver's affair.
        yield ("delivery", one["id"]), {"event_type": one["event_type"], "webhook_id": one["webhook_id"]}
    for kind, operation in (("key", "list-keys"), ("SSH key", "list-ssh-keys")):
        for one in listed(operation, "keys"):
            yield (kind, one["id"]), one
    for one in listed("list-accounts", "accounts"):
        yield ("account", one["id"]), one
    for one in listed("list-current-members", "members"):
        yield ("member", one["user_id"]), one
    for one in listed("list-assistants", "assistants"):
        yield ("assistant", one["id"]), one
        for operation in ("get-assistant-runtime-state", "list-assistant-usage-events"):
            yield (operation, one["id"]), client.ask(operation, id=one["id"], expect=200).json
    billing = client.ask("get-billing-summary", expect=200).json
    yield ("billing", "it"), {name: value for name, value in billing.items() if not name.startswith(_METERED)}
    if not client.ask("get-current-account", expect=200).json["account"]["personal"]:
        for robot in listed("list-current-service-accounts", "service_accounts"):
            yield ("service account", robot["id"]), robot
            for key in listed("list-current-service-account-keys", "keys", said=robot["id"]):
                yield ("service account's key", key["id"]), key


def _steady(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _VOLATILE}
