"""The sink: webhooks of a world received within it, signed and in order, failing on request, and waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import pytest
from chaser_emulator.clock import moment
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok, refused
from receivers import Hook, hooked, receiving, rename, workspace
from seeded import fresh_world
from standardwebhooks import Webhook
from test_exec import until

T = TypeVar("T")
SINK = "/_emulator/webhooks/sink"


@pytest.fixture
def hook(world: httpx.Client) -> Iterator[Hook]:
    """A webhook that leads to the sink, under the name `ci`."""
    with hooked(world, address(world, "ci")) as one:
        yield one


def address(client: httpx.Client, name: str) -> str:
    return str(ok(client.get(SINK))["url"]) + name


def received(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(client.get(SINK, params=query))["received"]
    return found


def expect(client: httpx.Client, event: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = ok(client.post(f"{SINK}/expect", json={"event": event, **fields}))
    return found


def behave(client: httpx.Client, **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(client.post(f"{SINK}/behaviour", json=fields))["behaviours"]
    return found


def at_rest(client: httpx.Client) -> None:
    """Wait until nothing is due in a world."""
    until(lambda: bool(ok(client.get("/_emulator/ready"))["ready"]))


# What comes


def test_a_delivery_comes_as_it_would_to_any_receiver(world: httpx.Client, hook: Hook) -> None:
    made = workspace(world)
    got = expect(world, "workspace.created")
    headers, body = got["headers"], got["body"].encode()
    assert set(headers) == {
        "host", "user-agent", "accept", "content-type", "content-length", "x-chaser-event", "x-chaser-delivery",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip
    assert headers["content-length"] == str(len(body))
    assert headers["host"] == httpx.URL(address(world, "ci")).netloc.decode()
    assert int(headers["webhook-timestamp"]) == int(moment("2026-03-01T12:00:00Z").timestamp())
    [delivery] = hook.settled(1)
    assert got["json"] == delivery["payload"]
    assert (got["delivery_id"], got["event_id"]) == (delivery["id"], delivery["event_id"])
    assert (got["name"], got["attempt"], got["verified"], got["status"]) == ("ci", 1, True, 200)
    assert got["json"]["resource_id"] == made
    assert delivery["last_http_status"] == 200


def test_what_comes_is_signed_as_the_library_of_the_standard_wants_it(emulator: Running) -> None:
    with fresh_world(emulator) as client, hooked(client, address(client, "now")) as hook:
        workspace(client)
        got = expect(client, "workspace.created")
        assert Webhook(hook.secret).verify(got["body"], got["headers"]) == got["json"]


def test_it_is_found_by_its_type_its_name_and_its_number(world: httpx.Client, hook: Hook) -> None:
    with hooked(world, address(world, "other"), "workspace.renamed"):
        made = workspace(world)
        rename(world, made, "a")
        expect(world, "workspace.renamed", name="other")
        expect(world, "workspace.renamed", name="ci")
        assert [one["event_type"] for one in received(world, name="ci")] == ["workspace.created", "workspace.renamed"]
        assert [one["name"] for one in received(world, event="*.renamed")].count("other") == 1
        last = received(world)[-1]["number"]
        assert received(world, since=last) == []
        assert len(received(world, since=last - 1)) == 1
        answer = ok(world.get(SINK, params={"limit": 1}))
        assert (answer["count"], answer["received"][0]["number"]) == (3, last)
        assert ok(world.delete(SINK, params={"name": "other"}))["cleared"] == 1
        assert ok(world.delete(SINK))["cleared"] == 2
        assert received(world) == []


@contextmanager
def while_somebody_waits(emulator: Running, client: httpx.Client, wait: Callable[[], T]) -> Iterator[Future[T]]:
    """What `wait` answers, which waits at the sink of the client's world while the block begins."""
    key = client.headers["Authorization"].removeprefix("Bearer ")
    [sink] = [world.sink for world in emulator.worlds.all() if world.api_key == key]
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(wait)
        until(lambda: bool(sink._listeners))
        yield waiting


