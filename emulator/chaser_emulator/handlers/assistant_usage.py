"""What assistants use: events, their sums, and the alerts that they set off."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from chaser_emulator import lookup, moments
from chaser_emulator.assistant_resources import usage_event_info, usage_totals
from chaser_emulator.clock import timestamp
from chaser_emulator.handlers.assistants import shown
from chaser_emulator.operations import Call, operation
from chaser_emulator.shapes import AssistantUsageEventEnvelope, AssistantUsageEventList
from chaser_emulator.store import Row, Transaction, assistant_usage

_TICK = timedelta(microseconds=1)


@operation("create-assistant-usage-event")
async def create_assistant_usage_event(call: Call) -> AssistantUsageEventEnvelope:
    """Note that something was used; what goes past a bound is told of in the same transaction (T23)."""
    kind, metadata = call.body["kind"], call.body.get("metadata")
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.path["id"], tx)
        now = call.clock.now()
        row = await assistant_usage.add(
            tx,
            assistant["id"],
            kind,
            call.body["quantity"],
            None if metadata is None else json.dumps(metadata),
            timestamp(now),
        )
        await _alert(call, tx, assistant, kind, now)
    return {"event": usage_event_info(row)}


async def _alert(call: Call, tx: Transaction, assistant: Row, kind: str, now: datetime) -> None:
    """Send an event for each bound on this kind that is passed and was not told of within its window."""
    alerts = json.loads(assistant["config"]).get("alerts", [])
    # Two that say the same are one.
    bounds = {
        (kind, float(alert["threshold"]), int(alert["window_seconds"])) for alert in alerts if alert["metric"] == kind
    }
    for bound in sorted(bounds):
        _, threshold, seconds = bound
        start, end = _start(now, seconds), timestamp(now)
        told = await assistant_usage.told_at(tx, assistant["id"], bound)
        # One that was told of later than now was so before the clock was set back.
        if told is not None and start <= told <= end:
            continue
        sums = await assistant_usage.sums(tx, assistant["id"], kind=kind, since=start, until=end)
        if sums[kind] > threshold:
            await assistant_usage.set_told(tx, assistant["id"], bound, end)
            await call.emit(tx, "assistant.alert", assistant["id"], await shown(tx, assistant))


def _start(end: datetime, seconds: int) -> str:
    """The first moment of the window of so many seconds that ends then."""
    return timestamp(end - timedelta(seconds=seconds) + _TICK)


@operation("list-assistant-usage-events")
async def list_assistant_usage_events(call: Call) -> AssistantUsageEventList:
    """The newest events that fit the filters, and the sums of all that do (T18)."""
    kind, since = call.query.get("kind"), moments.of_query(call, "since")
    # A transaction, so that events and sums are of one moment.
    async with call.store.transaction() as tx:
        assistant = await lookup.assistant(call, call.path["id"], tx)
        rows = await assistant_usage.newest(tx, assistant["id"], kind=kind, since=since, limit=call.query["limit"])
        sums = await assistant_usage.sums(tx, assistant["id"], kind=kind, since=since)
    return {"events": [usage_event_info(row) for row in rows], "totals": usage_totals(sums)}
