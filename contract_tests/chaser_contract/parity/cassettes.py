"""Cassettes: recordings (HAR) as they are read, whoever has written them; what is secret in them is removed at once."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.hiding import PLACEHOLDER, Hiding

KIND = "recording"
"""What a recording is among the kinds of targets."""


class BadCassette(Exception):
    """A file is no recording that could be replayed; the text says why."""


@dataclass(frozen=True)
class Cassette:
    """What was recorded, in the order of asking. `url` is the base URL of what answered."""

    entries: Sequence[Exchange]
    url: str

    @property
    def of_emulator(self) -> bool:
        """Whether an emulator was recorded, whose words are those of another one."""
        return any("x-chaser-emulator" in entry.headers for entry in self.entries)


def load(file: Path, document: Document) -> Cassette:
    """Read a recording. Raises BadCassette."""
    try:
        text = file.read_text("utf-8-sig")
        entries = json.loads(text)["log"]["entries"]
    except (OSError, UnicodeDecodeError) as error:
        raise BadCassette(f"it cannot be read: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise BadCassette("it is no HAR: there is no log with entries") from None
    first = 1 + max((int(found.rpartition("_")[2]) for found in PLACEHOLDER.findall(text)), default=0)
    hiding = Hiding(document, first=first)
    found: list[Exchange] = []
    url = ""
    for place, entry in enumerate(_in_order(entries), 1):
        try:
            exchange, origin = _exchange(entry, document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadCassette(f"entry {place} is none of HAR 1.2: {type(error).__name__} {error}") from None
        if exchange.operation is not None and not url:
            url = origin
        found.append(hiding.hidden(exchange))
    if not url:
        raise BadCassette("nothing in it is a request of an operation of the document")
    return Cassette(found, url)


def _in_order(entries: Any) -> list[Any]:
    """Entries by when they began. A proxy writes each when it has ended."""
    if not isinstance(entries, list):
        raise BadCassette("it is no HAR: the entries of its log are no list")
    return sorted(entries, key=lambda entry: str(entry.get("startedDateTime", "")) if isinstance(entry, dict) else "")


def _exchange(entry: Mapping[str, Any], document: Document) -> tuple[Exchange, str]:
    request, response = entry["request"], entry["response"]
    parts = urlsplit(request["url"])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    method = str(request["method"]).upper()
    operation = document.operation_at(method, parts.path or "/")
    exchange = Exchange(
        operation=None if operation is None else operation.id,
        method=method,
        target=target,
        request_headers=_headers(request.get("headers", [])),
        request_body=_sent(request.get("postData")),
        status=int(response["status"]) or None,
        headers=_headers(response.get("headers", [])),
        body=_content(response.get("content", {})),
    )
    return exchange, f"{parts.scheme}://{parts.netloc}"


def _headers(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    # Browsers write the pseudo headers of HTTP/2 down as well.
    return {str(one["name"]).lower(): str(one["value"]) for one in records if not str(one["name"]).startswith(":")}


def _sent(data: Mapping[str, Any] | None) -> bytes:
    if not data:
        return b""
    text = data.get("text") or ""
    return _decoded(text) if data.get("comment") == "base64" or data.get("encoding") == "base64" else text.encode()


def _content(content: Mapping[str, Any]) -> bytes:
    text = content.get("text") or ""
    return _decoded(text) if content.get("encoding") == "base64" else text.encode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"a body is said to be base64 and is not: {error}") from None
