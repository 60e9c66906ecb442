"""Users on any plan with keys of any scope, and what was told of a resource; for tests alone."""

from __future__ import annotations

import json
import uuid
from typing import Any

from chaser_emulator.clock import Clock, new_secret_key
from chaser_emulator.server import Running
from chaser_emulator.store import Store, identity
from databases import ask, inside


def stranger(emulator: Running, plan: str = "pro", scopes: list[str] | None = None) -> str:
    """The key of a new user, bound to their personal account on this plan."""

    async def make(store: Store) -> str:
        async with store.transaction() as tx:
            at, secret = Clock().timestamp(), new_secret_key()
            email = f"{uuid.uuid4().hex}@localhost"
            user_id, account_id = await identity.add_user(tx, email, "Stranger", plan=plan, at=at)
            await identity.add_key(tx, secret, at=at, account_id=account_id, user_id=user_id, scopes=scopes)
            return secret

    return inside(emulator, make)


def events_of(emulator: Running, resource_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of every event of a resource, in the order in which they happened."""
    rows = ask(emulator, "SELECT type, data FROM outbox WHERE resource_id = ? ORDER BY created_at", resource_id)
    return [(row["type"], json.loads(row["data"])) for row in rows]


def audited(emulator: Running, resource_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, status and metadata of every audit row of a resource, in the order in which they happened."""
    statement = "SELECT action, status, metadata FROM audit_events WHERE resource_id = ? ORDER BY created_at"
    rows = ask(emulator, statement, resource_id)
    return [(row["action"], row["status"], json.loads(row["metadata"])) for row in rows]
