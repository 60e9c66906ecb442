"""A webhook of every account that leads to the sink, and gets what happened before it was there as well."""

from __future__ import annotations

import asyncio

from chaser_emulator.clock import new_id, new_signing_secret
from chaser_emulator.store import Row, Store, Transaction, outbox, webhooks
from chaser_emulator.webhooks.signing import preview
from chaser_emulator.world import World

_DESCRIPTION = "Leads to the emulator's own sink."

_DELIVERY = """
    INSERT INTO deliveries (
        id, account_id, webhook_id, event_id, resource_type, resource_id, next_attempt_at, created_at, updated_at
    ) VALUES (
        ?, ?, ?, ?, ?, ?,
        CASE WHEN EXISTS (
            SELECT 1 FROM deliveries
            WHERE webhook_id = ? AND resource_type = ? AND resource_id = ? AND status = 'pending'
        ) THEN NULL ELSE '' END,
        ?, ?
    )"""


async def listen(world: World, name: str, base_url: str | None = None) -> int:
    """Let each account have one; answers how many got it now. Those that have one keep it as it is.

    It gets every event since the world began, in their order, unless that was more than a day ago.
    """
    url = world.sink.address(name, base_url)
    accounts = await _without(world.store, url)
    if not accounts:
        return 0
    secrets = {account_id: new_signing_secret() for account_id in accounts}
    sealed = {key: await asyncio.to_thread(world.vault.seal, secret) for key, secret in secrets.items()}
    last = await _last_of_beginning(world)
    async with world.store.transaction() as tx:
        for account_id, secret in secrets.items():
            hook = await webhooks.insert(
                tx,
                account_id,
                url=url,
                description=_DESCRIPTION,
                events=[],
                secret=sealed[account_id],
                secret_preview=preview(secret),
                at=world.clock.timestamp(),
            )
            await _catch_up(tx, hook, last)
    return len(accounts)


async def _without(store: Store, url: str) -> list[str]:
    rows = await store.all(
        """SELECT id FROM accounts WHERE NOT EXISTS (
               SELECT 1 FROM webhooks WHERE account_id = accounts.id AND deleted_at IS NULL AND url = ?
           ) ORDER BY rowid""",
        url,
    )
    return [row["id"] for row in rows]


async def _last_of_beginning(world: World) -> int:
    """The last event of what the world began with, as the events of a seed are no news."""
    if world.beginning is None:
        return 0
    async with Store.of_image(world.beginning.image) as before:
        return await outbox.newest(before)


async def _catch_up(tx: Transaction, hook: Row, last: int) -> None:
    """Put what has happened on its way, each resource's events behind each other."""
    account_id, hook_id = hook["account_id"], hook["id"]
    for event in await outbox.of_account_after(tx, account_id, last):
        about = (event["resource_type"], event["resource_id"])
        at = event["created_at"]
        await tx.run(_DELIVERY, new_id(), account_id, hook_id, event["id"], *about, hook_id, *about, at, at)
        await outbox.carry(tx, event["id"])
