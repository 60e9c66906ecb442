"""The gateway: what listens in a sandbox is reached from outside, each request and answer as it was sent."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import httpx
from hypothesis import strategies as st

from chaser_contract.broken import Broken, NotTried
from chaser_contract.exchanges import Exchange
from chaser_contract.promises import promise
from chaser_contract.sandboxes import begin, session, stubbed
from chaser_contract.serving import PORT, app, is_, send, serve
from chaser_contract.subject import Subject
from chaser_contract.web_sockets import Refused, opened

CLOSED = 1
"""A port on which nothing listens."""


@promise()
def the_root_is_an_index_of_the_session(chaser: Subject) -> None:
    """The root of a session's address tells which it is and which ports listen: as JSON, or as a page to a browser."""
    with app(chaser) as (one, port):
        for path in (f"/s/{one}", f"/s/{one}/"):
            with chaser.case():
                index = _get(chaser, path)
                is_(chaser, (index.status, _kind(index)), (200, "application/json"), "the index is JSON")
                told = index.json
                due = {"session_id": one, "session_type": "sandbox", "status": "running"}
                is_(chaser, {name: told.get(name) for name in due}, due, "the index says which session it is")
                listed = {entry["port"]: entry["url"] for entry in told["ports"]}
                is_(chaser, port in listed, True, "the index has the ports that listen")
                url = listed.get(port, "")
                is_(chaser, url.endswith(f"/s/{one}/forward/{port}/"), True, f"it has the address of a port: {url}")
                page = _get(chaser, path, {"Accept": "text/html,*/*;q=0.8"})
                is_(chaser, (page.status, _kind(page)), (200, "text/html"), "a browser gets a page")
        control = chaser.ask("get-session", id=one, expect=200).json["endpoints"]["control"]
        is_(chaser, control.endswith(f"/s/{one}/"), True, f"`endpoints.control` is the root of the session: {control}")


@promise("emulator", "sockets")
def its_address_is_built_from_how_it_was_asked_for(chaser: Subject) -> None:
    """A session's address has the host and the scheme that the request came by, and is reached by a host of its own."""
    with app(chaser) as (one, port), httpx.Client(base_url=chaser.url, trust_env=False) as http:
        client = replace(chaser.client, http=http)
        authority = chaser.url.partition("//")[2].partition("/")[0]
        if not _hears_hosts(chaser, one, port):
            raise NotTried("something between here and there changes the Host header")
        headers: dict[str, str]
        for headers, due in (
            ({}, f"{chaser.url.partition(':')[0]}://{authority}/s/{one}/"),
            ({"X-Forwarded-Proto": "https"}, f"https://{authority}/s/{one}/"),
            ({"Host": "localhost:4711"}, f"http://localhost:4711/s/{one}/"),
        ):
            with chaser.case():
                told = client.ask("get-session", id=one, headers=headers, expect=200)
                control = told.json["endpoints"]["control"]
                told.require(control == due, f"`endpoints.control` is {due}", f"it is {control}")
        own = {"Host": f"{one}.localhost:{authority.rpartition(':')[2]}"}
        with chaser.case():
            index = client.send(http.build_request("GET", "/", headers=own))
            is_(chaser, (index.status, index.json.get("session_id")), (200, one), "its own host leads to the session")
            through = client.send(http.build_request("POST", f"/forward/{port}/a?b", headers=own, content=b"x"))
            found = (through.json["path"], through.json["query"], through.json["body"])
            is_(chaser, found, ("/a", "b", "x"), "and on to what listens in it")


@promise()
def what_is_not_there_is_refused(chaser: Subject) -> None:
    """A closed port is 502, an impossible one 400, and a session that has ended or never was 404."""
    with app(chaser) as (one, port):
        _refused(chaser, f"/s/{one}/forward/{CLOSED}/", 502, "bad_gateway")
        _refused(chaser, f"/s/{one}/forward/{CLOSED}/x?y", 502, "bad_gateway")
        for impossible in ("0", "65536", "x", "-1"):
            _refused(chaser, f"/s/{one}/forward/{impossible}/", 400, "invalid_request")
        for path in ("/s/no-such/", f"/s/5b1f6c1e-2d4a-4b5f-9c3d-8e7f6a5b4c3d/forward/{port}/"):
            _refused(chaser, path, 404, "not_found")
        chaser.ask("terminate-session", id=one, query={"force": True}, expect=204)
        for path in (f"/s/{one}/", f"/s/{one}/forward/{port}/"):
            _refused(chaser, path, 404, "not_found")


