"""Statements about changes of a configuration that somebody asked for."""

from __future__ import annotations

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction

PENDING = "pending"
APPROVED = "approved"
DENIED = "denied"


async def propose(
    tx: Transaction, assistant_id: str, patch: str, reason: str | None, *, proposed_by: str, at: str
) -> Row:
    """Add a request that waits for a decision; `patch` is JSON."""
    return await tx.insert(
        "assistant_config_changes",
        id=new_id(),
        assistant_id=assistant_id,
        status=PENDING,
        patch=patch,
        reason=reason,
        proposed_by=proposed_by,
        created_at=at,
    )


async def of_assistant(reader: Reader, assistant_id: str) -> list[Row]:
    """Every request about an assistant, newest first."""
    return await reader.all(
        "SELECT * FROM assistant_config_changes WHERE assistant_id = ? ORDER BY created_at DESC, id DESC", assistant_id
    )


async def get(reader: Reader, assistant_id: str, change_id: str) -> Row | None:
    """The request with this id, if it is about this assistant."""
    return await reader.one(
        "SELECT * FROM assistant_config_changes WHERE id = ? AND assistant_id = ?", change_id.lower(), assistant_id
    )


async def decide(tx: Transaction, change_id: str, status: str, *, decided_by: str, at: str) -> Row:
    [row] = await tx.all(
        "UPDATE assistant_config_changes SET status = ?, decided_by = ?, decided_at = ? WHERE id = ? RETURNING *",
        status,
        decided_by,
        at,
        change_id,
    )
    return row
