"""Faults of connections, as real clients on real sockets see them: lost answers, slow bodies, dropped WebSockets."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import emulator_on, http_of, sdk_of
from people import ok, refused
from planned import client_of, noted, plan, sandbox, sessions, world_of
from sockets import refusal
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CREATE = "create-session"

COUNT = {
    "command": "count",
    "output": [{"text": "one\n"}, *({"text": word, "after": 0.02} for word in ("two\n", "three\n"))],
}


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    with client_of(emulator) as one:
        yield one


def create(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/sessions", json={"ephemeral": True})


# No answer

ENDINGS = {
    "reset": (httpx.ReadError, "reset by peer"),
    "closed": (httpx.RemoteProtocolError, "without sending a response"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_an_answer_is_lost_after_the_change_was_made(client: httpx.Client, how: str) -> None:
    kind, words = ENDINGS[how]
    rule = plan(client, CREATE, lost=how, times=1)
    with pytest.raises(kind, match=words):
        create(client)
    assert len(sessions(client)) == 1
    assert rule.counts() == (1, 1)
    exchange = noted(client, CREATE)
    assert "status" not in exchange
    assert exchange["fault"] == rule.id
    ok(create(client))
    assert len(sessions(client)) == 2


@pytest.mark.parametrize("how", ENDINGS)
def test_a_connection_ends_before_anything_has_happened(client: httpx.Client, how: str) -> None:
    kind, words = ENDINGS[how]
    plan(client, CREATE, reset=how, times=1)
    with pytest.raises(kind, match=words):
        create(client)
    assert sessions(client) == []
    ok(create(client))


@pytest.mark.parametrize("effect", ["lost", "reset"])
def test_an_answer_that_never_comes_is_waited_for_until_the_client_gives_up(client: httpx.Client, effect: str) -> None:
    plan(client, CREATE, **{effect: "hang"})
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/sessions", json={"ephemeral": True}, timeout=0.2)
    assert len(sessions(client)) == (effect == "lost")


def test_what_hangs_ends_with_its_time_its_rule_its_world_and_the_emulator(emulator: Running) -> None:
    def hung(end: Callable[[httpx.Client, str], Any], how: Any = "hang") -> None:
        with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
            rule = plan(client, CREATE, lost=how)
            with ThreadPoolExecutor() as pool, http_of(emulator, world.api_key) as other:
                waiting = pool.submit(create, other)
                while rule.counts() == (0, 0):
                    pass
                end(client, world.id)
                with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                    waiting.result(20)

    hung(lambda _client, _world: None, {"how": "hang", "seconds": 0.1})
    hung(lambda client, _world: ok(client.delete("/_emulator/faults/fault-1")))
    hung(lambda client, _world: ok(client.post("/_emulator/reset")))


def test_an_emulator_stops_at_once_while_a_client_hangs() -> None:
    with ThreadPoolExecutor() as pool:
        with emulator_on("scripted") as emulator, http_of(emulator) as client:
            rule = plan(client, CREATE, lost="hang")
            other = http_of(emulator)
            waiting = pool.submit(create, other)
            while rule.counts() == (0, 0):
                pass
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            waiting.result(20)
        other.close()


def test_an_upload_is_cut_before_and_after_it_was_stored(client: httpx.Client) -> None:
    session = sandbox(client)
    content = b"x" * 2_000_000

    def upload() -> httpx.Response:
        data, files = {"path": "/workspace/a.bin"}, {"file": ("a.bin", content)}
        return client.post(f"/v1/sessions/{session}/upload", data=data, files=files)

    def stored() -> int:
        return client.get(f"/v1/sessions/{session}/download", params={"path": "/workspace/a.bin"}).status_code

    plan(client, "upload-session-file", error="sandbox_unavailable", calls=[1])
    plan(client, "upload-session-file", reset="closed", calls=[2])
    plan(client, "upload-session-file", reset=True, calls=[3])
    plan(client, "upload-session-file", lost="closed", calls=[4])
    assert upload().status_code == 503
    with pytest.raises(httpx.RemoteProtocolError):
        upload()
    with pytest.raises(httpx.TransportError):
        upload()
    assert stored() == 404
    with pytest.raises(httpx.RemoteProtocolError):
        upload()
    assert stored() == 200
    assert ok(upload())["size"] == len(content)


def test_the_official_sdk_sees_what_any_program_on_the_standard_library_does(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        sdk = sdk_of(emulator, world.api_key)
        plan(client, CREATE, lost="reset", calls=[1])
        plan(client, CREATE, lost="closed", calls=[2])
        plan(client, "list-sessions", truncate=True, calls=[1])
        with pytest.raises((ConnectionResetError, urllib.error.URLError)):
            sdk.sessions.create({"ephemeral": True})
        with pytest.raises((http.client.RemoteDisconnected, urllib.error.URLError)):
            sdk.sessions.create({"ephemeral": True})
        with pytest.raises(http.client.IncompleteRead):
            sdk.sessions.list()
        assert len(sdk.sessions.list()) == 2


CURL = [("lost", "reset", 56), ("lost", "closed", 52), ("reset", "reset", 56), ("truncate", True, 18)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_says_what_it_says_of_a_bad_network(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        for call, (effect, how, _code) in enumerate(CURL, 1):
            plan(client, "list-jobs", **{effect: how}, calls=[call])
        command = ["curl", "-s", "-o", "/dev/null", "-H", f"Authorization: Bearer {world.api_key}"]
        codes = [subprocess.run([*command, f"{emulator.url}/v1/jobs"], check=False).returncode for _ in CURL]
        assert codes == [code for _effect, _how, code in CURL]


# Retries


def test_a_job_with_an_idempotency_key_is_one_job_however_often_its_answer_is_lost(emulator: Running) -> None:
    job: dict[str, Any] = {"kind": "session.terminate", "input": {"session_id": str(uuid.uuid4())}}
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        sdk = sdk_of(emulator, world.api_key)
        plan(client, "create-job", lost="reset", times=2)
        for _attempt in range(2):
            with pytest.raises((ConnectionResetError, urllib.error.URLError)):
                sdk.jobs.create(**job, idempotency_key="order-17")
        made = sdk.jobs.create(**job, idempotency_key="order-17")
        assert [one["id"] for one in ok(client.get("/v1/jobs"))["jobs"]] == [made["id"]]
        again = [one.get("status") for one in ok(client.get("/_emulator/requests?operation=create-job"))["requests"]]
        assert again == [None, None, 200]


def test_a_session_whose_answer_was_lost_and_that_is_created_again_is_two(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        sdk = sdk_of(emulator, world.api_key)
        plan(client, CREATE, lost="closed", times=1)
        with pytest.raises((http.client.RemoteDisconnected, urllib.error.URLError)):
            sdk.sessions.create({"ephemeral": True})
        kept = sdk.sessions.create({"ephemeral": True})["id"]
        assert len(sessions(client)) == 2
        assert kept in sessions(client)


# In the midst of a body


def received(answer: httpx.Response) -> tuple[bytes, bool]:
    """What comes of a body, and whether that is all of it."""
    got = b""
    try:
        for chunk in answer.iter_bytes():
            got += chunk
    except httpx.RemoteProtocolError:
        return got, False
    return got, True


def test_half_of_an_answer_comes_with_the_length_of_the_whole(client: httpx.Client) -> None:
    plan(client, CREATE, truncate=True, calls=[1])
    plan(client, CREATE, truncate=7, calls=[2])
    plan(client, CREATE, truncate=0, calls=[3])
    for expected in (None, 7, 0):
        with client.stream("POST", "/v1/sessions", json={"ephemeral": True}) as answer:
            assert answer.status_code == 200
            whole = int(answer.headers["content-length"])
            got, whole_body = received(answer)
            assert not whole_body
            assert len(got) == (whole // 2 if expected is None else expected)
    assert len(sessions(client)) == 3


def test_an_answer_too_short_for_the_cut_is_whole_and_not_counted(client: httpx.Client) -> None:
    rule = plan(client, "list-jobs", truncate=10_000, times=1)
    ok(client.get("/v1/jobs"))
    assert rule.counts() == (1, 0)
    assert "fault" not in noted(client, "list-jobs")


def test_a_download_breaks_off_and_its_session_can_be_used_on(client: httpx.Client) -> None:
    session = sandbox(client)
    content = b"0123456789" * 100_000
    data, files = {"path": "/workspace/a.bin"}, {"file": ("a.bin", content)}
    ok(client.post(f"/v1/sessions/{session}/upload", data=data, files=files))
    url, params = f"/v1/sessions/{session}/download", {"path": "/workspace/a.bin"}
    rule = plan(client, "download-session-file", truncate=True, times=1)
    with client.stream("GET", url, params=params) as answer:
        got, whole = received(answer)
    assert not whole
    assert got == content[: len(content) // 2]
    assert rule.counts() == (1, 1)
    assert client.get(url, params=params).content == content
    assert client.delete(f"/v1/sessions/{session}").status_code == 204


def _events(client: httpx.Client) -> tuple[list[str], bool]:
    """The events of a command's stream, and whether it ended as it should."""
    session = sandbox(client)
    client.post("/_emulator/stubs", json=COUNT)
    started = ok(client.post(f"/v1/sessions/{session}/exec", json={"command": "count", "background": True}))
    with client.stream("GET", f"/v1/sessions/{session}/commands/{started['command_id']}/stream") as answer:
        assert answer.status_code == 200
        got, whole = received(answer)
    return [block for block in got.decode().split("\n\n") if block and not block.startswith(":")], whole


