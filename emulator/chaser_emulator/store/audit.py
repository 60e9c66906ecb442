"""Reading the audit log. Its rows are written by `events.audit`, in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Mapping

from chaser_emulator.store import Reader, Row, Value

FILTERS = ("action", "resource_type", "resource_id", "status")


async def page(
    reader: Reader, account_id: str, filters: Mapping[str, str], *, before: str | None, limit: int
) -> list[Row]:
    """The newest events of an account that fit every filter and are older than `before`, newest first (H25)."""
    conditions, values = ["account_id = ?"], [account_id]
    for column in FILTERS:
        if column in filters:
            conditions.append(f"{column} = ?")
            values.append(filters[column])
    if before is not None:
        conditions.append("created_at < ?")
        values.append(before)
    all_values: list[Value] = [*values, limit]
    return await reader.all(
        f"""SELECT * FROM audit_events WHERE {" AND ".join(conditions)}
            ORDER BY created_at DESC, id DESC LIMIT ?""",  # noqa: S608 - our own names
        *all_values,
    )


async def latest(reader: Reader, since: str, until: str) -> str | None:
    """When the last thing happened between two moments of which the audit log or an event tells."""
    row = await reader.one(
        """SELECT max(at) FROM (
               SELECT max(created_at) AS at FROM outbox WHERE created_at BETWEEN ?1 AND ?2
               UNION ALL SELECT max(created_at) FROM audit_events WHERE created_at BETWEEN ?1 AND ?2)""",
        since,
        until,
    )
    return None if row is None else row[0]
