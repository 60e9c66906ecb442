"""Previews: an app that thinks itself at the root works below the prefix of its port."""

from __future__ import annotations

import base64
import json

import httpx
from websockets.exceptions import ConnectionClosed

from chaser_contract.broken import NotTried
from chaser_contract.preview_app import CLOSE
from chaser_contract.promises import promise
from chaser_contract.sandboxes import begin, session, stubbed
from chaser_contract.serving import PORT, app, is_, send, serve
from chaser_contract.subject import Subject
from chaser_contract.web_sockets import opened

ECHO = PORT + 1
"""The port of a stub that tells what it was asked."""

FOREIGN = "https://elsewhere.example/a?b#c"
"""An address that is no app's."""


@promise()
def redirects_and_cookies_stay_below_the_prefix(chaser: Subject) -> None:
    """What an app says of paths at its root leads below its prefix; foreign addresses and relative ones are left."""
    cases = [
        ("Location", "/login?next=%2F#top", "{prefix}/login?next=%2F#top"), ("Location", "/", "{prefix}/"),
        ("Location", "next/page", "next/page"), ("Location", "?page=2", "?page=2"), ("Location", FOREIGN, FOREIGN),
        ("Location", "http://localhost:{port}/x", "{prefix}/x"), ("Location", "{prefix}/there", "{prefix}/there"),
        ("Content-Location", "/doc", "{prefix}/doc"),
        ("Set-Cookie", "a=b; Path=/; HttpOnly", "a=b; Path={prefix}/; HttpOnly"),
        ("Set-Cookie", "a=b; Path=/admin", "a=b; Path={prefix}/admin"), ("Set-Cookie", "a=/b", "a=/b"),
        ("Set-Cookie", "a=b; Path={prefix}/mine", "a=b; Path={prefix}/mine"),
    ]  # fmt: skip
    with session(chaser) as session_:
        one = session_["id"]

        def told(text: str, port: int) -> str:
            return text.replace("{prefix}", f"/s/{one}/forward/{port}").replace("{port}", str(port))

        canned = [
            {"path": f"/back/{number}", "status": 302, "headers": {name: told(given, PORT)}, "base64": ""}
            for number, (name, given, _) in enumerate(cases)
        ]
        port, real = _canned(chaser, one, canned)
        for number, (name, given, due) in enumerate(cases):
            with chaser.case():
                query = f"?{httpx.QueryParams({'status': 302, name: told(given, port)})}" if real else ""
                answer = send(chaser, "GET", f"/s/{one}/forward/{port}/back/{number}{query}", {}, b"")
                is_(chaser, answer.status, 302, "a redirect of an app is handed on, and not followed")
                found, wanted = answer.headers.get(name.lower()), told(due, port)
                is_(chaser, found, wanted, f"`{name}: {given}` of an app comes as `{due}`")


@promise()
def every_status_of_an_app_is_handed_on(chaser: Subject) -> None:
    """Any status from 200 to 599 comes as an app gave it, also one that nobody has a name for."""
    statuses = (200, 203, 207, 299, 300, 307, 399, 400, 402, 429, 451, 499, 500, 511, 520, 599)
    with session(chaser) as session_:
        one = session_["id"]
        body = base64.b64encode(b"said").decode()
        canned = [{"path": f"/back/{status}", "status": status, "base64": body} for status in statuses]
        port, real = _canned(chaser, one, canned)
        for status in statuses:
            with chaser.case():
                query = f"?status={status}" if real else ""
                answer = send(
                    chaser, "POST", f"/s/{one}/forward/{port}/back/{status}{query}", {}, b"said" if real else b""
                )
                is_(chaser, (answer.status, answer.body), (status, b"said"), f"the {status} of an app comes as it was")


@promise()
def what_a_client_says_of_proxies_is_not_believed(chaser: Subject) -> None:
    """X-Forwarded-Prefix and -Host are the gateway's alone, whatever the client sent of them."""
    with app(chaser) as (one, port):
        prefix = f"/s/{one}/forward/{port}"
        sent = {"X-Forwarded-Prefix": "/made-up", "X-Forwarded-Host": "made-up.example", "X-Other": "kept"}
        usual, found = (_headers(chaser, one, port, headers) for headers in ({}, sent))
        is_(chaser, found.get("x-forwarded-prefix"), prefix, "X-Forwarded-Prefix is where the app is, not as sent")
        host = usual.get("x-forwarded-host")
        is_(chaser, bool(host), True, "X-Forwarded-Host is set")
        is_(chaser, found.get("x-forwarded-host"), host, "X-Forwarded-Host is what it is when none is sent")
        is_(chaser, found.get("x-other"), "kept", "other headers reach the app")


@promise()
def cookies_of_the_gateway_reach_no_app(chaser: Subject) -> None:
    """What the gateway sets beside the cookies of a page stays between it and the browser; all others pass."""
    page = {"Content-Type": "text/html"}
    with session(chaser) as session_:
        one = session_["id"]
        port, real = _canned(chaser, one, [{"path": "/back", "headers": page, "base64": ""}])
        query = f"?{httpx.QueryParams(page)}" if real else ""
        given = send(chaser, "GET", f"/s/{one}/forward/{port}/back{query}", {}, b"")
        cookie = given.headers.get("set-cookie", "").partition(";")[0]
        if not cookie:
            raise NotTried("it takes a gateway that sets a cookie")
        for sent, due in ((f"a=b; {cookie}; c=d", "a=b; c=d"), (f"{cookie}; a=b", "a=b"), (cookie, None)):
            with chaser.case():
                found = _headers(chaser, one, port if real else ECHO, {"Cookie": sent})
                is_(chaser, found.get("cookie"), due, f"of the cookies `{sent}` the app gets its own")


@promise("sockets", "commands")
def a_web_socket_of_an_app_is_asked_and_closed_as_it_is(chaser: Subject) -> None:
    """The path and query of a WebSocket reach the app, and the code and reason of its close reach the client."""
    with app(chaser) as (one, port):
        for path, query in (("/live", "token=a%20b&x=1"), ("/a%2Fb/", ""), ("/", "q")):
            target = f"/s/{one}/forward/{port}{path}" + (f"?{query}" if query else "")
            with chaser.case(), opened(chaser, target) as socket:
                told = json.loads(socket.recv(timeout=10))
                is_(chaser, told, {"path": path, "query": query}, "path and query of a WebSocket reach the app")
                try:
                    socket.recv(timeout=10)
                    closed = None
                except ConnectionClosed as error:
                    closed = error.rcvd
                found = None if closed is None else (closed.code, closed.reason)
                is_(chaser, found, CLOSE, "a WebSocket is closed with the code and reason that the app gave")


def _canned(chaser: Subject, session_id: str, answers: list[dict[str, object]]) -> tuple[int, bool]:
    """The port of an app that gives these answers, and whether it is ours, which is told them in each request."""
    ports = [{"port": PORT, "answers": answers}, {"port": ECHO, "echo": "http"}]
    if stubbed(chaser, {"command": "serve", "runs": "forever", "ports": ports}):
        begin(chaser, session_id, "serve")
        return PORT, False
    if chaser.scripted:
        raise NotTried("it takes a stub that answers")
    return serve(chaser, session_id), True


def _headers(chaser: Subject, session_id: str, port: int, headers: dict[str, str]) -> dict[str, str]:
    """What an app is told of a request with these headers; one that comes twice shows twice."""
    told = send(chaser, "GET", f"/s/{session_id}/forward/{port}/", headers, b"").json
    return {name.lower(): value for name, value in told["headers"].items()}
