"""What a test has left in its world: what still runs, waits or is open, and was not there at the beginning."""

from __future__ import annotations

from typing import Any

from chaser_emulator.clock import timestamp
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.store import Reader, Row, Store

_LEFT = (
    """SELECT 'session' AS kind, id, session_type || ' session ' || id || ' is ' || status AS text,
              status IN ('starting', 'terminating') AS settling
       FROM sessions WHERE ended_at IS NULL ORDER BY created_at, id""",
    """SELECT 'command' AS kind, id, 0 AS settling,
              'command ' || id || ' in session ' || session_id || ' is running: ' || substr(command, 1, 200) AS text
       FROM commands WHERE status = 'running' ORDER BY started_at, id""",
    """SELECT 'job' AS kind, id, 'job ' || id || ' (' || kind || ') is ' || status AS text,
              status = 'running' OR due_at IS NULL OR due_at <= :now AS settling
       FROM jobs WHERE status IN ('queued', 'running') ORDER BY created_at, id""",
    """SELECT 'delivery' AS kind, deliveries.id AS id,
              'delivery ' || deliveries.id || ' of ' || outbox.type || ' is ' || deliveries.status
              || coalesce(': ' || deliveries.last_error, '') AS text,
              deliveries.status = 'pending' AND coalesce(deliveries.next_attempt_at, '') <= :now AS settling
       FROM deliveries JOIN outbox ON outbox.id = deliveries.event_id
       WHERE deliveries.status IN ('pending', 'failed') AND deliveries.discarded_at IS NULL
       ORDER BY deliveries.sequence""",
)


@control("list-leaks")
async def list_leaks(call: ControlCall) -> dict[str, Any]:
    """What is left."""
    world = call.world
    now = timestamp(world.clock.now())
    rows = await _left(world.store, now)
    if rows and world.beginning is not None:
        async with Store.of_image(world.beginning.image) as before:
            known = {row["id"] for row in await _left(before, now)}
        rows = [row for row in rows if row["id"] not in known]
    leaks = [dict(row) | {"settling": bool(row["settling"])} for row in rows]
    terminals = [
        {
            "kind": "terminal",
            "id": session_id,
            "text": f"{count} open terminal{'s' if count > 1 else ''} in session {session_id}",
            "settling": False,
        }
        for session_id, count in world.terminals.counts().items()
    ]
    at = sum(leak["kind"] in ("session", "command") for leak in leaks)
    return {"leaks": [*leaks[:at], *terminals, *leaks[at:]]}


async def _left(reader: Reader, now: str) -> list[Row]:
    found: list[Row] = []
    for statement in _LEFT:
        found += await reader.all(statement.replace(":now", "?"), *([now] if ":now" in statement else []))
    return found
