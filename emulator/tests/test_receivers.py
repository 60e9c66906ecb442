"""Receivers that answer, fail, break off, never end, or must not be reached: what becomes of deliveries to each."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok
from previews import until
from receivers import answer, endless, hang, hooked, receiving, reset, say, workspace
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


# Where they are


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
