"""What an exchange of the journal sent, as far as it may be shown: names stand for secrets and for what is no text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chaser_emulator.errors import ApiError
from chaser_emulator.explaining.asking import CALLERS, FORM, JSON, KEY, Part, parts_of
from chaser_emulator.journal import Exchange
from chaser_emulator.redaction import HIDDEN
from chaser_emulator.repeating.needs import Needs
from chaser_emulator.repeating.python import Content, Json, Sent, Text
from chaser_emulator.rules import join
from chaser_emulator.shell import File
from chaser_emulator.validation import parse_json

OF_THE_CONNECTION = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "te", "trailer", "expect", "upgrade"}
)
"""Headers that belong to one connection, and to no other."""

_OF_THE_CLIENT = frozenset(
    {"user-agent", "accept-encoding", "accept-language", "x-request-id", "cookie", "referer", "priority", "pragma",
     "cache-control", "x-chaser-observer", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
)  # fmt: skip
"""Headers that a client sends by itself, and that Chaser does not act on."""

_CREDENTIAL = "authorization"
_NOBODY = 401


def sent_by(exchange: Exchange, own_key: str | None, needs: Needs) -> Sent:
    """The request, with what it takes to send it noted in `needs`; `own_key` is the id of the world's key."""
    headers = {
        name: one for name, one in _headers(exchange, own_key, needs) if name not in OF_THE_CONNECTION | _OF_THE_CLIENT
    }
    content = _content(exchange, needs)
    if isinstance(content, Mapping):
        # Who sends a form chooses what is between its parts.
        headers["content-type"] = FORM
    return Sent(exchange.method, _target(exchange, own_key, needs), headers, content)


def is_whole(exchange: Exchange) -> bool:
    """Whether all of its body is known: none of a long one is kept, and a refusal may come before the end of it."""
    declared = exchange.request_headers.get("content-length")
    return exchange.sent is not None and (declared is None or declared == str(exchange.sent_bytes))


def is_open(exchange: Exchange) -> bool:
    """Whether all of its body is shown."""
    return exchange.sent is not None and _readable(exchange) == (exchange.request_body if exchange.sent else None)


def _readable(exchange: Exchange) -> Any:
    """The body that was sent as a value, secrets and all; its very bytes where it is none."""
    raw = exchange.sent or b""
    kind = exchange.request_headers.get("content-type", "").partition(";")[0].strip().lower()
    if not raw:
        return None
    if kind == JSON:
        try:
            return parse_json(raw)
        except ApiError:
            return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _credential(exchange: Exchange, own_key: str | None, needs: Needs) -> str:
    """The variable for the credential of the caller."""
    if exchange.status == _NOBODY:
        return needs.variable(CALLERS[1:], "the credential that was refused")
    if exchange.principal_id is not None and exchange.key_id != own_key:
        kind = "an access token" if exchange.key_id is None else f"the API key {exchange.key_id}"
        return needs.variable(CALLERS[1:], f"{kind} of {exchange.principal_id}, who made the request")
    return needs.variable(KEY[1:], f"the key of the world {exchange.world}")


def _headers(exchange: Exchange, own_key: str | None, needs: Needs) -> Iterator[tuple[str, str]]:
    for name, value in exchange.request_headers.items():
        if name == _CREDENTIAL and value == f"Bearer {HIDDEN}":
            yield name, f"Bearer {_credential(exchange, own_key, needs)}"
        elif (name == "accept" and value == "*/*") or name.startswith(("sec-", "if-")):
            continue
        elif HIDDEN in value and name not in _OF_THE_CLIENT | OF_THE_CONNECTION:
            yield name, value.replace(HIDDEN, needs.secret(name, f"what is hidden in the header {name}"))
        else:
            yield name, value


def _target(exchange: Exchange, own_key: str | None, needs: Needs) -> str:
    path = in_ascii(exchange.path)
    if not exchange.query:
        return path
    parts = []
    for part in exchange.query.split("&"):
        name, equals, value = part.partition("=")
        if value == HIDDEN and name == "access_token":
            value = _credential(exchange, own_key, needs)
        elif value == HIDDEN:
            value = needs.secret(name, f"the parameter {name}, encoded as in an address")
        parts.append(in_ascii(f"{name}{equals}{value}"))
    return f"{path}?{'&'.join(parts)}"


def in_ascii(sent: str) -> str:
    """A path or a query with bytes that should not be there, each a character, as clients can send it."""
    return sent if sent.isascii() else "".join(one if one.isascii() else f"%{ord(one):02X}" for one in sent)


def _content(exchange: Exchange, needs: Needs) -> Content:
    if not exchange.sent_bytes and is_whole(exchange):
        return None
    shown, known, raw = exchange.request_body, _readable(exchange), exchange.sent
    size = exchange.sent_bytes
    declared = exchange.request_headers.get("content-type", "")
    if not is_whole(exchange) or raw is None:
        what = "the body, which was not kept: it was too long, or nobody read it"
        return File(needs.file(f"body-of-{exchange.request_headers.get('content-length', size)}-bytes", what))
    if declared.partition(";")[0].strip().lower() == FORM and (parts := parts_of(declared, raw)):
        return _form(exchange, parts, needs)
    if shown == known:
        return raw
    if isinstance(known, str) and isinstance(shown, str) and not shown.endswith(f", {size} bytes]"):
        return Text(_named(known, shown, "body", needs))
    if isinstance(known, str | bytes):
        return File(needs.file(f"body-of-{size}-bytes", "the body, which is not shown, as it is no text"))
    return Json(_named(known, shown, "", needs))


def _form(exchange: Exchange, parts: Mapping[str, Part], needs: Needs) -> Mapping[str, str | File]:
    texts = {name: part.text for name, part in parts.items() if not part.is_file}
    shown = exchange.hidden(texts)
    found: dict[str, str | File] = {}
    for name, part in parts.items():
        if part.is_file:
            size = len(part.content)
            what = f"the file {name} of the form, which is not shown"
            found[name] = File(needs.file(f"{_safe(name)}-of-{size}-bytes", what))
        else:
            found[name] = _named(texts[name], shown[name], name, needs)
    return found


def _safe(name: str) -> str:
    """A name as part of the name of a file."""
    return "".join(one if one.isalnum() and one.isascii() else "-" for one in name)[:40] or "file"


def _named(known: Any, shown: Any, pointer: str, needs: Needs) -> Any:
    """What is shown, with a variable in each place where something is hidden."""
    if known == shown:
        return known
    if isinstance(known, Mapping) and isinstance(shown, Mapping):
        return {name: _named(known[name], one, join(pointer, [name]), needs) for name, one in shown.items()}
    if isinstance(known, list) and isinstance(shown, list):
        pairs = enumerate(zip(known, shown, strict=True))
        return [_named(one, other, join(pointer, [at]), needs) for at, (one, other) in pairs]
    word = pointer.rpartition("/")[2]
    if not isinstance(known, str):
        return needs.secret(word, f"what is hidden at {pointer or 'the body'}, as JSON", bare=True)
    parts = str(shown).split(HIDDEN)
    told = parts[0]
    for part in parts[1:]:
        told += needs.secret(word, f"what is hidden at {pointer}; for curl as JSON writes it") + part
    return told
