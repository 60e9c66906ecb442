"""What is promised of every refusal: its one form, the field that it names, its headers, and no secret in its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from chaser_emulator.spec import Operation

from chaser_contract.exchanges import Exchange

FIELDS = ("error", "code", "message", "request_id")

RATE = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-scope")
"""The headers of every answer on a limited surface, once it is known who asks."""

_HIDDEN = ("password", "value", "code_verifier", "access_token")
"""Fields of requests that hold secrets, whatever operation takes them."""

_PROBLEMS = frozenset({"invalid_request", "unknown_scope", "unknown_event", "unknown_job_kind"})
"""Codes of refused inputs, whose `details` list what is wrong."""

_INTERNALS = re.compile(r"Traceback|File \"|sqlite|\bselect\b .+ \bfrom\b|[a-z_]+Error\b|object at 0x", re.I)


def broken(operation: Operation | None, exchange: Exchange) -> Iterator[tuple[str, str]]:
    """The promises that a refusal does not keep: what is promised, and what came."""
    status, said = exchange.status or 0, _object(exchange)
    if said is None:
        yield "every refusal is a JSON object", exchange.said()
        return
    for name in FIELDS:
        if not isinstance(said.get(name), str) or not said[name]:
            yield f"every refusal has `{name}`, a text", exchange.said()
            return
    if extra := set(said) - {*FIELDS, "details"}:
        yield "a refusal has no other field than error, code, message, request_id and details", f"it has {extra}"
    if said["error"] != said["code"]:
        yield "`error` and `code` of a refusal are the same", exchange.said()
    if said["request_id"] != exchange.headers.get("x-request-id"):
        yield "`request_id` of a refusal is that of its header", exchange.said()
    if "\n" in said["message"]:
        yield "the message of a refusal is one line", exchange.said()
    if status < 500 and _INTERNALS.search(_without(said["message"], exchange)):
        yield "the message of a refusal tells nothing of the insides", exchange.said()
    yield from _headers(operation, exchange, status)
    yield from _details(operation, exchange, said)
    for secret in _sent_secrets(exchange):
        if secret in exchange.body.decode("utf-8", "replace"):
            yield "no refusal repeats a secret of its request", "its text holds one"


def _headers(operation: Operation | None, exchange: Exchange, status: int) -> Iterator[tuple[str, str]]:
    headers = exchange.headers
    if status == 401 and headers.get("www-authenticate") != "Bearer":
        yield "401 has WWW-Authenticate: Bearer", f"it is {headers.get('www-authenticate')!r}"
    if status != 401 and "www-authenticate" in headers:
        yield "only 401 has WWW-Authenticate", f"it is {headers['www-authenticate']!r}"
    if status == 405 and not headers.get("allow"):
        yield "405 has Allow", "it has none"
    if (status == 429) != ("retry-after" in headers) and status < 500:
        yield "429, and no other refusal, has Retry-After", f"it is {headers.get('retry-after')!r}"
    if operation is not None and operation.rate is not None and status not in (401, 405) and status < 500:
        absent = [name for name in RATE if name not in headers]
        if absent:
            yield "every answer of a limited surface has the four X-RateLimit headers", f"{absent} are absent"


def _details(operation: Operation | None, exchange: Exchange, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    code, details = said["code"], said.get("details")
    if code in _PROBLEMS and details is None and code != "invalid_request":
        yield f"`details` of {code} lists what is wrong", exchange.said()
    if code in _PROBLEMS and details is not None:
        if not isinstance(details, list) or not details:
            yield f"`details` of {code} is a list of problems", exchange.said()
        elif operation is not None:
            yield from _problems(operation, exchange, said["message"], details)
    if code == "insufficient_scope":
        required = details.get("required") if isinstance(details, dict) else None
        # Who may make keys still makes none with more than their own has.
        scope = None if operation is None or operation.id == "create-key" else operation.scope
        which = "the scope that is missing" if scope in (None, "dynamic") else scope
        wanted = f"`details.required` of insufficient_scope is {which}"
        if not isinstance(required, str) or (scope not in (None, "dynamic") and required != scope):
            yield wanted, exchange.said()
    if code == "plan_limit_exceeded" and not (isinstance(details, dict) and "limit" in details):
        yield "`details.limit` of plan_limit_exceeded names the limit", exchange.said()


def _problems(operation: Operation, exchange: Exchange, message: str, details: list[Any]) -> Iterator[tuple[str, str]]:
    for one in details:
        if not isinstance(one, dict) or set(one) != {"in", "pointer", "message"}:
            yield "a problem in `details` has in, pointer and message", exchange.said()
            return
        place, pointer = one["in"], one["pointer"]
        named = {parameter.name for parameter in operation.parameters if parameter.location == place}
        if place != "body" and pointer not in named:
            yield f"a problem in `details` names a parameter of the {place}", f"{pointer!r} is none"
        if place == "body" and pointer and not pointer.startswith("/"):
            yield "a problem in `details` names a field of the body by its JSON pointer", f"{pointer!r} is none"
        if place == "body" and operation.body is None:
            yield "a problem in `details` is about a part of the request that there is", exchange.said()
    if details[0]["pointer"] not in message or details[0]["message"] not in message:
        yield "the message names the first problem of `details`", exchange.said()


def _sent_secrets(exchange: Exchange) -> Iterator[str]:
    """The credential of a request, and what its body has in fields that hold secrets."""
    for name, value in exchange.request_headers.items():
        text = value.partition(" ")[2].strip()
        if name.lower() == "authorization" and len(text) >= 12:
            yield text
    for name, value in parse_qsl(exchange.target.partition("?")[2]):
        if name == "access_token" and len(value) >= 12:
            yield value
    body = exchange.sent_json
    if isinstance(body, dict):
        yield from (text for text in map(body.get, _HIDDEN) if isinstance(text, str) and len(text) >= 6)


def _without(message: str, exchange: Exchange) -> str:
    """A message without what it may repeat of the request."""
    sent = [unquote(part) for part in re.split(r"[/?&=]", exchange.target) if len(part) > 3]
    body = exchange.sent_json
    if isinstance(body, dict):
        sent += [value for value in body.values() if isinstance(value, str) and len(value) > 3]
    for text in sent:
        message = message.replace(text, "")
    return message


def _object(exchange: Exchange) -> dict[str, Any] | None:
    if exchange.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return None
    try:
        said = json.loads(exchange.body)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