def test_a_stream_breaks_off_after_so_many_events_or_bytes(client: httpx.Client) -> None:
    plan(client, "stream-session-command", truncate={"events": 1}, calls=[1])
    plan(client, "stream-session-command", truncate={"bytes": 5}, calls=[2])
    plan(client, "stream-session-command", truncate=True, calls=[3])
    rule = plan(client, "stream-session-command", truncate={"events": 100}, calls=[4])
    events, whole = _events(client)
    assert (len(events), whole) == (1, False)
    assert "one" in events[0]
    events, whole = _events(client)
    assert ([len(one) for one in events], whole) == ([5], False)
    events, whole = _events(client)
    assert whole is False
    assert "event: exit" not in "".join(events)
    events, whole = _events(client)
    assert whole is True
    assert rule.counts() == (4, 0)


def test_a_body_and_a_stream_drip(client: httpx.Client) -> None:
    plan(client, "list-keys", slow=0.01, calls=[1])
    plan(client, "list-keys", slow={"seconds": 0.01, "bytes": 7}, calls=[2])
    plan(client, "stream-session-command", slow=0.01)
    plain = ok(client.get("/v1/jobs"))
    assert plain
    for size in (None, 7):
        with client.stream("GET", "/v1/keys") as answer:
            pieces = list(answer.iter_raw())
            whole = int(answer.headers["content-length"])
            assert sum(map(len, pieces)) == whole
            assert len(pieces) > 1
            assert size is None or max(map(len, pieces[:2])) >= size
    events, whole_stream = _events(client)
    assert whole_stream
    assert "event: exit" in events[-1]


