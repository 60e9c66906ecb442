"""Jobs of GitHub Actions for the runner: registered, listed and forgotten, in place of GitHub's own events (J23)."""

from __future__ import annotations

import json
import re
from typing import Any

from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.repositories import Selector
from chaser_emulator.store import Row, workflow_jobs
from chaser_emulator.world import World

_ID = re.compile(r"[1-9][0-9]{0,15}")


@control("list-workflow-jobs")
async def list_workflow_jobs(call: ControlCall) -> dict[str, Any]:
    """All that are registered."""
    rows = await workflow_jobs.every(call.world.store)
    return {"workflow_jobs": [_shown(row) for row in rows]}


@control("register-workflow-job")
async def register_workflow_job(call: ControlCall) -> dict[str, Any]:
    """Make one known, under its own id or the next one."""
    world, body = call.world, call.body
    selector = _selector(world, body)
    workflow = _workflow(body["workflow"])
    async with world.store.transaction() as tx:
        job_id = body.get("id") or await workflow_jobs.new_id(tx)
        if await workflow_jobs.get(tx, job_id) is not None:
            raise ApiError("already_exists", f"there is a workflow job {job_id} already; delete it first")
        row = await workflow_jobs.insert(
            tx,
            job_id,
            repository=selector.repository,
            ref=selector.ref,
            workflow=workflow,
            job=body["job"],
            matrix=json.dumps(body["matrix"]) if body.get("matrix") else None,
            created_at=world.clock.timestamp(),
        )
    return _shown(row)


@control("get-workflow-job")
async def get_workflow_job(call: ControlCall) -> dict[str, Any]:
    """One of them."""
    row = await workflow_jobs.get(call.world.store, _number(call))
    if row is None:
        raise _unknown(call)
    return _shown(row)


@control("delete-workflow-job")
async def delete_workflow_job(call: ControlCall) -> None:
    """Forget one."""
    async with call.world.store.transaction() as tx:
        if not await workflow_jobs.delete(tx, _number(call)):
            raise _unknown(call)


def _number(call: ControlCall) -> int:
    """The id that is asked for; 0, which none has, for what is no id."""
    text = call.path["id"]
    return int(text) if _ID.fullmatch(text) else 0


def _unknown(call: ControlCall) -> ApiError:
    return ApiError("not_found", f"there is no workflow job {call.path['id'][:64]!r}")


def _selector(world: World, body: dict[str, Any]) -> Selector:
    """The repository, and the ref that either field names. Raises ApiError."""
    parse = world.repositories.parse
    try:
        selector = parse(body["repository"])
    except ValueError as error:
        raise invalid_field("/repository", str(error)) from None
    ref = body.get("ref")
    if ref is None or ref == selector.ref:
        return selector
    if selector.ref is not None:
        raise invalid_field("/ref", f"is {ref!r}, and /repository names {selector.ref!r}")
    # Events of GitHub give a branch or a tag in full, too.
    short = re.sub("^refs/(heads|tags)/", "", ref)
    try:
        return parse(f"{selector.repository}@{short}")
    except ValueError:
        raise invalid_field("/ref", f"{ref!r} is no possible name of a branch, tag or commit") from None


def _workflow(path: str) -> str:
    """The path of a workflow file within the repository. Raises ApiError."""
    names = path.removeprefix("./").split("/")
    if any(name in ("", ".", "..") for name in names) or not names[-1].endswith((".yml", ".yaml")):
        raise invalid_field("/workflow", "must be the path of a file of the repository, as .github/workflows/ci.yml")
    return "/".join(names)


def _shown(row: Row) -> dict[str, Any]:
    """A workflow job as the control plane answers it; what was not said is null."""
    return {
        "workflow_job_id": row["id"],
        "repository": row["repository"],
        "ref": row["ref"],
        "workflow": row["workflow"],
        "job": row["job"],
        "matrix": json.loads(row["matrix"]) if row["matrix"] else None,
        "created_at": row["created_at"],
    }
