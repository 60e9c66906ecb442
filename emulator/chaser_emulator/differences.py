"""What was created, changed and deleted between two databases of a world, in the API's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaser_emulator import assistant_resources, resources
from chaser_emulator.store import Reader, Row, Store

Resource = Mapping[str, Any]

_NO_DIFFERENCE = frozenset({"last_used_at", "key_prefix"})
"""That a key was used is none, else every look would be one; and a fork's keys are the same with other texts."""


@dataclass(frozen=True)
class Diff:
    """Differences by collection, each in the order in which its rows were made.

    Every collection has an entry, so that `diff.created["sessions"]` is a list also where nothing happened and a name
    that is none is a KeyError. `created` and `deleted` hold resources as the API shows them, with the `account_id`;
    `changed` holds what names a resource (mostly its `id`) with `before` and `after`, which have the fields that
    changed, None where there was nothing.
    """

    created: Mapping[str, Sequence[Resource]]
    changed: Mapping[str, Sequence[Resource]]
    deleted: Mapping[str, Sequence[Resource]]

    def __bool__(self) -> bool:
        return any(any(found.values()) for found in (self.created, self.changed, self.deleted))

    def info(self) -> dict[str, dict[str, list[Resource]]]:
        """Its JSON, which leaves out collections without a difference."""
        return {
            name: {collection: list(found) for collection, found in every.items() if found}
            for name, every in (("created", self.created), ("changed", self.changed), ("deleted", self.deleted))
        }


@dataclass(frozen=True)
class _Collection:
    """A table as the API shows it. `names` are the shown fields that tell one resource from all others."""

    rows: str
    show: Callable[[Row], Resource]
    names: Sequence[str] = ("id",)


async def of_images(before: bytes, after: bytes) -> Diff:
    """The differences of two databases that were taken as images. Raises StoreError."""
    async with Store.of_image(before) as earlier, Store.of_image(after) as later:
        return await between(earlier, later)


async def between(before: Reader, after: Reader) -> Diff:
    """The differences of two databases of the newest form."""
    created, changed, deleted = {}, {}, {}
    for name, collection in _COLLECTIONS.items():
        earlier = {row[0]: row for row in await before.all(collection.rows)}
        later = {row[0]: row for row in await after.all(collection.rows)}
        created[name] = [collection.show(row) for key, row in later.items() if key not in earlier]
        deleted[name] = [collection.show(row) for key, row in earlier.items() if key not in later]
        both = ((earlier[key], row) for key, row in later.items() if key in earlier)
        # What the API does not show may have changed alone.
        changes = (_change(collection, old, new) for old, new in both if old != new)
        changed[name] = [change for change in changes if change is not None]
    return Diff(created, changed, deleted)


def _change(collection: _Collection, old: Row, new: Row) -> Resource | None:
    before, after = collection.show(old), collection.show(new)
    fields = [
        name for name in {**before, **after} if name not in _NO_DIFFERENCE and before.get(name) != after.get(name)
    ]
    if not fields:
        return None
    return {
        **{name: after[name] for name in collection.names},
        "before": {name: before.get(name) for name in fields},
        "after": {name: after.get(name) for name in fields},
    }


# How rows are shown where the API has no GET of one, or shows less than is known


def _columns(*names: str, flags: Sequence[str] = (), parsed: Sequence[str] = ()) -> Callable[[Row], Resource]:
    """These columns as they are; `flags` are truths, `parsed` are JSON."""

    def show(row: Row) -> Resource:
        shown = {name: row[name] for name in names if row[name] is not None}
        shown.update({name: bool(row[name]) for name in flags})
        shown.update({name: json.loads(row[name]) for name in parsed if row[name] is not None})
        return shown

    return show


def _in_account(info: Callable[[Row], Mapping[str, Any]], *more: str) -> Callable[[Row], Resource]:
    """What the API shows, which leaves out the account because the caller has named it, and these columns."""

    def show(row: Row) -> Resource:
        further = {name: row[name] for name in ("account_id", *more) if row[name] is not None}
        return {**info(row), **further}

    return show


def _session(row: Row) -> Resource:
    # Its address and its leases are of the moment.
    shown = resources.session_info(row, "", None)
    return {name: value for name, value in shown.items() if name != "endpoints" and value is not None}


def _command(row: Row) -> Resource:
    return {**resources.command_info(row, row["output_bytes"], bool(row["output_truncated"]))}