def test_a_look_may_wait_until_something_comes(emulator: Running, world: httpx.Client, hook: Hook) -> None:
    assert received(world, wait=0.05) == []
    with while_somebody_waits(emulator, world, lambda: received(world, wait=30)) as look:
        workspace(world)
        assert [one["event_type"] for one in look.result()] == ["workspace.created"]


def test_who_looks_waits_for_no_world_that_has_ended(emulator: Running) -> None:
    with (
        fresh_world(emulator) as client,
        while_somebody_waits(emulator, client, lambda: received(client, wait=60)) as look,
    ):
        [world] = [one for one in emulator.worlds.all() if f"Bearer {one.api_key}" == client.headers["Authorization"]]
        assert httpx.delete(f"{emulator.url}/_emulator/worlds/{world.id}").status_code == 204
        assert look.result(20) == []


def test_what_strangers_send_is_kept_and_is_not_verified(emulator: Running, world: httpx.Client) -> None:
    answer = world.post(
        f"{SINK}/else", content=b'{"type": "order.paid", "id": "1"}', headers={"X-Chaser-Delivery": "d"}
    )
    assert ok(answer) == {"number": 1}
    [got] = received(world)
    assert (got["event_type"], got["event_id"], got["delivery_id"]) == ("order.paid", "1", "d")
    assert (got["verified"], got["wrong"]) == (False, "no webhook of this world has sent it")
    ok(world.post(f"{SINK}/else", content=b"\xff\x00", headers={"Content-Type": "application/octet-stream"}))
    assert [one["number"] for one in received(world, verified=False)] == [1, 2]
    refused(world.post(f"{SINK}/a%2Fb", content=b""), 404, "not_found")
    assert httpx.get(f"{emulator.url}{SINK}", headers={"X-Chaser-Delivery": "d"}).status_code == 403


def test_two_worlds_do_not_hear_each_other(emulator: Running, world: httpx.Client, hook: Hook) -> None:
    with fresh_world(emulator) as other, hooked(other, address(other, "ci")):
        workspace(other)
        expect(other, "workspace.created")
        assert received(world) == []


def test_only_its_own_addresses_lead_to_the_sink(emulator: Running, world: httpx.Client) -> None:
    port = httpx.URL(emulator.url).port
    for host in ("localhost", "127.0.0.1", "[::1]", "app.localhost"):
        with hooked(world, f"http://{host}:{port}{SINK}/{host.strip('[]').replace(':', '')}x"):
            workspace(world)
            expect(world, "workspace.created")
    with hooked(world, f"http://127.0.0.1:{port}/_emulator/clock") as hook:
        workspace(world)
        until(lambda: bool(hook.deliveries()))
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        assert "emulator's own" in hook.deliveries()[0]["last_error"]
    count = len(received(world))
    with receiving() as elsewhere, hooked(world, f"{elsewhere.url}/hooks{SINK}/ci"):
        workspace(world)
        assert elsewhere.wait(1)[0].type == "workspace.created"
    with hooked(world, f"http://sink.invalid{SINK}/ci") as hook:
        workspace(world)
        until(lambda: bool(hook.deliveries()) and hook.deliveries()[0]["attempts"] == 1)
    assert len(received(world)) == count


def test_what_has_come_is_bounded(world: httpx.Client) -> None:
    for _ in range(3):
        ok(world.post(f"{SINK}/big", content=b"x" * (2 * 2**20 - 1)))
    large = world.post(f"{SINK}/big", content=b"x" * (2 * 2**20 + 1))
    assert large.status_code == 413
    for _ in range(16):
        ok(world.post(f"{SINK}/big", content=b"y" * (2 * 2**20 - 1)))
    answer = ok(world.get(SINK, params={"limit": 1}))
    assert answer["received"][0]["number"] == 19
    assert answer["count"] == 16


# How it behaves


def test_it_fails_as_often_as_it_was_told_and_retries_come_with_the_clock(world: httpx.Client, hook: Hook) -> None:
    assert behave(world, status=503, times=2) == [{"name": "*", "status": 503, "delay": 0, "times": 2}]
    workspace(world)
    got = expect(world, "workspace.created", within=600)
    assert (got["attempt"], got["status"]) == (3, 200)
    assert got["at"] >= "2026-03-01T12:05:05"
    assert [one["status"] for one in received(world)] == [503, 503, 200]
    [delivery] = hook.settled(1)
    assert delivery["attempts"] == 3
    assert ok(world.get(f"{SINK}/behaviour"))["behaviours"] == []


