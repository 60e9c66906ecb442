"""What the document promises of every answer, whatever it was asked: checked on each that any promise receives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract import refusing
from chaser_contract.broken import Broken
from chaser_contract.document import JSON, Document
from chaser_contract.exchanges import Exchange

_VISIBLE = re.compile(r"[!-~]{1,128}")
_OWN_ID = re.compile(r"req_[a-z2-7]{26}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

_SECRET = re.compile(r"sk_[0-9A-Za-z]{40}|whsec_[A-Za-z0-9+/]{43}=|\$argon2\w*\$|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
"""Texts of keys, signing secrets and access tokens, and what a password is kept as."""

_GIVES_SECRETS = frozenset(
    {
        "create-key", "create-current-service-account-key", "create-webhook", "register", "login",
        "finish-google-login", "finish-github-login", "get-openapi-document", "swagger-ui",
        # What these answer with is what callers have put there, or what runs there says.
        "resolve-assistant-credential", "download-session-file", "exec-session", "exec-sandbox", "get-session-command",
        "stream-session-command",
    }
)  # fmt: skip

_FREE = frozenset({"input", "result", "state", "config", "patch", "metadata", "data", "structuredContent"})
"""Fields whose JSON is the caller's own, or of another's making."""


def check(document: Document, operation: Operation, exchange: Exchange) -> None:
    """Raise Broken for the first promise that an answer does not keep."""
    form(document, operation, exchange)
    status = exchange.status
    if status is None or status == 101:
        return
    _secrets(document, operation, exchange, status)
    if status >= 400:
        _refusal(document, operation, exchange, status)


def form(document: Document, operation: Operation, exchange: Exchange) -> None:
    """Raise Broken for an answer that has not the form of its operation, in whatever document."""
    status = exchange.status
    if status is None:
        raise _broken(document, operation, exchange, "every request is answered", str(exchange.trouble), "no-answer")
    if status not in operation.responses:
        declared = ", ".join(map(str, sorted(operation.responses)))
        raise _broken(document, operation, exchange, f"it answers one of {declared}", exchange.said(), "status")
    if status == 500:
        raise _broken(document, operation, exchange, "nothing makes it fail", exchange.said(), "crash")
    if status == 101:
        return
    _content(document, operation, exchange, status)
    _headers(document, operation, exchange, status)


def _content(document: Document, operation: Operation, exchange: Exchange, status: int) -> None:
    declared = operation.responses[status].content
    media_type = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not declared:
        if exchange.body:
            raise _broken(document, operation, exchange, f"{status} has no body", exchange.said(), "body")
        return
    if media_type not in declared and "*/*" not in declared:
        promise = f"{status} is {' or '.join(declared)}"
        raise _broken(document, operation, exchange, promise, f"it is {media_type or 'of no type'}", "content-type")
    if media_type != JSON or exchange.method == "HEAD":
        return
    try:
        value = json.loads(exchange.body.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
    except ValueError as error:
        raise _broken(document, operation, exchange, f"{status} is JSON", f"it is none: {error}", "json") from None
    if status < 400 and operation.tag != "description":
        _moments(document, operation, exchange, value)
        _whole_numbers(document, operation, exchange, value)
    validator = document.validator(operation, status)
    if validator is None:
        return
    wrong = next(iter(validator.iter_errors(value)), None)
    if wrong is not None:
        where = "".join(f"/{part}" for part in wrong.instance_path) or "the whole"
        raise Broken(
            f"{operation.id}: the body of {status} has the form of its schema",
            f"{where}: {_short(wrong.message)}",
            pointer=_schema_place(document, operation, status, list(wrong.schema_path)),
            exchange=exchange,
            kind="schema",
        )


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands in it twice")
    return found


def _schema_place(document: Document, operation: Operation, status: int, path: list[Any]) -> str:
    """Where the rule stands: in the operation's own schema, or in the component that the path leads through."""
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in path]
    if parts[:2] == ["allOf", "0"]:
        return "/".join([document.schema_pointer(operation, status), *parts[2:]])
    return "/".join(["#", *parts])


