"""409 and 503: the state of something forbids it. Something else, the state changed first, or force."""

from __future__ import annotations

from datetime import timedelta

from chaser_emulator.clock import moment, timestamp
from chaser_emulator.explaining import samples
from chaser_emulator.explaining.asking import Ask
from chaser_emulator.explaining.places import drop
from chaser_emulator.explaining.remedies import things
from chaser_emulator.explaining.remedies.case import Case, Remedy
from chaser_emulator.explaining.remedies.names import free_text

_FINAL = ("completed", "failed", "canceled")


async def session_leased(case: Case) -> Remedy:
    """By force."""
    session_id = case.asked.parameters.get("id", "")
    case.note({"leases": (case.error.details or {}).get("active_connection_leases"), "session": session_id})
    return Remedy(case.ask.with_query("force", "true"))


async def workspace_active(case: Case) -> Remedy:
    """By force where the operation knows it, else once the session has ended."""
    session_id = str((case.error.details or {}).get("session_id", ""))
    case.state["session"] = session_id
    operation = case.operation
    if operation is not None and any(p.name == "force" for p in operation.parameters):
        return Remedy(case.ask.with_query("force", "true"))
    body = case.body
    schema = operation.body.content["application/json"] if operation is not None and operation.body is not None else {}
    forced = {**body, "force": True}
    if "clone_from" not in body and case.menders.validator.accepts(schema, forced) and _knows_force(case):
        return Remedy(case.ask.with_body(forced))
    end = case.beside("DELETE", f"/v1/sessions/{session_id}").with_query("force", "true")
    return Remedy(case.ask, (end,))


def _knows_force(case: Case) -> bool:
    operation = case.operation
    if operation is None or operation.body is None:
        return False
    return "force" in samples.fields(case.spec, operation.body.content["application/json"])


async def not_running(case: Case) -> Remedy:
    """One that runs, or one to be started."""
    operation, path = case.operation, dict(case.asked.parameters)
    if operation is None:
        return Remedy(why_not="it does not run")
    if "cid" in path:
        row = await case.one("SELECT status, exit_code FROM commands WHERE id = ?", path["cid"].lower())
        live = await case.one("SELECT status FROM sessions WHERE id = ?", path["id"].lower())
        case.note({"command": path["cid"], "status": row["status"] if row is not None else None})
        first: tuple[Ask, ...] = ()
        session_id = path["id"]
        if live is None or live["status"] != "running":
            found = await things.session(case, "sandbox", but=path["id"].lower())
            session_id, first = found.name, found.first
        found = things.command(case, session_id)
        return Remedy(case.ask.at_path(operation, {"id": session_id, "cid": found.name}), (*first, *found.first))
    session_id = path.get("id", "").lower()
    row = await case.one("SELECT status, failure, expires_at FROM sessions WHERE id = ?", session_id)
    if row is not None:
        case.note({"session": session_id, "status": row["status"], "expires_at": row["expires_at"]})
        case.note({"failure": row["failure"]} if row["failure"] else {})
    if not session_id:
        return Remedy(case.ask, note="the session ended while this came; the same again starts another one")
    found = await things.session(case, things.wanted_kind(case), but=session_id)
    return Remedy(case.ask.at_path(operation, {**path, "id": found.name}), found.first)


async def another_session(case: Case) -> Remedy:
    """A session of the type that the operation works on."""
    kind = "sandbox" if case.error.code == "not_a_sandbox" else "browser"
    path = dict(case.asked.parameters)
    case.state["needs"] = kind
    if "id" not in path or case.operation is None:
        body = case.body
        return Remedy(case.ask.with_body(drop(body, ["workspace"])))
    found = await things.session(case, kind, but=path["id"].lower())
    first = found.first
    path["id"] = found.name
    if "cid" in path:
        run = things.command(case, found.name)
        path["cid"], first = run.name, (*first, *run.first)
    if "target" in path:
        listing = case.spec.operations["list-browser-targets"]
        look = case.beside("GET", "", None, CHASER_TARGET_ID="/0/id").at_path(listing, {"id": found.name})
        path["target"], first = "$CHASER_TARGET_ID", (*first, look)
    return Remedy(case.ask.at_path(case.operation, path), first)


async def invalid_state(case: Case) -> Remedy:
    """Another one in the right state, or one that is brought into it."""
    operation = case.operation
    match operation.id if operation is not None else "":
        case "cancel-job" | "retry-job":
            return await _job(case)
        case "replay-webhook-delivery" | "discard-webhook-delivery":
            return await _delivery(case)
        case "approve-assistant-config-change-request" | "deny-assistant-config-change-request":
            return await _change(case)
        case "write-session-command-stdin":
            found = things.command(case, case.asked.parameters["id"])
            start = found.first[0].with_body({"command": "cat > /dev/null", "background": True})
            assert operation is not None  # noqa: S101 - it has just been named
            path = {**case.asked.parameters, "cid": found.name}
            return Remedy(case.ask.at_path(operation, path), (start,), note="a command that reads its input")
    return Remedy(why_not="nothing brings it back into the state that this needs")