def test_a_whole_number_may_be_written_with_a_fraction_and_is_told_without(world: httpx.Client) -> None:
    behaviour = {"name": "whole", "status": 503.0, "times": 2.0}
    told = world.post("/_emulator/webhooks/sink/behaviour", json=behaviour).text
    assert '"status":503,' in told
    assert '"times":2}' in told
    world.post("/_emulator/webhooks/sink/behaviour", json={"name": "whole"})


def test_each_name_may_behave_in_its_own_way(world: httpx.Client, hook: Hook) -> None:
    behave(world, status=500)
    assert len(behave(world, name="ci", status=410)) == 2
    workspace(world)
    until(lambda: bool(received(world)))
    assert received(world)[0]["status"] == 410
    assert world.post(f"{SINK}/other").status_code == 500
    behave(world)
    assert behave(world, name="ci") == []
    assert world.post(f"{SINK}/other").status_code == 200


def test_an_answer_that_comes_too_late_is_a_failure_at_once_on_a_clock_that_stands_still(
    world: httpx.Client, hook: Hook
) -> None:
    behave(world, name="ci", delay=20, times=1)
    workspace(world)
    until(lambda: hook.deliveries()[0]["attempts"] == 1)
    assert hook.deliveries()[0]["last_error"] == "no answer within 15 s"
    assert "status" not in received(world)[0]
    assert expect(world, "workspace.created", within=5)["attempt"] == 2


# Expecting


def test_each_event_answers_one_expectation(world: httpx.Client, hook: Hook) -> None:
    first, second = workspace(world), workspace(world)
    found = {expect(world, "workspace.*")["json"]["resource_id"] for _ in range(2)}
    assert found == {first, second}
    told = refused(world.post(f"{SINK}/expect", json={"event": "workspace.*", "within": 0}), 404, "not_received")
    assert "answered an earlier expectation" in told["message"]


def test_an_expectation_says_what_the_event_holds(world: httpx.Client, hook: Hook) -> None:
    made = workspace(world)
    rename(world, made, "wanted")
    rename(world, made, "other")
    assert expect(world, "workspace.renamed", where={"data.name": "other"})["json"]["data"]["name"] == "other"
    got = expect(world, "workspace.renamed", where={"data": {"name": "wanted"}, "resource_id": made}, name="ci")
    assert got["json"]["data"]["name"] == "wanted"


def test_an_event_that_does_not_come_is_told_with_what_has(world: httpx.Client, hook: Hook) -> None:
    workspace(world)
    expect(world, "workspace.created")
    wish = {"event": "session.terminated", "within": 3600}
    told = refused(world.post(f"{SINK}/expect", json=wish), 404, "not_received")
    assert told["message"].startswith("no session.terminated has come to the sink by 2026-03-01T13:00:0")
    assert told["message"].endswith("; what has: workspace.created (is another event)")
    [came] = told["details"]["received"]
    assert (came["event_type"], came["name"], came["why"]) == ("workspace.created", "ci", "is another event")


def test_what_is_not_verified_is_no_answer_unless_that_is_asked_for(world: httpx.Client) -> None:
    ok(world.post(f"{SINK}/ci", json={"type": "order.paid"}))
    told = refused(world.post(f"{SINK}/expect", json={"event": "order.paid", "within": 0}), 404, "not_received")
    assert "is not verified: no webhook of this world has sent it" in told["message"]
    assert expect(world, "order.paid", verified=False)["json"] == {"type": "order.paid"}


def test_the_clock_is_moved_to_the_moment_and_no_further(world: httpx.Client, hook: Hook) -> None:
    job = {"kind": "sandbox.exec", "input": {"command": "true", "ephemeral": True}, "run_at": "2026-03-01T12:30:00Z"}
    ok(world.post("/v1/jobs", json=job))
    got = expect(world, "job.completed", within=86400)
    assert got["at"].startswith("2026-03-01T12:30:00")
    assert ok(world.get("/_emulator/clock"))["now"].startswith("2026-03-01T12:30:00")


