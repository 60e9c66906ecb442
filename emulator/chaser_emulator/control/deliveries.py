"""Deliveries of webhooks: all of an account, how many are in which state, and the attempts at one of them."""

from __future__ import annotations

from typing import Any

from chaser_emulator.clock import moment, timestamp
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.store import Row, deliveries
from chaser_emulator.webhooks import signing
from chaser_emulator.webhooks.composing import body_of, headers_of
from chaser_emulator.webhooks.connecting import place_of
from chaser_emulator.webhooks.schedule import ATTEMPTS, next_attempt
from chaser_emulator.webhooks.sending import whole

_STATES = ("pending", "delivered", "failed", "discarded")

_SHOWN = (
    "id", "account_id", "webhook_id", "target_url", "event_id", "event_type", "resource_type", "resource_id", "status",
    "attempts", "last_http_status", "last_error", "next_attempt_at", "delivered_at", "discarded_at", "replayed_at",
    "replayed_from_delivery_id", "created_at", "updated_at",
)  # fmt: skip


@control("list-deliveries")
async def list_deliveries(call: ControlCall) -> dict[str, Any]:
    """A page of them, newest first."""
    query, account_id = call.query, _account(call)
    rows = await deliveries.listed(
        call.world.store,
        account_id,
        webhook_id=query.get("webhook_id"),
        status=query.get("status"),
        before=query.get("before"),
        limit=query["limit"],
    )
    counted = await deliveries.counts(call.world.store, account_id, query.get("webhook_id"))
    fitting = [row["count"] for row in counted if query.get("status") in (None, row["status"])]
    return {"deliveries": [_brief(row) for row in rows], "total": sum(fitting)}


def _brief(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN if row[name] not in (None, "")}


@control("count-deliveries")
async def count_deliveries(call: ControlCall) -> dict[str, Any]:
    """How those of each webhook fare."""
    found: dict[str, dict[str, Any]] = {}
    for row in await deliveries.counts(call.world.store, _account(call)):
        hook = {"webhook_id": row["webhook_id"], "url": row["url"], "deleted": row["deleted_at"] is not None}
        found.setdefault(row["webhook_id"], hook | dict.fromkeys(_STATES, 0))[row["status"]] = row["count"]
    return {"webhooks": list(found.values())}


def _account(call: ControlCall) -> str:
    return str(call.query.get("account_id", call.world.account_id)).lower()


@control("list-delivery-attempts")
async def list_delivery_attempts(call: ControlCall) -> dict[str, Any]:
    """What was tried, and what comes next."""
    store = call.world.store
    row = await deliveries.whole(store, call.path["id"])
    if row is None:
        raise ApiError("not_found", f"there is no delivery {call.path['id']!r} in this world")
    kept = [_attempt(row, one) for one in await deliveries.attempts_of(store, row)]
    found: dict[str, Any] = {
        "delivery": _brief(row),
        "attempts": kept,
        "not_kept": row["attempts"] - len(kept),
        "most": ATTEMPTS,
        "replays": await deliveries.replays_of(store, row),
        "body": body_of(row).decode(),
    }
    if row["status"] == deliveries.PENDING:
        found["ahead"] = _ahead(row)
        if row["next_attempt_at"] is None:
            found["waits_for"] = await deliveries.in_front(store, row)
    return {name: value for name, value in found.items() if value is not None}


def _attempt(row: Row, one: Row) -> dict[str, Any]:
    """One attempt, with its headers as they were sent."""
    found: dict[str, Any] = {
        "number": one["number"],
        "at": one["at"],
        "duration_ms": one["duration_ms"],
        "http_status": one["http_status"],
        "error": one["error"],
    }
    if one["signed_at"] is not None:
        signed = signing.named(row["event_id"], one["signed_at"], one["signature"])
        found["headers"] = dict(whole(place_of(row["target_url"]), headers_of(row, signed), body_of(row)))
    return {name: value for name, value in found.items() if value is not None}


def _ahead(row: Row) -> list[dict[str, Any]]:
    """The attempts that are left, each as if those before it had failed at once; none while it waits for another."""
    if row["next_attempt_at"] is None:
        return []
    # The empty text is at once: due since it was last touched.
    at, found = moment(row["next_attempt_at"] or row["updated_at"]), []
    for number in range(row["attempts"] + 1, ATTEMPTS + 1):
        found.append({"number": number, "at": timestamp(at)})
        again = next_attempt(number, at)
        if again is None:
            break
        at = again
    return found