def _headers(document: Document, operation: Operation, exchange: Exchange, status: int) -> None:
    request_id = exchange.headers.get("x-request-id", "")
    sent = next((value for name, value in exchange.request_headers.items() if name.lower() == "x-request-id"), None)
    if sent is not None and _VISIBLE.fullmatch(sent) and request_id != sent:
        promise = "x-request-id is the caller's where one was sent"
        raise _broken(document, operation, exchange, promise, f"it is {request_id or 'absent'!r}", "request-id")
    if not _VISIBLE.fullmatch(request_id) or (sent is None and not _OWN_ID.fullmatch(request_id)):
        promise = "every answer has an x-request-id, `req_` and 26 characters where the caller sent none"
        raise _broken(document, operation, exchange, promise, f"it is {request_id or 'absent'!r}", "request-id")
    for name, header in document.headers(operation, status).items():
        text = exchange.headers.get(name.lower())
        if text is None:
            if header.get("required"):
                promise = f"{status} has the header {name}"
                raise _broken(document, operation, exchange, promise, "it is absent", f"header-{name.lower()}")
            continue
        schema: Mapping[str, Any] = header.get("schema", {})
        value: Any = int(text) if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text) else text
        if not document.compiled(schema).is_valid(value):
            promise = f"the header {name} of {status} has the form of its schema"
            raise _broken(document, operation, exchange, promise, f"it is {text!r}", f"header-{name.lower()}")


def _refusal(document: Document, operation: Operation, exchange: Exchange, status: int) -> None:
    if operation.responses[status].content.get(JSON) is None:
        return
    if operation.id == "mcp-handler" and status == 400 and b'"jsonrpc"' in exchange.body:
        # What is no request at all is refused in the words of JSON-RPC (M3).
        return
    for promise, came in refusing.broken(operation, exchange):
        kind = re.sub(r"\W+", "-", promise)[:60]
        raise _broken(document, operation, exchange, promise, came, f"refusal-{kind}")


def _secrets(document: Document, operation: Operation, exchange: Exchange, status: int) -> None:
    if operation.id in _GIVES_SECRETS and status < 400:
        return
    if found := _SECRET.search(exchange.body.decode("utf-8", "replace")):
        promise = "no answer but that which gives a secret holds one"
        came = f"it holds {found[0][:6]}… ({len(found[0])} characters)"
        raise _broken(document, operation, exchange, promise, came, "secret")


def _moments(document: Document, operation: Operation, exchange: Exchange, value: Any) -> None:
    for name, text in _named(value):
        if name.endswith("_at") and isinstance(text, str) and not _MOMENT.fullmatch(text):
            promise = "moments are RFC 3339 in UTC, with microseconds and Z"
            raise _broken(document, operation, exchange, promise, f"{name} is {text!r}", "moment")


def _whole_numbers(document: Document, operation: Operation, exchange: Exchange, value: Any) -> None:
    for name, number in _named(value):
        if isinstance(number, float) and name in document.whole_numbers:
            # To a schema 5.0 is an integer; to most clients with types it is none.
            promise = "whole numbers are written without a fraction"
            raise _broken(document, operation, exchange, promise, f"{name} is {number!r}", "whole-number")


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a value and of all in it, but for what callers have made up."""
    if isinstance(value, list):
        for one in value:
            yield from _named(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name, one
            if name not in _FREE:
                yield from _named(one)


def _broken(document: Document, operation: Operation, exchange: Exchange, promise: str, came: str, kind: str) -> Broken:
    pointer = document.response_pointer(operation, exchange.status or 0)
    return Broken(f"{operation.id}: {promise}", came, pointer=pointer, exchange=exchange, kind=kind)


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}…"
