"""The audit log of the active account."""

from __future__ import annotations

from typing import Any

from chaser_emulator.clock import moment, timestamp
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import audit_event_info
from chaser_emulator.store import audit

_FILTERS = ("action", "resource_type", "resource_id", "status")


@operation("list-audit-events")
async def list_audit_events(call: Call) -> dict[str, Any]:
    """One page, newest first; `before` is the moment that the page ends at (H25)."""
    before = call.query.get("before")
    rows = await audit.events(
        call.store,
        call.account.id,
        where={name: call.query[name] for name in _FILTERS if name in call.query},
        before=None if before is None else timestamp(moment(before)),
        limit=call.query["limit"],
    )
    return {"events": [audit_event_info(row) for row in rows]}
