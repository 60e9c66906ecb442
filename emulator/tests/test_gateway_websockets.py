"""WebSockets through a session's gateway: what either side says reaches the other, and so does its leaving."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from typing import Any

import psutil
import pytest
import websockets.exceptions
from boxes import Box, box_fixture, open_box, real_client_fixture, real_emulator_fixture, refused
from emulators import emulator_on, http_of
from previews import by_host, host_of, start, start_app, until
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

__all__ = ["box_fixture", "real_client_fixture", "real_emulator_fixture"]

LARGEST = 2**28


@pytest.fixture(name="app")
def app_fixture(box: Box) -> str:
    """The address of a preview of `preview_app.py`, for WebSockets."""
    return box.emulator.url.replace("http", "ws", 1) + start_app(box)


def left(box: Box) -> list[str]:
    told: list[str] = box.client.get(f"/s/{box.session}/forward/3000/").json()["left"]
    return told


def leases(box: Box) -> int:
    return int(box.client.get(f"/v1/sessions/{box.session}").json()["active_connection_leases"])


def denied(url: str, **how: Any) -> websockets.exceptions.InvalidStatus:
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught, connect(url, **how):
        pass
    return caught.value


def address_of(box: Box) -> tuple[str, int]:
    """Where the emulator listens; names of localhost are not looked up."""
    here, _, port = box.emulator.url.removeprefix("http://").partition(":")
    return here, int(port)


def close_of(one: ClientConnection) -> tuple[int, str]:
    with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
        one.recv(timeout=20)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_text_stays_text_and_bytes_stay_bytes(app: str) -> None:
    with connect(f"{app}/ws") as one:
        for message in ("grüße", b"\0\xff", "", b"", "x" * 100_000):
            one.send(message)
            assert one.recv(timeout=20) == message
        one.send(["frag", "men", "ts"])
        assert one.recv(timeout=20) == "fragments"
        assert one.ping().wait(20)


def test_fragments_and_pings_of_the_app_are_put_in_order(box: Box, app: str) -> None:
    with connect(f"{app}/ws?fragments=1") as one:
        assert one.recv(timeout=20) == "one two"
        until(lambda: "pong ping" in left(box))


def test_the_app_chooses_the_subprotocol_and_sees_the_headers(box: Box, app: str) -> None:
    offered = [Subprotocol("one"), Subprotocol("two")]
    with connect(f"{app}/ws?say=1", subprotocols=offered, additional_headers={"Cookie": "a=1", "X-Own": "2"}) as one:
        headers = json.loads(one.recv(timeout=20))
        assert one.subprotocol == "two"
        assert one.response is not None
        path = app.partition("/s/")[2]
        assert one.response.headers["Set-Cookie"] == f"seen=1; Path=/s/{path}/"
    assert (headers["cookie"], headers["x-own"], headers["sec-websocket-protocol"]) == ("a=1", "2", "one, two")
    assert headers["x-forwarded-prefix"] == f"/s/{path}"
    assert "sec-websocket-extensions" not in headers
    with connect(f"{app}/ws", subprotocols=[Subprotocol("one")]) as one:
        assert one.subprotocol is None


def test_a_refusal_of_the_app_is_passed_on(box: Box, app: str) -> None:
    for status in (401, 403, 500):
        response = denied(f"{app}/ws?deny={status}").response
        assert (response.status_code, response.body, response.headers["X-Reason"]) == (status, b"not you", "because")
    response = denied(app.replace("/forward/3000", "/forward/3999")).response
    assert (response.status_code, json.loads(response.body or b"")["code"]) == (502, "bad_gateway")


def test_refusals_and_broken_text_are_no_failures_in_the_log(
    box: Box, app: str, caplog: pytest.LogCaptureFixture
) -> None:
    base = box.emulator.url.replace("http", "ws", 1)
    for url in (f"{app}/ws?deny=403", f"{base}/v1/sessions/{box.session}/pty", f"{base}/nowhere"):
        denied(url)
    denied(base, additional_headers={"Host": "elsewhere.example"})
    with connect(f"{app}/ws") as one:
        one.send(b"\xff", text=True)
        assert close_of(one)[0] == 1007
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_session_that_is_not_there_is_refused_before_the_upgrade(box: Box) -> None:
    base = box.emulator.url.replace("http", "ws", 1)
    for path in ("/s/00000000-0000-4000-8000-000000000000/forward/3000/", f"/s/{box.session}/", f"/s/{box.session}/x"):
        assert denied(base + path).response.status_code == 404
    assert denied(f"{base}/s/{box.session}/forward/0/").response.status_code == 400


def test_closes_reach_the_other_side_with_code_and_reason(box: Box, app: str) -> None:
    with connect(f"{app}/ws?close=4321&reason=enough") as one:
        assert close_of(one) == (4321, "enough")
    with connect(f"{app}/ws") as one:
        one.close(4567, "had it")
    with connect(f"{app}/ws") as one:
        one.close()
    until(lambda: {"closed 4567 had it", "closed 1000 "} <= set(left(box)))


def test_a_side_that_vanishes_ends_the_other(box: Box, app: str) -> None:
    with connect(f"{app}/ws?drop=1") as one:
        assert close_of(one)[0] == 1011
    one = connect(f"{app}/ws").__enter__()
    assert leases(box) == 1
    one.socket.close()
    until(lambda: leases(box) == 0)
    until(lambda: any(what in ("dropped", "closed 1005 ") for what in left(box)))


def test_an_open_socket_holds_the_session_until_it_is_forced(box: Box, app: str) -> None:
    with connect(f"{app}/ws") as one:
        one.send("x")
        assert one.recv(timeout=20) == "x"
        assert leases(box) == 1
        refused(box.client.delete(f"/v1/sessions/{box.session}"), 409, "session_leased")
        assert box.client.delete(f"/v1/sessions/{box.session}", params={"force": "true"}).status_code == 204
        assert close_of(one) == (1001, "the session has ended")


def test_pages_of_strangers_may_not_open_them(box: Box, app: str) -> None:
    other = open_box(box.emulator, box.client)
    port = box.emulator.url.rpartition(":")[2]
    for origin in ("http://example.com", "null", f"http://{host_of(other, 3000)}", f"http://localhost:{int(port) + 1}"):
        response = denied(f"{app}/ws", origin=Origin(origin)).response
        assert (response.status_code, json.loads(response.body or b"")["code"]) == (403, "forbidden")
    with connect(f"{app}/ws", origin=Origin(box.emulator.url)) as one:
        one.send("own")
        assert one.recv(timeout=20) == "own"
    other.end()


def test_every_form_of_the_address_works(box: Box, app: str) -> None:
    here, port = address_of(box)
    for host, path in ((host_of(box), "/forward/3000/ws"), (host_of(box, 3000), "/ws")):
        # Pages of one session may talk with all of its ports.
        for origin in (host_of(box), host_of(box, 3000), host_of(box, 4000)):
            with connect(f"ws://{host}{path}", address=(here, port), origin=Origin(f"http://{origin}")) as one:
                one.send("x")
                assert one.recv(timeout=20) == "x"


def test_a_socket_at_the_root_goes_to_the_port_whose_page_was_opened_last(box: Box, app: str) -> None:
    page = {"status": "200", "Content-Type": "text/html"}
    with by_host(box) as session:
        cookie = session.get("/forward/3000/headers", params=page).headers["set-cookie"]
        assert "set-cookie" not in session.get("/forward/3000/").headers
    cookie = cookie.partition(";")[0]
    here, port = address_of(box)
    for host in (host_of(box), f"localhost:{port}"):
        with connect(
            f"ws://{host}/?token=x",
            address=(here, port),
            additional_headers={"Cookie": cookie},
            subprotocols=[Subprotocol("two")],
        ) as one:
            one.send("x")
            assert one.recv(timeout=20) == "x"
            assert one.subprotocol == "two"
        response = denied(f"ws://{host}/?token=x", address=(here, port)).response
        assert response.status_code == 404


def test_a_large_message_comes_back_whole(box: Box, app: str) -> None:
    data = bytes(range(256)) * (16 * 2**12)
    with connect(f"{app}/ws", max_size=LARGEST) as one:
        one.send(data)
        assert one.recv(timeout=60) == data


def test_a_client_that_does_not_read_holds_the_app_back(box: Box, app: str) -> None:
    process = psutil.Process()

    async def talk() -> None:
        async with connect_async(f"{app}/ws", max_queue=1) as one:
            await one.send("x")
            assert await one.recv() == "x"
            before = process.memory_info().rss
            sent = 0
            try:
                async with asyncio.timeout(1.5):
                    while sent < 2**28:
                        await one.send(bytes(2**18))
                        sent += 2**18
            except TimeoutError:
                pass
            # A client in order would first write what it still has, and it never could.
            one.transport.abort()
            assert sent < 2**27
            assert process.memory_info().rss - before < 2**27

    asyncio.run(talk())


def test_a_hundred_at_once_mix_up_nothing_and_leave_nothing(box: Box, app: str) -> None:
    process = psutil.Process()

    async def echo(number: int, opened: asyncio.Barrier) -> None:
        data = number.to_bytes(4, "big") * 2**18
        async with connect_async(f"{app}/ws", max_size=LARGEST, open_timeout=300) as one:
            await opened.wait()
            await one.send(data)
            assert await one.recv() == data

    async def all_of_them() -> None:
        opened = asyncio.Barrier(100)
        await asyncio.gather(*(echo(number, opened) for number in range(100)))

    asyncio.run(all_of_them())
    until(lambda: leases(box) == 0)
    gc.collect()
    files, held = process.num_fds(), []
    for _ in range(4):
        held.append(process.memory_info().rss)
        asyncio.run(all_of_them())
        until(lambda: leases(box) == 0)
        gc.collect()
        until(lambda: process.num_fds() <= files)
        # What is free again is not always given back at once, so a round may end higher than it began; not each does.
        if process.memory_info().rss < held[-1] + 64 * 2**20:
            return
    pytest.fail(f"memory grows with each round: {held}")


def test_a_server_that_never_opens_one_times_out() -> None:
    with emulator_on("local", forward_timeout=0.5) as emulator, http_of(emulator) as client:
        box = open_box(emulator, client)
        mute = "import socket, time; s = socket.create_server(('127.0.0.1', 3001)); time.sleep(99)"
        start(box, f'python3 -c "{mute}"', 3001)
        url = f"{emulator.url.replace('http', 'ws', 1)}/s/{box.session}/forward/3001/"
        response = denied(url).response
        assert (response.status_code, json.loads(response.body or b"")["code"]) == (504, "gateway_timeout")
