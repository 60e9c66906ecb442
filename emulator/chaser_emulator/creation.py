"""What every new workspace goes through, in the transaction that adds it: a place, a name, and the telling of it."""

from __future__ import annotations

from chaser_emulator import lookup, names
from chaser_emulator.acting import Acts
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.plans import PLANS, Plan
from chaser_emulator.resources import workspace_info
from chaser_emulator.shapes import WorkspaceInfo
from chaser_emulator.store import Transaction, billing, workspaces

_TOLD = ("name", "session_type", "image", "clone_from", "template", "github_repo", "repo")


async def require_place(call: Acts, tx: Transaction) -> None:
    """Raise ApiError `plan_limit_exceeded` unless the plan, as it is now, allows one workspace more (G20)."""
    plan = PLANS[(await billing.account(tx, call.account.id))["plan"]]
    require_workspaces(plan)
    limit = plan.max_workspaces
    if await workspaces.count(tx, call.account.id) >= limit:
        raise ApiError(
            "plan_limit_exceeded",
            f"the plan {plan.code} allows {limit} workspaces; delete one first",
            details={"limit": limit},
        )


def require_workspaces(plan: Plan) -> None:
    """Raise ApiError `plan_limit_exceeded` for a plan on which nothing outlives its session (G20)."""
    if not plan.allow_workspaces:
        raise ApiError(
            "plan_limit_exceeded",
            f"the plan {plan.code} has no workspaces; change the plan",
            details={"limit": plan.max_workspaces},
        )


async def free_name(call: Call, tx: Transaction, name: str | None) -> str:
    """The name that is asked for, or a generated one (W3). Raises ApiError `name_taken` (W4)."""
    if name is not None:
        await require_free(call, tx, name)
        return name
    while True:
        name = names.generated()
        if await workspaces.named(tx, call.account.id, name) is None:
            return name


async def require_free(call: Call, tx: Transaction, name: str, but: str | None = None) -> None:
    """Raise ApiError `name_taken` when another workspace than `but` has the name."""
    other = await workspaces.named(tx, call.account.id, name)
    if other is not None and other["id"] != but:
        raise ApiError("name_taken", f"there is a workspace {other['name']!r} already; names ignore case")


async def created(call: Call, tx: Transaction, workspace_id: str, summary: str) -> WorkspaceInfo:
    """Tell of a new workspace; answers how the API shows it."""
    row = await lookup.workspace(call, workspace_id, tx)
    info = workspace_info(row)
    named = {field: call.body[field] for field in _TOLD if call.body.get(field) is not None}
    await call.audit(tx, workspace_id, summary, named)
    await call.emit(tx, "workspace.created", workspace_id, info)
    return info
