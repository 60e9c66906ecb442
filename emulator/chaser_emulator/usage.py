"""How long sessions run and what that costs: metered on the world's clock, by the second, and charged to wallets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chaser_emulator.errors import ApiError
from chaser_emulator.plans import PLANS, Plan
from chaser_emulator.store import Reader, Row, Transaction, billing, sessions
from chaser_emulator.store import usage as segments

KEPT = timedelta(days=31)
"""How long ended usage is kept: a little longer than the longest window that is asked for."""

_SECOND = 1_000_000
_PARTS = 3600
"""What a millionth of a dollar is counted in, so that seconds at the price of an hour are whole numbers."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GRAIN = 10_000
"""Microseconds to which starts are rounded down: each look at a frozen clock moves it a little, and a test that lets an
hour pass after a few looks is to find 3,600 seconds."""


@dataclass(frozen=True)
class Standing:
    """The plan of an account, and what its wallet holds once all is charged that is due."""

    plan: Plan
    wallet_micros_usd: int


def micros(moment: datetime) -> int:
    """A moment as the table of usage has it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(value: int) -> datetime:
    """The moment that a number of the table of usage means."""
    return _EPOCH + timedelta(microseconds=value)


async def standing(tx: Transaction, account_id: str, now: datetime) -> Standing:
    """Charge what is due by now, and answer how the account stands; asking again at once changes nothing.

    A wallet that ran dry meanwhile has paid up to that moment. From then on its sessions are metered no more, and
    `wallets.py` ends them.
    """
    row = await billing.account(tx, account_id)
    plan, balance = PLANS[row["plan"]], int(row["wallet_micros_usd"])
    if not plan.from_wallet:
        return Standing(plan, balance)
    live = await segments.paying(tx, account_id)
    dry = dry_at(live, balance, row["owed_parts"])
    until = micros(now) if dry is None else min(dry, micros(now))
    if due := sum(_due_parts(segment, until) for segment in live):
        await segments.note_charged(tx, account_id, until)
        charged, owed = divmod(due + int(row["owed_parts"]), _PARTS)
        # The last second may cost a little more than there is; that is let go.
        balance, owed = (balance - charged, owed) if until != dry else (0, 0)
        await billing.set_wallet(tx, account_id, balance, owed)
    if until == dry:
        await segments.close_account(tx, account_id, until)
    return Standing(plan, balance)


async def opened(tx: Transaction, session: Row, now: datetime) -> None:
    """Meter a session from now on, in the transaction in which it starts to run."""
    plan = PLANS[(await billing.account(tx, session["account_id"]))["plan"]]
    await _open(tx, session["account_id"], session["id"], plan, now)


async def adopted(tx: Transaction, running: Sequence[Row], now: datetime) -> None:
    """Meter from now on what an emulator that metered nothing yet has left running."""
    for session in running:
        if not await segments.metered(tx, session["id"]):
            await opened(tx, session, now)


async def closed(tx: Transaction, session: Row, now: datetime) -> None:
    """Meter a session no longer, in the transaction in which it ends; one that never ran costs nothing."""
    segment = await segments.open_of_session(tx, session["id"])
    if segment is None:
        return
    if segment["wallet"]:
        await standing(tx, session["account_id"], now)
    await segments.close_session(tx, session["id"], micros(now))


async def change_plan(tx: Transaction, account_id: str, plan: Plan, now: datetime, subscription_id: str | None) -> None:
    """Put an account on another plan. What runs is charged by the old one until now, and metered by the new one."""
    if (await standing(tx, account_id, now)).plan is plan:
        await billing.set_plan(tx, account_id, plan.code, subscription_id)
        return
    metered = await segments.close_account(tx, account_id, micros(now))
    await billing.set_plan(tx, account_id, plan.code, subscription_id)
    for session_id in metered | await sessions.running(tx, account_id):
        await _open(tx, account_id, session_id, plan, now)


async def _open(tx: Transaction, account_id: str, session_id: str, plan: Plan, now: datetime) -> None:
    await segments.open_segment(
        tx,
        account_id,
        session_id,
        at=_rounded(micros(now)),
        price_micros_per_hour=plan.price_micros_per_hour,
        wallet=plan.from_wallet,
    )


def require_money(account: Standing) -> None:
    """Raise ApiError `payment_required` where the wallet has to pay and is empty (G20)."""
    if account.plan.from_wallet and account.wallet_micros_usd <= 0:
        raise ApiError("payment_required", "the wallet of this account is empty; top it up to create sessions")


async def window(reader: Reader, account_id: str, length: timedelta, now: datetime) -> tuple[int, int]:
    """The seconds of the stretch of time that ends now, and their price in millionths of a dollar."""
    return await segments.window(reader, account_id, _rounded(micros(now - length)), micros(now))


def dry_at(live: Sequence[Row], balance: int, owed_parts: int) -> int | None:
    """When these open segments have used up a wallet's balance, of which a part may be owed already; None: never.

    With nothing in the wallet that is the first moment at which anything is due.
    """
    if not any(segment["price_micros_per_hour"] for segment in live):
        return None
    needed = max(balance * _PARTS - owed_parts, 1)

    def enough(moment: int) -> bool:
        return sum(_due_parts(segment, moment) for segment in live) >= needed

    # A sum of steps that only grows: double the reach until it is enough, then halve the doubt.
    start = min(int(segment["started_at"]) for segment in live)
    reach = _SECOND
    while not enough(start + reach):
        reach *= 2
    low, high = start + reach // 2, start + reach
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _due_parts(segment: Row, until: int) -> int:
    """What is still to be charged for a segment up to a moment, in 3,600ths of a millionth of a dollar."""
    seconds = (until - int(segment["started_at"])) // _SECOND
    return max(0, seconds - int(segment["charged_seconds"])) * int(segment["price_micros_per_hour"])


def _rounded(value: int) -> int:
    return value - value % _GRAIN
