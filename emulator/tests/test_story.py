"""Thirty days of a small company, played by moving the clock: every date is the one that it has to be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok, refused
from receivers import Receiver, answer, receiving

START = moment("2026-03-01T00:00:00Z")
SOON = timedelta(seconds=2)
"""How far looks may have moved the frozen clock by the end."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def emulator() -> Iterator[Running]:
    limits = {"exec": Limits(per_principal=2, per_account=10)}
    with emulator_on("scripted", rate_limits=limits) as one, http_of(one) as client:
        ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": timestamp(START)}))
        yield one


class Player:
    """Ada, and the clock that she lives by."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.credentials = {"email": "ada@example.com", "password": "correct horse"}
        self.sign_in("/auth/register")

    def sign_in(self, route: str = "/auth/login") -> None:
        token = ok(self.client.post(route, json=self.credentials))["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def until(self, to: datetime) -> list[tuple[str, str, datetime]]:
        """Move the clock; answers what fell due, in its order."""
        fired = ok(self.client.post("/_emulator/clock/advance", json={"to": timestamp(to)}))["fired"]
        return [(one["what"], one["id"], moment(one["at"])) for one in fired]

    def pay(self, **checkout: Any) -> None:
        begun = ok(self.client.post("/v1/billing/checkout", json=checkout))
        route = f"/_emulator/checkout/{begun['checkout_session_id']}/complete"
        assert ok(self.client.post(route, json={"outcome": "paid"}))["status"] == "paid"

    def billing(self) -> dict[str, Any]:
        found: dict[str, Any] = ok(self.client.get("/v1/billing/summary"))
        return found

    def session(self) -> dict[str, Any]:
        made: dict[str, Any] = ok(self.client.post("/v1/sessions", json={"ephemeral": True}))
        return made


@pytest.fixture
def ada(emulator: Running) -> Iterator[Player]:
    with httpx.Client(base_url=emulator.url, timeout=60) as client:
        yield Player(client)


def near(actual: str | datetime, wanted: datetime) -> bool:
    found = moment(actual) if isinstance(actual, str) else actual
    return timedelta() <= found - wanted < SOON


def test_thirty_days_pass_with_every_date_right(ada: Player, receiver: Receiver) -> None:
    client = ada.client

    # The first day: on the free plan one session, for an hour; then a subscription, which webhooks tell of.
    free = ada.session()
    refused(client.post("/v1/sessions", json={"ephemeral": True}), 403, "plan_limit_exceeded")
    expired = ada.until(START + timedelta(hours=2))
    assert [(what, one) for what, one, _ in expired] == [("session.expired", free["id"])]
    assert near(expired[0][2], START + timedelta(hours=1))
    ok(client.post("/v1/webhooks", json={"url": receiver.url, "events": ["billing.*"]}))
    receiver.then = [answer(500)] * 3
    subscribed_at = START + timedelta(hours=2)
    ada.pay(mode="subscription", plan_code="pro")
    assert (ada.billing()["plan_code"], ada.billing()["limits"]["max_concurrency"]) == ("pro", 20)

    # Three attempts fail, and the fourth comes after 5 s, 5 min and 30 min more.
    attempts = ada.until(START + timedelta(hours=4))
    assert {what for what, _, _ in attempts} == {"webhook.attempted"}
    pauses = [timedelta(), timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)]
    expected = [subscribed_at + sum(pauses[: number + 1], timedelta()) for number in range(4)][-len(attempts) :]
    assert len(attempts) >= 3
    assert all(near(at, wanted) for (_, _, at), wanted in zip(attempts, expected, strict=True))
    [delivery] = ok(client.get("/v1/webhooks/deliveries"))["deliveries"]
    assert (delivery["status"], delivery["attempts"], delivery["event_type"]) == ("delivered", 4, "billing.updated")
    assert near(delivery["delivered_at"], expected[-1])

    # A session of a day, metered by the second; the token that began it is good for a day.
    began = START + timedelta(hours=4)
    day = ada.session()
    later = START + timedelta(days=9)
    job = {"kind": "session.terminate", "input": {"session_id": day["id"]}, "run_at": timestamp(later)}
    job = ok(client.post("/v1/jobs", json=job))
    ada.until(START + timedelta(hours=23, minutes=59))
    assert client.get("/auth/me").status_code == 200
    ended = ada.until(START + timedelta(days=1, hours=12))
    assert [(what, one) for what, one, _ in ended if what == "session.expired"] == [("session.expired", day["id"])]
    assert near(ended[-1][2], began + timedelta(hours=24))
    refused(client.get("/auth/me"), 401, "unauthorized")
    ada.sign_in()
    assert ok(client.get(f"/v1/sessions/{day['id']}"))["status"] == "terminated"
    # 24 hours up to half past a day: the session ran for all but the last eight of them.
    assert ada.billing()["usage_last_24h"] == {"seconds": 16 * 3600, "amount_micros_usd": 800_000}

    # Rate windows slide with the clock.
    run = {"command": "true", "ephemeral": True}
    assert [client.post("/v1/exec", json=run).status_code for _ in range(3)] == [200, 200, 429]
    ada.until(START + timedelta(days=1, hours=12, seconds=61))
    assert client.post("/v1/exec", json=run).status_code == 200

    # The job comes at its moment; what it wants to end is long gone and forgotten.
    came = ada.until(START + timedelta(days=10))
    assert [(what, one) for what, one, _ in came] == [("job.started", job["id"])]
    assert near(came[0][2], later)
    ada.sign_in()
    done = ok(client.get(f"/v1/jobs/{job['id']}"))
    assert (done["status"], near(done["updated_at"], later)) == ("failed", True)
    refused(client.get(f"/v1/sessions/{day['id']}"), 404, "not_found")

    # By the second, from a wallet of 10 dollars: 20 sessions for ten hours.
    ok(client.post("/v1/billing/account", json={"pricing_model": "usage_based"}))
    refused(client.post("/v1/sessions", json={"ephemeral": True}), 402, "payment_required")
    ada.pay(mode="topup", amount_usd=10)
    running = {ada.session()["id"] for _ in range(20)}
    dry = [one for one in ada.until(START + timedelta(days=11)) if one[0] == "wallet.empty"]
    assert len(dry) == 1
    assert near(dry[0][2], START + timedelta(days=10, hours=10))
    ada.sign_in()
    assert ok(client.get("/v1/sessions"))["total"] == 0
    ends = ok(client.get("/v1/audit/events", params={"action": "session.terminate", "limit": 20}))["events"]
    assert {event["resource_id"] for event in ends} == running
    assert all(near(event["created_at"], START + timedelta(days=10, hours=10)) for event in ends)
    assert ada.billing()["wallet_balance_micros_usd"] == 0
    refused(client.post("/v1/sessions", json={"ephemeral": True}), 402, "payment_required")

    # The thirtieth day: everything of the month is in the sums, and nothing more falls due.
    ada.until(START + timedelta(days=29, hours=23))
    ada.sign_in()
    month = ada.billing()["usage_last_30d"]
    # One free hour, a day, and twenty times ten hours; what single commands took is less than a second.
    assert month == {"seconds": (1 + 24 + 200) * 3600, "amount_micros_usd": (24 + 200) * 50_000}
    assert ok(client.get("/_emulator/clock"))["mode"] == "frozen"
    assert near(ok(client.get("/_emulator/clock"))["now"], START + timedelta(days=29, hours=23))