async def _job(case: Case) -> Remedy:
    operation, job_id = case.operation, case.asked.parameters["id"].lower()
    assert operation is not None  # noqa: S101 - the caller has named it
    row = await case.one("SELECT * FROM jobs WHERE id = ?", job_id)
    case.note({"job": job_id, "status": row["status"] if row is not None else None})
    retry = operation.id == "retry-job"
    if retry and row is not None and row["status"] not in _FINAL:
        return Remedy(case.ask, (case.beside("POST", f"/v1/jobs/{job_id}/cancel"),))
    marks = "('completed', 'failed', 'canceled')" if retry else "('queued', 'running')"
    other = await case.one(
        f"SELECT id FROM jobs WHERE account_id = ? AND status IN {marks} ORDER BY created_at DESC LIMIT 1",  # noqa: S608
        case.account_id,
    )
    if other is not None:
        return Remedy(case.ask.at_path(operation, {"id": str(other["id"])}))
    later = timestamp(moment(case.world.clock.timestamp()) + timedelta(hours=1))
    body = {"kind": "sandbox.exec", "input": {"command": "true", "ephemeral": True}, "run_at": later}
    made = case.beside("POST", "/v1/jobs", body, CHASER_JOB_ID="/id")
    first = (made, case.beside("POST", "/v1/jobs/$CHASER_JOB_ID/cancel")) if retry else (made,)
    return Remedy(case.ask.at_path(operation, {"id": "$CHASER_JOB_ID"}), first)


async def _delivery(case: Case) -> Remedy:
    operation, wanted = case.operation, case.asked.parameters["did"].lower()
    assert operation is not None  # noqa: S101 - the caller has named it
    row = await case.one(
        """SELECT deliveries.status, webhooks.deleted_at FROM deliveries
           JOIN webhooks ON webhooks.id = deliveries.webhook_id WHERE deliveries.id = ?""",
        wanted,
    )
    if row is not None:
        case.note({"delivery": wanted, "status": row["status"], "webhook_deleted_at": row["deleted_at"]})
    replay = operation.id == "replay-webhook-delivery"
    if replay and row is not None and row["status"] == "pending" and row["deleted_at"] is None:
        return Remedy(case.ask, (case.beside("POST", f"/v1/webhooks/deliveries/{wanted}/discard"),))
    fits = "status <> 'pending' AND deleted_at IS NULL" if replay else "status IN ('pending', 'failed')"
    other = await case.one(
        f"""SELECT deliveries.id FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
            WHERE deliveries.account_id = ? AND {fits} ORDER BY deliveries.created_at DESC LIMIT 1""",  # noqa: S608
        case.account_id,
    )
    if other is not None:
        return Remedy(case.ask.at_path(operation, {"did": str(other["id"])}))
    found = things.delivery(case)
    path = f"/v1/webhooks/deliveries/{found.name}/discard"
    first = (*found.first, case.beside("POST", path)) if replay else found.first
    return Remedy(case.ask.at_path(operation, {"did": found.name}), first)


async def _change(case: Case) -> Remedy:
    operation, path = case.operation, dict(case.asked.parameters)
    assert operation is not None  # noqa: S101 - the caller has named it
    row = await case.one("SELECT status FROM assistant_config_changes WHERE id = ?", path["rid"].lower())
    case.note({"config_change_request": path["rid"], "status": row["status"] if row is not None else None})
    other = await case.one(
        "SELECT id FROM assistant_config_changes WHERE assistant_id = ? AND status = 'pending' LIMIT 1",
        path["id"].lower(),
    )
    if other is not None:
        return Remedy(case.ask.at_path(operation, {**path, "rid": str(other["id"])}))
    found = things.made(case, path, "CHASER_CHANGE_ID", "create-assistant-config-change-request", "/id")
    return Remedy(case.ask.at_path(operation, {**path, "rid": found.name}), found.first)


async def last_owner(case: Case) -> Remedy:
    """With another owner first."""
    other = await case.one(
        "SELECT user_id FROM members WHERE account_id = ? AND role <> 'owner' ORDER BY role = 'member' LIMIT 1",
        case.account_id,
    )
    case.state["owners"] = 1
    members = "/v1/accounts/current/members"
    if other is not None:
        return Remedy(case.ask, (case.beside("PATCH", f"{members}/{other['user_id']}", {"role": "owner"}),))
    known = [str(row["email"]) for row in await case.rows("SELECT email FROM users")]
    email = free_text("ada", known, "@example.com")
    return Remedy(case.ask, (case.beside("POST", members, {"email": email, "role": "owner"}),))


async def unavailable(case: Case) -> Remedy:
    """Without the image that cannot be had, on another session, or later."""
    body, operation = case.ask.body, case.operation
    if isinstance(body, dict):
        for name in ("image", "github_repo"):
            if name in body and (operation is None or operation.id != "import-workspace"):
                return Remedy(case.ask.with_body(drop(body, [name])), note=_LATER)
    session_id = case.asked.parameters.get("id")
    if session_id is not None and operation is not None and operation.path.startswith("/v1/sessions/{id}"):
        row = await case.one("SELECT status, failure FROM sessions WHERE id = ?", session_id.lower())
        if row is not None:
            case.note({"session": session_id, "status": row["status"], "failure": row["failure"]})
        if row is not None and row["status"] == "running":
            return Remedy(case.ask, note=_LATER)
        found = await things.session(case, things.wanted_kind(case), but=session_id.lower())
        return Remedy(case.ask.at_path(operation, {**case.asked.parameters, "id": found.name}), found.first)
    return Remedy(case.ask, note=_LATER)


_LATER = "the same again, once what stands behind the emulator answers: chaser-emulator doctor looks after it"
