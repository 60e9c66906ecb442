"""Statements about how long sessions ran, in segments of one price. All moments are microseconds since 1970."""

from __future__ import annotations

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction

# Whole seconds count; a segment whose end lies before its start, because the clock was set back, counts for nothing.
_SECONDS = "max(0, {end} - {start}) / 1000000"


async def open_segment(
    tx: Transaction, account_id: str, session_id: str, *, at: int, price_micros_per_hour: int, wallet: bool
) -> None:
    await tx.run(
        """INSERT INTO usage (id, account_id, session_id, started_at, price_micros_per_hour, wallet)
           VALUES (?, ?, ?, ?, ?, ?)""",
        new_id(),
        account_id,
        session_id,
        at,
        price_micros_per_hour,
        wallet,
    )


async def open_of_session(reader: Reader, session_id: str) -> Row | None:
    """The segment of a session that is metered now."""
    return await reader.one("SELECT * FROM usage WHERE session_id = ? AND ended_at IS NULL", session_id)


async def metered(reader: Reader, session_id: str) -> bool:
    """Whether a session is or was metered."""
    return await reader.one("SELECT 1 FROM usage WHERE session_id = ? LIMIT 1", session_id) is not None


async def close_session(tx: Transaction, session_id: str, at: int) -> None:
    await tx.run("UPDATE usage SET ended_at = ? WHERE session_id = ? AND ended_at IS NULL", at, session_id)


async def close_account(tx: Transaction, account_id: str, at: int) -> set[str]:
    """Close every open segment of an account; answers their sessions."""
    rows = await tx.all(
        "UPDATE usage SET ended_at = ? WHERE account_id = ? AND ended_at IS NULL RETURNING session_id", at, account_id
    )
    return {row["session_id"] for row in rows}


async def paying(reader: Reader, account_id: str) -> list[Row]:
    """The open segments for which the account's wallet pays."""
    return await reader.all("SELECT * FROM usage WHERE account_id = ? AND ended_at IS NULL AND wallet", account_id)


async def all_paying(reader: Reader) -> list[Row]:
    """The open segments for which a wallet pays, each with what that holds."""
    return await reader.all(
        """SELECT usage.*, wallet_micros_usd, owed_parts FROM usage JOIN accounts ON accounts.id = usage.account_id
           WHERE ended_at IS NULL AND wallet"""
    )


async def note_charged(tx: Transaction, account_id: str, until: int) -> None:
    """Note that the wallet has paid for all open segments up to a moment."""
    seconds = _SECONDS.format(end="?", start="started_at")
    await tx.run(
        f"""UPDATE usage SET charged_seconds = max(charged_seconds, {seconds})
            WHERE account_id = ? AND ended_at IS NULL AND wallet""",  # noqa: S608 - our own words
        until,
        account_id,
    )


async def unpaid(reader: Reader) -> list[Row]:
    """The running sessions that nobody pays for, as their wallet ran dry; each with when it did, as `dry_at`."""
    # The accounts first: few, if any, pay from a wallet.
    return await reader.all(
        """SELECT sessions.*, (SELECT max(usage.ended_at) FROM usage WHERE usage.account_id = sessions.account_id
                               AND usage.session_id = sessions.id) AS dry_at
           FROM accounts CROSS JOIN sessions ON sessions.account_id = accounts.id
           WHERE plan = 'usage_based' AND status = 'running' AND sessions.ended_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM usage WHERE usage.session_id = sessions.id AND usage.ended_at IS NULL)"""
    )


async def window(reader: Reader, account_id: str, start: int, end: int) -> tuple[int, int]:
    """The seconds of all sessions between two moments, and their price in millionths of a dollar."""
    seconds = _SECONDS.format(start="max(started_at, ?1)", end="min(coalesce(ended_at, ?2), ?2)")
    row = await reader.one(
        f"""SELECT coalesce(sum({seconds}), 0) AS seconds,
                   coalesce(sum({seconds} * price_micros_per_hour), 0) / 3600 AS amount
            FROM usage WHERE account_id = ?3 AND (ended_at IS NULL OR ended_at > ?1)""",  # noqa: S608 - our own words
        start,
        end,
        account_id,
    )
    assert row is not None  # noqa: S101 - an aggregate
    return int(row["seconds"]), int(row["amount"])


async def forget(tx: Transaction, ended_before: int) -> None:
    """Drop segments that no window reaches any more."""
    # Asked every second: a deletion of nothing would tell all who listen for changes of this table.
    if await tx.one("SELECT 1 FROM usage WHERE ended_at < ? LIMIT 1", ended_before) is not None:
        await tx.run("DELETE FROM usage WHERE ended_at < ?", ended_before)
