"""Deliveries: signed, in order, whatever a receiver does; replayed and discarded; and what they carry."""

from __future__ import annotations

import socket
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
from receivers import answer, endless, hang, hooked, receiving, rename, reset, say, workspace
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
        assert [one["status"] for one in hook.deliveries()] == ["pending", "pending", "pending", "delivered"]
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


# What receivers do


@pytest.mark.parametrize(
    ("behave", "status", "error"),
    [
        (answer(500, body=b"secret of theirs"), 500, "the answer was 500"),
        (answer(404), 404, "the answer was 404"),
        (answer(302, "Location: http://127.0.0.1:1/"), 302, "the answer was 302, and redirects are not followed"),
        (answer(304), 304, "the answer was 304, and redirects are not followed"),
        (reset, None, "the connection was closed without an answer"),
        (say(b""), None, "the connection was closed without an answer"),
        (say(b"HTTP/1.1 200 OK\r\nContent-Le"), None, "the connection was closed within an answer"),
        (say(b"secret of theirs\r\n\r\n"), None, "the answer is no HTTP/1.1"),
        (say(b"HTTP/1.1 2000 OK\r\n\r\n"), None, "the answer is no HTTP/1.1"),
        (say(b"\x16\x03\x01\x02\x00" * 50), None, None),
        (hang, None, "no answer within 2 s"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: theirs\r\n"), None, "the answer's head is larger than 64 KiB"),
        (endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 4096), None, "the answer's head is larger than 64 KiB"),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), None, "the answer does not come to its final status"),
    ],
)  # fmt: skip
def test_a_failure_is_told_and_tried_again(client: httpx.Client, behave: Any, status: int | None, error: str) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [behave]
        workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        [first] = hook.deliveries()
        assert first["status"] == "pending"
        assert first.get("last_http_status") == status
        assert error is None or first["last_error"] == error
        assert "theirs" not in first["last_error"]
        later(client)
        [done] = hook.settled(1)
    assert (done["attempts"], done["last_http_status"]) == (2, 200)
    assert "last_error" not in done
    first_got, second_got = receiver.got
    assert first_got.body == second_got.body
    assert hook.verified(second_got)["id"] == first_got.headers["webhook-id"]
    assert int(second_got.headers["webhook-timestamp"]) >= int(first_got.headers["webhook-timestamp"]) + 4


@pytest.mark.parametrize(
    "behave",
    [
        answer(204),
        answer(299),
        say(b"HTTP/1.0 200 OK\r\n\r\nas long as it lasts"),
        say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n"),
        say(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\ntoo short"),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"body without end" * 256),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nmore\r\n"),
        say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"),
        answer(200, body=b"x" * 300_000),
    ],
)
def test_any_2xx_is_a_success_whatever_follows(client: httpx.Client, behave: Any) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [behave]
        workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        workspace(client)
        assert [one["attempts"] for one in hook.settled(2)] == [1, 1]


def test_a_redirect_leads_nowhere(client: httpx.Client) -> None:
    with receiving() as elsewhere, receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [answer(status, f"Location: {elsewhere.url}/") for status in (301, 302, 303, 307, 308)]
        for _ in range(5):
            workspace(client)
        until(lambda: all(one["attempts"] for one in hook.deliveries()))
        later(client)
        hook.settled(5)
        assert elsewhere.got == []


def test_a_receiver_that_is_not_there_yet_gets_its_events_when_it_is(client: httpx.Client) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with hooked(client, f"http://localhost:{port}/") as hook:
        workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        assert hook.deliveries()[0]["last_error"] == "the connection was refused"
        with receiving(port) as receiver:
            later(client)
            hook.settled(1)
            hook.verified(receiver.got[0])


