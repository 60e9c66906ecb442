"""The billing of an account as the API shows it, and what changes it: another plan, or a payment."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from chaser_emulator import events, usage
from chaser_emulator.clock import new_hex
from chaser_emulator.errors import ApiError
from chaser_emulator.plans import PLANS, TOPUP_MIN_MICROS_USD, Plan
from chaser_emulator.resources import present
from chaser_emulator.shapes import BillingLimits, BillingSummaryResponse, BillingUsageWindow
from chaser_emulator.storage import Holding
from chaser_emulator.store import Row, Transaction
from chaser_emulator.store import billing as rows

if TYPE_CHECKING:
    from chaser_emulator.world import World

SUBSCRIPTION, TOPUP = "subscription", "topup"
"""The modes of a checkout."""

_MICROS = 1_000_000
_DAY = timedelta(days=1)


async def summary(
    tx: Transaction, account_id: str, now: datetime, holding: Holding, max_sessions: int | None
) -> BillingSummaryResponse:
    """BillingSummaryResponse, with everything charged that is due. `max_sessions` overrides the plan's number."""
    await usage.standing(tx, account_id, now)
    row = await rows.account(tx, account_id)
    plan, balance = PLANS[row["plan"]], int(row["wallet_micros_usd"])
    return {
        "pricing_model": plan.pricing_model,  # type: ignore[typeddict-item]
        "limits": present(
            BillingLimits,
            max_workspaces=plan.max_workspaces,
            max_concurrency=max_sessions or plan.max_concurrency,
            max_session_seconds=plan.max_session_seconds,
            allow_workspaces=plan.allow_workspaces,
        ),
        "usage_price_per_hour_usd": plan.price_micros_per_hour / _MICROS,
        "topup_min_usd": TOPUP_MIN_MICROS_USD / _MICROS,
        "wallet_balance_usd": balance / _MICROS,
        "wallet_balance_micros_usd": balance,
        "workspace_storage_used_bytes": holding.used,
        "workspace_storage_cap_bytes": holding.cap,
        "workspace_storage_measured_workspaces": holding.measured,
        "workspace_storage_unresolved_workspaces": holding.unresolved,
        "usage_last_24h": await _window(tx, account_id, _DAY, now),
        "usage_last_30d": await _window(tx, account_id, 30 * _DAY, now),
        "plan_code": plan.code if plan.subscribed else None,  # type: ignore[typeddict-item]
        "stripe_customer_id": row["stripe_customer_id"],
        "stripe_subscription_id": row["stripe_subscription_id"],
    }


async def _window(tx: Transaction, account_id: str, length: timedelta, now: datetime) -> BillingUsageWindow:
    seconds, amount = await usage.window(tx, account_id, length, now)
    return {"seconds": seconds, "amount_micros_usd": amount}


async def change_plan(tx: Transaction, account_id: str, plan: Plan, now: datetime) -> None:
    """Put an account on a plan without a payment; a subscription that was paid for lasts as long as it has one."""
    row = await rows.account(tx, account_id)
    if row["plan"] != plan.code:
        kept = row["stripe_subscription_id"] if plan.subscribed else None
        await usage.change_plan(tx, account_id, plan, now, kept)


def micros_of(dollars: float) -> int:
    """An amount of the API in millionths of a dollar; 10.005 is what it looks like, not the nearest binary fraction."""
    return int((Decimal(str(dollars)) * _MICROS).quantize(Decimal(1), ROUND_HALF_UP))


def shown(micros: int) -> str:
    """An amount as people read it: two decimals at least."""
    whole, part = divmod(micros, _MICROS)
    return f"{whole:,}.{f'{part:06}'.rstrip('0').ljust(2, '0')} USD"


async def complete(world: World, checkout: Row, outcome: str) -> Row:
    """Pay or cancel a checkout, and answer it; `outcome` is `paid` or `canceled`.

    The same again is the same, and counts once. Raises ApiError `invalid_state` for one that has ended the other way.
    """
    account_id = checkout["account_id"]
    holding = await world.storage.holding(account_id)
    async with world.store.transaction() as tx:
        now = world.clock.now()
        first = await rows.complete_checkout(tx, checkout["id"], outcome, world.clock.timestamp())
        row = await rows.checkout(tx, checkout["id"])
        assert row is not None  # noqa: S101 - the caller has found it
        if row["status"] != outcome:
            raise ApiError("invalid_state", f"checkout {row['id']} is {row['status']} already; start another one")
        if first and outcome == rows.PAID:
            await _credit(tx, row, now)
            data = await summary(tx, account_id, now, holding, world.settings.max_sessions)
            await events.emit(tx, world.clock, account_id, "billing.updated", account_id, data)
    return row


async def _credit(tx: Transaction, checkout: Row, now: datetime) -> None:
    """Give an account what it has paid for."""
    account_id = checkout["account_id"]
    if checkout["mode"] == SUBSCRIPTION:
        await usage.change_plan(tx, account_id, PLANS[checkout["plan_code"]], now, f"sub_{new_hex(16)}")
    else:
        # What was due before is charged before: a wallet that ran dry meanwhile has run dry.
        await usage.standing(tx, account_id, now)
        await rows.add_to_wallet(tx, account_id, checkout["amount_micros"])