def test_a_clock_that_goes_is_waited_for(emulator: Running) -> None:
    with (
        fresh_world(emulator) as client,
        hooked(client, address(client, "ci")),
        while_somebody_waits(emulator, client, lambda: expect(client, "workspace.created", within=30)) as wish,
    ):
        workspace(client)
        assert wish.result()["verified"]


def test_it_works_after_a_restart_at_another_port(tmp_path: Any) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        made = ok(client.post("/v1/webhooks", json={"url": address(client, "ci")}))
        workspace(client)
        expect(client, "workspace.created")
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert address(client, "ci") != made["webhook"]["url"]
        workspace(client)
        assert expect(client, "workspace.created")["verified"]


# Deliveries that misbehave as planned


def plan(client: httpx.Client, webhook: Any, **fields: Any) -> None:
    answer = client.post("/_emulator/faults", json={"events": ["workspace.*"], "webhook": webhook, **fields})
    assert answer.status_code == 201, answer.text


def test_a_duplicate_is_the_same_delivery_again(world: httpx.Client, hook: Hook) -> None:
    plan(world, "duplicate", times=1)
    workspace(world)
    until(lambda: len(received(world)) == 2)
    first, second = received(world)
    assert first["headers"] == second["headers"]
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert hook.settled(1)[0]["attempts"] == 1


def test_a_bad_signature_is_no_answer_to_an_expectation(world: httpx.Client, hook: Hook) -> None:
    plan(world, "wrong_signature", times=1)
    workspace(world)
    until(lambda: len(received(world)) == 1)
    assert received(world)[0]["wrong"] == "no signature fits the webhook's secret"


def test_a_late_delivery_comes_at_its_moment_and_what_is_behind_it_waits(world: httpx.Client, hook: Hook) -> None:
    plan(world, {"delay": 120}, times=1)
    made = workspace(world)
    rename(world, made, "later")
    at_rest(world)
    assert received(world) == []
    got = expect(world, "workspace.created", within=600)
    assert got["at"].startswith("2026-03-01T12:02:00")
    expect(world, "workspace.renamed", within=0)
    assert [one["event_type"] for one in received(world)] == ["workspace.created", "workspace.renamed"]
    assert [one["attempts"] for one in hook.settled(2)] == [1, 1]


def test_an_event_is_overtaken_by_the_next_of_its_resource(world: httpx.Client, hook: Hook) -> None:
    plan(world, {"reorder": True}, times=1)
    made = workspace(world)
    rename(world, made, "a")
    rename(world, made, "b")
    hook.settled(3)
    order = [(one["event_type"], one["json"]["data"].get("name")) for one in received(world)]
    assert order[0] == ("workspace.renamed", "a")
    assert order[1][0] == "workspace.created"
    assert order[2] == ("workspace.renamed", "b")
    assert ok(world.get("/_emulator/clock"))["now"].startswith("2026-03-01T12:00:00")


def test_what_nothing_overtakes_goes_when_its_time_is_over(world: httpx.Client, hook: Hook) -> None:
    plan(world, {"reorder": True, "hold": 30}, times=1)
    made = workspace(world)
    got = expect(world, "workspace.created", within=60)
    assert got["at"].startswith("2026-03-01T12:00:30")
    rename(world, made, "after")
    expect(world, "workspace.renamed", within=0)


def test_a_delivery_that_was_given_up_while_it_was_late_holds_nothing_up(world: httpx.Client, hook: Hook) -> None:
    plan(world, {"reorder": True, "hold": 3600}, times=1)
    made = workspace(world)
    at_rest(world)
    ok(world.post(f"/v1/webhooks/deliveries/{hook.deliveries()[0]['id']}/discard"))
    rename(world, made, "on")
    expect(world, "workspace.renamed", within=1)


def test_a_signed_time_may_be_long_ago(world: httpx.Client, hook: Hook) -> None:
    plan(world, {"timestamp_skew": -600}, times=1)
    workspace(world)
    until(lambda: len(received(world)) == 1)
    assert received(world)[0]["wrong"] == "it was signed 600 s from now; 300 s are accepted"
