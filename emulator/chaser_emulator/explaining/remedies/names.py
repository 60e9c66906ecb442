"""409: a name, a key or a place is in use. Another one, or what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable

from chaser_emulator.explaining.remedies.case import Case, Remedy, quoted

_LONGEST, _LONGEST_KEY = 64, 255
_DIGITS = 6
"""What is left of either for a dash and a number."""


def free(name: str, known: Iterable[str], longest: int = _LONGEST) -> str:
    """The name with the first number behind it that nobody has."""
    taken = {one.casefold() for one in known}
    number = 2
    while (found := f"{name[: longest - _DIGITS]}-{number}").casefold() in taken:
        number += 1
    return found


def free_text(start: str, known: Iterable[str], end: str) -> str:
    """A text between two others that nobody has."""
    taken = {one.casefold() for one in known}
    number = 1
    while (found := f"{start}{'' if number == 1 else number}{end}").casefold() in taken:
        number += 1
    return found


async def name_taken(case: Case) -> Remedy:
    """The same name with a number."""
    body = case.body
    if case.operation is not None and case.operation.id == "create-organization":
        rows = await case.rows(
            """SELECT accounts.name FROM accounts JOIN members ON members.account_id = accounts.id
               WHERE members.user_id = ?""",
            case.exchange.principal_id or "",
        )
    else:
        rows = await case.rows("SELECT name FROM workspaces WHERE account_id = ?", case.account_id)
    case.state["taken"] = body.get("name")
    known = [str(row["name"]) for row in rows if row["name"]]
    wanted = body.get("name") or next(iter(quoted(case.error.message)), "workspace")
    return Remedy(case.ask.with_body({**body, "name": free(str(wanted), known)}))


async def already_exists(case: Case) -> Remedy:
    """Another one, or nothing to do."""
    body = case.body
    match case.operation.id if case.operation is not None else "":
        case "create-workspace-snapshot":
            rows = await case.rows(
                """SELECT snapshots.name FROM snapshots JOIN workspaces ON workspaces.id = snapshots.workspace_id
                   WHERE workspaces.account_id = ?""",
                case.account_id,
            )
            return Remedy(case.ask.with_body({**body, "name": free(str(body.get("name")), [r["name"] for r in rows])}))
        case "add-current-member":
            row = await case.one("SELECT id FROM users WHERE email = ?", str(body.get("email", "")).strip())
            if row is not None and body.get("role"):
                path = f"/v1/accounts/current/members/{row['id']}"
                return Remedy(case.beside("PATCH", path, {"role": body["role"]}), note="the member is there: change it")
            return Remedy(case.beside("GET", "/v1/accounts/current/members"), note="the member is there already")
        case "create-ssh-key":
            return Remedy(case.beside("GET", "/v1/ssh-keys"), note="the key is there already: look at it, or delete it")
        case "add-assistant-channel":
            held = case.error.details or {}
            case.note(held)
            path = f"/v1/assistants/{held.get('assistant_id')}/channels/{held.get('binding_id')}"
            return Remedy(case.ask, (case.beside("DELETE", path),))
        case "register":
            rows = await case.rows("SELECT email FROM users")
            start, _, end = str(body.get("email", "ada@example.com")).partition("@")
            email = free_text(f"{start}+", [str(row["email"]) for row in rows], f"@{end}")
            return Remedy(case.ask.with_body({**body, "email": email}), note="or sign in, or use an API key of theirs")
    return Remedy(why_not="it is there already; there is nothing to do")


async def conflict(case: Case) -> Remedy:
    """On what is there now."""
    body = case.body
    if case.operation is not None and case.operation.id == "put-assistant-runtime-state":
        version = (case.error.details or {}).get("version")
        case.state["version"] = version
        return Remedy(
            case.ask.with_body({**body, "version": version}), note="read the state again before it is replaced"
        )
    if case.operation is not None and case.operation.id == "create-webhook":
        rows = await case.rows(
            "SELECT id FROM webhooks WHERE account_id = ? AND deleted_at IS NULL ORDER BY created_at", case.account_id
        )
        case.state["webhooks"] = len(rows)
        if rows:
            return Remedy(case.ask, (case.beside("DELETE", f"/v1/webhooks/{rows[0]['id']}"),))
    return Remedy(why_not="it clashes with what is there")


async def idempotency_conflict(case: Case) -> Remedy:
    """Another key: the first one belongs to another request."""
    body = case.body
    job_id = (case.error.details or {}).get("job_id")
    row = await case.one("SELECT kind, input FROM jobs WHERE id = ?", str(job_id))
    if row is not None:
        before = {"kind": row["kind"], "input": case.exchange.hidden(json.loads(row["input"]))}
        case.note({"job": job_id, "first_request": before})
    rows = await case.rows("SELECT idempotency_key FROM jobs WHERE account_id = ?", case.account_id)
    known = [str(one["idempotency_key"]) for one in rows if one["idempotency_key"]]
    key = str(body.get("idempotency_key", "again"))
    renamed = {**body, "idempotency_key": free(key, known, _LONGEST_KEY)}
    note = "or send the very same kind and input again: that answers the first job"
    return Remedy(case.ask.with_body(renamed), note=note)
