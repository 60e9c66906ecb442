"""Statements about signing in: passwords, sign-ins that are under way at a provider, and Codex connections."""

from __future__ import annotations

from dataclasses import dataclass

from chaser_emulator.store import Reader, Row, Transaction
from chaser_emulator.store.identity import hash_of


async def user(reader: Reader, user_id: str) -> Row | None:
    return await reader.one("SELECT * FROM users WHERE id = ?", user_id)


async def user_with_password(reader: Reader, email: str) -> Row | None:
    """The user with this address, in any case, and their `password_hash`, None for a user without one."""
    return await reader.one(
        """SELECT users.*, password_hash FROM users LEFT JOIN sign_ins ON sign_ins.user_id = users.id
           WHERE email = ?""",
        email,
    )


async def is_taken(reader: Reader, user_id: str) -> bool:
    """Whether somebody has shown already that they are this user: by signing in, or by holding a key.

    A user whom an organization has added by address (A5) has done neither, and can still be registered.
    """
    row = await reader.one(
        """SELECT EXISTS (SELECT 1 FROM sign_ins WHERE user_id = ?1)
               OR EXISTS (SELECT 1 FROM keys WHERE user_id = ?1)
               OR EXISTS (SELECT 1 FROM ssh_keys WHERE user_id = ?1) AS taken""",
        user_id,
    )
    return bool(row and row["taken"])


async def known_users(reader: Reader, limit: int) -> list[Row]:
    """The users that a provider's page offers: the first one, then the newest."""
    return await reader.all(
        """SELECT users.* FROM users LEFT JOIN facts ON facts.name = 'first_user' AND facts.value = users.id
           ORDER BY facts.value IS NULL, users.created_at DESC, users.id DESC LIMIT ?""",
        limit,
    )


async def set_password(tx: Transaction, user_id: str, password_hash: str, at: str) -> None:
    """Let a user sign in by password."""
    await tx.run(
        """INSERT INTO sign_ins (user_id, password_hash, created_at) VALUES (?, ?, ?)
           ON CONFLICT DO UPDATE SET password_hash = excluded.password_hash""",
        user_id,
        password_hash,
        at,
    )


async def note_sign_in(tx: Transaction, user_id: str, at: str) -> None:
    """Note that the user has come by a provider: the address is theirs from now on."""
    await tx.run(
        "INSERT INTO sign_ins (user_id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        user_id,
        at,
    )


async def set_name(tx: Transaction, user_id: str, name: str) -> None:
    await tx.run("UPDATE users SET name = ? WHERE id = ?", name, user_id)


@dataclass(frozen=True)
class Owner:
    """Whom something belongs to: a user or a service account, in an account."""

    account_id: str
    user_id: str | None
    service_account_id: str | None


async def start(
    tx: Transaction,
    state: str,
    *,
    provider: str,
    verifier: str,
    callback: str,
    redirect_uri: str | None,
    owner: Owner | None,
    at: str,
    expires_at: str,
) -> None:
    """Keep a sign-in that begins, and forget those whose time is over. `verifier` is sealed."""
    await tx.run("DELETE FROM logins WHERE expires_at <= ?", at)
    await tx.insert(
        "logins",
        state_hash=hash_of(state),
        provider=provider,
        verifier=verifier,
        callback=callback,
        redirect_uri=redirect_uri,
        account_id=owner.account_id if owner else None,
        user_id=owner.user_id if owner else None,
        service_account_id=owner.service_account_id if owner else None,
        expires_at=expires_at,
    )


async def under_way(reader: Reader, provider: str, state: str, at: str) -> Row | None:
    """The sign-in with this state; None when it is unknown, used, or too old."""
    return await reader.one(
        "SELECT * FROM logins WHERE state_hash = ? AND provider = ? AND expires_at > ?", hash_of(state), provider, at
    )


async def chosen(tx: Transaction, state: str, *, email: str, code: str, code_challenge: str) -> None:
    """Somebody has chosen who they are; another choice takes the place of one that has not come back yet."""
    await tx.run(
        "UPDATE logins SET email = ?, code_hash = ?, code_challenge = ? WHERE state_hash = ?",
        email,
        hash_of(code),
        code_challenge,
        hash_of(state),
    )


async def take(tx: Transaction, provider: str, state: str, at: str) -> Row | None:
    """Use up the sign-in with this state; None when it is unknown, used, or too old."""
    return await tx.one(
        "DELETE FROM logins WHERE state_hash = ? AND provider = ? AND expires_at > ? RETURNING *",
        hash_of(state),
        provider,
        at,
    )


async def connect_codex(tx: Transaction, owner: Owner, *, email: str, token: str, at: str, expires_at: str) -> None:
    """Keep a Codex login in the place of an earlier one. `token` is sealed."""
    await tx.run(
        "DELETE FROM codex_connections WHERE account_id = ? AND coalesce(user_id, service_account_id) = ?",
        owner.account_id,
        owner.user_id or owner.service_account_id,
    )
    await tx.insert(
        "codex_connections",
        account_id=owner.account_id,
        user_id=owner.user_id,
        service_account_id=owner.service_account_id,
        email=email,
        token=token,
        created_at=at,
        expires_at=expires_at,
    )
