"""How the emulator and a world are: alive, at rest, and back to where they began."""

from __future__ import annotations

import asyncio
from typing import Any

from chaser_emulator import __version__
from chaser_emulator.clock import timestamp
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.control.worlds import world_info
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.world import World

_PATIENCE = 5.0
"""Real seconds that an engine has to answer."""

_MOST = 100
"""Things of one kind that are told one by one."""

_WAITING = (
    (
        """SELECT 'session ' || id AS what, 'is starting' AS why FROM sessions WHERE status = 'starting'""",
        "sessions",
    ),
    (
        """SELECT 'session ' || id AS what, 'is ending' AS why FROM sessions WHERE status = 'terminating'""",
        "sessions",
    ),
    (
        """SELECT 'job ' || id AS what, 'is running' AS why FROM jobs WHERE status = 'running'""",
        "jobs",
    ),
    (
        """SELECT 'job ' || id AS what, 'is queued' AS why FROM jobs
           WHERE status = 'queued' AND (due_at IS NULL OR due_at <= :now)""",
        "jobs",
    ),
    (
        """SELECT 'delivery ' || id AS what,
                  CASE WHEN attempts = 0 THEN 'has not been sent' ELSE 'is to be sent again' END AS why
           FROM deliveries WHERE status = 'pending' AND next_attempt_at <= :now""",
        "deliveries",
    ),
)


@control("get-health")
async def get_health(_call: ControlCall) -> dict[str, Any]:
    """That it answers."""
    return {"status": "ok", "version": __version__}


@control("get-readiness")
async def get_readiness(call: ControlCall) -> dict[str, Any]:
    """Whether the world is at rest, and if not what it waits for."""
    pending = [*await _engine(call.world), *await _work(call.world)]
    return {"ready": not pending, "pending": pending}


@control("reset-world")
async def reset_world(call: ControlCall) -> dict[str, Any]:
    """Put the world back to what it began with."""
    return world_info(call, await call.worlds.reset(call.world), with_key=True)


async def _engine(world: World) -> list[dict[str, str]]:
    what = f"engine {world.engine_info.name}"
    try:
        async with asyncio.timeout(_PATIENCE):
            await world.engine.refs()
    except TimeoutError:
        return [{"what": what, "why": f"does not answer within {_PATIENCE:g} s"}]
    except SandboxError as error:
        return [{"what": what, "why": str(error)}]
    return []


async def _work(world: World) -> list[dict[str, str]]:
    now = timestamp(world.clock.now())
    pending: list[dict[str, str]] = []
    for statement, name in _WAITING:
        values = [now] if ":now" in statement else []
        rows = await world.store.all(f"{statement} LIMIT {_MOST + 1}".replace(":now", "?"), *values)
        pending += [{"what": row["what"], "why": row["why"]} for row in rows[:_MOST]]
        if len(rows) > _MOST:
            pending.append({"what": name, "why": f"there are more than the {_MOST} that are named"})
    return pending