@promise()
def a_request_reaches_the_app_as_it_was_sent(chaser: Subject) -> None:
    """Any method, path, query, header and body reaches the app as it was sent, but for headers of the connection."""
    with app(chaser) as (one, port):
        prefix = f"/s/{one}/forward/{port}"

        def check(drawn: tuple[str, str, str, dict[str, str], str]) -> None:
            method, path, query, headers, body = drawn
            target = f"{prefix}/{path}" + (f"?{query}" if query else "")
            content = b"" if method in ("GET", "HEAD") else body.encode()
            exchange = send(chaser, method, target, headers, content)
            is_(chaser, exchange.status, 200, "an app is reached")
            told = exchange.json
            is_(chaser, told["method"], method, "the method reaches the app as it was sent")
            is_(chaser, (told["path"], told["query"]), (f"/{path}", query), "path and query reach the app as they were")
            is_(chaser, told["body"], content.decode(), "the body reaches the app as it was sent")
            found = {name.lower(): value for name, value in told["headers"].items()}
            for name, value in headers.items():
                is_(chaser, found.get(name.lower()), value, f"the header {name} reaches the app")

        names = st.sampled_from(
            ["X-One", "X-Two", "Accept", "Authorization", "Cookie", "If-None-Match", "Content-Type"]
        )
        words = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
        drawn = st.tuples(
            st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]),
            st.sampled_from(["", "a/b", "a%2Fb", "a%20b/", "%e2%82%ac", "a//b", ";p=1", "~x'()*!$,"]),
            st.sampled_from(["", "a=1", "a=b%20c&d=%2B", "q=%e4", "a=1&a=2&b", "x=?y"]),
            st.dictionaries(names, words, max_size=3),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        )
        chaser.for_all(drawn, check, examples=2 * chaser.examples)
        with chaser.case():
            told = send(chaser, "POST", f"{prefix}/x", _HOPS, b"x").json
            found = {name.lower(): value for name, value in told["headers"].items()}
            hops = {"te", "keep-alive", "proxy-authorization"}
            if _hears_hosts(chaser, one, port):
                # What stands between may have kept `Connection`, which names this one, to itself.
                hops.add("x-hop")
            left = sorted(hops & set(found))
            is_(chaser, left, [], "headers of the connection do not reach the app")
            is_(chaser, found.get("x-kept"), "2", "the other headers reach the app")
            is_(chaser, found.get("x-forwarded-prefix"), prefix, "X-Forwarded-Prefix is where the app is")
            is_(chaser, found.get("x-forwarded-proto"), chaser.url.partition(":")[0], "X-Forwarded-Proto is the scheme")
            host = chaser.url.partition("//")[2].partition("/")[0]
            # What stands between may ask for a host of its own, which the app then sees as well.
            asked = host if found.get("x-forwarded-host") != found.get("host") else found.get("host")
            is_(chaser, found.get("x-forwarded-host"), asked, "X-Forwarded-Host is the host that was asked")
            is_(chaser, bool(found.get("x-forwarded-for")), True, "X-Forwarded-For names the client")


