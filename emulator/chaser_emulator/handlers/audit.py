"""The audit log: what was done in the active account, newest first, a page at a time."""

from __future__ import annotations

from chaser_emulator import moments
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import audit_event_info
from chaser_emulator.shapes import AuditEventList
from chaser_emulator.store import audit


@operation("list-audit-events")
async def list_audit_events(call: Call) -> AuditEventList:
    """The newest events that fit every filter and are older than `before` (H25)."""
    filters = {name: call.query[name] for name in audit.FILTERS if name in call.query}
    before = moments.of_query(call, "before")
    rows = await audit.page(call.store, call.account.id, filters, before=before, limit=call.query["limit"])
    return {"events": [audit_event_info(row) for row in rows]}
