"""Errors: what is at no route, what no method does, and the names of requests."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace

import httpx

from chaser_contract import refusing
from chaser_contract.arranging import Arranged
from chaser_contract.asking import UNKNOWN
from chaser_contract.broken import Broken, NotTried
from chaser_contract.client import Client
from chaser_contract.document import JSON
from chaser_contract.exchanges import Exchange
from chaser_contract.looking import differences, looked
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

NOWHERE = (
    "/v1", "/v1/", "/v1/nothing", "/v1/sessions/", f"/v1/sessions/{UNKNOWN}/nothing", "/v1/jobs/kinds/more",
    f"/v1/workspaces/{UNKNOWN}/snapshots/one/restore/more", "/v1/accounts/others", "/v2/sessions", "/v1//sessions",
    "/auth", "/auth/nothing", "/auth/login/", "/V1/sessions", "/api-docs", "/v1/sessions/%2e%2e/sessions",
)  # fmt: skip

OWN_NAMES = ("a", "x" * 128, "!~{}[]\"'\\", "req_mine", "0f8fad5b-d9cb-469f-a165-70867728950e")
NO_NAMES = ("x" * 129, "a b", "a\tb", "", "a" * 1000)


def _sent(client: Client, method: str, path: str, **headers: str) -> Exchange:
    """The answer to any request at all."""
    request = client.http.build_request(method, path, headers={**client._credentials(), **headers})
    return client.send(request)


def _refused(exchange: Exchange, status: int, code: str, promise: str) -> None:
    said = exchange.json if exchange.body and exchange.body[:1] == b"{" else {}
    if (exchange.status, said.get("code")) != (status, code):
        raise Broken(promise, exchange.said(), exchange=exchange, kind=f"status-{code}")
    for other, came in refusing.broken(None, exchange):
        raise Broken(other, came, exchange=exchange, kind="refusal")


@promise(writes=False)
def nothing_is_at_an_unknown_route(chaser: Subject) -> None:
    """A path that the document does not have is 404 not_found, for every method and every caller."""
    for path in NOWHERE:
        for method in METHODS:
            for client in (chaser.client, chaser.nobody):
                with chaser.case():
                    _refused(
                        _sent(client, method, path), 404, "not_found", f"404 not_found is at {path}, an unknown route"
                    )


@promise(writes=False)
def a_wrong_method_is_told_the_right_ones(chaser: Subject) -> None:
    """A method that a path does not take is 405 method_not_allowed, whose Allow names each that it takes."""
    offered: defaultdict[str, set[str]] = defaultdict(set)
    for operation in chaser.document.operations.values():
        offered[operation.path].add(operation.method)
    for path, methods in offered.items():
        target = re.sub(r"\{\w+\}", UNKNOWN, path)
        for method in sorted({*METHODS, "OPTIONS"} - _also_at(chaser, target, methods)):
            for client in (chaser.client, chaser.nobody):
                with chaser.case():
                    exchange = _sent(client, method, target)
                    _refused(exchange, 405, "method_not_allowed", f"405 answers a method that {path} does not take")
                    allow = {one.strip() for one in exchange.headers.get("allow", "").split(",")}
                    if allow != methods:
                        raise Broken(
                            f"Allow of {path} names {', '.join(sorted(methods))}",
                            f"it is {exchange.headers.get('allow')!r}", exchange=exchange, kind="allow",
                        )  # fmt: skip


def _also_at(chaser: Subject, target: str, methods: set[str]) -> set[str]:
    """The methods that a path takes by itself, or as a fixed word that is also a parameter of another."""
    return methods | {method for method in METHODS if chaser.document.operation_at(method, target) is not None}


@promise(writes=False)
def a_request_has_the_name_that_its_caller_gave(chaser: Subject) -> None:
    """x-request-id is the caller's where it is 1 to 128 visible characters, also on refusals, and a new one else."""
    seen: set[str] = set()
    requests = [
        ("GET", "/v1/sessions"), ("GET", f"/v1/sessions/{UNKNOWN}"), ("GET", "/v1/nothing"), ("PATCH", "/v1/sessions"),
        ("GET", "/api-docs/openapi.json"), ("POST", "/v1/keys"),
    ]  # fmt: skip
    for method, path in requests:
        for client in (chaser.client, chaser.nobody):
            for name in OWN_NAMES:
                with chaser.case():
                    exchange = _sent(client, method, path, **{"X-Request-Id": name})
                    _named(exchange, exchange.headers.get("x-request-id") == name, "x-request-id is the caller's")
            for name in NO_NAMES:
                with chaser.case():
                    exchange = _sent(client, method, path, **{"X-Request-Id": name})
                    _fresh(exchange, seen)
            with chaser.case():
                _fresh(_sent(client, method, path), seen)


def _fresh(exchange: Exchange, seen: set[str]) -> None:
    name = exchange.headers.get("x-request-id", "")
    _named(exchange, re.fullmatch(r"req_[a-z2-7]{26}", name), "a request without a good name gets a new x-request-id")
    _named(exchange, name not in seen, "no two requests get the same x-request-id")
    seen.add(name)


def _named(exchange: Exchange, good: object, promise: str) -> None:
    if not good:
        came = f"it is {exchange.headers.get('x-request-id')!r}"
        raise Broken(promise, came, exchange=exchange, kind="request-id")
    if exchange.body[:10].startswith(b'{"error"') and exchange.json["request_id"] != exchange.headers["x-request-id"]:
        raise Broken("`request_id` is the x-request-id of its answer", exchange.said(), exchange=exchange)


