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
    """How an attempt ended. The first fields are columns of the delivery's row, the others those of its own."""

    sequence: int
    status: str
    next_attempt_at: str | None
    last_http_status: int | None
    last_error: str | None
    delivered_at: str | None
    updated_at: str
    at: str
    duration_ms: float
    signed_at: int | None
    signature: str | None


async def newest(
    reader: Reader, account_id: str, *, webhook_id: str | None, status: str | None, limit: int
) -> list[Row]:
    """Deliveries of an account that fit, newest first (H12, G19)."""
    fits, values = _fits(account_id, webhook_id, status)
    return await reader.all(
        f"""{_WHOLE} WHERE {fits}
            ORDER BY deliveries.created_at DESC, deliveries.id DESC LIMIT ?""",
        *values,
        limit,
    )


async def whole(reader: Reader, delivery_id: str) -> Row | None:
    """One delivery of any account."""
    return await reader.one(f"{_WHOLE} WHERE deliveries.id = ?", delivery_id.lower())


async def get(reader: Reader, account_id: str, delivery_id: str) -> Row | None:
    """One delivery of an account."""
    return await reader.one(
        f"{_WHOLE} WHERE deliveries.account_id = ? AND deliveries.id = ?", account_id, delivery_id.lower()
    )


async def listed(
    reader: Reader,
    account_id: str,
    *,
    webhook_id: str | None,
    status: str | None,
    before: str | None,
    limit: int,
) -> list[Row]:
    """The same without events, and with types of them alone: those that come after `before` in this order."""
    fits, values = _fits(account_id, webhook_id, status)
    if before is not None:
        fits += """ AND (deliveries.created_at, deliveries.id) < (
            SELECT earlier.created_at, earlier.id FROM deliveries AS earlier WHERE earlier.id = ?)"""
        values.append(before.lower())
    return await reader.all(
        f"""SELECT deliveries.*, webhooks.url AS target_url, outbox.type AS event_type
            FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
                            JOIN outbox ON outbox.id = deliveries.event_id WHERE {fits}
            ORDER BY deliveries.created_at DESC, deliveries.id DESC LIMIT ?""",  # noqa: S608 - our own words
        *values,
        limit,
    )


async def counts(reader: Reader, account_id: str, webhook_id: str | None = None) -> list[Row]:
    """How many deliveries of an account are in which state, for each webhook that has or had any."""
    fits, values = _fits(account_id, webhook_id, None)
    return await reader.all(
        f"""SELECT counted.*, webhooks.url, webhooks.deleted_at FROM (
                SELECT webhook_id, status, count(*) AS count FROM deliveries WHERE {fits} GROUP BY webhook_id, status
            ) AS counted JOIN webhooks ON webhooks.id = counted.webhook_id ORDER BY webhooks.rowid""",  # noqa: S608
        *values,
    )


def _fits(account_id: str, webhook_id: str | None, status: str | None) -> tuple[str, list[str]]:
    """The condition that filters make, and its values."""
    fits, values = ["deliveries.account_id = ?"], [account_id]
    if webhook_id is not None:
        fits.append("deliveries.webhook_id = ?")
        values.append(webhook_id.lower())
    if status is not None:
        fits.append("deliveries.status = ?")
        values.append(status)
    return " AND ".join(fits), values


async def in_front(reader: Reader, row: Row) -> str | None:
    """What a delivery waits for that is not the first of its queue: the id of that one."""
    first = await reader.one(
        """SELECT id FROM deliveries WHERE webhook_id = ? AND resource_type = ? AND resource_id = ?
               AND status = 'pending' AND replayed_from_delivery_id IS NULL AND sequence < ?
           ORDER BY sequence LIMIT 1""",
        row["webhook_id"], row["resource_type"], row["resource_id"], row["sequence"],
    )  # fmt: skip
    return None if first is None else str(first["id"])


async def replays_of(reader: Reader, row: Row) -> list[str]:
    """The deliveries that repeat this one, in the order in which they were asked for."""
    rows = await reader.all(
        "SELECT id FROM deliveries WHERE event_id = ? AND replayed_from_delivery_id = ? ORDER BY sequence",
        row["event_id"],
        row["id"],
    )
    return [again["id"] for again in rows]


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


async def record(tx: Transaction, attempts: Sequence[Attempt]) -> list[Row]:
    """Write how attempts ended; answers those deliveries. One that was given up meanwhile stays as it is."""
    ended = json.dumps([vars(attempt) for attempt in attempts])
    await tx.run(
        """INSERT INTO delivery_attempts
           SELECT sequence, attempts + 1, json_extract(ended.value, '$.at'),
                  json_extract(ended.value, '$.duration_ms'), json_extract(ended.value, '$.last_http_status'),
                  json_extract(ended.value, '$.last_error'), json_extract(ended.value, '$.signed_at'),
                  json_extract(ended.value, '$.signature')
           FROM json_each(?) AS ended JOIN deliveries ON sequence = json_extract(ended.value, '$.sequence')
           WHERE status = 'pending'""",
        ended,
    )
    return await tx.all(
        """UPDATE deliveries SET
               attempts = attempts + 1,
               status = json_extract(ended.value, '$.status'),
               next_attempt_at = json_extract(ended.value, '$.next_attempt_at'),
               last_http_status = json_extract(ended.value, '$.last_http_status'),
               last_error = json_extract(ended.value, '$.last_error'),
               delivered_at = json_extract(ended.value, '$.delivered_at'),
               updated_at = json_extract(ended.value, '$.updated_at')
           FROM json_each(?) AS ended
           WHERE sequence = json_extract(ended.value, '$.sequence') AND status = 'pending'
           RETURNING *""",
        ended,
    )


async def attempts_of(reader: Reader, row: Row) -> list[Row]:
    """The attempts at a delivery that are kept one by one, in their order."""
    return await reader.all("SELECT * FROM delivery_attempts WHERE delivery = ? ORDER BY number", row["sequence"])


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
