"""402 and 403: the plan, the wallet or the storage is used up. What to end or delete, or what to pay."""

from __future__ import annotations

from chaser_emulator.explaining.asking import Ask
from chaser_emulator.explaining.places import drop
from chaser_emulator.explaining.remedies.case import Case, Remedy
from chaser_emulator.plans import FREE, PLANS
from chaser_emulator.store import sessions, workspaces

_WITHOUT_WORKSPACE = ("create-session", "exec-sandbox")
"""What can do with a machine that leaves nothing behind."""

_DELETE = "or delete files of the workspace itself, or snapshots of it"


async def payment_required(case: Case) -> Remedy:
    """A payment first."""
    row = await case.one("SELECT plan, wallet_micros_usd FROM accounts WHERE id = ?", case.account_id)
    if row is not None:
        case.note({"plan": row["plan"], "wallet_balance_micros_usd": row["wallet_micros_usd"]})
    checkout = case.beside("POST", "/v1/billing/checkout", {"mode": "topup"}, CHASER_CHECKOUT_ID="/checkout_session_id")
    paid = case.control("/checkout/$CHASER_CHECKOUT_ID/complete", {"outcome": "paid"})
    return Remedy(case.ask, (checkout, paid))


async def plan_limit_exceeded(case: Case) -> Remedy:
    """Something ended or deleted, or another plan."""
    row = await case.one("SELECT plan FROM accounts WHERE id = ?", case.account_id)
    plan = PLANS[str(row["plan"])] if row is not None else PLANS[FREE]
    limit, message = (case.error.details or {}).get("limit"), case.error.message
    case.note({"plan": plan.code, "limit": limit})
    if "snapshots" in message:
        return await _a_snapshot_less(case)
    if "live sessions" in message:
        case.state["in_use"] = await sessions.count_live(case.world.store, case.account_id)
        oldest = await case.one(
            "SELECT id FROM sessions WHERE account_id = ? AND ended_at IS NULL ORDER BY created_at LIMIT 1",
            case.account_id,
        )
        if oldest is not None:
            case.state["oldest_session"] = oldest["id"]
            end = case.beside("DELETE", f"/v1/sessions/{oldest['id']}").with_query("force", "true")
            return Remedy(case.ask, (end,), note=_other_plan(plan.max_concurrency))
    used = case.state["in_use"] = await workspaces.count(case.world.store, case.account_id)
    if not plan.allow_workspaces:
        body = case.body
        if case.operation is not None and case.operation.id in _WITHOUT_WORKSPACE:
            return Remedy(case.ask.with_body({**drop(body, ["workspace"]), "ephemeral": True}), note=_UPGRADE)
        return await _upgraded(case, "pro")
    if used >= plan.max_workspaces and plan.code != "team":
        return await _upgraded(case, "team")
    return await _a_workspace_less(case)


_UPGRADE = 'or a plan with workspaces: POST /v1/billing/account {"plan_code": "pro"}'


def _other_plan(limit: int) -> str | None:
    more = next((plan for plan in PLANS.values() if plan.max_concurrency > limit), None)
    return f"or the plan {more.code}, which allows {more.max_concurrency}" if more is not None else None


async def _upgraded(case: Case, plan: str) -> Remedy:
    return Remedy(case.ask, (case.beside("POST", "/v1/billing/account", {"plan_code": plan}),))


async def _a_workspace_less(case: Case) -> Remedy:
    row = await case.one(
        """SELECT id FROM workspaces WHERE account_id = ? AND NOT assistant_home
           ORDER BY EXISTS (SELECT 1 FROM sessions WHERE workspace_id = workspaces.id AND ended_at IS NULL), created_at
           LIMIT 1""",
        case.account_id,
    )
    if row is None:
        return Remedy(why_not="the account has no workspace of its own to delete")
    delete = case.beside("DELETE", f"/v1/workspaces/{row['id']}").with_query("force", "true")
    return Remedy(case.ask, (delete,))


async def _a_snapshot_less(case: Case) -> Remedy:
    selector = case.asked.parameters.get("ws", "")
    row = await case.one(
        """SELECT snapshots.name FROM snapshots JOIN workspaces ON workspaces.id = snapshots.workspace_id
           WHERE workspaces.account_id = ? AND (workspaces.id = ? OR workspaces.name = ?)
           ORDER BY snapshots.created_at LIMIT 1""",
        case.account_id, selector.lower(), selector,
    )  # fmt: skip
    if row is None:
        return Remedy(why_not="the workspace has no snapshot to delete")
    return Remedy(case.ask, (_snapshot(case, selector, str(row["name"])),))


def _snapshot(case: Case, workspace: str, name: str) -> Ask:
    operation = case.spec.operations["delete-workspace-snapshot"]
    return case.beside("DELETE", "").at_path(operation, {"ws": workspace, "name": name})


async def storage_limit_exceeded(case: Case) -> Remedy:
    """The workspace that holds the most, deleted, unless it is the one at hand."""
    details = case.error.details or {}
    case.note({name: details[name] for name in ("limit", "used") if name in details})
    body = case.body
    named = {str(body.get(name)) for name in ("workspace", "clone_from")} | {case.asked.parameters.get("ws", "")}
    best = None
    for row in await case.rows("SELECT * FROM workspaces WHERE account_id = ?", case.account_id):
        if row["id"] in named or row["name"] in named or row["assistant_home"]:
            continue
        held = await case.world.storage.measured(row["disk_id"])
        if best is None or (held or 0) > best[0]:
            best = held or 0, row
    if (best is None or not best[0]) and case.operation is not None and case.operation.id in _WITHOUT_WORKSPACE:
        return Remedy(case.ask.with_body({**drop(body, ["workspace"]), "ephemeral": True}), note=_DELETE)
    if best is None or not best[0]:
        return Remedy(why_not="nothing else of the account can be deleted; delete files of the workspace itself")
    case.state["largest_workspace"] = {"name": best[1]["name"] or best[1]["id"], "bytes": best[0]}
    delete = case.beside("DELETE", f"/v1/workspaces/{best[1]['id']}").with_query("force", "true")
    return Remedy(case.ask, (delete,))
