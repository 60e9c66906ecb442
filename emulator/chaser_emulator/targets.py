"""Which session a request means: a new one, the live one of a workspace, or what the plan falls back to (S2–S6)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaser_emulator import creation, events, storage, usage
from chaser_emulator.acting import Acts
from chaser_emulator.clock import new_id
from chaser_emulator.errors import ApiError, invalid_field, not_found
from chaser_emulator.lifecycle import Wanted
from chaser_emulator.plans import PLANS
from chaser_emulator.resources import workspace_info
from chaser_emulator.store import Row, Transaction, sessions, workspaces
from chaser_emulator.store.sessions import FAILED, RUNNING, STARTING

CREATE = ("session.create", "session")
_PATIENCE = 30.0
"""Seconds to wait for the session before it on the same workspace to end."""

DEFAULT_WORKSPACE = "default"
"""The name of the sandbox workspace that a paid account falls back to (W30)."""


@dataclass(frozen=True)
class Target:
    """A session, and its workspace's row (None: ephemeral)."""

    session: Row
    workspace: Row | None


async def open_session(call: Acts, body: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> Target:
    """The session that a create or an exec names in its body; a new one is booting when this returns.

    `variables` are for every command of a new session. They go to the sandbox alone: they may be secrets.
    Raises ApiError for an unknown workspace, one of another type, and what the plan does not allow.
    """
    session_type = body.get("session_type") or "sandbox"
    github_repo = _repository(call, body)
    ephemeral = bool(body.get("ephemeral"))
    selector = body.get("workspace")
    if selector is None and not ephemeral and session_type == "browser":
        raise invalid_field("/workspace", "a browser session needs a workspace, or ephemeral = true")
    unnamed = selector is None and not ephemeral
    plan = PLANS[call.account.plan]
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        if unnamed:
            ephemeral = not plan.allow_workspaces
        if not ephemeral:
            await storage.require_room(call)
        async with call.store.transaction() as tx:
            account = await usage.standing(tx, call.account.id, call.clock.now())
            if account.plan is not plan:
                # It has changed since the caller was admitted, and with it what a workspace without a name means.
                plan = account.plan
                continue
            workspace = None if ephemeral else await _workspace(call, tx, account, selector, session_type)
            live = await sessions.of_workspace(tx, workspace["id"]) if workspace is not None else None
            if live is None:
                row = await _insert(call, tx, account, session_type, workspace, body, github_repo)
                break
        if live["status"] == RUNNING:
            [live] = await call.world.lifecycle.reconcile([live])
        if live["status"] in (STARTING, RUNNING) and not call.world.lifecycle.expired(live):
            return Target(live, workspace)
        # The one before it is on its way out; its disk is free once it is gone.
        try:
            await call.world.lifecycle.wait_for_end(live["id"], deadline)
        except TimeoutError:
            message = f"session {live['id']} on this workspace has not ended yet; try again"
            raise ApiError("sandbox_unavailable", message) from None
    call.world.lifecycle.boot(row, variables or {})
    return Target(row, workspace)


async def started(call: Acts, target: Target) -> Row:
    """The row of a session once it runs. Raises ApiError `sandbox_unavailable`, `not_found` and `not_running` (S27)."""
    row = await call.world.lifecycle.settled(target.session["id"], None)
    if row is None or row["status"] == FAILED:
        reason = row["failure"] if row is not None else "it is gone"
        unknown = row is not None and row["failure_code"] == "not_found"
        code = "not_found" if unknown else "sandbox_unavailable"
        raise ApiError(code, f"the sandbox could not be started: {reason}")
    if row["status"] != RUNNING:
        raise ApiError("not_running", f"session {row['id']} was ended before the command could run")
    return row


async def _insert(
    call: Acts,
    tx: Transaction,
    account: usage.Standing,
    session_type: str,
    workspace: Row | None,
    body: Mapping[str, Any],
    github_repo: str | None,
) -> Row:
    plan = account.plan
    usage.require_money(account)
    if workspace is not None:
        creation.require_workspaces(plan)
    limit = call.world.plan_sessions(plan.code)
    if await sessions.count_live(tx, call.account.id) >= limit:
        raise ApiError(
            "plan_limit_exceeded",
            f"the plan {plan.code} allows {limit} live sessions at once; end one first",
            details={"limit": limit},
        )
    row = await call.world.lifecycle.insert(
        tx,
        Wanted(
            account_id=call.account.id,
            session_type=session_type,
            workspace_id=workspace["id"] if workspace is not None else None,
            image=workspace["image"] if workspace is not None else body.get("image"),
            github_repo=github_repo,
            max_seconds=plan.max_session_seconds,
        ),
    )
    named = {
        name: body[name]
        for name in ("session_type", "workspace", "ephemeral", "image", "github_repo")
        if body.get(name) is not None
    }
    where = f"on workspace {workspace['name'] or workspace['id']}" if workspace is not None else "without a workspace"
    summary = f"created {session_type} session {row['id']} {where}"
    await events.audit(tx, call.clock, call.account.id, call.actor, *CREATE, row["id"], summary, named)
    return row


def _repository(call: Acts, body: Mapping[str, Any]) -> str | None:
    if body.get("github_repo") is None:
        return None
    try:
        return str(call.world.repositories.parse(body["github_repo"]))
    except ValueError as error:
        raise invalid_field("/github_repo", str(error)) from None


async def _workspace(
    call: Acts, tx: Transaction, account: usage.Standing, selector: str | None, session_type: str
) -> Row:
    name = DEFAULT_WORKSPACE if selector is None else selector
    found = await workspaces.find(tx, call.account.id, name)
    if found is None and selector is None:
        usage.require_money(account)
        found = await _default_workspace(call, tx)
    if found is None:
        raise not_found("workspace", name)
    if found["session_type"] != session_type:
        raise invalid_field(
            "/session_type", f"workspace {name!r} is for {found['session_type']} sessions; {session_type} was asked for"
        )
    return found


async def _default_workspace(call: Acts, tx: Transaction) -> Row:
    """Make the account's default sandbox workspace, on first need. Raises ApiError `plan_limit_exceeded`."""
    await creation.require_place(call, tx)
    workspace_id = new_id()
    await workspaces.insert(
        tx,
        workspace_id,
        account_id=call.account.id,
        name=DEFAULT_WORKSPACE,
        session_type="sandbox",
        created_at=call.clock.timestamp(),
    )
    row = await workspaces.get(tx, workspace_id)
    assert row is not None  # noqa: S101 - inserted just above
    await call.emit(tx, "workspace.created", workspace_id, workspace_info(row))
    return row


ENVIRONMENT_LIMIT = 128 * 1024
"""Bytes of all variables of a request together, names and values (X16)."""


def variables_of(body: Mapping[str, Any]) -> dict[str, str]:
    """The `env` of a request. Raises ApiError when it is larger than the limit."""
    variables: dict[str, str] = body.get("env") or {}
    size = sum(len(name.encode()) + len(value.encode()) + 2 for name, value in variables.items())
    if size > ENVIRONMENT_LIMIT:
        raise invalid_field("/env", f"has {size} bytes in all; at most {ENVIRONMENT_LIMIT} are accepted")
    return variables


def proxy_variables(body: Mapping[str, Any]) -> dict[str, str]:
    """What programs look at to find the proxy that a session was asked to use.

    The words for Chaser's own pools mean a direct way here (S6).
    """
    proxy = _proxy(body)
    if proxy is None or "://" not in proxy:
        return {}
    names = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")
    return {name: proxy for upper in names for name in (upper, upper.lower())}


def _proxy(body: Mapping[str, Any]) -> str | None:
    """The proxy, also in the form of older clients (S28)."""
    network = body.get("network")
    if not network:
        return body.get("proxy")
    proxy = network["proxy"]
    scheme, _, rest = proxy["url"].partition("://")
    if proxy.get("username") is None:
        return str(proxy["url"])
    secret = f":{proxy['password']}" if proxy.get("password") is not None else ""
    return f"{scheme}://{proxy['username']}{secret}@{rest}"
