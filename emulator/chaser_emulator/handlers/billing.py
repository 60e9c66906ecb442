"""Billing: the summary of an account, another plan, and the start of a payment."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from chaser_emulator import billing
from chaser_emulator.clock import new_hex
from chaser_emulator.operations import Call, operation
from chaser_emulator.plans import DEFAULT_SUBSCRIPTION, PLANS, SUBSCRIPTION, TOPUP_MIN_MICROS_USD, Plan
from chaser_emulator.shapes import BillingSummaryResponse, CreateBillingCheckoutResponse
from chaser_emulator.store import billing as rows

_ACCOUNT_FIELDS = ("pricing_model", "plan_code")
_CHECKOUT_FIELDS = ("mode", "plan_code", "amount_usd")


@operation("get-billing-summary")
async def get_billing_summary(call: Call) -> BillingSummaryResponse:
    """Plan, limits, wallet, storage and usage as they stand now."""
    holding = await call.world.storage.holding(call.account.id)
    async with call.store.transaction() as tx:
        return await billing.summary(tx, call.account.id, call.clock.now(), holding, call.world.settings.max_sessions)


@operation("update-billing-account")
async def update_billing_account(call: Call) -> BillingSummaryResponse:
    """Another plan, at once; what is there stays (H18)."""
    account_id, named = call.account.id, _named(call, _ACCOUNT_FIELDS)
    holding = await call.world.storage.holding(account_id)
    async with call.store.transaction() as tx:
        now = call.clock.now()
        before = PLANS[(await rows.account(tx, account_id))["plan"]]
        after = _wanted(named, before)
        await billing.change_plan(tx, account_id, after, now)
        data = await billing.summary(tx, account_id, now, holding, call.world.settings.max_sessions)
        changed = f"changed the plan from {before.code} to {after.code}"
        summary = changed if after != before else f"left the plan at {before.code}"
        await call.audit(tx, account_id, summary, named)
        if named:
            await call.emit(tx, "billing.updated", account_id, data)
    return data


def _wanted(named: dict[str, Any], now: Plan) -> Plan:
    """The plan that a request means for an account that is on another one now."""
    if code := named.get("plan_code"):
        return PLANS[code]
    model = named.get("pricing_model")
    if model == SUBSCRIPTION:
        return now if now.subscribed else PLANS[DEFAULT_SUBSCRIPTION]
    # The other two pricing models have one plan each, of their own name.
    return PLANS[model] if model else now


@operation("create-billing-checkout")
async def create_billing_checkout(call: Call) -> CreateBillingCheckoutResponse:
    """A payment that waits on a page of the control plane (H19, H20)."""
    account_id = call.account.id
    mode = call.body.get("mode") or billing.TOPUP
    plan_code = amount = None
    if mode == billing.TOPUP:
        dollars = call.body.get("amount_usd")
        amount = TOPUP_MIN_MICROS_USD if dollars is None else billing.micros_of(dollars)
        what = f"a top-up of {billing.shown(amount)}"
    else:
        plan_code = call.body["plan_code"]
        what = f"a subscription of {plan_code}"
    async with call.store.transaction() as tx:
        customer = (await rows.account(tx, account_id))["stripe_customer_id"]
        if customer is None:
            customer = f"cus_{new_hex(16)}"
            await rows.set_customer(tx, account_id, customer)
        at = call.clock.timestamp()
        row = await rows.add_checkout(tx, account_id, mode=mode, plan_code=plan_code, amount_micros=amount, at=at)
        summary = f"started checkout {row['id']} for {what}"
        metadata = _named(call, _CHECKOUT_FIELDS) | {"checkout_session_id": row["id"]}
        await call.audit(tx, account_id, summary, metadata)
    world = f"?{urlencode(call.world.selector)}" if call.world.selector else ""
    return {
        "checkout_session_id": row["id"],
        "checkout_url": f"{call.base_url}/_emulator/checkout/{row['id']}{world}",
        "stripe_customer_id": customer,
    }


def _named(call: Call, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: call.body[name] for name in fields if call.body.get(name) is not None}
