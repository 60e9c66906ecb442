"""Deliveries: signed, in order, whatever a receiver does; replayed and discarded; and what they carry."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.clock import moment
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok, refused
from previews import until
from receivers import answer, hang, hooked, receiving, rename, workspace
from standardwebhooks import Webhook, WebhookVerificationError
from strangers import stranger


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    # Two seconds: enough for every receiver that answers, and not too long to wait for those that do not.
    with emulator_on("scripted", webhook_timeout=2, rate_limit=Limits(enabled=False)) as one:
        yield one


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    """Somebody with an account of their own."""
    with http_of(emulator, stranger(emulator, plan="team")) as one:
        yield one


def later(client: httpx.Client) -> None:
    """Five seconds later, when what failed for the first time is tried again."""
    ok(client.post("/_emulator/clock/advance", json={"seconds": 5}))


# What is sent


def test_a_delivery_is_signed_and_says_what_it_is(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, f"{receiver.url}/hooks/a%20b?team=blue#ignored") as hook:
        made = workspace(client)
        [got] = receiver.wait(1)
        [delivery] = hook.settled(1)
    event = hook.verified(got)
    assert event == delivery["payload"]
    assert got.line == "POST /hooks/a%20b?team=blue HTTP/1.1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["user-agent"] == "chaser-webhooks"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == event["id"] == delivery["event_id"]
    assert got.headers["x-chaser-event"] == event["type"] == "workspace.created"
    assert got.headers["x-chaser-delivery"] == delivery["id"]
    assert (event["resource_type"], event["resource_id"]) == ("workspace", made)
    assert abs(int(got.headers["webhook-timestamp"]) - moment(event["created_at"]).timestamp()) < 60
    assert delivery["attempts"] == 1
    assert delivery["last_http_status"] == 200
    assert delivery["created_at"] <= delivery["delivered_at"] == delivery["updated_at"]
    assert not {"last_error", "replayed_at", "discarded_at", "replayed_from_delivery_id"} & delivery.keys()


def test_a_changed_body_or_another_secret_is_no_valid_signature(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook, hooked(client, receiver.url) as other:
        workspace(client)
        first, second = receiver.wait(2)
        mine = first if first.headers["x-chaser-delivery"] == hook.deliveries()[0]["id"] else second
    hook.verified(mine)
    for secret, body in ((hook.secret, mine.body.replace(b"workspace", b"w0rkspace")), (other.secret, mine.body)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, mine.headers)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_an_event_carries_what_reading_the_resource_answers(client: httpx.Client) -> None:
    seen: dict[str, Any] = {}
    with receiving() as receiver, hooked(client, receiver.url):
        made = workspace(client)
        seen["workspace.created"] = _workspace(client, made)
        rename(client, made, "called")
        seen["workspace.renamed"] = _workspace(client, made)
        ok(client.post(f"/v1/workspaces/{made}/snapshots", json={"name": "kept"}))
        [seen["workspace.snapshot.created"]] = ok(client.get(f"/v1/workspaces/{made}/snapshots"))
        ok(client.post(f"/v1/workspaces/{made}/snapshots/kept/restore", json={}))
        [seen["workspace.snapshot.restored"]] = ok(client.get(f"/v1/workspaces/{made}/snapshots"))
        ok(client.delete(f"/v1/workspaces/{made}/snapshots/kept"))
        seen["workspace.snapshot.deleted"] = seen["workspace.snapshot.restored"]
        session = ok(client.post("/v1/sessions", json={"workspace": "called"}))["id"]
        seen["session.running"] = ok(client.get(f"/v1/sessions/{session}"))
        seen["session.created"] = seen["session.running"] | {"status": "starting"}
        wanted = {"command": "echo out", "background": True}
        command = ok(client.post(f"/v1/sessions/{session}/exec", json=wanted))["command_id"]
        until(lambda: "command.finished" in receiver.types())
        seen["command.finished"] = ok(client.get(f"/v1/sessions/{session}/commands/{command}"))
        ok(client.delete(f"/v1/sessions/{session}"))
        seen["session.terminated"] = ok(client.get(f"/v1/sessions/{session}"))
        seen["workspace.deleted"] = _workspace(client, made)
        ok(client.delete(f"/v1/workspaces/{made}"))
        until(lambda: set(receiver.types()) >= seen.keys())
        sent = {got.type: got.event["data"] for got in receiver.got}
    assert sent == seen


def _workspace(client: httpx.Client, workspace_id: str) -> dict[str, Any]:
    [found] = [one for one in ok(client.get("/v1/workspaces")) if one["id"] == workspace_id]
    return dict(found)


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ((), {"workspace.created", "workspace.snapshot.created", "session.created", "session.running"}),
        (("*",), {"workspace.created", "workspace.snapshot.created", "session.created", "session.running"}),
        (("workspace.*",), {"workspace.created", "workspace.snapshot.created"}),
        (("workspace.snapshot.*",), {"workspace.snapshot.created"}),
        (("session.running", "workspace.created"), {"session.running", "workspace.created"}),
        (("session.*", "session.created", "session.*"), {"session.created", "session.running"}),
        (("job.*", "billing.*"), set()),
    ],
)  # fmt: skip
def test_a_webhook_gets_what_it_asked_for(client: httpx.Client, events: tuple[str, ...], wanted: set[str]) -> None:
    with receiving() as all_of_it, receiving() as receiver:
        with hooked(client, all_of_it.url) as other, hooked(client, receiver.url, *events) as hook:
            made = workspace(client)
            ok(client.post(f"/v1/workspaces/{made}/snapshots", json={"name": "kept"}))
            session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
            other.settled(4)
            hook.settled(len(wanted))
            assert sorted(receiver.types()) == sorted(wanted)
        ok(client.delete(f"/v1/sessions/{session}"))


def test_what_happened_before_a_webhook_or_after_it_is_not_sent(client: httpx.Client) -> None:
    with receiving() as receiver:
        workspace(client)
        with hooked(client, receiver.url):
            second = workspace(client)
            receiver.wait(1)
        workspace(client)
        with hooked(client, receiver.url) as last:
            third = workspace(client)
            last.settled(1)
    assert [got.event["resource_id"] for got in receiver.got] == [second, third]


# Order


def test_one_resource_is_told_of_in_order_and_nothing_overtakes_a_retry(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [answer(500)]
        first = workspace(client)
        receiver.wait(1)
        rename(client, first, "one")
        rename(client, first, "two")
        other = workspace(client)
        # Another resource is not held up.
        until(lambda: receiver.got[-1].event["resource_id"] == other)
        expected = ["pending", "pending", "pending", "delivered"]
        until(lambda: [one["status"] for one in hook.deliveries()] == expected)
        assert len(receiver.got) == 2
        later(client)
        done = hook.settled(4)
    of_first = [got.event for got in receiver.got if got.event["resource_id"] == first]
    assert [event["data"]["name"] for event in of_first[2:]] == ["one", "two"]
    assert [event["type"] for event in of_first] == ["workspace.created"] * 2 + ["workspace.renamed"] * 2
    assert [one["attempts"] for one in done] == [2, 1, 1, 1]
    assert "last_error" not in done[0]
    assert done[0]["delivered_at"] <= done[1]["delivered_at"] <= done[2]["delivered_at"]


def test_many_changes_of_one_resource_arrive_in_their_order(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        made = workspace(client)
        for number in range(150):
            rename(client, made, f"n-{number}")
        hook.settled(151)
    names = [got.event["data"]["name"] for got in receiver.got[1:]]
    assert names == [f"n-{number}" for number in range(150)]


def test_a_hanging_receiver_delays_nobody_else(client: httpx.Client) -> None:
    with receiving() as slow, receiving() as fast, hooked(client, slow.url) as stuck, hooked(client, fast.url) as hook:
        slow.usual = hang
        for _ in range(40):
            workspace(client)
        hook.settled(40)
        # All that has been tried there hangs or has hung; and no more than a bounded number at a time.
        assert {one["status"] for one in stuck.deliveries()} == {"pending"}
        assert slow.connections <= 40


# Replay and discard


def test_a_replay_is_a_new_delivery_of_the_same_event_at_once(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        made = workspace(client)
        [first] = hook.settled(1)
        # What waits in the queue of the resource does not hold a replay up.
        receiver.then = [answer(500)]
        rename(client, made, "waits")
        receiver.wait(2)
        again = ok(client.post(f"/v1/webhooks/deliveries/{first['id']}/replay"))["delivery"]
        assert again["id"] != first["id"]
        assert again["replayed_from_delivery_id"] == first["id"]
        assert (again["status"], again["attempts"]) == ("pending", 0)
        assert (again["event_id"], again["payload"]) == (first["event_id"], first["payload"])
        third = receiver.wait(3)[2]
        assert third.headers["x-chaser-delivery"] == again["id"]
        assert hook.verified(third) == hook.verified(receiver.got[0])
        later(client)
        shown = ok(client.get(f"/v1/webhooks/deliveries/{first['id']}"))["delivery"]
        assert shown["replayed_at"] == shown["updated_at"] == again["created_at"]
        assert shown["status"] == "delivered"
        hook.settled(3)


def test_what_is_pending_is_not_replayed_and_what_is_delivered_not_discarded(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [answer(500)]
        made = workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        rename(client, made, "follows")
        pending, follower = hook.deliveries()
        path = f"/v1/webhooks/deliveries/{pending['id']}"
        refused(client.post(f"{path}/replay"), 409, "invalid_state")
        given_up = ok(client.post(f"{path}/discard"))["delivery"]
        assert given_up["status"] == "discarded"
        assert given_up["discarded_at"] == given_up["updated_at"]
        assert (given_up["attempts"], given_up["last_http_status"]) == (1, 500)
        refused(client.post(f"{path}/discard"), 409, "invalid_state")
        # What waited behind it is sent, and it never again.
        until(lambda: hook.deliveries()[1]["status"] == "delivered")
        refused(client.post(f"/v1/webhooks/deliveries/{follower['id']}/discard"), 409, "invalid_state")
        assert receiver.types() == ["workspace.created", "workspace.renamed"]
        ok(client.post(f"{path}/replay"))
        until(lambda: receiver.types() == ["workspace.created", "workspace.renamed", "workspace.created"])


def test_what_is_discarded_while_it_is_under_way_stays_so(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.usual = hang
        workspace(client)
        receiver.wait(1)
        [delivery] = hook.deliveries()
        ok(client.post(f"/v1/webhooks/deliveries/{delivery['id']}/discard"))
        receiver.usual = answer(200)
        workspace(client)
        hook.settled(1)
        until(lambda: [one["status"] for one in hook.deliveries()] == ["discarded", "delivered"])


def test_deliveries_of_a_deleted_webhook_stay_and_go_nowhere(client: httpx.Client) -> None:
    with receiving() as receiver:
        with hooked(client, receiver.url) as hook:
            made = workspace(client)
            hook.settled(1)
            receiver.usual = answer(500)
            rename(client, made, "fails")
            rename(client, made, "waits")
            until(lambda: hook.deliveries()[1]["attempts"] == 1)
        delivered, tried, waiting = hook.deliveries()
        assert [one["status"] for one in (delivered, tried, waiting)] == ["delivered", "discarded", "discarded"]
        assert tried["target_url"] == receiver.url
        for one in (delivered, tried):
            refused(client.post(f"/v1/webhooks/deliveries/{one['id']}/replay"), 409, "invalid_state")
        refused(client.post(f"/v1/webhooks/deliveries/{tried['id']}/discard"), 409, "invalid_state")
        assert ok(client.get(f"/v1/webhooks/deliveries/{tried['id']}"))["delivery"] == tried
        assert len(receiver.got) == 2


# Lists


def test_deliveries_are_listed_newest_first_and_filtered(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook, hooked(client, receiver.url, "job.*") as other:
        for _ in range(60):
            workspace(client)
        hook.settled(60)
        assert other.deliveries() == []
        everything = ok(client.get("/v1/webhooks/deliveries"))["deliveries"]
        assert len(everything) == 50
        moments = [one["created_at"] for one in everything]
        assert moments == sorted(moments, reverse=True)
        assert len(ok(client.get("/v1/webhooks/deliveries", params={"limit": 3}))["deliveries"]) == 3
        assert hook.deliveries(status="failed") == []
        unknown = {"webhook_id": str(uuid.uuid4())}
        assert ok(client.get("/v1/webhooks/deliveries", params=unknown)) == {"deliveries": []}
    for query in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"status": "lost"}, {"webhook_id": ""}):
        name = next(iter(query))
        body = refused(client.get("/v1/webhooks/deliveries", params=query), 400, "invalid_request")
        assert body["details"][0] == {"in": "query", "pointer": name, "message": body["details"][0]["message"]}
    for action in ("", "/replay", "/discard"):
        method = "POST" if action else "GET"
        refused(client.request(method, f"/v1/webhooks/deliveries/nonsense{action}"), 404, "not_found")


# How fast


def test_a_thousand_pending_deliveries_are_sent_once_each(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url, "workspace.renamed") as hook:
        made = [workspace(client) for _ in range(10)]
        for number in range(1000):
            rename(client, made[number % 10], f"w{number % 10}-{number}")
        until(lambda: len(receiver.got) == 1000, 60)
        assert len({got.headers["x-chaser-delivery"] for got in receiver.got}) == 1000
        hook.settled(200)


def test_jobs_and_billing_are_told_of_as_they_are_read(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url, "job.*", "billing.*") as hook:
        wanted = {"kind": "sandbox.exec", "input": {"command": "echo", "ephemeral": True}}
        job = ok(client.post("/v1/jobs", json=wanted))
        until(lambda: len(receiver.got) == 3)
        ended = ok(client.get(f"/v1/jobs/{job['id']}"))
        assert receiver.types() == ["job.queued", "job.started", f"job.{ended['status']}"]
        assert receiver.got[0].event["data"] == job
        assert receiver.got[1].event["data"]["status"] == "running"
        assert receiver.got[2].event["data"] == ended
        told = ok(client.post("/v1/billing/account", json={"plan_code": "pro"}))
        event = receiver.wait(4)[3].event
        assert (event["type"], event["resource_type"]) == ("billing.updated", "billing")
        assert event["data"] == told
        hook.settled(4)
