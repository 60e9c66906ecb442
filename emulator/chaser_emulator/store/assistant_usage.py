"""Statements about what assistants use: events, their sums, and which bounds were told of when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction, Value


async def add(
    tx: Transaction, assistant_id: str, kind: str, quantity: int | float, metadata: str | None, at: str
) -> Row:
    """Add an event; `metadata` is JSON."""
    return await tx.insert(
        "assistant_usage_events",
        id=new_id(),
        assistant_id=assistant_id,
        kind=kind,
        quantity=quantity,
        metadata=metadata,
        created_at=at,
    )


async def newest(reader: Reader, assistant_id: str, *, kind: str | None, since: str | None, limit: int) -> list[Row]:
    """The newest events of a kind, of a moment or later."""
    where, values = _where(assistant_id, kind, since)
    return await reader.all(
        f"SELECT * FROM assistant_usage_events WHERE {where} ORDER BY created_at DESC, id DESC LIMIT ?",  # noqa: S608 - our own words
        *values,
        limit,
    )


async def sums(
    reader: Reader, assistant_id: str, *, kind: str | None, since: str | None, until: str | None = None
) -> Mapping[str, int | float]:
    """The sum of all quantities by kind, from `since` to `until`, both included.

    Exact for whole numbers; fractions are added as the decimal numbers that they were written as, so that three times
    0.1 is 0.3.
    """
    where, values = _where(assistant_id, kind, since, until)
    totals: defaultdict[str, int | Decimal] = defaultdict(int)
    for row in await reader.all(
        f"""SELECT kind, sum(quantity) AS sum FROM assistant_usage_events
            WHERE {where} AND typeof(quantity) = 'integer' GROUP BY kind""",  # noqa: S608 - our own words
        *values,
    ):
        totals[row["kind"]] += row["sum"]
    for row in await reader.all(
        f"SELECT kind, quantity FROM assistant_usage_events WHERE {where} AND typeof(quantity) = 'real'",  # noqa: S608 - our own words
        *values,
    ):
        totals[row["kind"]] += Decimal(repr(row["quantity"]))
    return {kind: int(total) if total == int(total) else float(total) for kind, total in totals.items()}


def _where(assistant_id: str, kind: str | None, since: str | None, until: str | None = None) -> tuple[str, list[Value]]:
    conditions: list[str] = ["assistant_id = ?"]
    values: list[Value] = [assistant_id]
    for condition, value in (("kind = ?", kind), ("created_at >= ?", since), ("created_at <= ?", until)):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return " AND ".join(conditions), values


async def told_at(reader: Reader, assistant_id: str, bound: tuple[str, float, int]) -> str | None:
    """When a bound (metric, threshold, seconds) was last told of."""
    row = await reader.one(
        """SELECT told_at FROM assistant_alerts
           WHERE assistant_id = ? AND metric = ? AND threshold = ? AND window_seconds = ?""",
        assistant_id,
        *bound,
    )
    return None if row is None else str(row["told_at"])


async def set_told(tx: Transaction, assistant_id: str, bound: tuple[str, float, int], at: str) -> None:
    await tx.run(
        "INSERT INTO assistant_alerts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET told_at = excluded.told_at",
        assistant_id,
        *bound,
        at,
    )
