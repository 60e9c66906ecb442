"""Billing: what each plan is, how an account comes to another one, and payments."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds, is_uuid, refused, unchanged

Json = dict[str, Any]

DAY = 24 * 3600

FREE: Json = {"pricing_model": "free", "plan_code": None, "usage_price_per_hour_usd": 0}
USAGE: Json = {"pricing_model": "usage_based", "plan_code": None, "usage_price_per_hour_usd": 0.05}
PRO: Json = {"pricing_model": "subscription", "plan_code": "pro", "usage_price_per_hour_usd": 0.05}
TEAM: Json = {"pricing_model": "subscription", "plan_code": "team", "usage_price_per_hour_usd": 0.05}

_LIMITS: list[tuple[Json, int, int, bool]] = [
    (FREE, 0, 3600, False),
    (USAGE, 50, DAY, True),
    (PRO, 50, DAY, True),
    (TEAM, 200, DAY, True),
]


@promise("emulator")
def a_fresh_account_is_on_its_plan(chaser: Subject) -> None:
    """The first account is on `pro` with an empty wallet and nothing used; whoever registers begins on `free`."""
    person, _ = making.person(chaser)
    for client, plan in ((chaser.client, PRO), (person, FREE)):
        told = client.ask("get-billing-summary", expect=200)
        _is_on(told, plan)
        holds(told, told.json, topup_min_usd=10, wallet_balance_usd=0, wallet_balance_micros_usd=0)
        holds(told, told.json, workspace_storage_used_bytes=0, workspace_storage_cap_bytes=25 * 10**9)
        holds(told, told.json, workspace_storage_measured_workspaces=0, workspace_storage_unresolved_workspaces=0)
        nothing = {"seconds": 0, "amount_micros_usd": 0}
        holds(told, told.json, usage_last_24h=nothing, usage_last_30d=nothing)
        holds(told, told.json, stripe_customer_id=None, stripe_subscription_id=None)


@promise("emulator")
def a_plan_is_changed_at_once(chaser: Subject) -> None:
    """An account is on the plan that was asked for at once, with its limits and its price, in the answer and after."""
    for body, plan in (
        ({"pricing_model": "free"}, FREE),
        ({}, FREE),
        ({"pricing_model": None, "plan_code": None}, FREE),
        ({"pricing_model": "subscription"}, PRO),
        ({"plan_code": "team"}, TEAM),
        ({"pricing_model": "subscription"}, TEAM),
        ({"pricing_model": "subscription", "plan_code": None}, TEAM),
        ({"pricing_model": None, "plan_code": "pro"}, PRO),
        ({"pricing_model": "subscription", "plan_code": "team"}, TEAM),
        ({"pricing_model": "usage_based", "plan_code": None}, USAGE),
        ({}, USAGE),
        ({"pricing_model": "free", "plan_code": None}, FREE),
        ({"plan_code": "pro"}, PRO),
    ):
        with chaser.case():
            changed = chaser.ask("update-billing-account", json=body, expect=200)
            _is_on(changed, plan)
            told = chaser.ask("get-billing-summary", expect=200)
            equals(told, told.json, changed.json, "the summary is what the change has answered")


@promise("emulator")
def what_is_no_plan_is_refused(chaser: Subject) -> None:
    """An unknown model or plan, and a plan for what has none, are 400 with the field; the account stays as it is."""
    before = chaser.ask("get-billing-summary", expect=200).json
    for body, pointer in (
        ({"pricing_model": "premium"}, "/pricing_model"),
        ({"pricing_model": "FREE"}, "/pricing_model"),
        ({"pricing_model": "pro"}, "/pricing_model"),
        ({"pricing_model": 7}, "/pricing_model"),
        ({"plan_code": "free"}, "/plan_code"),
        ({"plan_code": "enterprise"}, "/plan_code"),
        ({"plan_code": ""}, "/plan_code"),
        ({"pricing_model": "free", "plan_code": "pro"}, "/plan_code"),
        ({"pricing_model": "usage_based", "plan_code": "team"}, "/plan_code"),
    ):
        with chaser.case():
            refused(chaser.ask("update-billing-account", json=body), 400, "invalid_request", pointer)
    told = chaser.ask("get-billing-summary", expect=200)
    equals(told, told.json, before, "what is refused changes no plan")


@promise("emulator")
def plans_are_of_one_account(chaser: Subject) -> None:
    """Another plan of an organization is none of the personal account, and the other way round."""
    org, _ = making.organization(chaser)
    before = org.ask("get-billing-summary", expect=200).json
    chaser.ask("update-billing-account", json={"plan_code": "team"}, expect=200)
    told = org.ask("get-billing-summary", expect=200)
    equals(told, told.json, before, "an account has a plan of its own")
    org.ask("update-billing-account", json={"pricing_model": "usage_based"}, expect=200)
    _is_on(chaser.ask("get-billing-summary", expect=200), TEAM)


@promise("emulator")
def a_top_up_is_added_when_it_is_paid(chaser: Subject) -> None:
    """A top-up is added to the wallet once it is paid, once; cancelled or waiting it is not; all to the cent."""
    total, customer = 0, None
    for body, micros in (
        ({}, 10_000_000),
        ({"mode": "topup"}, 10_000_000),
        ({"mode": None, "amount_usd": None, "plan_code": None}, 10_000_000),
        ({"amount_usd": 10}, 10_000_000),
        ({"mode": "topup", "amount_usd": 25.5}, 25_500_000),
        ({"amount_usd": 10.01}, 10_010_000),
        ({"amount_usd": 19.99}, 19_990_000),
        ({"amount_usd": 64.01}, 64_010_000),
        ({"amount_usd": 1_000_000}, 1_000_000_000_000),
    ):
        with chaser.case():
            begun = chaser.ask("create-billing-checkout", json=body, expect=200)
            is_uuid(begun, begun.json, "checkout_session_id")
            customer = customer or begun.json["stripe_customer_id"]
            holds(begun, begun.json, stripe_customer_id=customer)
            told = chaser.ask("get-billing-summary", expect=200)
            holds(told, told.json, wallet_balance_micros_usd=total, stripe_customer_id=customer)
            for _ in range(2):
                _decide(chaser, begun, "paid")
            total += micros
            told = chaser.ask("get-billing-summary", expect=200)
            holds(told, told.json, wallet_balance_micros_usd=total, wallet_balance_usd=total / 1e6)
            _is_on(told, PRO)
            _decide(chaser, begun, "canceled")
            told = chaser.ask("get-billing-summary", expect=200)
            holds(told, told.json, wallet_balance_micros_usd=total)
    hook = making.webhook(chaser, events=["billing.updated"])
    begun = chaser.ask("create-billing-checkout", json={}, expect=200)
    _decide(chaser, begun, "canceled")
    told = chaser.ask("get-billing-summary", expect=200)
    holds(told, told.json, wallet_balance_micros_usd=total)
    _decide(chaser, begun, "paid")
    told = chaser.ask("get-billing-summary", expect=200)
    holds(told, told.json, wallet_balance_micros_usd=total)
    sent = chaser.ask("list-webhook-deliveries", query={"webhook_id": hook["id"]}, expect=200)
    equals(sent, sent.json["deliveries"], [], "what is cancelled changes nothing, and so is not told of")


@promise("emulator")
def a_subscription_begins_when_it_is_paid(chaser: Subject) -> None:
    """A subscription begins once it is paid, with an id that lasts as long as it does; the wallet is left alone."""
    chaser.ask("update-billing-account", json={"pricing_model": "free"}, expect=200)
    begun = chaser.ask("create-billing-checkout", json={"mode": "subscription", "plan_code": "team"}, expect=200)
    told = chaser.ask("get-billing-summary", expect=200)
    _is_on(told, FREE)
    holds(told, told.json, stripe_subscription_id=None, stripe_customer_id=begun.json["stripe_customer_id"])
    _decide(chaser, begun, "paid")
    paid = chaser.ask("get-billing-summary", expect=200)
    _is_on(paid, TEAM)
    paid.require(paid.json["stripe_subscription_id"], "a subscription that was paid for has an id")
    holds(paid, paid.json, wallet_balance_micros_usd=0, stripe_customer_id=begun.json["stripe_customer_id"])
    kept = chaser.ask("update-billing-account", json={}, expect=200)
    equals(kept, kept.json, paid.json, "with nothing said nothing changes")
    left = chaser.ask("update-billing-account", json={"pricing_model": "usage_based"}, expect=200)
    holds(left, left.json, stripe_subscription_id=None, stripe_customer_id=begun.json["stripe_customer_id"])


@promise()
def what_is_no_payment_is_refused(chaser: Subject) -> None:
    """An unknown mode, a subscription of nothing and an amount out of bounds are 400 with the field."""
    before = chaser.ask("get-billing-summary", expect=200).json
    for body, pointer in (
        ({"mode": "gift"}, "/mode"),
        ({"mode": ""}, "/mode"),
        ({"mode": "subscription"}, "/plan_code"),
        ({"mode": "subscription", "plan_code": None}, "/plan_code"),
        ({"mode": "subscription", "plan_code": "free"}, "/plan_code"),
        ({"amount_usd": 9.99}, "/amount_usd"),
        ({"amount_usd": 0}, "/amount_usd"),
        ({"amount_usd": -10}, "/amount_usd"),
        ({"amount_usd": 1000000.01}, "/amount_usd"),
        ({"mode": "topup", "amount_usd": "25"}, "/amount_usd"),
        ({"amount_usd": True}, "/amount_usd"),
    ):
        with chaser.case():
            refused(chaser.ask("create-billing-checkout", json=body), 400, "invalid_request", pointer)
    told = chaser.ask("get-billing-summary", expect=200)
    unchanged(told, told.json, before, but=["usage_last_24h", "usage_last_30d"])


@promise("emulator")
def an_empty_wallet_starts_nothing(chaser: Subject) -> None:
    """Without money in the wallet a usage-based account starts no session: 402, until it is topped up."""
    room = making.workspace(chaser)
    chaser.ask("update-billing-account", json={"pricing_model": "usage_based"}, expect=200)
    for answer in (
        chaser.ask("create-session", json={"ephemeral": True}),
        chaser.ask("create-session", json={}),
        chaser.ask("create-session", json={"workspace": room["id"]}),
        chaser.ask("exec-sandbox", json={"command": "true", "ephemeral": True}),
        chaser.ask("exec-sandbox", json={"command": "true"}),
        chaser.ask("exec-sandbox", json={"command": "true", "workspace": room["name"]}),
    ):
        with chaser.case():
            refused(answer, 402, "payment_required")
    listed = chaser.ask("list-sessions", expect=200)
    holds(listed, listed.json, total=0, sessions=[])
    rooms = chaser.ask("list-workspaces", expect=200)
    equals(rooms, [one["id"] for one in rooms.json], [room["id"]], "what is refused makes no workspace")
    making.workspace(chaser)
    _decide(chaser, chaser.ask("create-billing-checkout", json={}, expect=200), "paid")
    making.running(chaser, workspace=room["id"])
    making.running(chaser)


@promise("emulator")
def a_free_account_has_no_workspaces(chaser: Subject) -> None:
    """On the free plan nothing that outlives a session is made or used: 403 with the limit; what is there stays."""
    room = making.workspace(chaser)
    session = making.running(chaser, workspace=room["id"])
    chaser.ask("update-billing-account", json={"pricing_model": "free"}, expect=200)
    read = chaser.ask("get-session", id=session["id"], expect=200)
    holds(read, read.json, status="running")
    chaser.ask("terminate-session", id=session["id"], expect=204)
    for answer in (
        chaser.ask("create-workspace", json={"session_type": "sandbox"}),
        chaser.ask("create-workspace", json={"clone_from": room["id"]}),
        chaser.ask("create-session", json={"workspace": room["id"]}),
        chaser.ask("create-assistant", json={"name": "helper"}),
        chaser.ask("import-workspace", json={"github_repo": "octocat/hello-world"}),
    ):
        with chaser.case():
            details = refused(answer, 403, "plan_limit_exceeded")
            equals(answer, details, {"limit": 0}, "`details.limit` is the number of workspaces that are allowed")
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, [one["id"] for one in listed.json], [room["id"]], "the workspaces that are there stay")
    chaser.ask("update-billing-account", json={"plan_code": "pro"}, expect=200)
    making.running(chaser, workspace=room["id"])


def _is_on(told: Answer, plan: Json) -> None:
    """Hold a summary against a plan and its limits."""
    holds(told, told.json, **plan)
    _, workspaces, seconds, allowed = next(one for one in _LIMITS if one[0] is plan)
    limits = told.json["limits"]
    holds(told, limits, "limits", allow_workspaces=allowed, max_session_seconds=seconds, max_workspaces=workspaces)


def _decide(chaser: Subject, begun: Answer, outcome: str) -> None:
    """Press a button of the page of a checkout, as a browser does."""
    client: Client = chaser.nobody
    url = begun.json["checkout_url"]
    begun.require(begun.json["checkout_session_id"] in url, "`checkout_url` is the page of the checkout", url)
    page = client.http.build_request("GET", url, headers={"Accept": "text/html"})
    shown = client.send(page)
    begun.require(shown.status == 200, "`checkout_url` is a page for a browser", f"it answers {shown.status}")
    client.send(client.http.build_request("POST", url, data={"outcome": outcome}))
