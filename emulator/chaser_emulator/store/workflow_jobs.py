"""Statements about workflow jobs, which the control plane registers and the runner looks up."""

from __future__ import annotations

from chaser_emulator.store import Reader, Row, Transaction, identity

_LAST_FACT = "last_workflow_job"


async def get(reader: Reader, job_id: int) -> Row | None:
    return await reader.one("SELECT * FROM workflow_jobs WHERE id = ?", job_id)


async def every(reader: Reader) -> list[Row]:
    """All of them, by their ids."""
    return await reader.all("SELECT * FROM workflow_jobs ORDER BY id")


async def new_id(tx: Transaction) -> int:
    """An id that none has, and that none made here has had: a job may still be queued for it."""
    number = int(await identity.fact(tx, _LAST_FACT) or 0) + 1
    while await get(tx, number) is not None:
        number += 1
    await identity.set_fact(tx, _LAST_FACT, str(number))
    return number


async def insert(
    tx: Transaction,
    job_id: int,
    *,
    repository: str,
    ref: str | None,
    workflow: str,
    job: str,
    matrix: str | None,
    created_at: str,
) -> Row:
    """`matrix` is JSON."""
    return await tx.insert(
        "workflow_jobs",
        id=job_id,
        repository=repository,
        ref=ref,
        workflow=workflow,
        job=job,
        matrix=matrix,
        created_at=created_at,
    )


async def delete(tx: Transaction, job_id: int) -> bool:
    """Answers whether there was one."""
    return await tx.run("DELETE FROM workflow_jobs WHERE id = ?", job_id) > 0