def test_names_that_lead_nowhere_and_servers_without_tls_are_told(client: httpx.Client) -> None:
    with (
        receiving() as receiver,
        hooked(client, "http://no-such-name.invalid/") as lost,
        hooked(client, receiver.url.replace("http://", "https://")) as plain,
    ):
        workspace(client)
        until(lambda: lost.deliveries()[0]["attempts"] == 1)
        # Some machines' resolvers take their time to say so.
        told = ("the name no-such-name.invalid cannot be resolved", "no answer within 2 s")
        assert lost.deliveries()[0]["last_error"] in told
        until(lambda: plain.deliveries()[0]["attempts"] == 1)
        assert "last_http_status" not in plain.deliveries()[0]


def test_connections_are_used_again_unless_the_receiver_serves_one_at_a_time(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        for number in range(20):
            workspace(client)
            hook.settled(number + 1)
        assert receiver.connections < 5
    with receiving(threads=False) as single, hooked(client, single.url) as hook:
        for _ in range(20):
            workspace(client)
        hook.settled(20)


def test_a_connection_that_went_stale_costs_no_attempt(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        # Each connection is closed by the receiver as soon as it is used a second time.
        for _ in range(5):
            receiver.then = [answer(200)]
            workspace(client)
            until(lambda: receiver.then == [])
            receiver.then = [reset, answer(200)]
            workspace(client)
            until(lambda: receiver.then == [])
        done = hook.settled(10)
    assert {one["attempts"] for one in done} == {1}


def test_localhost_is_ipv4_and_ipv6_and_its_names_need_no_resolver(client: httpx.Client) -> None:
    with receiving() as receiver:
        for host in ("localhost", "LOCALHOST", "my-app.localhost", "0.0.0.0", "127.0.0.1"):
            with hooked(client, f"http://{host}:{receiver.port}/{host}") as hook:
                workspace(client)
                hook.settled(1)
            assert receiver.got[-1].headers["host"] == f"{host}:{receiver.port}"


# What they must not reach


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "app.localhost", "[::ffff:7f00:1]", "0.0.0.0", "127.0.0.9"])
def test_a_webhook_does_not_lead_back_to_the_emulator(emulator: Running, client: httpx.Client, host: str) -> None:
    port = emulator.url.rpartition(":")[2]
    before = ok(client.get("/_emulator/clock"))["mode"]
    with hooked(client, f"http://{host}:{port}/_emulator/clock") as hook:
        workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        [delivery] = hook.deliveries()
    assert delivery["last_error"] == "the address is the emulator's own, which webhooks do not reach"
    assert "last_http_status" not in delivery
    assert ok(client.get("/_emulator/clock"))["mode"] == before


def test_another_emulator_lets_no_delivery_into_its_control_plane(client: httpx.Client) -> None:
    with emulator_on("scripted") as other, hooked(client, f"{other.url}/_emulator/clock") as hook:
        workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        assert hook.deliveries()[0]["last_http_status"] == 403


def test_localhost_can_be_somewhere_else(client: httpx.Client) -> None:
    with (
        emulator_on("scripted", webhook_localhost="127.0.0.2") as contained,
        http_of(contained) as inside,
        receiving() as here,
    ):
        # What listens on 127.0.0.1 is not reached under its own names any more, as from inside a container.
        with socket.create_server(("127.0.0.2", 0)) as outside:
            port = outside.getsockname()[1]
            for host in ("localhost", "127.0.0.1", "[::1]", "app.localhost"):
                with hooked(inside, f"http://{host}:{port}/"):
                    workspace(inside)
                    outside.settimeout(30)
                    connection, _ = outside.accept()
                    with connection:
                        assert f"\r\nHost: {host}:{port}\r\n".encode() in connection.recv(65536)
        assert here.connections == 0


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


# Whose events, and over what


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


def test_a_receiver_may_listen_on_ipv6_alone(client: httpx.Client) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        listener.settimeout(30)
        port = listener.getsockname()[1]
        for host in ("[::1]", "localhost"):
            with hooked(client, f"http://{host}:{port}/") as hook:
                workspace(client)
                connection, _ = listener.accept()
                with connection:
                    assert f"\r\nHost: {host}:{port}\r\n".encode() in connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    hook.settled(1)