@promise()
def an_answer_comes_as_the_app_gave_it(chaser: Subject) -> None:
    """Any status, header and body of an app comes to the client as the app gave it, to the byte."""
    with session(chaser) as session_:
        one = session_["id"]
        answers = [
            (200, chaser.random.randbytes(300_000)), (201, b"made"), (202, b""), (206, b"\0\xff\r\n\r\n"),
            (400, b'{"code": "own"}'), (404, b"none"), (418, b"tea"), (500, "fehlgeschlagen ü".encode()),
            (503, b"later"),
        ]  # fmt: skip
        named = {"X-Of-The-App": 'a, b; c="d"', "Content-Type": "application/x-own", "Cache-Control": "no-cache"}
        canned = [
            {"path": f"/back/{number}", "status": status, "headers": named, "base64": base64.b64encode(body).decode()}
            for number, (status, body) in enumerate(answers)
        ]
        stub = {"command": "serve", "runs": "forever", "ports": [{"port": PORT, "answers": canned}]}
        real = not stubbed(chaser, stub)
        port = PORT
        if real:
            port = serve(chaser, one)
        else:
            begin(chaser, one, "serve")
        for number, (status, body) in enumerate(answers):
            with chaser.case():
                path = f"/s/{one}/forward/{port}/back/{number}"
                query = str(httpx.QueryParams({"status": status, **named}))
                exchange = send(chaser, "POST", f"{path}?{query}" if real else path, {}, body if real else b"")
                is_(chaser, exchange.status, status, "the status of an app comes as it gave it")
                is_(chaser, exchange.body, body, f"the body of a {status} comes to the byte")
                for name, value in named.items():
                    is_(
                        chaser, exchange.headers.get(name.lower()), value, f"the header {name} comes as the app gave it"
                    )


@promise("sockets")
def messages_pass_a_web_socket(chaser: Subject) -> None:
    """Text and bytes pass a WebSocket to a port both ways as they were, and it is refused where nothing listens."""
    with session(chaser) as one:
        stub = {"command": "serve", "runs": "forever", "ports": [{"port": PORT, "echo": "http"}]}
        if not stubbed(chaser, stub):
            raise NotTried("it takes a stub that answers WebSockets")
        begin(chaser, one["id"], "serve")
        target = f"/s/{one['id']}/forward/{PORT}/socket?a=b"
        with opened(chaser, target, subprotocols=("chat", "other")) as socket:
            is_(chaser, socket.subprotocol, "chat", "the app chooses the subprotocol")

            def check(message: str | bytes) -> None:
                socket.send(message)
                is_(chaser, socket.recv(timeout=10), message, "a message comes back as it was sent, text or bytes")

            text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
            chaser.for_all(st.one_of(text, st.binary(max_size=60)), check)
            check(chaser.random.randbytes(200_000))
            leased = chaser.ask("terminate-session", id=one["id"])
            leased.must_be(409, "session_leased", because="while a WebSocket is open")
        for path, status in ((f"/s/{one['id']}/forward/{CLOSED}/", 502), (f"/s/no-such/forward/{PORT}/", 404)):
            with chaser.case():
                try:
                    with opened(chaser, path):
                        raise Broken("gateway: a WebSocket to where nothing listens is refused", f"{path} was opened")
                except Refused as refused:
                    is_(chaser, refused.exchange.status, status, f"such a WebSocket is refused with {status}")
        for origin in ("https://evil.example",):
            try:
                with opened(chaser, target, origin=origin):
                    raise Broken("gateway: a WebSocket of a foreign page is refused", f"{origin} opened one")
            except Refused as refused:
                is_(chaser, refused.exchange.status, 403, "a WebSocket of a foreign page is refused with 403")


_HOPS = {
    "Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "Keep-Alive": "timeout=5", "X-Kept": "2",
    "Proxy-Authorization": "Basic eDp5",
}  # fmt: skip


def _hears_hosts(chaser: Subject, session_id: str, port: int) -> bool:
    """Whether the Host header arrives as it is sent, as an app is told."""
    told = send(chaser, "GET", f"/s/{session_id}/forward/{port}/", {}, b"").json
    found = {name.lower(): value for name, value in told["headers"].items()}
    return bool(found.get("x-forwarded-host") == chaser.url.partition("//")[2].partition("/")[0])


def _get(chaser: Subject, path: str, headers: dict[str, str] | None = None) -> Exchange:
    return send(chaser, "GET", path, headers or {}, b"")


def _refused(chaser: Subject, path: str, status: int, code: str) -> None:
    with chaser.case():
        exchange = _get(chaser, path)
        told: Any = exchange.json if _kind(exchange) == "application/json" else {}
        found = (exchange.status, told.get("code"), told.get("error"))
        is_(chaser, found, (status, code, code), f"it is refused with {status} {code}")
        is_(chaser, told.get("request_id"), exchange.headers.get("x-request-id"), "a refusal has the id of its request")


def _kind(exchange: Exchange) -> str:
    return exchange.headers.get("content-type", "").partition(";")[0]
