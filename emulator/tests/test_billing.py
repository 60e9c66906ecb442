"""What accounts are billed: seconds on the emulator's clock, wallets that run dry, and plans that change."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from billings import START, advance, complete, create, freeze, plan, status, summary, top_up, used, wallet
from billings import checkout as start_checkout
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of
from people import Organization, failed_audits, ok, organization_of, person, refused
from strangers import audited, events_of, stranger
from test_exec import until

_HOUR = 3600
_TICKS = timedelta(milliseconds=50)
"""How far looks may move a frozen clock in a test."""


@pytest.fixture
def emulator() -> Iterator[Running]:
    # One a test: each has the clock to itself.
    with emulator_on("scripted", rate_limit=Limits(enabled=False)) as one:
        yield one


def end(client: httpx.Client, *sessions: str) -> None:
    for session in sessions:
        ok(client.delete(f"/v1/sessions/{session}"))


def billed(emulator: Running, account_id: str) -> list[dict[str, Any]]:
    return [data for kind, data in events_of(emulator, account_id) if kind == "billing.updated"]


def test_a_fresh_account_has_the_documented_summary(client: httpx.Client) -> None:
    assert summary(client) == {
        "pricing_model": "subscription",
        "plan_code": "pro",
        "limits": {"max_workspaces": 50, "max_concurrency": 20, "max_session_seconds": 86400, "allow_workspaces": True},
        "usage_price_per_hour_usd": 0.05,
        "topup_min_usd": 10.0,
        "wallet_balance_usd": 0.0,
        "wallet_balance_micros_usd": 0,
        "workspace_storage_used_bytes": 0,
        "workspace_storage_cap_bytes": 25 * 10**9,
        "workspace_storage_measured_workspaces": 0,
        "workspace_storage_unresolved_workspaces": 0,
        "usage_last_24h": {"seconds": 0, "amount_micros_usd": 0},
        "usage_last_30d": {"seconds": 0, "amount_micros_usd": 0},
        "stripe_customer_id": None,
        "stripe_subscription_id": None,
    }


@pytest.mark.parametrize(
    ("body", "model", "code", "limits"),
    [
        ({"pricing_model": "free"}, "free", None, (0, 1, 3600, False)),
        ({"pricing_model": "usage_based"}, "usage_based", None, (50, 20, 86400, True)),
        ({"pricing_model": "subscription"}, "subscription", "pro", (50, 20, 86400, True)),
        ({"plan_code": "team"}, "subscription", "team", (200, 100, 86400, True)),
        ({"pricing_model": "subscription", "plan_code": "team"}, "subscription", "team", (200, 100, 86400, True)),
        ({"pricing_model": None, "plan_code": "pro"}, "subscription", "pro", (50, 20, 86400, True)),
        ({}, "free", None, (0, 1, 3600, False)),
        ({"pricing_model": None, "plan_code": None}, "free", None, (0, 1, 3600, False)),
    ],
)
def test_a_plan_changes_at_once(
    emulator: Running, body: dict[str, Any], model: str, code: str | None, limits: tuple[int, int, int, bool]
) -> None:
    with http_of(emulator, stranger(emulator, plan="free")) as client:
        changed = ok(client.post("/v1/billing/account", json=body))
        assert (changed["pricing_model"], changed["plan_code"]) == (model, code)
        named = ("max_workspaces", "max_concurrency", "max_session_seconds", "allow_workspaces")
        assert changed["limits"] == dict(zip(named, limits, strict=True))
        assert changed["usage_price_per_hour_usd"] == (0 if model == "free" else 0.05)
        assert summary(client) == changed


def test_a_subscription_without_a_plan_keeps_the_one_it_has(client: httpx.Client) -> None:
    plan(client, plan_code="team")
    assert plan(client, pricing_model="subscription")["plan_code"] == "team"
    assert ok(client.post("/v1/billing/account", json={}))["plan_code"] == "team"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"pricing_model": "gratis"}, "/pricing_model"),
        ({"pricing_model": 5}, "/pricing_model"),
        ({"plan_code": "enterprise"}, "/plan_code"),
        ({"pricing_model": "free", "plan_code": "pro"}, "/plan_code"),
        ({"pricing_model": "usage_based", "plan_code": "team"}, "/plan_code"),
        ([], ""),
    ],
)
def test_a_plan_that_there_is_not_is_refused_by_name(client: httpx.Client, body: object, field: str) -> None:
    before = summary(client)
    assert field in refused(client.post("/v1/billing/account", json=body), 400, "invalid_request")["message"]
    assert summary(client) == before
    assert failed_audits(client, "billing.account.update")


def test_seconds_are_metered_and_priced_exactly(client: httpx.Client) -> None:
    freeze(client)
    session = create(client)
    assert used(client) == (0, 0)
    advance(client, 0.5)
    assert used(client) == (0, 0)
    advance(client, 0.5)
    assert used(client) == (1, 13)
    advance(client, 5399)
    assert used(client) == (5400, 75_000)
    end(client, session)
    advance(client, 600)
    assert used(client) == (5400, 75_000)
    assert used(client, "usage_last_30d") == (5400, 75_000)
    assert wallet(client) == 0


def test_the_clock_may_be_moved_to_a_moment_as_well(client: httpx.Client) -> None:
    freeze(client)
    summary(client)
    create(client)
    ok(client.post("/_emulator/clock/advance", json={"to": timestamp(moment(START) + timedelta(hours=1))}))
    assert used(client) == (_HOUR, 50_000)


def test_sessions_are_metered_each_for_itself(client: httpx.Client) -> None:
    freeze(client)
    first = create(client)
    advance(client, 10)
    create(client)
    advance(client, 1)
    end(client, first)
    advance(client, 2)
    # 11 and 3 seconds, priced together.
    assert used(client) == (14, 14 * 50_000 // 3600)


def test_a_session_that_never_ran_costs_nothing(tmp_path: Path) -> None:
    with emulator_on("local", data_dir=tmp_path, browser="/nowhere/chromium") as emulator, http_of(emulator) as client:
        made = ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))
        until(lambda: status(client, made["id"]) == "failed")
        freeze(client)
        advance(client, 60)
        assert used(client) == (0, 0)


def test_the_free_plan_is_metered_and_costs_nothing(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="free")) as client:
        freeze(client)
        create(client)
        advance(client, 600)
        assert used(client) == (600, 0)


def test_usage_leaves_the_windows_second_by_second(client: httpx.Client) -> None:
    freeze(client)
    session = create(client)
    advance(client, 2 * _HOUR)
    end(client, session)
    advance(client, 23 * _HOUR)
    assert used(client) == (_HOUR, 50_000)
    assert used(client, "usage_last_30d") == (2 * _HOUR, 100_000)
    advance(client, _HOUR - 1)
    assert used(client) == (1, 13)
    advance(client, 1)
    assert used(client) == (0, 0)
    advance(client, 29 * 24 * _HOUR - _HOUR)
    assert used(client, "usage_last_30d") == (_HOUR, 50_000)
    advance(client, 2 * _HOUR)
    assert used(client, "usage_last_30d") == (0, 0)


def test_an_empty_wallet_creates_nothing_on_any_way(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        for route, body in (
            ("sessions", {}),
            ("sessions", {"ephemeral": True}),
            ("sessions", {"session_type": "browser", "ephemeral": True}),
            ("exec", {"command": "true"}),
            ("exec", {"command": "true", "ephemeral": True}),
        ):
            refused(client.post(f"/v1/{route}", json=body), 402, "payment_required")
        # Nothing is left of the attempts, such as the workspace that they would have made.
        assert ok(client.get("/v1/workspaces")) == []
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "mine"}))
        refused(client.post("/v1/sessions", json={"workspace": "mine"}), 402, "payment_required")
        top_up(client)
        create(client, workspace="mine")


def test_a_wallet_pays_by_the_second(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        freeze(client)
        top_up(client, 12.5)
        assert wallet(client) == 12_500_000
        first, second = create(client), create(client)
        advance(client, _HOUR)
        assert wallet(client) == 12_400_000
        assert summary(client)["wallet_balance_usd"] == 12.4
        end(client, first)
        advance(client, 1)
        # A second costs 13.9 millionths, of which whole ones are taken; the rest is owed.
        assert wallet(client) == 12_400_000 - 13
        advance(client, 1)
        assert wallet(client) == 12_400_000 - 27
        advance(client, 7)
        assert wallet(client) == 12_400_000 - 125
        end(client, second)
        advance(client, _HOUR)
        assert wallet(client) == 12_400_000 - 125
        assert used(client) == (2 * _HOUR + 9, 100_125)


def test_asking_often_costs_no_more(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        freeze(client)
        top_up(client)
        create(client)
        for _ in range(36):
            advance(client, 1)
            assert wallet(client) == wallet(client)
        assert (wallet(client), used(client)) == (10_000_000 - 500, (36, 500))


def test_sessions_end_at_the_moment_at_which_the_wallet_is_empty(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        account = ok(client.get("/v1/accounts/current"))["account"]["id"]
        freeze(client)
        top_up(client)
        sessions = [create(client) for _ in range(20)]
        advance(client, 35_100)
        assert wallet(client) == 250_000
        end(client, *sessions[3:])
        before = len(billed(emulator, account))
        assert advance(client, 5_999) == []
        assert [status(client, session) for session in sessions[:3]] == ["running"] * 3
        assert wallet(client) == 42
        fired = advance(client, _HOUR)
        [dry] = [one for one in fired if one["what"] == "wallet.empty"]
        assert dry["id"] == account
        due = moment(START) + timedelta(seconds=35_100 + 6_000)
        assert abs(moment(dry["at"]) - due) < _TICKS
        assert [status(client, session) for session in sessions[:3]] == ["terminated"] * 3
        assert wallet(client) == 0
        # Neither more nor less than the wallet held was used.
        assert used(client) == (720_000, 10_000_000)
        for session in sessions[:3]:
            found = ok(client.get("/v1/audit/events", params={"resource_id": session, "action": "session.terminate"}))
            [event] = found["events"]
            assert event["actor_type"] == "system"
            assert "wallet" in event["summary"]
            assert abs(moment(event["created_at"]) - due) < _TICKS
        told = billed(emulator, account)[before:]
        assert [one["wallet_balance_micros_usd"] for one in told] == [0]
        refused(client.post("/v1/sessions", json={"ephemeral": True}), 402, "payment_required")
        top_up(client)
        create(client)


def test_a_wallet_runs_dry_in_real_time_too(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        freeze(client)
        top_up(client)
        for _ in range(20):
            create(client)
        advance(client, 35_999)
        ok(client.post("/_emulator/clock", json={"mode": "real", "at": ok(client.get("/_emulator/clock"))["now"]}))
        until(lambda: ok(client.get("/v1/sessions"))["total"] == 0)
        assert (wallet(client), used(client)) == (0, (720_000, 10_000_000))


def test_a_top_up_in_time_keeps_sessions_running(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        freeze(client)
        top_up(client)
        sessions = [create(client) for _ in range(20)]
        advance(client, 35_999)
        top_up(client)
        assert advance(client, _HOUR) == []
        assert status(client, sessions[0]) == "running"
        assert wallet(client) == 20_000_000 - 20 * 39_599 * 50_000 // 3600


def test_only_the_account_whose_wallet_is_empty_is_touched(emulator: Running, client: httpx.Client) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as other:
        freeze(client)
        mine = create(client)
        top_up(other)
        theirs = [create(other) for _ in range(20)]
        fired = advance(client, 10 * _HOUR)
        assert [one["what"] for one in fired] == ["wallet.empty"]
        assert (status(client, mine), status(other, theirs[0])) == ("running", "terminated")


def test_what_runs_when_the_plan_changes_is_metered_by_both(client: httpx.Client) -> None:
    freeze(client)
    plan(client, pricing_model="usage_based")
    top_up(client)
    session = create(client)
    advance(client, _HOUR)
    assert plan(client, plan_code="team")["wallet_balance_micros_usd"] == 9_950_000
    advance(client, _HOUR)
    assert (wallet(client), used(client)) == (9_950_000, (2 * _HOUR, 100_000))
    plan(client, pricing_model="free")
    advance(client, _HOUR)
    assert (wallet(client), used(client)) == (9_950_000, (3 * _HOUR, 100_000))
    plan(client, pricing_model="usage_based")
    advance(client, _HOUR)
    assert (wallet(client), used(client)) == (9_900_000, (4 * _HOUR, 150_000))
    assert status(client, session) == "running"
    end(client, session)


def test_what_runs_must_be_paid_for_once_the_wallet_is_to_pay(client: httpx.Client) -> None:
    freeze(client)
    session = create(client)
    plan(client, pricing_model="usage_based")
    assert status(client, session) == "running"
    fired = advance(client, 2)
    assert [one["what"] for one in fired] == ["wallet.empty"]
    assert status(client, session) == "terminated"
    assert wallet(client) == 0


def test_what_is_there_stays_on_a_smaller_plan(client: httpx.Client) -> None:
    ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}))
    ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "idle"}))
    running, other = create(client, workspace="kept"), create(client)
    plan(client, pricing_model="free")
    assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["idle", "kept"]
    assert create(client, workspace="kept") == running
    assert status(client, other) == "running"
    # What is new is held to the new plan: no workspaces, one session at once, an hour.
    refused(client.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "plan_limit_exceeded")
    end(client, running, other)
    limit = refused(client.post("/v1/sessions", json={"workspace": "idle"}), 403, "plan_limit_exceeded")
    assert limit["details"] == {"limit": 0}
    session = ok(client.post("/v1/sessions", json={}))
    assert session["persistence"] is False
    refused(client.post("/v1/sessions", json={"ephemeral": True}), 403, "plan_limit_exceeded")
    fired = advance(client, _HOUR)
    assert [one["id"] for one in fired] == [session["id"]]
    assert ok(client.delete("/v1/workspaces/kept")) is None


def test_the_default_workspace_counts_as_every_other(client: httpx.Client) -> None:
    for _ in range(50):
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))
    for route, body in (("sessions", {}), ("exec", {"command": "true"})):
        limit = refused(client.post(f"/v1/{route}", json=body), 403, "plan_limit_exceeded")
        assert limit["details"] == {"limit": 50}
    plan(client, plan_code="team")
    create(client, session_type="sandbox")
    assert len(ok(client.get("/v1/workspaces"))) == 51


def test_jobs_are_held_to_the_plan_too(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        asked = {"kind": "sandbox.exec", "input": {"command": "true", "ephemeral": True}}
        job = ok(client.post("/v1/jobs", json=asked))["id"]
        until(lambda: ok(client.get(f"/v1/jobs/{job}"))["status"] == "failed")
        assert "wallet" in ok(client.get(f"/v1/jobs/{job}"))["error"]


def test_tools_are_held_to_the_plan_too(emulator: Running) -> None:
    def text(client: httpx.Client, tool: str, **arguments: Any) -> str:
        params = {"name": tool, "arguments": arguments}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        result = ok(client.post("/v1/mcp", json=asked, headers={"Accept": "application/json"}))["result"]
        assert result["isError"]
        return str(result["content"][0]["text"])

    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        for tool in ("chaser_create_sandbox_session", "chaser_create_browser_session"):
            assert "payment_required" in text(client, tool, ephemeral=True)
        assert "payment_required" in text(client, "terminal", command="true")
        assert ok(client.get("/v1/workspaces")) == []
    with http_of(emulator, stranger(emulator, plan="free")) as client:
        create(client)
        assert "plan_limit_exceeded" in text(client, "chaser_create_sandbox_session", ephemeral=True)
        assert "plan_limit_exceeded" in text(client, "terminal", command="true")
        assert "plan_limit_exceeded" in text(client, "chaser_create_workspace", session_type="sandbox")


def test_homes_of_assistants_are_held_to_the_plan_too(emulator: Running) -> None:
    with http_of(emulator, person(emulator, plan="free").key) as client:
        refused(client.post("/v1/assistants", json={"name": "helper"}), 403, "plan_limit_exceeded")
        plan(client, pricing_model="usage_based")
        ok(client.post("/v1/assistants", json={"name": "helper"}))


def test_two_creations_at_once_both_fit_or_only_one(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="free")) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/sessions", json={"ephemeral": True}), range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [403] * 7


def test_a_wallet_that_holds_a_little_starts_what_comes_and_never_falls_below_nothing(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client, ThreadPoolExecutor(8) as pool:
        freeze(client)
        top_up(client)
        for _ in range(20):
            create(client)
        advance(client, 35_999)
        end(client, *[one["id"] for one in ok(client.get("/v1/sessions"))["sessions"]])
        left = wallet(client)
        assert left == 278
        answers = list(pool.map(lambda _: client.post("/v1/sessions", json={"ephemeral": True}), range(8)))
        assert {answer.status_code for answer in answers} == {200}
        advance(client, 60)
        assert wallet(client) == 0
        assert ok(client.get("/v1/sessions"))["total"] == 0
        seconds, amount = used(client)
        assert (seconds - 720_000 + 20, amount) == (24, seconds * 50_000 // 3600)


def test_usage_and_wallet_outlast_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        freeze(client)
        plan(client, pricing_model="usage_based")
        top_up(client)
        create(client)
        advance(client, _HOUR)
        before = summary(client)
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        # What ran ended with the emulator, and has cost an hour.
        assert ok(client.get("/v1/sessions"))["total"] == 0
        assert summary(client) == before
        advance(client, _HOUR)
        assert used(client) == (_HOUR, 50_000)
        assert wallet(client) == 9_950_000


def test_what_outlives_a_restart_goes_on_being_metered(tmp_path: Path) -> None:
    with emulator_on("docker", data_dir=tmp_path) as one, http_of(one) as client:
        freeze(client)
        plan(client, pricing_model="usage_based")
        top_up(client)
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}))
        session = create(client, workspace="kept")
        advance(client, _HOUR)
    with emulator_on("docker", data_dir=tmp_path) as one, http_of(one) as client:
        assert status(client, session) == "running"
        advance(client, _HOUR)
        assert (wallet(client), used(client)) == (9_900_000, (2 * _HOUR, 100_000))
        end(client, session)
        advance(client, _HOUR)
        assert (wallet(client), used(client)) == (9_900_000, (2 * _HOUR, 100_000))
        ok(client.delete("/v1/workspaces/kept"))


@pytest.mark.parametrize("seed", [2, 3, 6, 7])
def test_the_books_balance_whatever_happens(emulator: Running, seed: int) -> None:
    """Sessions, top-ups, plans and hours at random, against the sum that anybody can do: seconds times price."""
    chance = random.Random(seed)
    with http_of(emulator, stranger(emulator, plan="pro")) as client:
        freeze(client)
        born: dict[str, int] = {}
        # The wallet in 3,600ths of a millionth of a dollar, of which a second costs 50,000.
        paying, now, money, seconds, dry = False, 0, 0, 0, 0
        for _ in range(120):
            match chance.choice(["create", "create", "create", "end", "top up", "plan", "wait", "wait", "wait"]):
                case "create":
                    made = client.post("/v1/sessions", json={"ephemeral": True})
                    assert made.status_code == (402 if paying and money <= 0 else 403 if len(born) == 20 else 200)
                    if made.status_code == 200:
                        born[made.json()["id"]] = now
                case "end" if born:
                    session = chance.choice(sorted(born))
                    end(client, session)
                    del born[session]
                case "top up" if chance.random() < 0.2:
                    top_up(client)
                    money += 10_000_000 * 3600
                case "plan" if chance.random() < 0.4:
                    paying = not paying
                    plan(client, pricing_model="usage_based" if paying else "subscription")
                case "wait":
                    wait = chance.choice([1, 59, 3600, 40_000])
                    for session in [one for one, start in born.items() if now + wait - start >= 24 * _HOUR]:
                        end(client, session)
                        del born[session]
                    fired = advance(client, wait)
                    now += wait
                    price = 50_000 * len(born)
                    # With nothing in the wallet the first second is the one that cannot be paid.
                    lasts = max(-(-money // price), 1) if paying and born else wait + 1
                    seconds += min(lasts, wait) * len(born)
                    money = money - wait * price if paying and lasts > wait else 0 if paying and born else money
                    assert [one["what"] for one in fired] == ["wallet.empty"] * (lasts <= wait)
                    if lasts <= wait:
                        born.clear()
                        dry += 1
            assert {one["id"] for one in ok(client.get("/v1/sessions"))["sessions"]} == set(born)
            assert wallet(client) == -(-money // 3600)
            assert used(client, "usage_last_30d") == (seconds, seconds * 50_000 // 3600)
        assert dry, "choose other seeds: in none of these hours did a wallet run dry"


def test_storage_is_that_of_the_workspaces(tmp_path: Path) -> None:
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        for name in ("empty", "full"):
            ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name}))
        fresh = summary(client)
        assert fresh["workspace_storage_measured_workspaces"] == 2
        assert fresh["workspace_storage_used_bytes"] == 0
        session = create(client, workspace="full")
        for megabytes in (1, 3):
            command = f"head -c {megabytes * 10**6} /dev/urandom > /workspace/blob"
            assert ok(client.post(f"/v1/sessions/{session}/exec", json={"command": command}))["exit_code"] == 0
            size = summary(client)["workspace_storage_used_bytes"]
            assert megabytes * 10**6 <= size < megabytes * 10**6 + 10**6
        end(client, session)
        after = summary(client)
        assert after["workspace_storage_used_bytes"] >= 3 * 10**6
        assert after["workspace_storage_unresolved_workspaces"] == 0
        ok(client.delete("/v1/workspaces/full"))
        assert summary(client)["workspace_storage_used_bytes"] == 0


def test_members_read_and_managers_change(organization: Organization) -> None:
    assert summary(organization.member)["pricing_model"] == "subscription"
    for route, body in (("account", {"plan_code": "team"}), ("checkout", {})):
        refused(organization.member.post(f"/v1/billing/{route}", json=body), 403, "forbidden")
        refused(
            organization.outsider.post(f"/v1/billing/{route}", json=body, headers=_in(organization)), 404, "not_found"
        )
        for role in (organization.admin, organization.owner):
            ok(role.post(f"/v1/billing/{route}", json=body))
    assert summary(organization.member)["plan_code"] == "team"
    # Its own account is as it was.
    assert summary(organization.outsider)["plan_code"] == "pro"


def _in(organization: Organization) -> dict[str, str]:
    return {"X-Chaser-Account": organization.id}


def test_keys_need_the_scopes(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, scopes=["billing.read"])) as reader:
        summary(reader)
        refused(reader.post("/v1/billing/account", json={"plan_code": "pro"}), 403, "insufficient_scope")
    with http_of(emulator, stranger(emulator, scopes=["billing.write"])) as writer:
        plan(writer, plan_code="team")
        refused(writer.get("/v1/billing/summary"), 403, "insufficient_scope")


def test_a_change_of_plan_is_audited_and_told(emulator: Running, client: httpx.Client) -> None:
    account = ok(client.get("/v1/accounts/current"))["account"]["id"]
    changed = plan(client, pricing_model="subscription", plan_code="team")
    assert billed(emulator, account) == [changed]
    assert ok(client.post("/v1/billing/account", json={"ignored": 1}))["plan_code"] == "team"
    assert len(billed(emulator, account)) == 1
    rows = [row for row in audited(emulator, account) if row[0] == "billing.account.update"]
    assert rows == [
        ("billing.account.update", "success", {"pricing_model": "subscription", "plan_code": "team"}),
        ("billing.account.update", "success", {}),
    ]


def test_the_official_client_bills(sdk: ChaserClient, client: httpx.Client) -> None:
    assert sdk.billing.summary()["plan_code"] == "pro"
    assert sdk.billing.update_account(pricing_model="usage_based")["pricing_model"] == "usage_based"
    assert sdk.billing.update_account(pricing_model="subscription", plan_code="team")["plan_code"] == "team"
    started = sdk.billing.create_checkout(mode="topup", amount_usd=25.0)
    ok(complete(client, started["checkout_session_id"]))
    assert sdk.billing.summary()["wallet_balance_usd"] == 25.0


def test_limits_hold_for_who_was_admitted_before_the_plan_changed(emulator: Running) -> None:
    someone = person(emulator)
    with http_of(emulator, someone.key) as client, http_of(emulator, someone.key) as other:
        # Both are known by now, with the plan of that moment.
        summary(client), summary(other)
        plan(other, pricing_model="free")
        refused(client.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "plan_limit_exceeded")
        assert ok(client.post("/v1/sessions", json={}))["persistence"] is False


def test_a_checkout_of_another_account_credits_that_account(emulator: Running, client: httpx.Client) -> None:
    with organization_of(emulator) as organization:
        ok(complete(client, start_checkout(organization.admin, amount_usd=30)))
        assert wallet(organization.member) == 30_000_000
    assert wallet(client) == 0
