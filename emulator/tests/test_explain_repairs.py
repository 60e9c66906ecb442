"""Whatever is wrong with the form of a request, the explanation has one near it that the document accepts."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from chaser_emulator import spec
from chaser_emulator.explaining import sdk
from chaser_emulator.explaining.asking import JSON, Ask, Asked, path_of
from chaser_emulator.explaining.documents import examples_of
from chaser_emulator.explaining.jsontext import lenient
from chaser_emulator.explaining.mending import Menders
from chaser_emulator.explaining.places import at, changes, drop, put
from chaser_emulator.explaining.remedies.missing import parameters_of
from chaser_emulator.spec import Operation
from chaser_emulator.validation import Validator
from chaser_sdk import ChaserClient
from chaser_sdk.client import HttpResponse
from explanations import explained
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SPEC = spec.load()
MENDERS = Menders(SPEC, Validator(SPEC), datetime(2026, 3, 1, tzinfo=UTC))
WITH_BODY = [o for o in SPEC.operations.values() if o.body is not None and JSON in o.body.content]
WITH_QUERY = [o for o in SPEC.operations.values() if any(p.location == "query" for p in o.parameters)]
# Their secrets are hidden in what is told, and a hidden one no longer has the form of a secret.
HIDING = {"post-codex-callback", "login", "register", "create-session"}

JUNK: list[Any] = [
    *(None, "", 0, -1, 1.5, 1e9, 10**20, True, "5", "true", "x" * 5000, "a b/ü", "\x00", "http://x y", "2026-01-01"),
    *([], {}, [1], [None], {"a": 1}),
]
FAST = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    for name, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(part, (*path, name))
    return found


@st.composite
def broken_bodies(draw: st.DrawFn, operations: list[Operation]) -> tuple[Operation, Any]:
    """An operation, and one of its examples with up to three things done to it."""
    operation = draw(st.sampled_from(operations))
    body = copy.deepcopy(draw(st.sampled_from(examples_of(SPEC, operation.path, operation.method, JSON))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(body)))
        what = draw(st.sampled_from(["replace", "replace", "replace", "drop", "rename", "text"]))
        holder = at(body, path[:-1]) if path else None
        if what == "drop" and path:
            body = drop(body, path)
        elif what == "rename" and isinstance(holder, dict):
            renamed = {(f"{name}s" if name == path[-1] else name): part for name, part in holder.items()}
            body = put(body, path[:-1], renamed)
        elif what == "text":
            body = put(body, path, draw(st.text(max_size=12)))
        else:
            body = put(body, path, draw(st.sampled_from(JUNK)))
    return operation, body


@settings(FAST, max_examples=250)
@given(broken_bodies(WITH_BODY))
def test_a_body_near_it_is_accepted(broken: tuple[Operation, Any]) -> None:
    operation, body = broken
    ask = Ask(operation.method, operation.path, body=body, media_type=JSON)
    mended = MENDERS.body(operation, ask)
    assert operation.body is not None
    assert MENDERS.validator.accepts(operation.body.content[JSON], mended.body)
    if MENDERS.validator.accepts(operation.body.content[JSON], body):
        assert changes(body, mended.body) == []


@settings(FAST, max_examples=100)
@given(st.sampled_from(WITH_QUERY), st.data())
def test_parameters_near_them_are_accepted(operation: Operation, data: st.DataObject) -> None:
    names = [p.name for p in operation.parameters if p.location == "query"]
    texts = st.one_of(st.sampled_from(["", "0", "-1", "900", "true", "nope", "2026-01-01", "a b"]), st.text(max_size=9))
    sent = data.draw(st.lists(st.tuples(st.sampled_from([*names, "unknown"]), texts), max_size=4))
    path = {p.name: "x" for p in operation.parameters if p.location == "path"}
    mended = MENDERS.request(operation, Ask(operation.method, operation.path, tuple(sent)), path)
    assert MENDERS.passes(operation, Asked(mended, path))


@pytest.fixture(scope="module")
def api(emulator: Any) -> Any:
    with httpx.Client(base_url=emulator.url, headers={"Authorization": f"Bearer {emulator.api_key}"}) as client:
        emulator.world.meter.default = type(emulator.world.meter.default)(enabled=False)
        yield client


@settings(FAST, max_examples=70)
@given(broken_bodies([o for o in WITH_BODY if o.secured and o.id not in HIDING and o.id != "mcp-handler"]))
def test_what_is_refused_over_http_is_explained_with_a_request_that_validates(
    api: httpx.Client, broken: tuple[Operation, Any]
) -> None:
    operation, body = broken
    url = operation.path
    for parameter in operation.parameters:
        url = url.replace(f"{{{parameter.name}}}", "x")
    answer = api.request(operation.method, url, json=body)
    if answer.status_code < 400:
        return
    told = explained(api, answer)
    if answer.json()["code"] not in ("invalid_request", "unknown_scope", "unknown_event", "unknown_job_kind"):
        assert told["step"] != "validation"
        return
    assert (told["step"], told["rules"] != []) == ("validation", True)
    assert {rule["document"][0] for rule in told["rules"]} == {"#"}
    passes = told["passes"]
    target = urlsplit(passes["path"])
    ask = Ask(passes["method"], target.path, tuple(parse_qsl(target.query)), passes["headers"])
    ask = ask.with_body(passes["body"]) if "body" in passes else ask
    known = parameters_of(SPEC, ask)
    assert known is not None
    assert MENDERS.passes(known[0], Asked(ask, known[1]))
    assert told["changes"] != []


@pytest.mark.parametrize("operation", SPEC.operations.values(), ids=lambda operation: operation.id)
def test_a_line_of_the_sdk_makes_the_request_that_it_stands_for(operation: Operation) -> None:
    path = {p.name: f"some-{p.name}" for p in operation.parameters if p.location == "path"}
    ask = Ask(operation.method, path_of(operation, path))
    if operation.body is not None and JSON in operation.body.content:
        ask = ask.with_body(examples_of(SPEC, operation.path, operation.method, JSON)[-1])
    ask = MENDERS.request(operation, ask, path)
    line = sdk.line(operation.id, ask, path)
    if line is None:
        return
    made: list[tuple[str, str, bytes | None]] = []

    class Recording:
        def request(self, method: str, url: str, headers: Any, body: bytes | None, timeout: Any) -> HttpResponse:
            made.append((method, url, body))
            raise NotImplementedError

    client = ChaserClient(base_url="http://here", api_key="key", transport=Recording())
    assert line.startswith("client.")
    if "open(" in line:
        return
    with pytest.raises(NotImplementedError):
        eval(line, {"client": client})  # noqa: S307 - it is a line of ours
    [(method, url, body)] = made
    target = urlsplit(url)
    assert (method, unquote(target.path)) == (ask.method, unquote(ask.path))
    assert parse_qsl(target.query) == list(ask.query)
    if ask.media_type == JSON and body is not None:
        assert json.loads(body) == ask.body


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"command": "ls",}', {"command": "ls"}),
        ("{'command': 'ls', background: True}", {"command": "ls", "background": True}),
        ('{"command": "ls" // list\n "cwd": "/tmp"', {"command": "ls", "cwd": "/tmp"}),
        ('{"timeout_ms": NaN, "list": [1 2, 3,],}', {"timeout_ms": None, "list": [1, 2, 3]}),
        ('﻿{"command": "a\nb"}}', {"command": "a\nb"}),
    ],
)
def test_what_is_nearly_json_is_read_as_it_was_meant(text: str, meant: Any) -> None:
    assert lenient(text.encode()) == meant


@pytest.mark.parametrize("text", ["", "[" * 5000, '{"a":' * 500, "\\", '{"a', "{:}", "]", "{,}", "\x00\xff"])
def test_no_text_is_too_broken_to_be_read(text: str) -> None:
    lenient(text.encode())
