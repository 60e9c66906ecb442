"""Webhooks: where an account is told what happens, what was sent there, and sending it again."""

from __future__ import annotations

import asyncio

from chaser_emulator.clock import new_signing_secret
from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import delivery_info, webhook_info
from chaser_emulator.shapes import (
    CreateCustomerWebhookResponse,
    CustomerWebhookDeliveryEnvelope,
    CustomerWebhookDeliveryList,
    CustomerWebhookList,
)
from chaser_emulator.store import Reader, Row, deliveries, webhooks
from chaser_emulator.webhooks.connecting import place_of
from chaser_emulator.webhooks.signing import preview

LIMIT = 20
"""How many webhooks an account may have (H7)."""


@operation("list-webhooks")
async def list_webhooks(call: Call) -> CustomerWebhookList:
    """Every webhook of the account, without secrets."""
    return {"webhooks": [webhook_info(row) for row in await webhooks.of_account(call.store, call.account.id)]}


@operation("create-webhook")
async def create_webhook(call: Call) -> CreateCustomerWebhookResponse:
    """Tell a URL what happens from now on. The secret is shown here and never again (H4)."""
    secret = new_signing_secret()
    # In a thread: the first seal of a data directory makes its key, and waits for the disk.
    sealed = await asyncio.to_thread(call.world.vault.seal, secret)
    events = call.body.get("events") or []
    async with call.store.transaction() as tx:
        if await webhooks.count(tx, call.account.id) >= LIMIT:
            raise ApiError("conflict", f"an account has at most {LIMIT} webhooks; delete one first")
        row = await webhooks.insert(
            tx,
            call.account.id,
            url=call.body["url"],
            description=call.body.get("description"),
            events=events,
            secret=sealed,
            secret_preview=preview(secret),
            at=call.clock.timestamp(),
        )
        await call.audit(tx, row["id"], f"created a webhook to {_shown(row)}", {"host": _shown(row), "events": events})
    return {"webhook": webhook_info(row), "signing_secret": secret}


@operation("delete-webhook")
async def delete_webhook(call: Call) -> None:
    """Send nothing more to a webhook. Its deliveries stay, and what was to be sent is discarded (H13)."""
    async with call.store.transaction() as tx:
        row = await webhooks.get(tx, call.account.id, call.path["id"])
        if row is None:
            raise not_found("webhook", call.path["id"])
        at = call.clock.timestamp()
        discarded = await deliveries.discard_pending(tx, row["id"], at)
        await webhooks.delete(tx, row["id"], at)
        await call.audit(
            tx, row["id"], f"deleted the webhook to {_shown(row)}",
            {"host": _shown(row), "discarded_deliveries": discarded},
        )  # fmt: skip


@operation("list-webhook-deliveries")
async def list_webhook_deliveries(call: Call) -> CustomerWebhookDeliveryList:
    """Deliveries of the account that fit all filters, newest first; an unknown webhook has none (H12)."""
    rows = await deliveries.newest(
        call.store,
        call.account.id,
        webhook_id=call.query.get("webhook_id"),
        status=call.query.get("status"),
        limit=call.query["limit"],
    )
    return {"deliveries": [delivery_info(row) for row in rows]}


@operation("get-webhook-delivery")
async def get_webhook_delivery(call: Call) -> CustomerWebhookDeliveryEnvelope:
    """One delivery with what it carries."""
    return {"delivery": delivery_info(await _delivery(call, call.store))}


@operation("replay-webhook-delivery")
async def replay_webhook_delivery(call: Call) -> CustomerWebhookDeliveryEnvelope:
    """Send the event of a delivery once more, at once and as a new delivery (H10, H11)."""
    async with call.store.transaction() as tx:
        row = await _delivery(call, tx)
        if row["status"] == deliveries.PENDING:
            raise ApiError("invalid_state", f"delivery {row['id']} is pending: it will be sent anyway")
        if row["webhook_deleted_at"] is not None:
            raise ApiError("invalid_state", f"the webhook of delivery {row['id']} is deleted: it has nowhere to go")
        again = await deliveries.replay(tx, row, call.clock.timestamp())
        fresh = await _delivery(call, tx, again)
    call.world.happenings.delivery_changed(fresh)
    return {"delivery": delivery_info(fresh)}


@operation("discard-webhook-delivery")
async def discard_webhook_delivery(call: Call) -> CustomerWebhookDeliveryEnvelope:
    """Give a delivery up that is pending or has failed (H11)."""
    async with call.store.transaction() as tx:
        row = await _delivery(call, tx)
        if row["status"] not in (deliveries.PENDING, deliveries.FAILED):
            raise ApiError(
                "invalid_state",
                f"delivery {row['id']} is {row['status']}; one that is pending or failed can be given up",
            )
        await deliveries.discard(tx, row["id"], call.clock.timestamp())
        fresh = await _delivery(call, tx)
    call.world.happenings.delivery_changed(fresh)
    return {"delivery": delivery_info(fresh)}


async def _delivery(call: Call, reader: Reader, delivery_id: str | None = None) -> Row:
    """The delivery that the path names, or another of the account. Raises ApiError `not_found`."""
    wanted = delivery_id or call.path["did"]
    row = await deliveries.get(reader, call.account.id, wanted)
    if row is None:
        raise not_found("delivery", wanted)
    return row


def _shown(row: Row) -> str:
    """Where a webhook leads, for the audit log: without path and query, which often are the secret of a receiver."""
    return place_of(row["url"]).authority
