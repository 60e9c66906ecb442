"""The lines that repeat a request: of curl, and of the official SDK, by its method or by its request for any path."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from urllib.parse import parse_qsl

from chaser_emulator.explaining import sdk
from chaser_emulator.explaining.asking import FORM, Ask

from chaser_contract.document import JSON, Document, bundled
from chaser_contract.exchanges import KEY, LONGEST, Exchange
from chaser_contract.findings import Finding
from chaser_contract.targets import Where

_AUTHORIZATION, _SELECTOR, _TYPE = "authorization", "x-chaser-account", "content-type"
_WITHOUT = (_AUTHORIZATION, _SELECTOR, "x-chaser-world", "accept", "accept-encoding", "connection", "content-length")
"""Headers that the SDK sends by itself, or nobody has to."""


def again_line(where: Where, part: str) -> str:
    """The command that tries one part again as it was: what its requests were about is gone with their world."""
    words = ["chaser-contract", "run"]
    if where.url is not None:
        words += ["--url", where.url]
    elif where.sandbox != "scripted":
        words += ["--sandbox", where.sandbox, *(["--image", where.image] if where.image is not None else [])]
    if where.profile != "emulator":
        words += ["--profile", where.profile]
    return shlex.join([*words, "--only", part, "--seed", str(where.seed), "--examples", str(where.examples)])


def told(finding: Finding, url: str) -> str:
    """A finding as plain lines."""
    lines = [finding.promise, f"came: {finding.came}", f"document: {finding.pointer}"]
    lines += [line for line in (curl_line(finding, url), sdk_line(bundled(), finding.exchange)) if line]
    return "\n".join(lines)


def curl_line(finding: Finding, url: str) -> str | None:
    """A line for a shell in which CHASER_API_KEY is set, and what else it names."""
    return None if finding.exchange is None else finding.exchange.curl(url)


def sdk_line(document: Document, exchange: Exchange | None) -> str | None:
    """A call of `client`, a `ChaserClient` with the key of the run; None where there is no request."""
    if exchange is None:
        return None
    headers = {name.lower(): value for name, value in exchange.request_headers.items()}
    named = _by_method(document, exchange, headers) or _by_path(exchange, headers)
    credential = headers.get(_AUTHORIZATION)
    if credential == f"Bearer {KEY}":
        return named
    # Another caller than `client` is.
    token = None if credential is None else credential.removeprefix("Bearer ")
    said = f'os.environ["{token[1:]}"]' if token is not None and token.startswith("$CHASER_") else repr(token)
    return named.replace("client.", f"client.with_token({said}).", 1)


def _by_method(document: Document, exchange: Exchange, headers: Mapping[str, str]) -> str | None:
    operation = document.operations.get(exchange.operation or "")
    if operation is None:
        return None
    path, _, query = exchange.target.partition("?")
    media_type = headers.get(_TYPE, "").partition(";")[0] or None
    body = None
    if exchange.request_body:
        if media_type not in (JSON, FORM):
            return None
        try:
            body = {"file": "@file"} if media_type == FORM else json.loads(exchange.request_body)
        except ValueError:
            return None
    ask = Ask(
        exchange.method, path, tuple(parse_qsl(query, keep_blank_values=True)),
        {_SELECTOR: headers[_SELECTOR]} if _SELECTOR in headers else {}, body,
        media_type if exchange.request_body else None,
    )  # fmt: skip
    return sdk.line(operation.id, ask, document.parameters_of(operation, path))


def _by_path(exchange: Exchange, headers: Mapping[str, str]) -> str:
    """For what no method of the SDK sends: it can be asked for any path."""
    words = [repr(exchange.method), repr(exchange.target)]
    if exchange.request_body:
        size = len(exchange.request_body)
        # As in the line of curl.
        file = f"open('body-of-{size}-bytes', 'rb').read()"
        words.append(f"body={file if size > LONGEST else repr(exchange.request_body)}")
    others = {name: value for name, value in headers.items() if name not in _WITHOUT}
    if others:
        words.append(f"headers={others!r}")
    account = f".with_account({headers[_SELECTOR]!r})" if _SELECTOR in headers else ""
    return f"client{account}._request_json({', '.join(words)})"
