"""A request of the journal sent again, as it was or changed, by the same caller; and where its answer differs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from starlette.types import ASGIApp

from chaser_emulator import inward
from chaser_emulator.admission import Principal
from chaser_emulator.clock import new_request_id
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.explaining.asking import JSON, Ask
from chaser_emulator.explaining.places import Change, changes
from chaser_emulator.explaining.remedies.missing import parameters_of
from chaser_emulator.journal import Exchange
from chaser_emulator.paths import CONTROL, routed
from chaser_emulator.redaction import HIDDEN
from chaser_emulator.repeating.sending import OF_THE_CONNECTION, in_ascii, is_open, is_whole
from chaser_emulator.selection import HEADER
from chaser_emulator.spec import Spec
from chaser_emulator.store import identity, logins
from chaser_emulator.validation import parse_json
from chaser_emulator.world import World

REFUSED = "cannot_be_repeated"

Caller = Literal["same", "world", "nobody"]

_CREDENTIAL = "authorization"
_NOBODY = 401
_OF_EACH = frozenset({"date", "x-request-id", "content-length", "x-ratelimit-remaining", "x-ratelimit-reset"})
"""Headers that differ from one answer to the next anyway."""


@dataclass(frozen=True)
class Wish:
    """What is to be different; None is as it was. `target` is path and query, a header that is None is left out.

    `body` is one field, `{"value": …}` to be sent as JSON or `{"text": …}`.
    """

    method: str | None = None
    target: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    caller: Caller = "same"
    patience: float = 30.0


@dataclass(frozen=True)
class Again:
    """The new exchange, what its answer has that differs, and what could not be as it was."""

    exchange: Exchange
    differences: list[dict[str, Any]]
    untrue: list[str]

    def info(self) -> dict[str, Any]:
        """Its JSON."""
        return {"request": self.exchange.info(), "differences": self.differences, "untrue": self.untrue}


async def again(
    app: ASGIApp, world: World, exchange: Exchange, spec: Spec, wish: Wish, *, base_url: str, client: tuple[str, int]
) -> Again:
    """Send it through the whole application. Raises ApiError, `cannot_be_repeated` above all."""
    operation = spec.operations.get(exchange.operation or "")
    if exchange.upgraded or (operation is not None and operation.upgrades):
        raise ApiError(REFUSED, "it is a WebSocket, and what was said on it is not kept")
    untrue: list[str] = []
    method = wish.method or exchange.method
    target = _target(exchange, wish)
    content, media_type = _content(exchange, spec, wish, method, target)
    headers = _headers(exchange, wish, media_type, untrue)
    caller = await _caller(world, exchange, wish, headers, untrue)
    headers[HEADER.lower()] = world.id
    request_id = new_request_id()
    answer = await inward.send(
        app, method, target, [*headers.items(), ("x-request-id", request_id)], content,
        base_url=base_url, client=client, state={"caller": caller} if caller is not None else {},
        patience=wish.patience,
    )  # fmt: skip
    found = world.journal.find(request_id=request_id)
    if not found:
        raise ApiError(REFUSED, "it was sent, and is none of those that the journal keeps")
    if answer.given_up:
        untrue.append(f"after {wish.patience:g} s it was still under way, and was given up")
    return Again(found[-1], differences(exchange, found[-1]), untrue)


def differences(before: Exchange, after: Exchange) -> list[dict[str, Any]]:
    """Where an answer is another than the one before it was: in its status, its headers, its body."""
    found: list[dict[str, Any]] = []
    if before.status != after.status:
        found.append(_difference("status", "", before.status, after.status))
    names = [
        *before.response_headers,
        *(name for name in after.response_headers if name not in before.response_headers),
    ]
    for name in names:
        old, new = before.response_headers.get(name), after.response_headers.get(name)
        if old != new and name not in _OF_EACH:
            found.append(_difference("header", name, old, new))
    for change in changes(before.response_body, after.response_body):
        if change.place != "/request_id":
            found += _of_body(change)
    return found


def _difference(where: str, place: str, before: Any, after: Any) -> dict[str, Any]:
    return {"in": where, "place": place, "before": before, "after": after}


def _of_body(change: Change) -> list[dict[str, Any]]:
    if change.kind == "renamed":
        # The same value under another name.
        return [
            _difference("body", change.place, change.before, None),
            _difference("body", str(change.after), None, change.before),
        ]
    return [_difference("body", change.place, change.before, change.after)]


def _target(exchange: Exchange, wish: Wish) -> str:
    if wish.target is None:
        if HIDDEN in exchange.query:
            raise ApiError(REFUSED, "its query holds what is secret, and is not kept; give another `path`")
        return in_ascii(exchange.path + (f"?{exchange.query}" if exchange.query else ""))
    target = quote(wish.target, safe="/?&=%:@!$'()*+,;~#[]{}|\\^`\"<>-._").partition("#")[0]
    if routed(target.partition("?")[0].encode()).startswith(CONTROL):
        raise invalid_field("/path", "must be one of Chaser's, as the control plane is asked without this")
    return target


def _content(exchange: Exchange, spec: Spec, wish: Wish, method: str, target: str) -> tuple[bytes | None, str | None]:
    """The bytes to send, and their type where it is another."""
    known = parameters_of(spec, Ask(method, target.partition("?")[0]))
    same = (known[0].id if known is not None else None) == exchange.operation
    if wish.body is None:
        if not exchange.sent_bytes and is_whole(exchange):
            return None, None
        if not is_whole(exchange):
            raise ApiError(
                REFUSED, "its body was not kept, as it was too long or nobody read it; give a `value` or a `text`"
            )
        if not same and not is_open(exchange):
            raise ApiError(
                REFUSED,
                "its body holds what is not shown, and goes to the operation that it was sent to alone; give a `value`",
            )
        return exchange.sent, None
    if "text" in wish.body:
        return str(wish.body["text"]).encode(), None
    value = wish.body["value"]
    if same and exchange.sent and is_whole(exchange):
        with contextlib.suppress(ApiError):
            value = _revealed(parse_json(exchange.sent), exchange.request_body, value)
    return json.dumps(value, ensure_ascii=False).encode(), JSON


def _revealed(known: Any, shown: Any, given: Any) -> Any:
    """What is given, with what was sent in each place that shows the same as the journal does."""
    if given == shown:
        return known
    if isinstance(given, Mapping) and isinstance(shown, Mapping) and isinstance(known, Mapping):
        both = shown.keys() & known.keys()
        return {name: _revealed(known[name], shown[name], one) if name in both else one for name, one in given.items()}
    if isinstance(given, list) and isinstance(shown, list) and isinstance(known, list) and len(given) == len(shown):
        return [_revealed(*three) for three in zip(known, shown, given, strict=True)]
    return given


def _headers(exchange: Exchange, wish: Wish, media_type: str | None, untrue: list[str]) -> dict[str, str]:
    left_out = OF_THE_CONNECTION | {"x-request-id", "x-chaser-observer"}
    headers: dict[str, str] = {}
    changed = {name.lower(): value for name, value in wish.headers.items()}
    for name, value in exchange.request_headers.items():
        if name in left_out or name in changed:
            continue
        if HIDDEN in value and name != _CREDENTIAL:
            untrue.append(f"the header {name}, whose value is hidden, is left out")
            continue
        headers[name] = value
    if media_type is not None and headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        headers["content-type"] = media_type
    for name, given in changed.items():
        if name in left_out and name != "x-request-id":
            raise invalid_field(f"/headers/{name}", "belongs to the connection, and is no header to choose")
        if given is not None:
            try:
                given.encode("latin-1")
            except UnicodeEncodeError:
                raise invalid_field(f"/headers/{name}", "must be Latin-1, as headers are") from None
            headers[name] = given
    return headers


async def _caller(
    world: World, exchange: Exchange, wish: Wish, headers: dict[str, str], untrue: list[str]
) -> Principal | None:
    """Who the request is made as, where their credential cannot be shown; else it is in the headers, or nobody's."""
    if any(name.lower() == _CREDENTIAL for name in wish.headers):
        return None
    if wish.caller == "nobody" or (wish.caller == "same" and _CREDENTIAL not in headers):
        headers.pop(_CREDENTIAL, None)
        return None
    if wish.caller == "world":
        headers[_CREDENTIAL] = f"Bearer {world.api_key}"
        return None
    if exchange.status == _NOBODY:
        untrue.append("the credential that was refused is not known; one takes its place that nobody has")
        return None
    if exchange.principal_id is None:
        headers[_CREDENTIAL] = f"Bearer {world.api_key}"
        untrue.append("who made it is not known; the world's own key does")
        return None
    principal = await _principal(world, exchange)
    if principal is None:
        raise ApiError(REFUSED, "the key that made it is good no longer; choose another `caller`")
    return principal


async def _principal(world: World, exchange: Exchange) -> Principal | None:
    """The caller of an exchange, unless their key was revoked or they are gone."""
    if exchange.key_id is None:
        user_id = str(exchange.principal_id)
        if await logins.user(world.store, user_id) is None:
            return None
        return Principal(kind="user", id=user_id, key_id=None, scopes=None, account_id=None)
    key = await identity.valid_key(world.store, exchange.key_id)
    return Principal.of_key(key) if key is not None else None
