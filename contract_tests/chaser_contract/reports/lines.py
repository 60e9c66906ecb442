"""The lines that repeat a request: of curl, and of the official SDK where it has a method for it."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from chaser_emulator.explaining import sdk
from chaser_emulator.explaining.asking import FORM, Ask

from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.findings import Finding

_SELECTOR = "x-chaser-account"


def curl_line(finding: Finding, url: str) -> str | None:
    """A line for a shell in which CHASER_API_KEY is set, and what else it names."""
    return None if finding.exchange is None else finding.exchange.curl(url)


def sdk_line(document: Document, exchange: Exchange | None) -> str | None:
    """A call of `client`, a `ChaserClient`; None where the SDK cannot make this very request."""
    operation = None if exchange is None or exchange.operation is None else document.operations.get(exchange.operation)
    if exchange is None or operation is None:
        return None
    headers = {name.lower(): value for name, value in exchange.request_headers.items()}
    path, _, query = exchange.target.partition("?")
    media_type = headers.get("content-type", "").partition(";")[0] or None
    body = None
    if exchange.request_body:
        try:
            body = json.loads(exchange.request_body)
        except ValueError:
            # A form is a file and fields by position of a boundary, which no line of the SDK shows.
            if media_type != FORM:
                return None
            body = {"file": "@file"}
    ask = Ask(
        exchange.method, path, tuple(parse_qsl(query, keep_blank_values=True)),
        {name: value for name, value in headers.items() if name == _SELECTOR}, body,
        media_type if exchange.request_body else None,
    )  # fmt: skip
    return sdk.line(operation.id, ask, document.parameters_of(operation, path))
