"""Statements about members of accounts and about service accounts."""

from __future__ import annotations

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction, identity

_MEMBER = """SELECT users.id AS user_id, users.email, users.name, members.role, members.joined_at
             FROM members JOIN users ON users.id = members.user_id WHERE members.account_id = ?"""


async def add_organization(tx: Transaction, name: str, owner_id: str, *, plan: str, at: str) -> str:
    """Add an organization with its first owner; answers its id."""
    account_id = new_id()
    await tx.insert("accounts", id=account_id, kind=identity.ORGANIZATION, name=name, plan=plan, created_at=at)
    await add_member(tx, account_id, owner_id, "owner", at)
    return account_id


async def organization(reader: Reader, name: str) -> Row | None:
    """The eldest organization with a name, without regard to case, and its `first_owner`."""
    return await reader.one(
        """SELECT accounts.*, members.user_id AS first_owner
           FROM accounts JOIN members ON members.account_id = accounts.id AND members.role = 'owner'
           WHERE accounts.kind = ? AND accounts.name = ? COLLATE NOCASE
           ORDER BY accounts.created_at, accounts.id, members.joined_at, members.user_id LIMIT 1""",
        identity.ORGANIZATION,
        name,
    )


async def add_member(tx: Transaction, account_id: str, user_id: str, role: str, at: str) -> None:
    await tx.insert("members", account_id=account_id, user_id=user_id, role=role, joined_at=at)


async def members(reader: Reader, account_id: str) -> list[Row]:
    """Newest first (G19)."""
    return await reader.all(f"{_MEMBER} ORDER BY members.joined_at DESC, users.id DESC", account_id)


async def member(reader: Reader, account_id: str, user_id: str) -> Row | None:
    return await reader.one(f"{_MEMBER} AND users.id = ?", account_id, user_id.lower())


async def owners(reader: Reader, account_id: str) -> int:
    """How many owners an account has."""
    row = await reader.one("SELECT count(*) AS n FROM members WHERE account_id = ? AND role = 'owner'", account_id)
    return int(row["n"]) if row else 0


async def set_role(tx: Transaction, account_id: str, user_id: str, role: str) -> None:
    await tx.run("UPDATE members SET role = ? WHERE account_id = ? AND user_id = ?", role, account_id, user_id)


async def remove_member(tx: Transaction, account_id: str, user_id: str, at: str) -> None:
    """Remove a member, and end every credential that they hold in this account."""
    await tx.run("DELETE FROM members WHERE account_id = ? AND user_id = ?", account_id, user_id)
    await tx.run(
        "UPDATE keys SET revoked_at = ? WHERE account_id = ? AND user_id = ? AND revoked_at IS NULL",
        at,
        account_id,
        user_id,
    )
    await tx.run("DELETE FROM ssh_keys WHERE account_id = ? AND user_id = ?", account_id, user_id)


async def user_by_email(reader: Reader, email: str) -> Row | None:
    return await reader.one("SELECT * FROM users WHERE email = ?", email)


async def add_service_account(tx: Transaction, account_id: str, name: str, creator_id: str, at: str) -> Row:
    service_account_id = new_id()
    await tx.insert(
        "service_accounts",
        id=service_account_id,
        account_id=account_id,
        name=name,
        created_by_user_id=creator_id,
        created_at=at,
        updated_at=at,
    )
    row = await service_account(tx, account_id, service_account_id)
    assert row is not None  # noqa: S101 - inserted just above
    return row


async def service_accounts(reader: Reader, account_id: str) -> list[Row]:
    """Newest first (G19)."""
    return await reader.all(
        "SELECT * FROM service_accounts WHERE account_id = ? ORDER BY created_at DESC, id DESC", account_id
    )


async def service_account(reader: Reader, account_id: str, service_account_id: str) -> Row | None:
    return await reader.one(
        "SELECT * FROM service_accounts WHERE id = ? AND account_id = ?", service_account_id.lower(), account_id
    )


async def disable_service_account(tx: Transaction, service_account_id: str, at: str) -> None:
    """Let its keys be refused."""
    await tx.run("UPDATE service_accounts SET disabled = 1, updated_at = ? WHERE id = ?", at, service_account_id)


async def delete_service_account(tx: Transaction, service_account_id: str) -> None:
    """Its keys go with it (A12)."""
    await tx.run("DELETE FROM service_accounts WHERE id = ?", service_account_id)
