"""Jobs: queue one, list them and their kinds, get, cancel and retry one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from chaser_emulator.admission import require_scope
from chaser_emulator.assembly import resolve
from chaser_emulator.clock import moment, new_id, timestamp
from chaser_emulator.errors import ApiError, invalid_field, not_found
from chaser_emulator.jobs import principal_text
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import job_info
from chaser_emulator.shapes import JobInfo, JobKindsInfo, JobKindSpecInfo, ListJobsPage
from chaser_emulator.store import Row, jobs
from chaser_emulator.work.commands import ALIASES, PIPELINE, step_kind


@operation("create-job")
async def create_job(call: Call) -> JobInfo:
    """Queue a job, or answer the one that was queued under the same key (J5)."""
    kind, given = call.body["kind"], call.body["input"]
    _require_scopes(call, kind, given)
    run_at = _run_at(call.body.get("run_at"))
    key = call.body.get("idempotency_key")
    async with call.store.transaction() as tx:
        known = None if key is None else await jobs.of_key(tx, call.account.id, key)
        if known is not None:
            _require_same(known, kind, given)
            return job_info(known)
        now = call.clock.timestamp()
        row = await tx.insert(
            "jobs",
            id=new_id(),
            account_id=call.account.id,
            principal=principal_text(call.principal),
            kind=kind,
            status=jobs.QUEUED,
            input=json.dumps(given),
            run_at=run_at,
            due_at=run_at if run_at is not None and run_at > now else None,
            queued_at=now,
            idempotency_key=key,
            created_at=now,
            updated_at=now,
        )
        await call.emit(tx, "job.queued", row["id"], job_info(row))
    return job_info(row)


@operation("list-jobs")
async def list_jobs(call: Call) -> ListJobsPage:
    """The account's jobs, newest first (J7)."""
    filters = {name: call.query[name] for name in ("status", "kind") if name in call.query}
    limit, offset = call.query["limit"], call.query["offset"]
    rows, total = await jobs.page(call.store, call.account.id, filters, limit=limit, offset=offset)
    return {
        "jobs": [job_info(row) for row in rows],
        "total": total,
        "limit": limit,
        "offset": offset,
        "has_more": offset + len(rows) < total and bool(rows),
    }


@operation("list-job-kinds")
async def list_job_kinds(call: Call) -> JobKindsInfo:
    """The kinds, in the words of the document."""
    document = call.spec.document
    summaries = document["components"]["schemas"]["JobKind"]["x-summaries"]
    specs: list[JobKindSpecInfo] = [
        cast(
            "JobKindSpecInfo",
            {
                "kind": kind,
                "summary": summaries[kind],
                "input_examples": schema["examples"],
                "alias_fields": [*ALIASES.get(kind, ())],
            },
        )
        for kind, schema in _inputs(document)
    ]
    specs.sort(key=lambda one: [*summaries].index(one["kind"]))
    return {"worker_kinds": [one["kind"] for one in specs], "worker_kind_specs": specs}


@operation("get-job")
async def get_job(call: Call) -> JobInfo:
    """One job, and what came of it."""
    return job_info(await _job(call))


@operation("cancel-job")
async def cancel_job(call: Call) -> JobInfo:
    """Take a job out of the queue, or stop what runs of it (J9)."""
    row = await _job(call)
    _require_scopes(call, row["kind"], json.loads(row["input"]))
    return job_info(await call.world.jobs.cancel(row))


@operation("retry-job")
async def retry_job(call: Call) -> JobInfo:
    """Run a job that is final once more, for who asks for it (J10)."""
    row = await _job(call)
    _require_scopes(call, row["kind"], json.loads(row["input"]))
    return job_info(await call.world.jobs.retry(row, call.principal))


async def _job(call: Call) -> Row:
    row = await jobs.get_in(call.store, call.account.id, call.path["id"])
    if row is None:
        raise not_found("job", call.path["id"])
    return row


def _require_scopes(call: Call, kind: str, given: Mapping[str, Any]) -> None:
    """Raise `insufficient_scope` unless the credential may do what the job does (G9)."""
    scopes = call.spec.scopes_of("JobKind")
    steps = given["steps"] if kind == PIPELINE else []
    for each in (kind, *map(step_kind, steps)):
        require_scope(call.principal, scopes[each])


def _require_same(known: Row, kind: str, given: Mapping[str, Any]) -> None:
    # Not `run_at`: who repeats "in an hour" a minute later means the same job.
    before = json.loads(known["input"])
    if known["kind"] != kind or json.dumps(before, sort_keys=True) != json.dumps(given, sort_keys=True):
        raise ApiError(
            "idempotency_conflict",
            f"idempotency_key {known['idempotency_key']!r} belongs to job {known['id']}, which has another "
            f"{'input' if known['kind'] == kind else 'kind'}",
            details={"job_id": known["id"]},
        )


def _run_at(text: str | None) -> str | None:
    try:
        # RFC 3339 allows small letters, which Python does not read.
        return None if text is None else timestamp(moment(text.upper()))
    except (ValueError, OverflowError) as error:
        raise invalid_field("/run_at", f"is no moment that can be waited for: {error}") from None


def _inputs(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind with the schema of its input: the document tells them apart by a chain of conditions."""
    node = document["components"]["schemas"]["CreateJobRequest"]
    while "if" in node:
        yield node["if"]["properties"]["kind"]["const"], resolve(document, node["then"]["properties"]["input"])
        node = resolve(document, node.get("else", {}))