@promise("peer")
def an_unknown_id_is_not_found(chaser: Subject) -> None:
    """What an id in the path does not name is 404 not_found, for each id of each operation."""
    arranged = Arranged(chaser)
    for asking in arranged.every(lambda one: one.secured and "{" in one.path):
        for parameter in asking.path:
            if parameter in ("target", "guid"):
                # A sandbox has no browser, whatever page of it is named.
                continue
            for name in (UNKNOWN, "no-such-thing", "ä b", "x" * 200):
                with chaser.case():
                    answer = asking.but(path={parameter: name}).by(chaser.client)
                    if asking.operation.id == "terminate-session" or name == UNKNOWN or answer.status != 400:
                        answer.must_be(404, "not_found", because=f"where {parameter} names nothing")
        with chaser.case():
            asking.by(chaser.client).must_be(asking.status, asking.code, because="where every id names something")


@promise()
def unknown_fields_and_parameters_are_ignored(chaser: Subject) -> None:
    """Fields of a body and parameters of a query that nobody knows change nothing."""
    for asking in Arranged(chaser).every(lambda one: one.secured and not one.upgrades):
        query = {**(asking.query or {}), "nobody_knows": "this", "limits": "1"}
        changes = {"query": query}
        if isinstance(asking.json, dict) and asking.operation.id != "mcp-handler":
            changes["json"] = {**asking.json, "nobody_knows": {"this": [1]}, "Name": 5}
        with chaser.case():
            asking.but(**changes).by(chaser.client).must_be(asking.status, asking.code, because="with unknown fields")


@promise(writes=False)
def an_error_of_a_client_that_reads_is_the_same_each_time(chaser: Subject) -> None:
    """The same refused request is refused in the same words, but for its name."""
    for path in ("/v1/nothing", f"/v1/sessions/{UNKNOWN}", "/v1/sessions?limit=0"):
        with chaser.case():
            first, second = (_sent(chaser.client, "GET", path) for _ in range(2))
            said = [{**one.json, "request_id": ""} for one in (first, second)]
            if said[0] != said[1]:
                raise Broken("the same request is refused in the same words", second.said(), exchange=second)


@promise("emulator")
def what_is_refused_has_changed_nothing(chaser: Subject) -> None:
    """After refusals of every operation, for its form, its type or what it names, every list is as it was."""
    chaser.steered.clock.freeze()
    arranged = Arranged(chaser)
    askings = list(arranged.every(lambda one: one.secured and one.method != "GET"))
    clients = [chaser.client, arranged.in_organization]
    before = [looked(client, "list-audit-events") for client in clients]
    wrong = chaser.as_(arranged.new_key(scopes=["audit.read"])["key"])
    before[0]["list-keys"] = looked(chaser.client)["list-keys"]
    for asking in askings:
        refused = [(asking, chaser.nobody), (asking.but(account=None), wrong)]
        if asking.operation.body is not None:
            refused.append((asking.but(content=b"{", media_type=JSON), chaser.client))
            refused.append((asking.but(content=json.dumps({}).encode(), media_type="text/plain"), chaser.client))
        if asking.path:
            refused.append((asking.but(path=asking.unknown()), chaser.client))
        for one, client in refused:
            if asking.operation.scope == "dynamic" and client is wrong and asking.operation.id == "mcp-handler":
                continue
            with chaser.case():
                answer = one.by(client)
                answer.require(answer.status >= 400, "it refuses what is wrong")
    for client, known in zip(clients, before, strict=True):
        for name, came in differences(known, looked(client, "list-audit-events")):
            with chaser.case():
                raise Broken(f"{name}: what is refused has changed nothing", came, kind="touched")


@promise("emulator", "sockets")
def other_hosts_are_not_answered(chaser: Subject) -> None:
    """A Host header is answered that is `localhost`, ends in `.localhost` or is an address; any other is 403."""
    path = chaser.document.operation("get-current-account").path
    with httpx.Client(base_url=chaser.url, trust_env=False) as http:
        client = replace(chaser.client, http=http)
        if not _hears_hosts(client):
            raise NotTried("something between here and there changes the Host header")
        for host in ("localhost", "LOCALHOST:1", "a.b.localhost", "127.0.0.1", "[::1]:8000", "10.1.2.3"):
            with chaser.case():
                answered = _sent(client, "GET", path, Host=host)
                if answered.status != 200:
                    promised = f"get-current-account: the Host {host} is answered"
                    raise Broken(promised, answered.said(), exchange=answered)
        for host in (
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "a.example:80",
        ):
            with chaser.case():
                promised = f"get-current-account: the Host {host} is not answered"
                _refused(_sent(client, "GET", path, Host=host), 403, "forbidden", promised)


def _hears_hosts(client: Client) -> bool:
    """Whether the Host header that is sent is the one that arrives: sessions have addresses on it."""
    heard = {"Host": "heard.localhost"}
    made = client.ask("create-session", json={"ephemeral": True}, headers=heard, expect=200).json
    client.ask("terminate-session", id=made["id"], query={"force": True}, expect=204)
    return "//heard.localhost" in made["endpoints"]["control"]
