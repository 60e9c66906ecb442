"""Statements about the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from chaser_emulator.store import Reader, Row, Value


async def events(
    reader: Reader, account_id: str, *, where: Mapping[str, Value], before: str | None, limit: int
) -> list[Row]:
    """One page, newest first. `where` are columns and the values that they must have; `before` is exclusive (H25)."""
    conditions = ["account_id = ?", *(f"{column} = ?" for column in where)]
    values: list[Value] = [account_id, *where.values()]
    if before is not None:
        conditions.append("created_at < ?")
        values.append(before)
    statement = f"SELECT * FROM audit_events WHERE {' AND '.join(conditions)} ORDER BY created_at DESC LIMIT ?"  # noqa: S608
    return await reader.all(statement, *values, limit)
