"""Jobs of GitHub Actions for the runner: registered, listed and forgotten, in place of GitHub's own events (J23)."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chaser_emulator.control.reading import Reading
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.repositories import Selector
from chaser_emulator.spec import Spec
from chaser_emulator.store import Row, workflow_jobs
from chaser_emulator.world import World

_LARGEST_ID = 2**53 - 1
_ID = re.compile(r"[1-9][0-9]{0,15}")
_TEXT = r"^[^\u0000-\u001f\u007f]*$"

_JOB = {
    "type": "object",
    "required": ["repository", "workflow", "job"],
    "additionalProperties": False,
    "properties": {
        "repository": {"$ref": "#/components/schemas/RepositorySelector"},
        "ref": {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": _TEXT},
        "workflow": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": _TEXT},
        "job": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": _TEXT},
        "matrix": {"type": ["object", "null"], "maxProperties": 256},
        "id": {"type": ["integer", "null"], "minimum": 1, "maximum": _LARGEST_ID},
    },
}


def routes(world: World, spec: Spec) -> list[Route]:
    """GET and POST /github/workflow-jobs, and GET and DELETE of one."""
    reading = Reading(spec)

    async def list_or_register(request: Request) -> Response:
        if request.method != "POST":
            rows = await workflow_jobs.every(world.store)
            return JSONResponse({"workflow_jobs": [_shown(row) for row in rows]})
        body = await reading.body(request, _JOB)
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
        return JSONResponse(_shown(row))

    async def show_or_delete(request: Request) -> Response:
        text = request.path_params["id"]
        job_id = int(text) if _ID.fullmatch(text) else 0
        if request.method == "DELETE":
            async with world.store.transaction() as tx:
                if await workflow_jobs.delete(tx, job_id):
                    return Response(status_code=204)
        elif (row := await workflow_jobs.get(world.store, job_id)) is not None:
            return JSONResponse(_shown(row))
        raise ApiError("not_found", f"there is no workflow job {text!r}")

    return [
        Route("/github/workflow-jobs", list_or_register, methods=["GET", "POST"]),
        Route("/github/workflow-jobs/{id}", show_or_delete, methods=["GET", "DELETE"]),
    ]


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
