"""Statements about the API keys of users and of service accounts."""

from __future__ import annotations

from chaser_emulator.store import Reader, Row, Transaction


async def of_user(reader: Reader, account_id: str, user_id: str) -> list[Row]:
    """A user's own keys in an account, revoked ones too, newest first (A16, A20)."""
    return await reader.all(
        "SELECT * FROM keys WHERE account_id = ? AND user_id = ? ORDER BY created_at DESC, id DESC", account_id, user_id
    )


async def of_service_account(reader: Reader, service_account_id: str) -> list[Row]:
    """The keys of a service account, revoked ones too, newest first (A16)."""
    return await reader.all(
        "SELECT * FROM keys WHERE service_account_id = ? ORDER BY created_at DESC, id DESC", service_account_id
    )


async def revoke(tx: Transaction, key_id: str, at: str) -> str:
    """Revoke a key and answer when that was: the first time counts (A18)."""
    await tx.run("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", at, key_id)
    row = await tx.one("SELECT revoked_at FROM keys WHERE id = ?", key_id)
    assert row is not None  # noqa: S101 - the caller found it in this transaction
    return str(row["revoked_at"])
