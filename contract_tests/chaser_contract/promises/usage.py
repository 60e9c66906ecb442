"""Usage: sessions are metered by the second on the emulator's clock, and charged to wallets until those run dry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chaser_contract import making
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.sandboxes import stubbed
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, passed, refused
from chaser_contract.waiting import PATIENCE, until

HOUR = 3600
PRICE = 50_000
"""Millionths of a dollar for an hour of a session."""


@promise("emulator")
def sessions_are_metered_by_the_second(chaser: Subject) -> None:
    """Each second of each session counts at 5 cents an hour, while it runs and no longer, in both windows."""
    frozen(chaser)
    first = making.running(chaser)
    _used(chaser, 0)
    passed(chaser, seconds=1)
    _used(chaser, 1)
    passed(chaser, seconds=0.5)
    _used(chaser, 1)
    passed(chaser, seconds=58.5)
    _used(chaser, 60)
    second = making.running(chaser)
    passed(chaser, seconds=90)
    _used(chaser, 60 + 180)
    chaser.ask("terminate-session", id=first["id"], expect=204)
    passed(chaser, hours=1)
    _used(chaser, 60 + 180 + HOUR)
    chaser.ask("terminate-session", id=second["id"], expect=204)
    passed(chaser, hours=1)
    _used(chaser, 60 + 180 + HOUR)


@promise("emulator", "peer")
def usage_is_of_the_account(chaser: Subject) -> None:
    """What runs in one account is used in that account alone."""
    frozen(chaser)
    org, _ = making.organization(chaser)
    making.running(org)
    passed(chaser, hours=2)
    _used(org, 2 * HOUR)
    for client in (chaser.client, chaser.peer):
        _used(client, 0)


@promise("emulator")
def windows_end_now(chaser: Subject) -> None:
    """The windows hold what ran in the last 24 hours and the last 30 days, and of a session the part within them."""
    frozen(chaser)
    made = making.running(chaser)
    passed(chaser, hours=2)
    chaser.ask("terminate-session", id=made["id"], expect=204)
    for hours, day in ((21, 2), (2, 1), (2, 0)):
        passed(chaser, hours=hours)
        _windows(chaser, day * HOUR, 2 * HOUR)
    passed(chaser, days=27, hours=1)
    # What is forgotten a day after its end takes nothing along that a window still holds.
    short = making.running(chaser)
    chaser.ask("terminate-session", id=short["id"], expect=204)
    passed(chaser, hours=23)
    _windows(chaser, 0, 2 * HOUR)
    passed(chaser, hours=22)
    _windows(chaser, 0, HOUR)
    passed(chaser, hours=2)
    _windows(chaser, 0, 0)


@promise("emulator")
def free_sessions_cost_nothing(chaser: Subject) -> None:
    """On the free plan seconds are counted at no price."""
    # The clock first: an access token does not last until then.
    frozen(chaser)
    person, _ = making.person(chaser)
    making.running(person)
    passed(chaser, seconds=1800)
    told = person.ask("get-billing-summary", expect=200)
    holds(told, told.json, usage_last_24h={"seconds": 1800, "amount_micros_usd": 0}, wallet_balance_micros_usd=0)


@promise("emulator")
def subscriptions_are_metered_but_not_charged(chaser: Subject) -> None:
    """On a subscription sessions are metered at their price, and the wallet is left alone."""
    client = _payer(chaser, 1.0, "pro")
    making.running(client)
    passed(chaser, hours=3)
    _used(client, 3 * HOUR)
    told = client.ask("get-billing-summary", expect=200)
    holds(told, told.json, wallet_balance_micros_usd=1_000_000, wallet_balance_usd=1)


@promise("emulator")
def the_wallet_pays_by_the_second(chaser: Subject) -> None:
    """A usage-based account pays each second of each session from its wallet, and nothing once they have ended."""
    client = _payer(chaser, 10.0)
    making.running(client)
    _left(client, 10_000_000)
    passed(chaser, hours=1)
    _left(client, 9_950_000)
    making.running(client)
    passed(chaser, seconds=36)
    _left(client, 9_949_000)
    passed(chaser, hours=2)
    _left(client, 9_749_000)
    client.ask("bulk-terminate-sessions", json={"all": True}, expect=200)
    passed(chaser, days=2)
    _left(client, 9_749_000)
    told = client.ask("get-billing-summary", expect=200)
    spent = told.json["usage_last_30d"]["amount_micros_usd"]
    told.require(abs(spent - 251_000) <= 2, "what was used is what the wallet has paid", str(spent))


@promise("emulator")
def fractions_are_not_lost_by_looking(chaser: Subject) -> None:
    """However often somebody looks, a wallet has paid what the time costs, fractions of a millionth included."""
    client = _payer(chaser, 10.0)
    making.running(client)
    for _ in range(18):
        passed(chaser, seconds=1)
        client.ask("get-billing-summary", expect=200)
    _left(client, 10_000_000 - 250)


@promise("emulator")
def another_plan_meters_from_then_on(chaser: Subject) -> None:
    """When the plan changes, what runs is paid by the old one until then, and by the new one from then on."""
    client = _payer(chaser, 10.0)
    making.running(client)
    passed(chaser, hours=1)
    client.ask("update-billing-account", json={"pricing_model": "free"}, expect=200)
    _left(client, 9_950_000)
    passed(chaser, hours=2)
    _left(client, 9_950_000)
    told = client.ask("get-billing-summary", expect=200)
    holds(told, told.json, usage_last_24h={"seconds": 3 * HOUR, "amount_micros_usd": PRICE})
    client.ask("update-billing-account", json={"pricing_model": "usage_based"}, expect=200)
    passed(chaser, hours=1)
    _left(client, 9_900_000)


@promise("emulator")
def a_wallet_that_runs_dry_ends_sessions(chaser: Subject) -> None:
    """When the wallet is empty the sessions end, by `system`; it holds nothing then, and no new ones start."""
    client = _payer(chaser, 0.05)
    one = making.running(client)["id"]
    two = making.running(client)["id"]
    passed(chaser, seconds=HOUR / 2 - 0.5)
    for made in (one, two):
        read = client.ask("get-session", id=made, expect=200)
        holds(read, read.json, status="running")
    passed(chaser, seconds=1)
    for made in (one, two):
        until(
            lambda made=made: client.ask("get-session", id=made, expect=200),  # type: ignore[misc]
            lambda found: found["status"] == "terminated",
            "a session ends when the wallet that pays for it is empty",
        )
        events = client.ask(
            "list-audit-events", query={"action": "session.terminate", "resource_id": made}, expect=200
        ).json["events"]
        actors = [event["actor_type"] for event in events]
        chaser.require(actors == ["system"], "list-audit-events: `system` ends what nobody pays for", str(actors))
    told = client.ask("get-billing-summary", expect=200)
    holds(told, told.json, wallet_balance_micros_usd=0, wallet_balance_usd=0)
    refused(client.ask("create-session", json={"ephemeral": True}), 402, "payment_required")
    refused(client.ask("exec-sandbox", json={"ephemeral": True, "command": "true"}), 402, "payment_required")
    passed(chaser, hours=5)
    told = client.ask("get-billing-summary", expect=200)
    holds(told, told.json, wallet_balance_micros_usd=0)
    listed = client.ask("list-sessions", expect=200)
    equals(listed, listed.json["total"], 0, "nothing runs that nobody pays for")


@promise("emulator")
def an_empty_wallet_ends_what_is_in_use(chaser: Subject) -> None:
    """When the wallet is empty a session ends also while a command runs in it, which holds it against others."""
    stubbed(chaser, {"command": "sleep 600", "runs": "forever"})
    client = _payer(chaser, 0.05)
    made = making.running(client)["id"]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.ask, "exec-session", id=made, json={"command": "sleep 600"})
        until(
            lambda: client.ask("get-session", id=made, expect=200),
            lambda found: found["active_connection_leases"] == 1,
            "a command that runs in the foreground holds its session",
        )
        refused(client.ask("terminate-session", id=made), 409, "session_leased")
        passed(chaser, hours=1, seconds=2)
        until(
            lambda: client.ask("get-session", id=made, expect=200),
            lambda found: found["status"] == "terminated",
            "a session ends when the wallet is empty, whoever uses it",
        )
        told: Answer = running.result(PATIENCE)
        told.require(told.status >= 400 or told.json["exit_code"] != 0, "a command ends with its session")


def _payer(chaser: Subject, dollars: float, plan: str = "usage_based") -> Client:
    """Somebody with so much in their wallet, from a moment on at which the clock stands."""
    name = chaser.name("payer")
    user: dict[str, Any] = {"email": f"{name}@example.com", "plan": plan, "wallet_balance_usd": dollars}
    chaser.steered.seed({"users": [user], "keys": [{"name": name, "owner": user["email"]}]})
    frozen(chaser)
    return chaser.as_(chaser.steered.keys[name])


def _windows(client: Client | Subject, day: int, month: int) -> None:
    """Hold both windows against the seconds that are in them."""
    told = client.ask("get-billing-summary", expect=200)
    for name, seconds in (("usage_last_24h", day), ("usage_last_30d", month)):
        found = told.json[name]
        told.require(found["seconds"] == seconds, f"`{name}` has the seconds of all sessions in it", str(found))
        amount = seconds * PRICE / HOUR
        exact = abs(found["amount_micros_usd"] - amount) < 1
        told.require(exact, f"`{name}` has their price, at 5 cents an hour", f"{found}, and not {amount}")


def _used(client: Client | Subject, seconds: int) -> None:
    _windows(client, seconds, seconds)


def _left(client: Client, micros: int) -> None:
    """Hold what is left in a wallet against what has to be, to a millionth of a dollar."""
    told: Answer = client.ask("get-billing-summary", expect=200)
    found = told.json["wallet_balance_micros_usd"]
    told.require(abs(found - micros) <= 1, f"the wallet holds {micros} millionths of a dollar then", f"it is {found}")
    holds(told, told.json, wallet_balance_usd=found / 1e6)
