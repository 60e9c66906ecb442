"""Statements about webhooks. The deliveries to them have a file of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction


async def of_account(reader: Reader, account_id: str) -> list[Row]:
    """Every webhook of an account that is not deleted, newest first (G19)."""
    return await reader.all(
        """SELECT * FROM webhooks WHERE account_id = ? AND deleted_at IS NULL
           ORDER BY created_at DESC, id DESC""",
        account_id,
    )


async def live(reader: Reader) -> list[Row]:
    """Every webhook of every account that is not deleted."""
    return await reader.all("SELECT * FROM webhooks WHERE deleted_at IS NULL")


async def get(reader: Reader, account_id: str, webhook_id: str) -> Row | None:
    """One webhook of an account, unless it is deleted."""
    return await reader.one(
        "SELECT * FROM webhooks WHERE account_id = ? AND id = ? AND deleted_at IS NULL", account_id, webhook_id.lower()
    )


async def count(reader: Reader, account_id: str) -> int:
    """How many webhooks an account has."""
    row = await reader.one("SELECT count(*) FROM webhooks WHERE account_id = ? AND deleted_at IS NULL", account_id)
    return int(row[0]) if row is not None else 0


async def insert(
    tx: Transaction,
    account_id: str,
    *,
    url: str,
    description: str | None,
    events: Sequence[str],
    secret: str,
    secret_preview: str,
    at: str,
) -> Row:
    """Add a webhook, whose `secret` is sealed."""
    return await tx.insert(
        "webhooks",
        id=new_id(),
        account_id=account_id,
        url=url,
        description=description,
        events=json.dumps(events),
        secret=secret,
        secret_preview=secret_preview,
        created_at=at,
        updated_at=at,
    )


async def set_secret(tx: Transaction, webhook_id: str, secret: str, secret_preview: str) -> None:
    """Give a webhook another secret, which is sealed."""
    await tx.run("UPDATE webhooks SET secret = ?, secret_preview = ? WHERE id = ?", secret, secret_preview, webhook_id)


async def delete(tx: Transaction, webhook_id: str, at: str) -> None:
    """Delete a webhook and its secret; what of it is needed to show its deliveries stays (H13)."""
    await tx.run("UPDATE webhooks SET deleted_at = ?, updated_at = ?, secret = '' WHERE id = ?", at, at, webhook_id)