# The first column of each query is the key by which rows of two databases are the same one.
#
# Not here, because no caller of the API sees them: facts, sign-ins and logins under way, the segments of usage
# (an account's wallet shows what they cost), the outbox (a delivery shows its event), attempts at deliveries (each
# shows how many there were and the last one) and what assistants were told.
_COLLECTIONS: Mapping[str, _Collection] = {
    "users": _Collection("SELECT * FROM users ORDER BY rowid", resources.user_info),
    "accounts": _Collection(
        "SELECT * FROM accounts ORDER BY rowid",
        _columns(
            "id",
            "kind",
            "name",
            "plan",
            "wallet_micros_usd",
            "stripe_customer_id",
            "stripe_subscription_id",
            "created_at",
        ),
    ),
    "members": _Collection(
        """SELECT account_id || '/' || user_id, members.*, users.email, users.name
           FROM members JOIN users ON users.id = user_id ORDER BY members.rowid""",
        _in_account(resources.member_info),
        ("account_id", "user_id"),
    ),
    "service_accounts": _Collection(
        "SELECT * FROM service_accounts ORDER BY rowid", _in_account(resources.service_account_info)
    ),
    "keys": _Collection(
        # The key of the first user that the settings name belongs to no account, and is no resource of the API.
        "SELECT * FROM keys WHERE account_id IS NOT NULL ORDER BY rowid",
        _in_account(resources.key_info, "user_id", "service_account_id"),
    ),
    "ssh_keys": _Collection("SELECT * FROM ssh_keys ORDER BY rowid", _in_account(resources.ssh_key_info, "user_id")),
    "workspaces": _Collection(
        """SELECT workspaces.*, sessions.id AS active_session_id FROM workspaces
           LEFT JOIN sessions ON sessions.workspace_id = workspaces.id AND sessions.ended_at IS NULL
           ORDER BY workspaces.rowid""",
        _in_account(resources.workspace_info),
    ),
    "snapshots": _Collection(
        "SELECT workspace_id || '/' || lower(name), * FROM snapshots ORDER BY rowid",
        resources.snapshot_info,
        ("workspace_id", "id"),
    ),
    "sessions": _Collection(
        "SELECT * FROM sessions ORDER BY rowid",
        _in_account(_session, "image", "github_repo", "failure", "expires_at", "ended_at"),
    ),
    "commands": _Collection("SELECT * FROM commands ORDER BY rowid", _command, ("command_id",)),
    "jobs": _Collection("SELECT * FROM jobs ORDER BY rowid", _in_account(resources.job_info)),
    "workflow_jobs": _Collection(
        "SELECT * FROM workflow_jobs ORDER BY rowid",
        _columns("id", "repository", "ref", "workflow", "job", "created_at", parsed=["matrix"]),
    ),
    "webhooks": _Collection(
        "SELECT * FROM webhooks WHERE deleted_at IS NULL ORDER BY rowid", _in_account(resources.webhook_info)
    ),
    "deliveries": _Collection(
        """SELECT deliveries.id, deliveries.*, webhooks.url AS target_url, outbox.type AS event_type, outbox.data,
                  outbox.created_at AS event_created_at
           FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
                           JOIN outbox ON outbox.id = deliveries.event_id ORDER BY deliveries.sequence""",
        _in_account(resources.delivery_info),
    ),
    "audit_events": _Collection("SELECT * FROM audit_events ORDER BY rowid", _in_account(resources.audit_event_info)),
    "checkouts": _Collection(
        "SELECT * FROM checkouts ORDER BY rowid",
        _columns("id", "account_id", "mode", "plan_code", "amount_micros", "status", "created_at", "completed_at"),
    ),
    "codex_connections": _Collection(
        """SELECT account_id || '/' || coalesce(user_id, service_account_id), account_id, user_id, service_account_id,
                  email, created_at, expires_at FROM codex_connections ORDER BY rowid""",
        _columns("account_id", "user_id", "service_account_id", "email", "created_at", "expires_at"),
        ("account_id",),
    ),
    "assistants": _Collection(
        "SELECT * FROM assistants ORDER BY rowid",
        _columns(
            "id",
            "account_id",
            "name",
            "status",
            "config_version",
            "workspace_id",
            "created_at",
            "updated_at",
            parsed=["config"],
        ),
    ),
    "assistant_channels": _Collection(
        "SELECT * FROM assistant_channels ORDER BY rowid",
        _in_account(assistant_resources.channel_info, "assistant_id"),
    ),
    # A write of the same value seals it anew; that it was written shows in `updated_at`.
    "assistant_credentials": _Collection(
        """SELECT account_id || '/' || coalesce(assistant_id, '') || '/' || name, account_id, assistant_id, name,
                  updated_at FROM assistant_credentials ORDER BY rowid""",
        _in_account(assistant_resources.credential_info),
        ("account_id", "name"),
    ),
    "assistant_states": _Collection(
        "SELECT * FROM assistant_states ORDER BY rowid",
        _columns("assistant_id", "version", "updated_at", parsed=["state"]),
        ("assistant_id",),
    ),
    "assistant_usage_events": _Collection(
        "SELECT * FROM assistant_usage_events ORDER BY rowid",
        lambda row: {**assistant_resources.usage_event_info(row), "assistant_id": row["assistant_id"]},
    ),
    "assistant_config_changes": _Collection(
        "SELECT * FROM assistant_config_changes ORDER BY rowid",
        lambda row: {**assistant_resources.change_info(row), "assistant_id": row["assistant_id"]},
    ),
}

COLLECTIONS = tuple(_COLLECTIONS)
"""The names of all collections."""
