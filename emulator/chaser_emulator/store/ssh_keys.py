"""Statements about the public keys that the SSH gateway knows."""

from __future__ import annotations

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction


async def of_user(reader: Reader, account_id: str, user_id: str) -> list[Row]:
    """Every key of a user in an account, newest first (G19)."""
    return await reader.all(
        "SELECT * FROM ssh_keys WHERE account_id = ? AND user_id = ? ORDER BY created_at DESC, id DESC",
        account_id, user_id,
    )  # fmt: skip


async def one_of_user(reader: Reader, account_id: str, user_id: str, key_id: str) -> Row | None:
    """One of those keys."""
    return await reader.one(
        "SELECT * FROM ssh_keys WHERE account_id = ? AND user_id = ? AND id = ?", account_id, user_id, key_id.lower()
    )


async def with_fingerprint(reader: Reader, account_id: str, fingerprint: str) -> Row | None:
    """The key that is registered in an account under this fingerprint, whosoever it is."""
    return await reader.one("SELECT * FROM ssh_keys WHERE account_id = ? AND fingerprint = ?", account_id, fingerprint)


async def that_open(reader: Reader, fingerprint: str) -> list[Row]:
    """Every registration of a key, in whichever account, by somebody who belongs to that account now."""
    return await reader.all(
        """SELECT ssh_keys.* FROM ssh_keys
           JOIN members ON members.account_id = ssh_keys.account_id AND members.user_id = ssh_keys.user_id
           WHERE fingerprint = ? ORDER BY ssh_keys.created_at, ssh_keys.id""",
        fingerprint,
    )


async def touch(tx: Transaction, key_id: str, at: str) -> None:
    """Note that a key was used."""
    await tx.run("UPDATE ssh_keys SET last_used_at = ? WHERE id = ?", at, key_id)


async def add(
    tx: Transaction, account_id: str, user_id: str, *, name: str | None, public_key: str, fingerprint: str, at: str
) -> str:
    """Register a key; answers its id."""
    key_id = new_id()
    await tx.insert(
        "ssh_keys",
        id=key_id,
        account_id=account_id,
        user_id=user_id,
        name=name,
        public_key=public_key,
        fingerprint=fingerprint,
        created_at=at,
    )
    return key_id


async def delete(tx: Transaction, key_id: str) -> None:
    await tx.run("DELETE FROM ssh_keys WHERE id = ?", key_id)
