"""Sessions: create or reuse, list, get, end, end many, and the size of the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chaser_emulator import lookup
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import present, session_info
from chaser_emulator.shapes import BulkTerminateFailure, BulkTerminateResponse, ListSessionsResponse, SessionInfo
from chaser_emulator.store import Row, sessions, workspaces
from chaser_emulator.targets import open_session, proxy_variables, variables_of

_PATIENCE = 10.0
"""Seconds that a create waits for the sandbox, before it answers with a session that is still starting (S1)."""


def _info(call: Call, row: Row) -> SessionInfo:
    return _infos(call, [row])[0]


def _infos(call: Call, rows: Sequence[Row]) -> list[SessionInfo]:
    leases = call.world.lifecycle.leases
    return [session_info(row, call.base_url, None if row["ended_at"] else leases(row["id"])) for row in rows]


@operation("create-session")
async def create_session(call: Call) -> SessionInfo:
    """Boot a session, or answer the one that already runs on its workspace."""
    target = await open_session(call, call.body, proxy_variables(call.body) | variables_of(call.body))
    row = await call.world.lifecycle.settled(target.session["id"], _PATIENCE)
    return _info(call, row or target.session)


@operation("list-sessions")
async def list_sessions(call: Call) -> ListSessionsResponse:
    """Live sessions, newest first (S7)."""
    rows, total = await sessions.live(
        call.store, call.account.id, limit=call.query["limit"], offset=call.query["offset"]
    )
    effective = await call.world.lifecycle.reconcile(rows)
    still = [row for row in effective if row["ended_at"] is None]
    return {"sessions": _infos(call, still), "total": total - (len(rows) - len(still))}


@operation("get-session")
async def get_session(call: Call) -> SessionInfo:
    """One session with its effective status; ended ones for 24 hours (S8)."""
    row = await lookup.session(call, call.path["id"])
    [effective] = await call.world.lifecycle.reconcile([row])
    return _info(call, effective)


@operation("terminate-session")
async def terminate_session(call: Call) -> None:
    """End a session; again is the same (S9)."""
    row = await lookup.session(call, call.path["id"])
    await call.world.lifecycle.terminate(row, force=call.query.get("force", False), actor=call.actor)


@operation("bulk-terminate-sessions")
async def bulk_terminate_sessions(call: Call) -> BulkTerminateResponse:
    """End the sessions that are named, those of the named workspaces, or all; each one's refusal is told (S12, S13)."""
    chosen: dict[str, Row] = {}
    failed: list[BulkTerminateFailure] = []
    if call.body.get("all"):
        rows = await sessions.all_live(call.store)
        kind = call.body.get("session_type")
        chosen = {
            row["id"]: row
            for row in rows
            if row["account_id"] == call.account.id and (kind is None or row["session_type"] == kind)
        }
    else:
        for session_id in call.body.get("ids") or []:
            row = await sessions.get_in(call.store, call.account.id, session_id)
            if row is None:
                failed.append(_failure(session_id, "not_found", f"there is no session {session_id!r} in this account"))
            else:
                chosen[row["id"]] = row
        for selector in call.body.get("workspaces") or []:
            workspace = await workspaces.find(call.store, call.account.id, selector)
            if workspace is None:
                failed.append(_failure(selector, "not_found", f"there is no workspace {selector!r} in this account"))
            elif (row := await sessions.of_workspace(call.store, workspace["id"])) is not None:
                chosen[row["id"]] = row
    force = bool(call.body.get("force"))

    async def end(row: Row) -> BulkTerminateFailure | None:
        try:
            await call.world.lifecycle.terminate(row, force=force, actor=call.actor)
        except ApiError as error:
            return _failure(row["id"], error.code, error.message)
        return None

    results = await asyncio.gather(*(end(row) for row in chosen.values()))
    failed += [result for result in results if result is not None]
    terminated = [row_id for row_id, result in zip(chosen, results, strict=True) if result is None]
    return {"terminated": terminated, "failed": failed}


def _failure(name: str, code: str, message: str) -> BulkTerminateFailure:
    return present(BulkTerminateFailure, id=name, code=code, message=message)


@operation("resize-session-pty")
async def resize_session_pty(call: Call) -> None:
    """Size the open terminals, and the next one (S16)."""
    row = await lookup.sandbox(call, call.path["id"])
    async with call.store.transaction() as tx:
        await sessions.set_size(tx, row["id"], rows=call.body["rows"], cols=call.body["cols"])
    await call.world.terminals.resize(row["id"], call.body["rows"], call.body["cols"])
