"""HTTP through a session's gateway: by path and by host, streamed both ways, and honest when something is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from boxes import Box, box_fixture, open_box, real_client_fixture, real_emulator_fixture, refused
from emulators import emulator_on, http_of, sdk_of
from previews import by_host, host_of, ports_of, start, start_app, until

__all__ = ["box_fixture", "real_client_fixture", "real_emulator_fixture"]


@pytest.fixture(name="app")
def app_fixture(box: Box) -> str:
    """The path of a preview of `preview_app.py`."""
    return start_app(box)


def seen(answer: httpx.Response) -> dict[str, Any]:
    """What the app says that it was asked."""
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


# The session itself


def test_the_index_lists_what_listens(box: Box) -> None:
    start_app(box)
    answer = box.client.get(f"/s/{box.session}")
    index = answer.json()
    assert (index["session_id"], index["session_type"], index["status"]) == (box.session, "sandbox", "running")
    url = f"{box.emulator.url}/s/{box.session}/forward/3000/"
    root = f"http://{host_of(box, 3000)}/"
    assert index["ports"] == [{"port": 3000, "url": url, "root_url": root}]
    with by_host(box) as session, by_host(box, 3000) as port:
        [entry] = session.get("/").json()["ports"]
        assert entry["url"] == f"http://{host_of(box)}/forward/3000/"
        assert session.get("/forward/3000/x").json()["target"] == "/x"
        assert port.get("/x").json()["target"] == "/x"


def test_a_browser_gets_a_page_and_a_program_json(box: Box) -> None:
    path = f"/s/{box.session}/"
    page = box.client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        assert box.client.get(path, headers={"Accept": accept}).json()["session_id"] == box.session
    assert box.client.head(path).status_code == 200
    answer = box.client.post(path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_the_addresses_of_the_official_client_lead_there(box: Box, app: str) -> None:
    sdk = sdk_of(box.emulator)
    assert httpx.get(sdk.sessions.gateway_url(box.session)).json()["session_id"] == box.session
    assert httpx.get(sdk.sessions.forward_url(box.session, 3000, "/x?y=%2F")).json()["target"] == "/x?y=%2F"


def test_nothing_but_the_session_is_at_its_own_host(box: Box) -> None:
    with by_host(box) as session:
        for path in ("/v1/sessions", "/api-docs/openapi.json", f"/s/{box.session}/"):
            refused(session.get(path, headers={"Authorization": f"Bearer {box.emulator.api_key}"}), 404, "not_found")
    for host in (f"{box.session}.example.com", f"{box.session}.localhost.example.com"):
        refused(box.client.get("/", headers={"Host": host}), 403, "forbidden")


def test_a_name_that_is_allowed_names_sessions_as_well() -> None:
    names: dict[str, Any] = {"allowed_hosts": ("dev.test",), "public_url": "https://chaser.example"}
    with emulator_on("scripted", **names) as emulator, http_of(emulator) as client:
        box = open_box(emulator, client)
        for name in ("dev.test", "chaser.example"):
            answer = client.get("/", headers={"Host": f"{box.session}.{name}"})
            assert answer.json()["session_id"] == box.session


def test_a_session_that_never_was_or_is_over_is_not_found(box: Box) -> None:
    for path in ("/s/nobody/", "/s/00000000-0000-4000-8000-000000000000/forward/3000/"):
        refused(box.client.get(path), 404, "not_found")
        page = box.client.get(path, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    box.end()
    refused(box.client.get(f"/s/{box.session}/"), 404, "not_found")
    refused(box.client.get(f"/s/{box.session}/forward/3000/"), 404, "not_found")
    with by_host(box) as session:
        refused(session.get("/"), 404, "not_found")


@pytest.mark.parametrize("port", ["0", "65536", "99999", "x", "-1", "03000", "%33000"])
def test_an_impossible_port_is_refused(box: Box, port: str) -> None:
    refused(box.client.get(f"/s/{box.session}/forward/{port}/"), 400, "invalid_request")


def test_a_closed_port_says_which_are_open(box: Box, app: str) -> None:
    body = refused(box.client.get(f"/s/{box.session}/forward/3001/"), 502, "bad_gateway")
    assert "3001" in body["message"]
    assert body["details"] == {"port": 3001, "listening": [3000]}


# What the app sees


def test_path_and_query_reach_the_app_byte_for_byte(box: Box, app: str) -> None:
    port = int(box.emulator.url.rpartition(":")[2])
    for target in ("/a%2Fb//c/../d/%e4%zz?x=%20+&y&&z=%2f", "//twice", "/?", "/;p=1?a=b?c", "/~x'()*!$,"):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(f"GET {app}{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: raw.recv(65_536), b""))
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert told["target"] == target.removesuffix("?")


def test_headers_pass_but_those_of_the_connection(box: Box, app: str) -> None:
    sent: dict[str, str] = {
        "Authorization": "Bearer mine", "Cookie": f"a=1; chaser_forward={box.session}.3000; b=2",
        "X-Odd": "käse".encode().decode("latin-1"),
        "Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "Keep-Alive": "timeout=5",
        "X-Forwarded-For": "10.1.2.3", "Origin": box.emulator.url,
    }  # fmt: skip
    told = seen(
        box.client.get(f"{app}/", headers=[(name.encode(), value.encode("latin-1")) for name, value in sent.items()])
    )
    headers = dict(told["headers"])
    assert len(headers) == len(told["headers"])
    assert headers["authorization"] == "Bearer mine"
    assert headers["cookie"] == "a=1; b=2"
    assert headers["x-odd"].encode("latin-1") == "käse".encode()
    assert not {"connection", "x-hop", "te", "keep-alive"} & set(headers)
    assert headers["x-forwarded-for"] == "10.1.2.3"
    assert headers["x-forwarded-host"] == headers["host"] == box.emulator.url.removeprefix("http://")
    assert (headers["x-forwarded-proto"], headers["x-forwarded-prefix"]) == ("http", app)
    assert headers["origin"] == box.emulator.url


def test_under_a_name_of_ones_own_the_app_sees_localhost() -> None:
    with emulator_on("local", allowed_hosts=("dev.test",)) as emulator, http_of(emulator) as client:
        box = open_box(emulator, client)
        app = start_app(box)
        told = seen(client.get(f"{app}/", headers={"Host": "dev.test", "Origin": "http://dev.test"}))
        headers = dict(told["headers"])
        assert (headers["host"], headers["origin"]) == ("localhost:3000", "http://localhost:3000")
        assert headers["x-forwarded-host"] == "dev.test"
        foreign = seen(client.get(f"{app}/", headers={"Host": "dev.test", "Origin": "http://other.test"}))
        assert dict(foreign["headers"])["origin"] == "http://other.test"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_any_method_reaches_the_app(box: Box, app: str, method: str) -> None:
    told = seen(box.client.request(method, f"{app}/x", content=b"body" if method != "GET" else None))
    assert (told["method"], told["body"]) == (method, "body" if method != "GET" else "")


def test_a_tunnel_is_refused(box: Box, app: str) -> None:
    answer = box.client.request("CONNECT", f"{app}/x")
    refused(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


# Streams


def test_body_and_answer_stream_at_the_same_time(box: Box, app: str) -> None:
    """An app that answers while it reads would wait for ever if either were collected first."""
    came = threading.Semaphore(0)

    def pieces() -> Iterator[bytes]:
        for number in range(5):
            yield f"piece {number}".encode()
            # The next one is sent only when this one has come back.
            assert came.acquire(timeout=20)

    with httpx.Client(base_url=box.emulator.url, timeout=60) as client:
        port = int(box.emulator.url.rpartition(":")[2])
        assert client.get(f"{app}/").status_code == 200
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.sendall(f"POST {app}/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            got = b""
            for piece in pieces():
                raw.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                while piece not in got:
                    got += raw.recv(65_536)
                came.release()
            raw.sendall(b"0\r\n\r\n")
            while not got.endswith(b"0\r\n\r\n"):
                got += raw.recv(65_536)


def test_a_large_body_comes_back_whole_and_is_not_held(box: Box, app: str) -> None:
    size = 128 * 2**20
    process = psutil.Process()
    before = process.memory_info().rss

    def pieces() -> Iterator[bytes]:
        for _ in range(size // 2**20):
            yield bytes(2**20)

    with box.client.stream("GET", f"{app}/big?bytes={size}") as answer:
        got = sum(len(piece) for piece in answer.iter_raw(2**20))
    assert got == size
    told = box.client.post(f"{app}/early", content=pieces())
    assert (told.status_code, told.text) == (413, "too much")
    assert process.memory_info().rss - before < 64 * 2**20


def test_a_large_echo_flows_both_ways_at_once(box: Box, app: str) -> None:
    """More than all buffers on the way hold: who collected one direction first would stop the other."""
    size = 64 * 2**20
    port = int(box.emulator.url.rpartition(":")[2])

    async def echo() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {app}/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode())

        async def send() -> None:
            for _ in range(size // 2**18):
                writer.write(bytes(2**18))
                await writer.drain()

        sending = asyncio.create_task(send())
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while length := int(await reader.readline(), 16):
            got += len(await reader.readexactly(length))
            await reader.readline()
        await sending
        writer.close()
        return got

    assert asyncio.run(echo()) == size


def test_an_event_comes_at_once_and_the_app_hears_when_the_client_leaves(box: Box, app: str) -> None:
    with box.client.stream("GET", f"{app}/sse?me") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert next(answer.iter_text()) == "data: one\n\n"
    until(lambda: "me" in seen(box.client.get(f"{app}/"))["left"])


def test_an_answer_that_breaks_off_does_not_look_whole(box: Box, app: str) -> None:
    for path in ("/half", "/half-chunked"):
        with pytest.raises(httpx.RemoteProtocolError):
            box.client.get(app + path)


def test_the_end_of_its_session_breaks_an_answer_off(box: Box, app: str) -> None:
    with box.client.stream("GET", f"{app}/sse") as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "data: one\n\n"
        url = f"{box.emulator.url}/v1/sessions/{box.session}"
        ended = httpx.delete(url, params={"force": "true"}, headers=box.client.headers, timeout=60)
        assert ended.status_code == 204
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)


def test_what_breaks_off_is_no_failure_in_the_log(box: Box, app: str, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/half", "/half-chunked"):
        with pytest.raises(httpx.RemoteProtocolError):
            box.client.get(app + path)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_stop_in_the_middle_of_an_answer_is_no_failure_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.ExitStack() as stack:
        with emulator_on("local") as emulator, http_of(emulator) as client:
            app = start_app(open_box(emulator, client))
            waiting = stack.enter_context(httpx.Client(base_url=emulator.url, timeout=60, trust_env=False))
            answer = stack.enter_context(waiting.stream("GET", f"{app}/sse"))
            pieces = answer.iter_text()
            assert next(pieces) == "data: one\n\n"
            emulator.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_answer_that_is_none_is_a_bad_gateway(box: Box, app: str) -> None:
    for path in ("/hang-up", "/nonsense", "/headers?status=700"):
        refused(box.client.get(app + path), 502, "bad_gateway")


def test_odd_answers_pass(box: Box, app: str) -> None:
    assert box.client.get(f"{app}/hints").text == "hinted"
    assert box.client.get(f"{app}/two-lengths").text == "whole"
    assert box.client.get(f"{app}/nothing").status_code == 304
    assert box.client.get(f"{app}/old").text == "to the end"
    assert box.client.get(f"{app}/headers?status=599").status_code == 599
    answer = box.client.head(f"{app}/x")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0


def test_who_asks_whether_to_send_its_body_is_told(box: Box, app: str) -> None:
    told = box.client.post(f"{app}/stream", content=b"body", headers={"Expect": "100-continue"})
    assert told.text == "body"


def test_a_connection_that_was_kept_and_closed_meanwhile_is_no_failure(box: Box, app: str) -> None:
    for _ in range(20):
        assert box.client.get(f"{app}/once").text == "bye"
        assert box.client.get(f"{app}/x").status_code == 200


def test_connections_are_used_again(box: Box, app: str) -> None:
    first = seen(box.client.get(f"{app}/"))["connections"]
    for _ in range(10):
        last = seen(box.client.get(f"{app}/"))["connections"]
    assert last == first


def test_a_server_that_never_answers_times_out() -> None:
    with emulator_on("local", forward_timeout=0.5) as emulator, http_of(emulator) as client:
        app = start_app(open_box(emulator, client))
        refused(client.get(f"{app}/never"), 504, "gateway_timeout")
        refused(client.post(f"{app}/never", content=b"x"), 504, "gateway_timeout")
        assert client.get(f"{app}/").status_code == 200


def test_a_server_of_one_connection_at_a_time_serves_several_clients(box: Box) -> None:
    script = (
        "import http.server as h\n"
        "class A(h.BaseHTTPRequestHandler):\n"
        "    protocol_version = 'HTTP/1.1'\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers()\n"
        "        self.wfile.write(b'ok')\n"
        "h.HTTPServer(('127.0.0.1', 3000), A).serve_forever()\n"
    )
    box.put("one.py", script.encode())
    app = start(box, "python3 one.py", 3000)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(httpx.get(f"{box.emulator.url}{app}/", timeout=30).text))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["ok"] * 6


def test_files_of_the_servers_that_everybody_has(box: Box) -> None:
    box.put("site/index.html", b"<p>hello</p>")
    box.put("site/docs/page.html", b"page")
    app = start(box, "python3 -m http.server 3000 --bind 127.0.0.1 --directory site", 3000)
    assert box.client.get(f"{app}/").text == "<p>hello</p>"
    answer = box.client.get(f"{app}/docs")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{app}/docs/")
    answer = box.client.get(f"{app}?a=b%20c")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{app}/?a=b%20c")


# Redirects and cookies


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/login?next=/", "{app}/login?next=/"),
        ("http://localhost:3000/x", "{app}/x"),
        ("http://127.0.0.1:3000", "{app}/"),
        ("//0.0.0.0:3000/x#y", "{app}/x#y"),
        ("http://{outer}/x", "{app}/x"),
        ("{app}/x", "{app}/x"),
        ("http://localhost:3000{app}/x", "{app}/x"),
        ("http://{outer}{app}/x", "http://{outer}{app}/x"),
        ("https://example.com/x", "https://example.com/x"),
        ("//example.com/x", "//example.com/x"),
        ("http://localhost:9999/x", "http://localhost:9999/x"),
        ("page", "page"),
        ("?a", "?a"),
    ],
)
def test_redirects_stay_in_the_preview(box: Box, app: str, given: str, expected: str) -> None:
    outer = box.emulator.url.removeprefix("http://")
    given, expected = given.format(app=app, outer=outer), expected.format(app=app, outer=outer)
    query = httpx.QueryParams([("status", "302"), ("Location", given), ("Refresh", f"0; url={given}")])
    answer = box.client.get(f"{app}/headers?{query}")
    assert answer.headers["location"] == expected
    assert answer.headers["refresh"] == f"0; url={expected}"
    with by_host(box, 3000) as root:
        answer = root.get(f"/headers?{httpx.QueryParams([('Location', '/login')])}")
        assert answer.headers["location"] == "/login"


def test_cookies_stay_in_the_preview(box: Box, app: str) -> None:
    given = [
        "a=1; Path=/; HttpOnly", "b=2; Domain=localhost; path=/x; Max-Age=5", f"c=3; Path={app}/y", "d=4",
        "__Host-e=5; Path=/; Secure", "f=6; Domain=.example.com; Path=/",
    ]  # fmt: skip
    query = httpx.QueryParams([("Set-Cookie", one) for one in given])
    answer = box.client.get(f"{app}/headers?{query}")
    assert answer.headers.get_list("set-cookie") == [
        f"a=1; Path={app}/; HttpOnly",
        f"b=2; Path={app}/x; Max-Age=5",
        f"c=3; Path={app}/y",
        "d=4",
        "__Host-e=5; Path=/; Secure",
        f"f=6; Domain=.example.com; Path={app}/",
    ]


OPENER = "Cross-Origin-Opener-Policy"


def test_an_app_has_no_power_over_what_else_is_at_its_origin(box: Box, app: str) -> None:
    others = {"NEL": "{}", "Report-To": "{}", "Alt-Svc": 'h2=":1"', "Strict-Transport-Security": "max-age=1"}
    query = httpx.QueryParams([("Service-Worker-Allowed", "/"), ("Clear-Site-Data", '"storage"'), *others.items()])
    answer = box.client.get(f"{app}/headers?{query}")
    assert answer.headers["service-worker-allowed"] == f"{app}/"
    assert [name for name in ("Clear-Site-Data", *others) if name in answer.headers] == []
    with by_host(box, 3000) as root:
        # Its own host is its own.
        answer = root.get(f"/headers?{query}")
        assert (answer.headers["service-worker-allowed"], answer.headers["clear-site-data"]) == ("/", '"storage"')
        assert {name: answer.headers[name] for name in others} == others


def test_a_page_by_path_has_no_hand_on_the_window_of_another(box: Box, app: str) -> None:
    def policy(client: httpx.Client, start: str, *headers: tuple[str, str]) -> str:
        return str(client.get(f"{start}/headers?{httpx.QueryParams(list(headers))}").headers[OPENER])

    same, isolated = (OPENER, "same-origin"), ("Cross-Origin-Embedder-Policy", "require-corp")
    assert policy(box.client, app, same) == "same-origin-allow-popups"
    assert policy(box.client, app, (OPENER, "same-origin; report-to=x")) == "same-origin-allow-popups; report-to=x"
    assert policy(box.client, app, (OPENER, "unsafe-none")) == "unsafe-none"
    # What is isolated is apart already.
    assert policy(box.client, app, same, isolated) == "same-origin"
    assert policy(box.client, app, same, isolated, isolated) == "same-origin-allow-popups"
    worker = {"Service-Worker": "script"}
    refused(box.client.get(f"{app}/headers", headers=worker), 403, "forbidden")
    with by_host(box, 3000) as root:
        assert policy(root, "", same) == "same-origin"
        assert root.get("/headers", headers=worker).status_code == 200


# Requests at the root


def test_what_a_page_asks_for_at_the_root_finds_its_app(box: Box, app: str) -> None:
    page = {"Referer": f"{box.emulator.url}{app}/index.html"}
    answer = box.client.get("/src/main.js?v=1%2F", headers=page)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{app}/src/main.js?v=1%2F")
    assert box.client.get("/v1/accounts", headers=page).status_code == 200
    refused(box.client.get("/src/main.js"), 404, "not_found")
    refused(box.client.get("/src/main.js", headers={"Referer": "http://example.com" + app}), 404, "not_found")
    with by_host(box) as session:
        refused(session.get("/src/main.js"), 404, "not_found")
        headers = {"Referer": f"http://{host_of(box)}/forward/3000/"}
        for path in ("/src/main.js", "/"):
            assert session.get(path, headers=headers).headers["location"] == f"/forward/3000{path}"
        cookie = {"Cookie": f"chaser_forward={box.session}.3000"}
        assert session.get("/src/main.js", headers=cookie).headers["location"] == "/forward/3000/src/main.js"
        assert session.get("/", headers=cookie).json()["session_id"] == box.session


def test_two_sessions_do_not_see_each_others_ports(box: Box, app: str) -> None:
    other = open_box(box.emulator, box.client)
    assert ports_of(other) == []
    refused(box.client.get(f"/s/{other.session}/forward/3000/"), 502, "bad_gateway")
    other.end()
