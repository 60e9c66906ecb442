"""Statements about who calls: users, accounts, memberships, and the credentials that act for them."""

from __future__ import annotations

import hashlib
import json

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction

PERSONAL = "personal"
ORGANIZATION = "organization"


def hash_of(secret: str) -> str:
    """What is kept of a secret key: it holds 238 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def credential(reader: Reader, secret: str) -> Row | None:
    """The valid key with this secret, or None: unknown, revoked, or of a disabled service account."""
    return await reader.one(
        """SELECT keys.* FROM keys LEFT JOIN service_accounts ON service_accounts.id = keys.service_account_id
           WHERE secret_hash = ? AND revoked_at IS NULL AND coalesce(disabled, 0) = 0""",
        hash_of(secret),
    )


async def valid_key(reader: Reader, key_id: str) -> Row | None:
    """The key with this id, as long as `credential` finds it by its secret."""
    return await reader.one(
        """SELECT keys.* FROM keys LEFT JOIN service_accounts ON service_accounts.id = keys.service_account_id
           WHERE keys.id = ? AND revoked_at IS NULL AND coalesce(disabled, 0) = 0""",
        key_id,
    )


async def touch_key(tx: Transaction, key_id: str, at: str) -> None:
    await tx.run("UPDATE keys SET last_used_at = ? WHERE id = ?", at, key_id)


_MEMBERSHIP = """SELECT accounts.*, members.role FROM members JOIN accounts ON accounts.id = members.account_id
                 WHERE members.user_id = ?"""


async def accounts_of(reader: Reader, user_id: str) -> list[Row]:
    """Every account of a user with their role in it, newest first (G19)."""
    return await reader.all(f"{_MEMBERSHIP} ORDER BY accounts.created_at DESC, accounts.id DESC", user_id)


async def account_of(reader: Reader, user_id: str, account_id: str) -> Row | None:
    """One account with this user's role in it; None when they do not belong to it."""
    return await reader.one(f"{_MEMBERSHIP} AND accounts.id = ?", user_id, account_id)


async def account(reader: Reader, account_id: str) -> Row | None:
    """An account by id, without a role."""
    return await reader.one("SELECT *, NULL AS role FROM accounts WHERE id = ?", account_id)


async def add_user(tx: Transaction, email: str, name: str, *, plan: str, at: str) -> tuple[str, str]:
    """Add a user with their personal account; answers (user id, account id). An empty name is none.

    An account always has a name: the user's, else the first part of the address.
    """
    user_id, account_id = new_id(), new_id()
    await tx.insert("users", id=user_id, email=email, name=name, created_at=at)
    await tx.insert(
        "accounts", id=account_id, kind=PERSONAL, name=name or email.partition("@")[0], plan=plan, created_at=at
    )
    await tx.insert("members", account_id=account_id, user_id=user_id, role="owner", joined_at=at)
    return user_id, account_id


async def add_key(
    tx: Transaction,
    secret: str,
    *,
    at: str,
    account_id: str | None,
    user_id: str | None = None,
    service_account_id: str | None = None,
    name: str | None = None,
    scopes: list[str] | None = None,
) -> Row:
    """Keep a new key, by its hash alone."""
    key_id = new_id()
    await tx.insert(
        "keys",
        id=key_id,
        account_id=account_id,
        user_id=user_id,
        service_account_id=service_account_id,
        secret_hash=hash_of(secret),
        key_prefix=secret[:10],
        name=name,
        scopes=json.dumps(scopes or []),
        created_at=at,
    )
    row = await tx.one("SELECT * FROM keys WHERE id = ?", key_id)
    assert row is not None  # noqa: S101 - inserted just above
    return row


async def key_hashes(reader: Reader) -> frozenset[str]:
    """What is kept of the secrets of all keys, of revoked ones as well."""
    return frozenset(str(row["secret_hash"]) for row in await reader.all("SELECT secret_hash FROM keys"))


async def renew_key(tx: Transaction, key_id: str, secret: str) -> bool:
    """Give a key another secret; answers whether there is such a key."""
    statement = "UPDATE keys SET secret_hash = ?, key_prefix = ? WHERE id = ?"
    return await tx.run(statement, hash_of(secret), secret[:10], key_id) > 0


async def fact(reader: Reader, name: str) -> str | None:
    """One fact about this data directory."""
    row = await reader.one("SELECT value FROM facts WHERE name = ?", name)
    return None if row is None else str(row["value"])


async def set_fact(tx: Transaction, name: str, value: str) -> None:
    await tx.run("INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value)
