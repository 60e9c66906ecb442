"""Statements about events in the order in which they were written, for who follows them."""

from __future__ import annotations

from collections.abc import Sequence

from chaser_emulator.store import Reader, Row, Transaction


async def newest(reader: Reader) -> int:
    """The number of the last event, 0 before the first; numbers grow, and a deleted one may be given again."""
    row = await reader.one("SELECT coalesce(max(rowid), 0) FROM outbox")
    return 0 if row is None else int(row[0])


async def after(reader: Reader, number: int, limit: int) -> Sequence[Row]:
    """The events after one, with their numbers as `row`."""
    return await reader.all("SELECT rowid AS row, * FROM outbox WHERE rowid > ? ORDER BY rowid LIMIT ?", number, limit)


async def of_account_after(reader: Reader, account_id: str, number: int) -> Sequence[Row]:
    """An account's events after one."""
    return await reader.all(
        "SELECT * FROM outbox WHERE account_id = ? AND rowid > ? ORDER BY rowid", account_id, number
    )


async def carry(tx: Transaction, event_id: str) -> None:
    """Note that a delivery carries an event, so that it is kept as long as that."""
    await tx.run("UPDATE outbox SET carried = 1 WHERE id = ?", event_id)
