"""Statements about deliveries: events on their way to webhooks. Triggers of the migration make them, and keep order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from chaser_emulator.clock import new_id
from chaser_emulator.store import Reader, Row, Transaction

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"

# A delivery with its event, and what of its webhook it takes to show and to send it.
_WHOLE = """SELECT deliveries.*, webhooks.url AS target_url, webhooks.deleted_at AS webhook_deleted_at,
                   outbox.type AS event_type, outbox.data, outbox.created_at AS event_created_at
            FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
                            JOIN outbox ON outbox.id = deliveries.event_id"""


@dataclass(frozen=True)
class Attempt:
    """How an attempt ended, as it is written into the delivery's row. Fields are the columns of it."""

    sequence: int
    status: str
    next_attempt_at: str | None
    last_http_status: int | None
    last_error: str | None
    delivered_at: str | None
    updated_at: str


async def newest(
    reader: Reader, account_id: str, *, webhook_id: str | None, status: str | None, limit: int
) -> list[Row]:
    """Deliveries of an account that fit, newest first (H12, G19)."""
    fits, values = ["deliveries.account_id = ?"], [account_id]
    if webhook_id is not None:
        fits.append("deliveries.webhook_id = ?")
        values.append(webhook_id.lower())
    if status is not None:
        fits.append("deliveries.status = ?")
        values.append(status)
    return await reader.all(
        f"""{_WHOLE} WHERE {" AND ".join(fits)}
            ORDER BY deliveries.created_at DESC, deliveries.id DESC LIMIT ?""",
        *values,
        limit,
    )


async def get(reader: Reader, account_id: str, delivery_id: str) -> Row | None:
    """One delivery of an account."""
    return await reader.one(
        f"{_WHOLE} WHERE deliveries.account_id = ? AND deliveries.id = ?", account_id, delivery_id.lower()
    )


async def candidates(reader: Reader, webhook_ids: Sequence[str], most: int) -> list[Row]:
    """What each of these webhooks has next, up to `most` of each, earliest first; no events."""
    return await reader.all(
        """SELECT deliveries.sequence, deliveries.id, webhook_id, next_attempt_at, resource_type, resource_id,
                  replayed_from_delivery_id
           FROM json_each(?) AS hook JOIN deliveries ON deliveries.sequence IN (
               SELECT due.sequence FROM deliveries AS due
               WHERE due.webhook_id = hook.value AND due.status = 'pending' AND due.next_attempt_at IS NOT NULL
               ORDER BY due.next_attempt_at, due.sequence LIMIT ?
           ) ORDER BY next_attempt_at, deliveries.sequence""",
        json.dumps(webhook_ids),
        most,
    )


async def pending(reader: Reader, sequence: int) -> Row | None:
    """A delivery that is still to be sent."""
    return await reader.one(f"{_WHOLE} WHERE deliveries.sequence = ? AND deliveries.status = 'pending'", sequence)


async def follower(reader: Reader, row: Row) -> Row | None:
    """The next delivery in the queue of this one."""
    return await reader.one(
        f"""{_WHOLE} WHERE deliveries.webhook_id = ? AND deliveries.resource_type = ? AND deliveries.resource_id = ?
                AND deliveries.status = 'pending' AND deliveries.replayed_from_delivery_id IS NULL
                AND deliveries.sequence > ? ORDER BY deliveries.sequence LIMIT 1""",
        row["webhook_id"], row["resource_type"], row["resource_id"], row["sequence"],
    )  # fmt: skip


async def record(tx: Transaction, attempts: Sequence[Attempt]) -> None:
    """Write how attempts ended. A delivery that was given up meanwhile stays as it is."""
    await tx.run(
        """UPDATE deliveries SET
               attempts = attempts + 1,
               status = json_extract(ended.value, '$.status'),
               next_attempt_at = json_extract(ended.value, '$.next_attempt_at'),
               last_http_status = json_extract(ended.value, '$.last_http_status'),
               last_error = json_extract(ended.value, '$.last_error'),
               delivered_at = json_extract(ended.value, '$.delivered_at'),
               updated_at = json_extract(ended.value, '$.updated_at')
           FROM json_each(?) AS ended
           WHERE sequence = json_extract(ended.value, '$.sequence') AND status = 'pending'""",
        json.dumps([vars(attempt) for attempt in attempts]),
    )


async def put_off(tx: Transaction, row: Row, until: str) -> None:
    """Say when a delivery is tried next, without an attempt; the empty text stands for at once."""
    await tx.run(
        "UPDATE deliveries SET next_attempt_at = ? WHERE sequence = ? AND status = 'pending'", until, row["sequence"]
    )


async def replay(tx: Transaction, row: Row, at: str) -> str:
    """Make a new delivery of the event of this one, which no queue holds up; answers its id (H10)."""
    delivery_id = new_id()
    await tx.run("UPDATE deliveries SET replayed_at = ?, updated_at = ? WHERE id = ?", at, at, row["id"])
    await tx.insert(
        "deliveries",
        id=delivery_id,
        account_id=row["account_id"],
        webhook_id=row["webhook_id"],
        event_id=row["event_id"],
        resource_type=row["resource_type"],
        resource_id=row["resource_id"],
        next_attempt_at="",
        replayed_from_delivery_id=row["id"],
        created_at=at,
        updated_at=at,
    )
    return delivery_id


async def discard(tx: Transaction, delivery_id: str, at: str) -> None:
    """Give a delivery up."""
    await tx.run(
        """UPDATE deliveries SET status = 'discarded', discarded_at = ?, updated_at = ?, next_attempt_at = NULL
           WHERE id = ?""",
        at, at, delivery_id,
    )  # fmt: skip


async def discard_pending(tx: Transaction, webhook_id: str, at: str) -> int:
    """Give up all that is still to be sent to a webhook (H13); answers how many they were."""
    return await tx.run(
        """UPDATE deliveries SET status = 'discarded', discarded_at = ?, updated_at = ?, next_attempt_at = NULL
           WHERE webhook_id = ? AND status = 'pending'""",
        at, at, webhook_id,
    )  # fmt: skip


async def any_due(reader: Reader, now: str) -> bool:
    """Whether a delivery is to be sent by now."""
    row = await reader.one(
        """SELECT 1 FROM deliveries JOIN webhooks ON webhooks.id = webhook_id AND webhooks.deleted_at IS NULL
           WHERE status = 'pending' AND next_attempt_at <= ? LIMIT 1""",
        now,
    )
    return row is not None


async def first_not_carried(reader: Reader) -> str | None:
    """When the oldest event happened that no delivery carries."""
    row = await reader.one("SELECT min(created_at) FROM outbox WHERE NOT carried")
    return None if row is None else row[0]


async def forget_events(tx: Transaction, before: str) -> int:
    """Forget the events of before this moment that no delivery carries."""
    return await tx.run("DELETE FROM outbox WHERE NOT carried AND created_at < ?", before)
