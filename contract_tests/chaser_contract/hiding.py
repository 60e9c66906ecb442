"""Hiding: exchanges without their secrets, each of which is one placeholder wherever it stands.

So a recording still tells which answer a key came from, and where it was used afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote_plus

from chaser_emulator.redaction import HEADERS, QUERY

from chaser_contract import secret
from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange, header

PLACEHOLDER = re.compile(r"\$CHASER_SECRET_\d+\b")

NOT_KEPT = "(not kept: nobody can tell what in it is secret)"
"""What stands for bodies that no operation of the document is known to take or give, and that are no JSON."""

_SHORTEST = 6
"""Characters from which on a secret is looked for in texts; shorter ones would be found in everything."""

_SUSPECT = re.compile(r"pass(word|phrase)|secret|token|api_?key|credential|authorization|cookie|verifier|private", re.I)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s\"'@]+(?=@)")
_FORM = "application/x-www-form-urlencoded"
_HALVES = ("utf-8", "surrogatepass")
"""JSON may hold half a character (`\\ud800`), which no other encoding of a text takes."""


def shown_of(text: str, secrets: Mapping[str, str]) -> str | None:
    """What a text shows of a secret, where it is the beginning of one, or its beginning and end; else None."""
    head, dots, tail = text.partition("…")
    if len(head) < _SHORTEST:
        return None
    for value, name in secrets.items():
        if dots and value.startswith(head) and value.endswith(tail):
            return f"<beginning and end of {name}>"
        if not dots and text != value and value.startswith(text):
            return f"<beginning of {name}>"
    return None


class Hiding:
    """Hides the secrets of exchanges, in the order in which they happen; their placeholders count from `first`."""

    def __init__(self, document: Document, first: int = 1) -> None:
        self._document = document
        self._first = first
        self._anywhere = secret.anywhere(document)
        self._always = secret.always(document)
        self._names: dict[str, str] = {}
        self._written: list[tuple[str, str]] = []

    def hidden(self, exchange: Exchange) -> Exchange:
        """The exchange as it may be kept."""
        asked, answered = self._fields(exchange)
        known = exchange.operation is not None
        target = self._target(exchange.target)
        sent_type = header(exchange.request_headers, "content-type")
        request = self._body(exchange.request_body, sent_type, asked, known=known)
        body = self._body(exchange.body, header(exchange.headers, "content-type"), answered, known=known)
        # What was found out by the last part holds for the first one too.
        body = self._body(body, header(exchange.headers, "content-type"), answered, known=known)
        return replace(
            exchange,
            target=self._replaced(target),
            request_headers={name: self._header(name, value) for name, value in exchange.request_headers.items()},
            request_body=self._bytes(self._body(request, sent_type, asked, known=known)),
            headers={name: self._header(name, value) for name, value in exchange.headers.items()},
            body=self._bytes(body),
            trouble=None if exchange.trouble is None else self._text(exchange.trouble),
        )

    def know(self, value: str, placeholder: str) -> None:
        """Let a placeholder stand for a secret."""
        if value in self._names:
            return
        self._names[value] = placeholder
        if len(value) >= _SHORTEST:
            quoted = {quote(value, safe, *_HALVES) for safe in ("", "/")}
            in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
            self._written += [(written, placeholder) for written in {value} | quoted | in_json]
            # What holds another one goes first.
            self._written.sort(key=lambda one: (-len(one[0]), one[0]))

    def _fields(self, exchange: Exchange) -> tuple[Collection[str], Collection[str]]:
        """The fields that are secret in what was asked, and in what was answered."""
        refused = (exchange.status or 0) >= 400
        if exchange.operation is None:
            # The `code` of a refusal is none of a sign-in.
            return self._anywhere, self._always if refused else self._anywhere
        operation = self._document.operation(exchange.operation)
        asked = secret.fields_of_requests(self._document, operation)
        if refused:
            return asked, self._always
        return asked, secret.fields_of_answers(self._document, operation)

    def _target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        parts = []
        for part in query.split("&") if query else []:
            name, equals, value = part.partition("=")
            plain = unquote_plus(name)
            if equals and (plain in QUERY or _SUSPECT.search(plain)):
                part = f"{name}={self._name(unquote_plus(value))}" if value else part
            parts.append(part)
        return self._text(path) + mark + self._text("&".join(parts))

    def _header(self, name: str, value: str) -> str:
        if name.lower() in HEADERS or _SUSPECT.search(name):
            scheme, space, rest = value.partition(" ")
            if name.lower().endswith("authorization") and space:
                return f"{scheme} {self._name(rest.strip())}"
            return self._name(value) if value else value
        if name.lower() in ("location", "referer", "content-location"):
            return self._replaced(self._target(value))
        return self._text(value)

    def _body(self, body: bytes, media_type: str, fields: Collection[str], *, known: bool) -> bytes:
        if not body:
            return body
        kind = media_type.partition(";")[0].strip().lower()
        if kind == _FORM:
            return self._target(f"?{body.decode('utf-8', 'replace')}")[1:].encode()
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            # Of what is no JSON only an operation says that it is none of somebody's secrets.
            return self._bytes(body) if known else NOT_KEPT.encode()
        if not isinstance(value, (dict, list)):
            return self._bytes(body) if known else NOT_KEPT.encode()
        found = self._value(value, fields, suspicious=not known)
        return body if found == value else json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode(*_HALVES)

    def _value(self, value: Any, fields: Collection[str], *, suspicious: bool) -> Any:
        if isinstance(value, str):
            return self._json_text(value, fields, suspicious=suspicious)
        if isinstance(value, list):
            return [self._value(part, fields, suspicious=suspicious) for part in value]
        if isinstance(value, Mapping):
            return {
                self._text(name): self._covered(part)
                if name in fields or (suspicious and _SUSPECT.search(name))
                else self._value(part, fields, suspicious=suspicious)
                for name, part in value.items()
            }
        return value

    def _json_text(self, text: str, fields: Collection[str], *, suspicious: bool) -> str:
        """A text, which for tools of agents may be JSON itself."""
        if text[:1] in ("{", "["):
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                return self._text(text)
            found = self._value(inner, fields, suspicious=suspicious)
            return text if found == inner else json.dumps(found)
        return self._text(text)

    def _covered(self, value: Any) -> Any:
        """Nothing of a secret but its shape: names of variables are none, and that there is none is none."""
        if isinstance(value, Mapping):
            return {name: self._covered(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._covered(part) for part in value]
        if value is None or value == "" or isinstance(value, bool):
            return value
        return self._name(str(value))

    def _name(self, value: str) -> str:
        """The placeholder of a secret."""
        if PLACEHOLDER.fullmatch(value):
            return value
        if value not in self._names:
            self.know(value, f"$CHASER_SECRET_{self._first + len(self._names)}")
        return self._names[value]

    def _text(self, text: str) -> str:
        if (part := shown_of(text, self._names)) is not None:
            return part
        for found in secret.CREDENTIAL.findall(text):
            self._name(found)
        text = _IN_ADDRESS.sub(lambda match: self._name(match[0]), text) if "://" in text else text
        return self._replaced(text)

    def _replaced(self, text: str) -> str:
        """A text with placeholders for all secrets that are known by now, however they are written in it."""
        for written, name in self._written:
            text = text.replace(written, name)
        return text

    def _bytes(self, body: bytes) -> bytes:
        # Latin-1 gives each byte a character and takes it back, so that bytes which are no text stay as they are.
        plain = body.decode("latin-1")
        for found in secret.CREDENTIAL.findall(plain):
            self._name(found)
        for written, name in self._written:
            plain = plain.replace(written.encode(*_HALVES).decode("latin-1"), name)
        return plain.encode("latin-1")
