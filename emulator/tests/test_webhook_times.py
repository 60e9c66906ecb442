"""When deliveries are tried: on the emulator's clock, each attempt at its moment; and what a stop or a crash leaves."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.server import Running
from databases import ask
from emulators import emulator_on, http_of
from people import ok
from previews import until
from receivers import Receiver, answer, hang, hooked, receiving, rename, workspace
from test_crash import server

START = moment("2026-03-01T12:00:00Z")
PAUSES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
TICKS = timedelta(milliseconds=50)
"""How far looks may move a frozen clock in a test."""


@pytest.fixture
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", webhook_timeout=3) as one:
        yield one


def freeze(client: httpx.Client) -> None:
    ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": timestamp(START)}))


def advance(client: httpx.Client, seconds: float) -> list[dict[str, Any]]:
    """Move the clock; answers the attempts that this made."""
    fired = ok(client.post("/_emulator/clock/advance", json={"seconds": seconds}))["fired"]
    return [one for one in fired if one["what"] == "webhook.attempted"]


def sent_at(receiver: Receiver) -> list[datetime]:
    return [datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), START.tzinfo) for got in receiver.got]


def test_a_delivery_is_given_up_after_eight_attempts_each_at_its_moment(client: httpx.Client) -> None:
    freeze(client)
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.usual = answer(503)
        workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        delivery_id = hook.deliveries()[0]["id"]
        moments = [START + timedelta(seconds=sum(PAUSES[:number])) for number in range(8)]
        for number, pause in enumerate(PAUSES, start=2):
            assert advance(client, pause - 1) == []
            assert len(receiver.got) == number - 1
            [fired] = advance(client, 1)
            assert fired["id"] == delivery_id
            assert timedelta() <= moment(fired["at"]) - moments[number - 1] < TICKS
            [delivery] = hook.deliveries()
            assert delivery["attempts"] == number
            assert delivery["status"] == ("pending" if number < 8 else "failed")
            assert timedelta() <= moment(delivery["updated_at"]) - moments[number - 1] < TICKS
        assert (delivery["last_http_status"], delivery["last_error"]) == (503, "the answer was 503")
        assert sent_at(receiver) == moments
        assert len({got.body for got in receiver.got}) == 1
        assert advance(client, 30 * 86400) == []
        # A failed one can be sent again, or be given up.
        replayed = ok(client.post(f"/v1/webhooks/deliveries/{delivery_id}/replay"))["delivery"]
        until(lambda: hook.deliveries()[1]["attempts"] == 1)
        assert hook.deliveries()[1]["id"] == replayed["id"]
        assert ok(client.post(f"/v1/webhooks/deliveries/{delivery_id}/discard"))["delivery"]["status"] == "discarded"


def test_one_long_move_of_the_clock_makes_every_attempt_at_its_moment(client: httpx.Client) -> None:
    freeze(client)
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.usual = answer(500)
        first = workspace(client)
        rename(client, first, "follows")
        fired = advance(client, 3 * 86400)
        moments = [START + timedelta(seconds=sum(PAUSES[:number])) for number in range(8)]
        # What stands behind it in the queue begins when it is given up.
        moments += [moments[-1] + timedelta(seconds=sum(PAUSES[:number])) for number in range(8)]
        assert sent_at(receiver) == moments
        assert receiver.types() == ["workspace.created"] * 8 + ["workspace.renamed"] * 8
        assert {one["status"] for one in hook.deliveries()} == {"failed"}
        known = [one["id"] for one in hook.deliveries()]
        assert [one["id"] for one in fired][-15:] == [known[0]] * 7 + [known[1]] * 8


def test_what_follows_from_an_attempt_that_is_under_way_is_not_missed_by_a_moved_clock(client: httpx.Client) -> None:
    freeze(client)
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [hang]
        workspace(client)
        receiver.wait(1)
        [fired] = advance(client, 5)
        assert timedelta() <= moment(fired["at"]) - (START + timedelta(seconds=5)) < TICKS
        [delivery] = hook.deliveries()
        assert (delivery["status"], delivery["attempts"]) == ("delivered", 2)


def test_a_receiver_that_hangs_holds_up_nobody_while_the_clock_is_moved(
    emulator: Running, client: httpx.Client
) -> None:
    freeze(client)
    with receiving() as slow, receiving() as fast, hooked(client, slow.url) as stuck, hooked(client, fast.url):
        slow.then = [answer(500)]
        slow.usual = hang
        workspace(client)
        until(lambda: stuck.deliveries()[0]["attempts"] == 1)
        moving = threading.Thread(target=advance, args=(client, 5))
        moving.start()
        slow.wait(2)
        with http_of(emulator) as other:
            made = workspace(other)
        # It comes while the other receiver is still waited for, or this would not have been the third attempt there.
        until(lambda: any(got.event["resource_id"] == made for got in fast.got))
        assert [one["attempts"] for one in stuck.deliveries()] == [1, 0]
        moving.join()


def test_a_moved_clock_lists_each_attempt_of_a_queue(client: httpx.Client) -> None:
    freeze(client)
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.then = [answer(500)]
        made = workspace(client)
        until(lambda: hook.deliveries()[0]["attempts"] == 1)
        for name in ("one", "two", "three"):
            rename(client, made, name)
        assert [one["id"] for one in advance(client, 5)] == [one["id"] for one in hook.deliveries()]


def test_a_session_that_ends_when_the_clock_is_moved_is_told_of_at_that_moment(client: httpx.Client) -> None:
    freeze(client)
    with receiving() as receiver, hooked(client, receiver.url, "session.terminated"):
        ok(client.post("/v1/sessions", json={"ephemeral": True}))
        advance(client, 5 * 86400)
        [at] = sent_at(receiver)
    assert timedelta() <= at - (START + timedelta(hours=24)) < timedelta(seconds=2)


def test_a_clock_that_is_set_back_holds_up_no_first_attempt(client: httpx.Client) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        made = workspace(client)
        hook.settled(1)
        ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": "2001-01-01T00:00:00Z"}))
        rename(client, made, "earlier")
        until(lambda: len(receiver.got) == 2)
        assert receiver.types() == ["workspace.created", "workspace.renamed"]


def test_events_that_nobody_wanted_are_forgotten_and_deliveries_kept(emulator: Running, client: httpx.Client) -> None:
    freeze(client)
    with receiving() as receiver, hooked(client, receiver.url, "workspace.renamed") as hook:
        made = workspace(client)
        rename(client, made, "kept")
        hook.settled(1)
        statement = "SELECT type FROM outbox ORDER BY created_at"
        assert [row["type"] for row in ask(emulator, statement)] == ["workspace.created", "workspace.renamed"]
        advance(client, 23 * 3600)
        assert len(ask(emulator, statement)) == 2
        advance(client, 3 * 3600)
        until(lambda: [row["type"] for row in ask(emulator, statement)] == ["workspace.renamed"])
        assert hook.deliveries()[0]["payload"]["data"]["name"] == "kept"


# Stops and crashes


def test_what_is_pending_is_sent_after_a_restart(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        made = ok(client.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{port}/"}))
        first = workspace(client)
        query = {"webhook_id": made["webhook"]["id"]}
        until(lambda: ok(client.get("/v1/webhooks/deliveries", params=query))["deliveries"][0]["attempts"] == 1)
        for number in range(20):
            rename(client, first, f"n-{number}")
        ok(client.post("/_emulator/clock/advance", json={"seconds": 4}))
    with (
        receiving(port) as receiver,
        emulator_on("scripted", data_dir=tmp_path) as one,
        http_of(one) as client,
    ):
        until(lambda: len(receiver.got) == 21, 30)
        names = [got.event["data"]["name"] for got in receiver.got]
        assert names[1:] == [f"n-{number}" for number in range(20)]
        until(lambda: not ok(client.get("/v1/webhooks/deliveries", params={"status": "pending"}))["deliveries"])


def test_a_crash_while_deliveries_are_out_loses_none_and_keeps_their_order(tmp_path: Path) -> None:
    with receiving() as receiver:
        promised: dict[str, list[str]] = {}
        for round_number in range(3):
            with server("scripted", tmp_path, "--no-rate-limit", "--plan", "team") as one, one.client() as client:
                if not round_number:
                    ok(client.post("/v1/webhooks", json={"url": receiver.url, "events": ["workspace.*"]}))
                before = len(receiver.got)

                def work(number: int, client: httpx.Client = client) -> None:
                    try:
                        made = workspace(client)
                        names = promised[made] = [""]
                        while True:
                            name = f"{made[:8]}-{len(names)}"
                            rename(client, made, name)
                            names.append(name)
                    except httpx.HTTPError:
                        return

                threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
                for thread in threads:
                    thread.start()
                until(lambda before=before: len(receiver.got) >= before + 60, 30)  # type: ignore[misc]
                one.kill()
                for thread in threads:
                    thread.join()
        with server("scripted", tmp_path) as last, last.client() as client:
            pending = {"status": "pending"}
            until(lambda: not ok(client.get("/v1/webhooks/deliveries", params=pending))["deliveries"], 30)
            last.stop()
    assert len(promised) == 12
    for made, names in promised.items():
        came = [got.event for got in receiver.got if got.event["resource_id"] == made]
        # Again is allowed; left out or out of turn is not.
        ids = list(dict.fromkeys(event["id"] for event in came))
        first = {event["id"]: event for event in reversed(came)}
        arrived = [first[one]["data"]["name"] for one in ids][1:]
        assert arrived[: len(names) - 1] == names[1:]
        assert first[ids[0]]["type"] == "workspace.created"


def test_a_stop_does_not_wait_for_a_receiver_that_hangs(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.usual = hang
        with server("scripted", tmp_path) as one, one.client() as client:
            ok(client.post("/v1/webhooks", json={"url": receiver.url}))
            workspace(client)
            receiver.wait(1)
            one.stop()
        receiver.usual = answer(200)
        with server("scripted", tmp_path) as one, one.client() as client:
            until(lambda: len(receiver.got) == 2)
            one.stop()
    first, second = receiver.got
    assert first.headers["x-chaser-delivery"] == second.headers["x-chaser-delivery"]


def test_the_end_of_a_session_by_a_crash_is_told_with_the_address_of_the_next_start(tmp_path: Path) -> None:
    with receiving() as receiver:
        with server("scripted", tmp_path) as one, one.client() as client:
            ok(client.post("/v1/webhooks", json={"url": receiver.url, "events": ["session.terminated"]}))
            session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
            one.kill()
        with server("scripted", tmp_path) as one, one.client() as client:
            [got] = receiver.wait(1)
            assert got.event["data"] == ok(client.get(f"/v1/sessions/{session}"))
            one.stop()


def test_a_lost_key_of_the_vault_is_told_and_sends_nothing_unsigned(tmp_path: Path) -> None:
    with receiving() as receiver:
        with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
            ok(client.post("/v1/webhooks", json={"url": receiver.url}))
        (tmp_path / "vault.key").unlink()
        with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
            workspace(client)

            def told() -> list[str]:
                found = ok(client.get("/v1/webhooks/deliveries"))["deliveries"]
                return [error for one in found if (error := one.get("last_error"))]

            until(told)
            assert told() == ["the signing secret cannot be read: the key of the vault is another"]
            assert receiver.got == []
            ok(client.get("/v1/webhooks"))


@pytest.mark.parametrize("value", ["host:8000", "cafe:8000", "http://host", "host/path", "two words", ""])
def test_where_localhost_is_must_be_a_host(tmp_path: Path, value: str) -> None:
    command = [sys.executable, "-m", "chaser_emulator.cli", "--ephemeral", "--webhook-localhost", value]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)
    assert done.returncode == 2
    assert "--webhook-localhost" in done.stderr
    assert json.dumps(value)[1:-1] in done.stderr