def test_latency_is_real_time_and_ends_with_its_rule(emulator: Running, client: httpx.Client) -> None:
    plan(client, "list-jobs", latency=0.1, times=1)
    plan(client, "list-jobs", latency=[0.05, 0.1], when="after", times=1)
    for least in (0.1, 0.05):
        began = time.monotonic()
        ok(client.get("/v1/jobs"))
        assert time.monotonic() - began >= least
    rule = plan(client, "list-jobs", latency=600)
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=emulator.url, headers=client.headers, timeout=60) as other:
        waiting = pool.submit(other.get, "/v1/jobs")
        while rule.counts() == (0, 0):
            pass
        ok(client.delete(f"/_emulator/faults/{rule.id}"))
        assert waiting.result(20).status_code == 200


# Connections that are kept


KEPT: dict[str, dict[str, Any]] = {
    "refusal": {"error": "sandbox_unavailable"},
    "refusal after": {"error": "sandbox_unavailable", "when": "after"},
    "answer": {"answer": {"status": 502, "body": "no"}},
    "raise": {"raise": "on purpose"},
    "slow": {"slow": 0.001},
    "latency": {"latency": 0.001},
}


@pytest.mark.parametrize("name", KEPT)
def test_a_connection_that_was_answered_on_can_be_used_again(
    emulator: Running, client: httpx.Client, name: str
) -> None:
    answer = client.post("/_emulator/faults", json={"operations": [CREATE], "times": 1, **KEPT[name]})
    assert answer.status_code == 201, answer.text
    raw = http.client.HTTPConnection(emulator.url.removeprefix("http://"))
    headers = {"Authorization": client.headers["Authorization"], "Content-Type": "application/json"}
    sockets: list[socket.socket | None] = []
    for _ in range(2):
        raw.request("POST", "/v1/sessions", body=b'{"ephemeral": true}', headers=headers)
        raw.getresponse().read()
        sockets.append(raw.sock)
    raw.close()
    assert sockets[0] is sockets[1] is not None


