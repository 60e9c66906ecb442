"""Statements about what accounts are billed by: their plan, their wallet, and the payments they started."""

from __future__ import annotations

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction

OPEN, PAID, CANCELED = "open", "paid", "canceled"


async def account(reader: Reader, account_id: str) -> Row:
    """The account with its plan and wallet; accounts are never removed."""
    row = await reader.one("SELECT * FROM accounts WHERE id = ?", account_id)
    assert row is not None  # noqa: S101 - whoever asks has an account
    return row


async def set_wallet(tx: Transaction, account_id: str, micros: int, owed_parts: int) -> None:
    """Say what a wallet holds, and how many 3,600ths of a millionth of a dollar of that are owed."""
    await tx.run(
        "UPDATE accounts SET wallet_micros_usd = ?, owed_parts = ? WHERE id = ?", micros, owed_parts, account_id
    )


async def add_to_wallet(tx: Transaction, account_id: str, micros: int) -> None:
    await tx.run("UPDATE accounts SET wallet_micros_usd = wallet_micros_usd + ? WHERE id = ?", micros, account_id)


async def set_plan(tx: Transaction, account_id: str, plan: str, subscription_id: str | None) -> None:
    await tx.run(
        "UPDATE accounts SET plan = ?, stripe_subscription_id = ? WHERE id = ?", plan, subscription_id, account_id
    )


async def set_customer(tx: Transaction, account_id: str, customer_id: str) -> None:
    await tx.run("UPDATE accounts SET stripe_customer_id = ? WHERE id = ?", customer_id, account_id)


async def add_checkout(
    tx: Transaction, account_id: str, *, mode: str, plan_code: str | None, amount_micros: int | None, at: str
) -> Row:
    return await tx.insert(
        "checkouts",
        id=new_id(),
        account_id=account_id,
        mode=mode,
        plan_code=plan_code,
        amount_micros=amount_micros,
        status=OPEN,
        created_at=at,
    )


async def checkout(reader: Reader, checkout_id: str) -> Row | None:
    """A payment with the `name` and `kind` of its account."""
    return await reader.one(
        """SELECT checkouts.*, accounts.name, accounts.kind FROM checkouts
           JOIN accounts ON accounts.id = checkouts.account_id WHERE checkouts.id = ?""",
        checkout_id.lower(),
    )


async def checkouts(reader: Reader, account_id: str | None) -> list[Row]:
    """The payments that were started, by one account or by all, newest first."""
    return await reader.all(
        "SELECT * FROM checkouts WHERE ?1 IS NULL OR account_id = ?1 ORDER BY created_at DESC, id DESC", account_id
    )


async def complete_checkout(tx: Transaction, checkout_id: str, status: str, at: str) -> bool:
    """End an open payment; answers whether it was open."""
    changed = await tx.run(
        "UPDATE checkouts SET status = ?, completed_at = ? WHERE id = ? AND status = ?", status, at, checkout_id, OPEN
    )
    return changed == 1
