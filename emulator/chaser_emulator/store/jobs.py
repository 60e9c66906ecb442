"""Statements about jobs: the queue, what runs, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from chaser_emulator.store import Reader, Row, Transaction, Value

QUEUED = "queued"
RUNNING = "running"
COMPLETED = "completed"
FAILED = "failed"
CANCELED = "canceled"

_QUEUED = "jobs INDEXED BY jobs_waiting WHERE status = 'queued'"
"""The jobs that wait, among all that there ever were: left to itself SQLite goes through those that have ended, too."""


async def get(reader: Reader, job_id: str) -> Row | None:
    return await reader.one("SELECT * FROM jobs WHERE id = ?", job_id)


async def get_in(reader: Reader, account_id: str, job_id: str) -> Row | None:
    """A job of this account."""
    return await reader.one("SELECT * FROM jobs WHERE id = ? AND account_id = ?", job_id.lower(), account_id)


async def of_key(reader: Reader, account_id: str, idempotency_key: str) -> Row | None:
    """The job that was made under this key (J5)."""
    return await reader.one(
        "SELECT * FROM jobs WHERE account_id = ? AND idempotency_key = ?", account_id, idempotency_key
    )


async def page(
    reader: Reader, account_id: str, filters: Mapping[str, str], *, limit: int, offset: int
) -> tuple[list[Row], int]:
    """One page of the jobs that fit every filter (`status`, `kind`), newest first, and how many fit (J7)."""
    conditions, values = ["account_id = ?"], [account_id]
    for column in ("status", "kind"):
        if column in filters:
            conditions.append(f"{column} = ?")
            values.append(filters[column])
    where = " AND ".join(conditions)
    # Counted apart from the rows, whose results can be large, and in one statement, so that both tell of one moment.
    count = f"SELECT count(*) FROM jobs WHERE {where}"  # noqa: S608 - our own names
    both: list[Value] = [*values, *values, limit, offset]
    rows = await reader.all(
        f"""SELECT *, ({count}) AS total FROM jobs WHERE {where}
            ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?""",  # noqa: S608 - our own names
        *both,
    )
    if rows or offset == 0:
        return rows, rows[0]["total"] if rows else 0
    [row] = await reader.all(f"SELECT ({count}) AS total", *values)
    return rows, row["total"]


async def any_due(reader: Reader, job_ids: Sequence[str], now: str) -> bool:
    """Whether one of these jobs runs, or is due by now and waits."""
    row = await reader.one(
        """SELECT 1 FROM json_each(?) AS wanted JOIN jobs ON jobs.id = wanted.value
           WHERE status = 'running' OR (status = 'queued' AND coalesce(due_at, '') <= ?) LIMIT 1""",
        json.dumps(job_ids),
        now,
    )
    return row is not None


async def waiting(reader: Reader) -> list[Row]:
    """Each account with a queue: whether a job in it waits `at_once`, and when the first of the others is `due`."""
    # From one account to the next by the index, however long their queues are.
    return await reader.all(
        f"""WITH RECURSIVE queue(account_id) AS (
               SELECT min(account_id) FROM {_QUEUED}
               UNION ALL
               SELECT (SELECT min(account_id) FROM {_QUEUED} AND account_id > queue.account_id)
               FROM queue WHERE queue.account_id IS NOT NULL)
           SELECT account_id,
                  EXISTS (SELECT 1 FROM {_QUEUED} AND account_id = queue.account_id AND due_at IS NULL) AS at_once,
                  (SELECT min(due_at) FROM {_QUEUED} AND account_id = queue.account_id) AS due
           FROM queue WHERE account_id IS NOT NULL"""  # noqa: S608 - our own words
    )


async def next_in_line(reader: Reader, most: int) -> list[Row]:
    """The first jobs that wait, of every account: when each is due, None for at once."""
    return await reader.all(
        f"SELECT id, due_at FROM {_QUEUED} ORDER BY due_at, queued_at LIMIT ?",  # noqa: S608 - our own words
        most,
    )


async def start(tx: Transaction, account_id: str, now: str, *, at_most: int) -> list[Row]:
    """Take the jobs of an account whose turn it is out of its queue, in their order; they run from now on."""
    chosen = await tx.all(
        f"""SELECT id, turn FROM (SELECT id, queued_at AS turn FROM {_QUEUED} AND account_id = ?1 AND due_at IS NULL
                                  ORDER BY queued_at LIMIT ?3)
            UNION ALL
            SELECT id, turn FROM (SELECT id, due_at AS turn FROM {_QUEUED} AND account_id = ?1 AND due_at <= ?2
                                  ORDER BY due_at, queued_at LIMIT ?3)
            ORDER BY turn LIMIT ?3""",  # noqa: S608 - our own words
        account_id,
        now,
        at_most,
    )
    return [
        row
        for one in chosen
        for row in await tx.all(
            "UPDATE jobs SET status = 'running', updated_at = ? WHERE id = ? AND status = 'queued' RETURNING *",
            now,
            one["id"],
        )
    ]


async def finish(
    tx: Transaction, job_id: str, status: str, at: str, *, result: str | None = None, error: str | None = None
) -> Row | None:
    """End a job that runs, and answer it; None when it does not run any more."""
    return await tx.one(
        """UPDATE jobs SET status = ?, result = ?, error = ?, updated_at = ?
           WHERE id = ? AND status = 'running' RETURNING *""",
        status,
        result,
        error,
        at,
        job_id,
    )


async def under_way(reader: Reader) -> list[Row]:
    """Every job that runs, of every account."""
    return await reader.all("SELECT * FROM jobs WHERE status = 'running'")


async def withdraw(tx: Transaction, job_id: str, at: str) -> Row | None:
    """Cancel a job that waits, and answer it; None when it does not wait."""
    return await tx.one(
        "UPDATE jobs SET status = 'canceled', updated_at = ? WHERE id = ? AND status = 'queued' RETURNING *", at, job_id
    )


async def requeue(tx: Transaction, job_id: str, principal: str, at: str) -> Row | None:
    """Queue a final job once more, to be run at once and for this principal; None when it is not final (J10)."""
    return await tx.one(
        """UPDATE jobs SET status = 'queued', principal = ?, result = NULL, error = NULL, queued_at = ?, updated_at = ?,
                  due_at = NULL, run_at = CASE WHEN run_at > ? THEN NULL ELSE run_at END
           WHERE id = ? AND status NOT IN ('queued', 'running') RETURNING *""",
        principal,
        at,
        at,
        at,
        job_id,
    )
