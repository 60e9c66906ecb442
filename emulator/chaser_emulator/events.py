"""What happened: audit rows, and events for webhooks, written in the transaction of the change they tell of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chaser_emulator.clock import Clock, new_id
from chaser_emulator.store import Transaction


@dataclass(frozen=True)
class Actor:
    """Who did it (H26)."""

    kind: Literal["user", "service_account", "system"]
    id: str


SYSTEM = Actor("system", "system")


async def audit(
    tx: Transaction,
    clock: Clock,
    account_id: str,
    actor: Actor,
    action: str,
    resource_type: str,
    resource_id: str | None,
    summary: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    failed: bool = False,
) -> None:
    """Add one row to the account's audit log. `metadata` is what the request named, never a secret."""
    await tx.insert(
        "audit_events",
        id=new_id(),
        account_id=account_id,
        actor_type=actor.kind,
        actor_id=actor.id,
        action=action,
        resource_type=resource_type,
        resource_id=resource_id,
        status="failure" if failed else "success",
        summary=summary,
        metadata=json.dumps(metadata or {}),
        created_at=clock.timestamp(),
    )


async def emit(
    tx: Transaction, clock: Clock, account_id: str, kind: str, resource_id: str, data: Mapping[str, object]
) -> None:
    """Put an event such as `session.created` in the outbox; `data` is the resource as its GET answers (H2)."""
    resource_type = kind.rpartition(".")[0]
    await tx.insert(
        "outbox",
        id=new_id(),
        account_id=account_id,
        type=kind,
        resource_type=resource_type,
        resource_id=resource_id,
        data=json.dumps(data),
        created_at=clock.timestamp(),
    )
