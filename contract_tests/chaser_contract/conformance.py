"""What the document promises of every answer, whatever it was asked: checked on each that any promise receives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract.broken import Broken
from chaser_contract.document import JSON, Document
from chaser_contract.exchanges import Exchange

_VISIBLE = re.compile(r"[!-~]{1,128}")
_OWN_ID = re.compile(r"req_[a-z2-7]{26}")


def check(document: Document, operation: Operation, exchange: Exchange) -> None:
    """Raise Broken for the first promise that an answer does not keep."""
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
    if status >= 400:
        _refusal(document, operation, exchange, status)


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
        value = json.loads(exchange.body)
    except ValueError as error:
        raise _broken(document, operation, exchange, f"{status} is JSON", f"it is none: {error}", "json") from None
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
    said = exchange.json
    if not isinstance(said, dict) or "request_id" not in said:
        return
    if said["error"] != said["code"]:
        promise = "`error` and `code` of a refusal are the same"
        raise _broken(document, operation, exchange, promise, exchange.said(), "error-code")
    if said["request_id"] != exchange.headers.get("x-request-id"):
        promise = "`request_id` of a refusal is that of its header"
        raise _broken(document, operation, exchange, promise, exchange.said(), "error-request-id")


def _broken(document: Document, operation: Operation, exchange: Exchange, promise: str, came: str, kind: str) -> Broken:
    pointer = document.response_pointer(operation, exchange.status or 0)
    return Broken(f"{operation.id}: {promise}", came, pointer=pointer, exchange=exchange, kind=kind)


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}…"
