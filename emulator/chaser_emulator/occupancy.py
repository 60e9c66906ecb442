"""Whether a session uses a workspace, and how it comes to rest before its disk is copied, changed or deleted."""

from __future__ import annotations

from chaser_emulator import lookup
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.store import Row, Transaction, sessions
from chaser_emulator.store.sessions import TERMINATING

ROUNDS = 5
"""How often a forced change tries again when a session took the workspace in the meantime."""


async def rest(call: Call, workspace: Row, *, force: bool) -> None:
    """Wait for a session that ends, end one that may be, and believe no session whose sandbox is gone.

    Raises ApiError `workspace_active` when the session lives and is not to be ended.
    """
    live = await sessions.of_workspace(call.store, workspace["id"])
    if live is None:
        return
    if live["status"] == TERMINATING:
        await call.world.lifecycle.ended(live["id"])
    elif force:
        await call.world.lifecycle.terminate(live, force=True, actor=call.actor)
    else:
        [effective] = await call.world.lifecycle.reconcile([live])
        if effective["ended_at"] is None:
            raise _active(workspace, live["id"])


async def require_idle(call: Call, tx: Transaction, workspace: Row) -> Row:
    """The workspace as it is now. Raises ApiError `not_found`, and `workspace_active` when a session uses it."""
    row = await lookup.workspace(call, workspace["id"], tx)
    if row["active_session_id"] is not None:
        raise _active(row, row["active_session_id"])
    return row


async def require_untouched(call: Call, tx: Transaction, workspace: Row) -> Row:
    """As `require_idle`, and no session has used it since `workspace` was read.

    One that came and went while files were copied may have left half of what it wrote in the copy.
    """
    row = await require_idle(call, tx, workspace)
    if row["last_session_id"] != workspace["last_session_id"]:
        raise _active(row, row["last_session_id"])
    return row


def still_active(workspace: Row) -> ApiError:
    """For a forced change that met a session in each of its rounds."""
    return ApiError("sandbox_unavailable", f"the session of workspace {shown(workspace)} could not be ended")


def shown(workspace: Row) -> str:
    """What people call it."""
    return str(workspace["name"] or workspace["id"])


def _active(workspace: Row, session_id: str) -> ApiError:
    return ApiError(
        "workspace_active",
        f"session {session_id} uses workspace {shown(workspace)}; end it first",
        details={"session_id": session_id},
    )
