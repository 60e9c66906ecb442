"""What a request names, found in the active account or refused: workspaces, sessions, sandboxes, assistants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.lifecycle import START_PATIENCE
from chaser_emulator.operations import Call
from chaser_emulator.sandbox import SandboxGone
from chaser_emulator.store import Reader, Row, assistants, sessions, workspaces


async def workspace(call: Call, selector: str, reader: Reader | None = None) -> Row:
    """The workspace that a selector names (W12). Raises ApiError `not_found`.

    `reader` is the transaction to look in, where what was found must still be true at the change.
    """
    row = await workspaces.find(reader or call.store, call.account.id, selector)
    if row is None:
        raise not_found("workspace", selector)
    return row


async def session(call: Call, session_id: str) -> Row:
    """The session with this id, ended ones included while they are kept (S8). Raises ApiError `not_found`."""
    row = await sessions.get_in(call.store, call.account.id, session_id)
    if row is None:
        raise not_found("session", session_id)
    return row


async def assistant(call: Call, assistant_id: str, reader: Reader | None = None) -> Row:
    """The assistant with this id, looked for in `reader` as above. Raises ApiError `not_found`."""
    row = await assistants.get_in(reader or call.store, call.account.id, assistant_id)
    if row is None:
        raise not_found("assistant", assistant_id)
    return row


async def sandbox(call: Call, session_id: str) -> Row:
    """A sandbox that runs, waited for while it starts; its row has a `ref`.

    Raises ApiError `not_found`, `not_a_sandbox` and `not_running`.
    """
    row = await session(call, session_id)
    require_sandbox(row)
    if row["status"] == sessions.STARTING:
        row = await call.world.lifecycle.settled(row["id"], START_PATIENCE) or row
    if row["status"] != sessions.RUNNING:
        reason = f": {row['failure']}" if row["failure"] else ""
        raise ApiError(
            "not_running",
            f"session {row['id']} is {row['status']}, not running{reason}",
            state={"session": row["id"], "status": row["status"]},
        )
    call.world.lifecycle.touch(row["id"])
    return row


async def sandbox_with_time(call: Call, session_id: str) -> Row:
    """As `sandbox`, for something new to run: one that has expired refuses that, while what runs may end (S25)."""
    row = await sandbox(call, session_id)
    call.world.lifecycle.require_time(row)
    return row


def require_sandbox(row: Row) -> None:
    """Raise ApiError `not_a_sandbox` for a session of another type (X15)."""
    if row["session_type"] != "sandbox":
        raise ApiError("not_a_sandbox", f"session {row['id']} is a {row['session_type']}; this works on sandboxes only")


@asynccontextmanager
async def attentive(call: Call, row: Row) -> AsyncIterator[None]:
    """Note it in the session's row when its sandbox turns out to have ended behind our back."""
    try:
        yield
    except SandboxGone:
        await call.world.lifecycle.lost(row)
        raise
