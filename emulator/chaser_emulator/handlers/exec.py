"""Commands: waited for or in the background, and the self-test that shows what they find."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chaser_emulator import lookup, selftest
from chaser_emulator.attention import until_left
from chaser_emulator.commands import DEFAULT_TIMEOUT_MS, Outcome, run
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import present
from chaser_emulator.sandbox import WORKSPACE_ROOT, CommandSpec, SandboxGone
from chaser_emulator.shapes import SandboxExecResponse, SessionSelfTestResponse
from chaser_emulator.store import Row, workspaces
from chaser_emulator.store.sessions import RUNNING
from chaser_emulator.targets import open_session, started, variables_of


@operation("exec-sandbox")
async def exec_sandbox(call: Call) -> SandboxExecResponse:
    """Run a command in the sandbox that the body names or the plan falls back to."""
    variables_of(call.body)  # what is wrong with it must not cost a sandbox
    target = await open_session(call, call.body)
    ephemeral = target.workspace is None
    lifecycle = call.world.lifecycle

    async def end() -> None:
        row = await lookup.session(call, target.session["id"])
        await lifecycle.terminate(row, force=True, actor=call.actor)

    background = bool(call.body.get("background"))
    try:
        row = await started(call, target)
        if background:
            return await _background(call, row, target.workspace, at_end=end if ephemeral else None)
        return await _foreground(call, row, target.workspace)
    finally:
        # X12: an ephemeral sandbox ends with its answer; X13: one with a background command, with the command.
        if ephemeral and not (background and await _lives_on(call, target.session["id"])):
            await asyncio.shield(end())


async def _lives_on(call: Call, session_id: str) -> bool:
    return bool(await call.store.all("SELECT 1 FROM commands WHERE session_id = ?", session_id))


@operation("exec-session")
async def exec_session(call: Call) -> SandboxExecResponse:
    """Run a command in a session."""
    row = await lookup.sandbox_with_time(call, call.path["id"])
    workspace = await workspaces.get(call.store, row["workspace_id"]) if row["workspace_id"] else None
    if call.body.get("background"):
        return await _background(call, row, workspace)
    return await _foreground(call, row, workspace)


def _spec(call: Call, row: Row, *, stdin: bool) -> CommandSpec:
    return CommandSpec(
        command=call.body["command"],
        cwd=call.body.get("cwd") or WORKSPACE_ROOT,
        env=variables_of(call.body),
        user=call.body.get("user"),
        stdin=stdin,
    )


async def _foreground(call: Call, row: Row, workspace: Row | None) -> SandboxExecResponse:
    stdin = call.body.get("stdin")
    timeout_ms = call.body.get("timeout_ms")
    seconds = (DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms) / 1000
    with call.world.lifecycle.lease(row["id"]):
        try:
            outcome = await until_left(
                call, run(call.engine, row["ref"], _spec(call, row, stdin=bool(stdin)), stdin=stdin, timeout=seconds)
            )
        except SandboxGone:
            await call.world.lifecycle.lost(row)
            raise
    await _audit(call, row, {"exit_code": outcome.exit_code, "status": outcome.status})
    return _answer(call, row, workspace, outcome)


async def _background(
    call: Call, row: Row, workspace: Row | None, at_end: Callable[[], Awaitable[None]] | None = None
) -> SandboxExecResponse:
    timeout_ms = call.body.get("timeout_ms")
    try:
        command = await call.world.commands.start(
            row,
            _spec(call, row, stdin=True),
            stdin=call.body.get("stdin"),
            timeout=None if timeout_ms is None else timeout_ms / 1000,
            at_end=at_end,
        )
    except SandboxGone:
        await call.world.lifecycle.lost(row)
        raise
    await _audit(call, row, {"background": True, "command_id": command["id"]})
    return _answer(call, row, workspace, command=command)


async def _audit(call: Call, row: Row, metadata: Mapping[str, Any]) -> None:
    async with call.store.transaction() as tx:
        named = {"command": call.body["command"][:1024], **metadata}
        await call.audit(tx, row["id"], f"ran a command in session {row['id']}", named)


def _answer(
    call: Call, row: Row, workspace: Row | None, outcome: Outcome | None = None, command: Row | None = None
) -> SandboxExecResponse:
    """SandboxExecResponse (X2, X3)."""
    return present(
        SandboxExecResponse,
        kind="exec",
        status=outcome.status if outcome is not None else RUNNING,
        session_id=row["id"],
        command=call.body["command"],
        ephemeral=bool(row["ephemeral"]),
        background=command is not None,
        workspace=(workspace["name"] or workspace["id"]) if workspace is not None else None,
        workspace_id=row["workspace_id"],
        command_id=command["id"] if command is not None else None,
        pid=command["pid"] if command is not None else None,
        exit_code=outcome.exit_code if outcome is not None else None,
        output=outcome.output if outcome is not None else None,
        output_truncated=outcome.truncated if outcome is not None else None,
    )


@operation("self-test-session")
async def self_test_session(call: Call) -> SessionSelfTestResponse:
    """What a command finds in this sandbox, measured by one."""
    row = await lookup.sandbox_with_time(call, call.path["id"])
    return await selftest.measure(call, row)