def test_others_on_other_connections_are_not_cut(emulator: Running, client: httpx.Client) -> None:
    plan(client, "list-jobs", lost="reset", calls="2-3")
    done: list[int | str] = []
    lock = threading.Lock()

    def ask(_number: int) -> None:
        try:
            status: int | str = httpx.get(f"{emulator.url}/v1/jobs", headers=client.headers).status_code
        except httpx.TransportError:
            status = "cut"
        with lock:
            done.append(status)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert sorted(done, key=str) == [200] * 6 + ["cut"] * 2


# WebSockets


def _pty(emulator: Running, client: httpx.Client, session: str) -> Any:
    url = f"{emulator.url.replace('http', 'ws', 1)}/v1/sessions/{session}/pty"
    return connect(url, additional_headers={"Authorization": client.headers["Authorization"]})


def _end(emulator: Running, client: httpx.Client, session: str) -> tuple[int, int]:
    """How many messages came on a terminal until it ended, and with which code."""
    count = 0
    with _pty(emulator, client, session) as terminal:
        try:
            while True:
                terminal.recv(timeout=20)
                count += 1
                with contextlib.suppress(ConnectionClosed):
                    terminal.send(b"hello\n")
        except ConnectionClosed as closed:
            return count, closed.rcvd.code if closed.rcvd else 1006


def test_a_websocket_is_refused_with_a_code_or_with_anything(emulator: Running, client: httpx.Client) -> None:
    session = sandbox(client)
    url = f"{emulator.url.replace('http', 'ws', 1)}/v1/sessions/{session}/pty"
    headers = {"Authorization": client.headers["Authorization"]}
    plan(client, "open-session-pty", error="not_running", calls=[1])
    plan(client, "open-session-pty", error="sandbox_unavailable", when="after", calls=[2])
    plan(client, "open-session-pty", answer={"status": 502, "body": {"request_id": "x"}}, calls=[3])
    assert [refusal(url, headers)[0] for _ in "12"] == [409, 503]
    with pytest.raises(Exception, match="502"), connect(url, additional_headers=headers):
        pass
    with _pty(emulator, client, session) as terminal:
        assert terminal.recv(timeout=20)


@pytest.mark.parametrize(
    "effect", [{"reset": True}, {"reset": "closed"}, {"lost": "reset"}, {"lost": {"how": "hang", "seconds": 0.1}}]
)
def test_a_websocket_is_cut_before_its_handshake(
    emulator: Running, client: httpx.Client, effect: dict[str, Any]
) -> None:
    session = sandbox(client)
    plan(client, "open-session-pty", **effect, times=1)
    with pytest.raises((OSError, EOFError, Exception)) as failed, _pty(emulator, client, session):
        pass
    assert "101" not in str(failed.value)
    with _pty(emulator, client, session) as terminal:
        assert terminal.recv(timeout=20)


DROPS: list[tuple[Any, int | None, int]] = [
    (True, 0, 1006),
    (1, 1, 1006),
    ({"messages": 2}, 2, 1006),
    ({"messages": 1, "code": 1011}, 1, 1011),
    ({"messages": 0, "code": 4001}, 0, 4001),
    ({"seconds": 0.1}, None, 1006),
    ({"seconds": 0.1, "code": 1012}, None, 1012),
]


@pytest.mark.parametrize(("drop", "messages", "code"), DROPS, ids=[str(drop) for drop, _count, _code in DROPS])
def test_a_websocket_is_dropped_after_messages_or_seconds(
    emulator: Running, client: httpx.Client, drop: Any, messages: int | None, code: int
) -> None:
    session = sandbox(client)
    rule = plan(client, "open-session-pty", drop=drop, times=1)
    count, ended = _end(emulator, client, session)
    assert ended == code
    assert messages in (None, count)
    assert rule.counts() == (1, 1)
    with _pty(emulator, client, session) as terminal:
        assert terminal.recv(timeout=20)
    refused(
        client.post("/_emulator/faults", json={"operations": ["open-session-pty"], "slow": 1}), 400, "invalid_request"
    )
