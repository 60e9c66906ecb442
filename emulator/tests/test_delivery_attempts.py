"""Attempts at deliveries: each is kept with what was sent and answered, and what is to come is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from databases import tell
from emulators import emulator_on
from people import Organization, ok, refused
from receivers import Hook, answer, hooked, receiving, rename, workspace
from test_control_commands import Run, run  # noqa: F401
from test_sink import address, at_rest, behave, received

DELIVERIES = "/_emulator/webhooks/deliveries"


@pytest.fixture
def hook(world: httpx.Client) -> Iterator[Hook]:
    """A webhook that leads to the sink."""
    with hooked(world, address(world, "ci")) as one:
        yield one


def tried(client: httpx.Client, delivery_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ok(client.get(f"{DELIVERIES}/{delivery_id}/attempts"))
    return found


def listed(client: httpx.Client, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = ok(client.get(DELIVERIES, params=query))
    return found


def advance(client: httpx.Client, to: str) -> None:
    ok(client.post("/_emulator/clock/advance", json={"to": to}))


def test_each_attempt_is_kept_with_what_was_sent_and_what_was_answered(world: httpx.Client, hook: Hook) -> None:
    behave(world, status=503, times=2)
    workspace(world)
    at_rest(world)
    [delivery] = hook.deliveries()
    first = tried(world, delivery["id"])
    assert [(one["number"], one["http_status"], one["error"]) for one in first["attempts"]] == [
        (1, 503, "the answer was 503")
    ]
    assert (first["delivery"]["status"], first["not_kept"], first["most"]) == ("pending", 0, 8)
    assert [one["number"] for one in first["ahead"]] == [2, 3, 4, 5, 6, 7, 8]
    advance(world, first["ahead"][0]["at"])
    second = tried(world, delivery["id"])
    assert second["attempts"][:1] == first["attempts"]
    assert second["attempts"][1]["at"] >= first["ahead"][0]["at"]
    advance(world, second["ahead"][0]["at"])
    third = tried(world, delivery["id"])
    assert [one.get("error") for one in third["attempts"]] == ["the answer was 503", "the answer was 503", None]
    # Also what the API tells of it.
    [shown] = hook.deliveries()
    assert third["delivery"] == {name: value for name, value in shown.items() if name != "payload"} | {
        "account_id": delivery["payload"]["account_id"]
    }
    assert shown["status"] == "delivered"
    assert "ahead" not in third
    came = received(world)
    for one, got in zip(third["attempts"], came, strict=True):
        assert {name.lower(): value for name, value in one["headers"].items()} == got["headers"]
        assert got["verified"]
        assert third["body"] == got["body"]
    assert json.loads(third["body"]) == delivery["payload"]
    assert hook.secret not in json.dumps(third)


def test_an_attempt_without_an_answer_says_why_and_how_long_it_took(client: httpx.Client) -> None:
    with receiving() as receiver:
        gone = receiver.url
    with hooked(client, gone) as hook:
        workspace(client)
        hook.settled(1, "pending")
        at_rest(client)
        [attempt] = tried(client, hook.deliveries()[0]["id"])["attempts"]
        assert attempt["error"] == "the connection was refused"
        assert "http_status" not in attempt
        assert attempt["duration_ms"] >= 0


def test_what_is_sent_over_a_connection_is_what_is_told(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, f"{receiver.url}/hooks?team=blue") as hook:
        receiver.usual = answer(204)
        workspace(client)
        [delivery] = hook.settled(1)
        [got] = receiver.wait(1)
        told = tried(client, delivery["id"])
        assert {name.lower(): value for name, value in told["attempts"][0]["headers"].items()} == got.headers
        assert told["body"].encode() == got.body
        assert hook.verified(got) == delivery["payload"]


def test_one_that_waits_for_another_says_for_which(world: httpx.Client, hook: Hook) -> None:
    behave(world, status=500)
    rename(world, workspace(world), "renamed")
    at_rest(world)
    first, second = hook.deliveries()
    waiting = tried(world, second["id"])
    assert (waiting["waits_for"], waiting["ahead"], waiting["attempts"]) == (first["id"], [], [])
    ok(world.post(f"/v1/webhooks/deliveries/{first['id']}/discard"))
    at_rest(world)
    assert "waits_for" not in tried(world, second["id"])
    assert "ahead" not in tried(world, first["id"])


def test_a_replay_is_told_of_by_what_it_repeats(world: httpx.Client, hook: Hook) -> None:
    workspace(world)
    [delivery] = hook.settled(1)
    again = ok(world.post(f"/v1/webhooks/deliveries/{delivery['id']}/replay"))["delivery"]
    assert tried(world, delivery["id"])["replays"] == [again["id"]]
    [one] = [one for one in listed(world)["deliveries"] if one["id"] == again["id"]]
    assert one["replayed_from_delivery_id"] == delivery["id"]


def test_attempts_of_before_they_were_kept_are_counted(emulator: Running, client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.usual = answer(500)
        workspace(client)
        hook.settled(1, "pending")
        at_rest(client)
        [delivery] = hook.deliveries()
        tell(emulator, ("DELETE FROM delivery_attempts",))
        told = tried(client, delivery["id"])
        assert (told["attempts"], told["not_kept"]) == ([], 1)
        assert told["ahead"][0]["number"] == 2


def test_deliveries_are_listed_page_by_page_and_counted(world: httpx.Client, hook: Hook) -> None:
    made = workspace(world)
    for number in range(6):
        rename(world, made, f"name-{number}")
    at_rest(world)
    found: list[str] = []
    while page := listed(world, limit=3, **({"before": found[-1]} if found else {}))["deliveries"]:
        found += [one["id"] for one in page]
    assert found == [one["id"] for one in reversed(hook.deliveries())]
    behave(world, status=500)
    workspace(world)
    at_rest(world)
    pending = listed(world, status="pending", webhook_id=hook.id)
    assert (pending["total"], len(pending["deliveries"])) == (1, 1)
    assert pending["deliveries"][0]["last_http_status"] == 500
    assert pending["deliveries"][0]["next_attempt_at"]
    assert ok(world.get(f"{DELIVERIES}/count"))["webhooks"] == [
        {
            "webhook_id": hook.id,
            "url": pending["deliveries"][0]["target_url"],
            "deleted": False,
            "pending": 1,
            "delivered": 7,
            "failed": 0,
            "discarded": 0,
        }
    ]
    assert listed(world, webhook_id="unknown") == {"deliveries": [], "total": 0}


def test_accounts_are_looked_at_apart(client: httpx.Client, organization: Organization) -> None:
    with receiving() as receiver, hooked(organization.owner, receiver.url) as hook:
        workspace(organization.owner)
        [delivery] = hook.settled(1)
        mine = listed(client, account_id=organization.id)
        assert [one["id"] for one in mine["deliveries"]] == [delivery["id"]]
        assert delivery["id"] not in [one["id"] for one in listed(client)["deliveries"]]
        counted = ok(client.get(f"{DELIVERIES}/count", params={"account_id": organization.id}))["webhooks"]
        assert [one["webhook_id"] for one in counted] == [hook.id]
        assert tried(client, delivery["id"])["delivery"]["account_id"] == organization.id


def test_an_unknown_delivery_has_no_attempts(client: httpx.Client) -> None:
    refused(client.get(f"{DELIVERIES}/nothing/attempts"), 404, "not_found")


def test_who_watches_hears_of_attempts_and_of_what_has_come(world: httpx.Client, hook: Hook) -> None:
    def told() -> list[tuple[str, dict[str, Any]]]:
        text = world.get("/_emulator/events", params={"follow": "false"}).text
        lines = [dict(line.split(": ", 1) for line in one.splitlines()) for one in text.split("\n\n") if "data" in one]
        return [(one["event"], json.loads(one["data"])) for one in lines]

    told()
    behave(world, status=500, times=1)
    workspace(world)
    at_rest(world)
    [delivery] = hook.deliveries()
    ok(world.post(f"/v1/webhooks/deliveries/{delivery['id']}/discard"))
    happened = told()
    states = [data["status"] for kind, data in happened if kind == "delivery" and data["id"] == delivery["id"]]
    assert states == ["pending", "discarded"]
    [came] = [data for kind, data in happened if kind == "received"]
    assert (came["delivery_id"], came["status"], came["verified"]) == (delivery["id"], 500, True)
    assert not {"headers", "body", "json"} & set(came)


def test_attempts_outlive_a_restart(tmp_path: Any) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as first, httpx.Client(base_url=first.url) as client:
        client.headers["Authorization"] = f"Bearer {first.api_key}"
        with receiving() as receiver, hooked(client, receiver.url) as hook:
            workspace(client)
            [delivery] = hook.settled(1)
        before = tried(client, delivery["id"])
        assert len(before["attempts"]) == 1
    with emulator_on("scripted", data_dir=tmp_path) as second, httpx.Client(base_url=second.url) as client:
        assert tried(client, delivery["id"])["attempts"] == before["attempts"]


def test_attempts_are_a_command(run: Run, client: httpx.Client) -> None:  # noqa: F811
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        workspace(client)
        [delivery] = hook.settled(1)
        assert run("deliveries", "attempts", delivery["id"]).json == tried(client, delivery["id"])
        listing = run("deliveries", "list", "--webhook-id", hook.id).json
        assert [one["id"] for one in listing["deliveries"]] == [delivery["id"]]
