"""The lines that repeat a request: of curl, and of the official SDK, by its method or by its request for any path."""

from __future__ import annotations

import shlex

from chaser_emulator import shell
from chaser_emulator.repeating import python

from chaser_contract.document import Document, bundled
from chaser_contract.exchanges import LONGEST, NAMES, Exchange
from chaser_contract.findings import Finding
from chaser_contract.targets import Where

_WITHOUT = ("x-chaser-world", "x-request-id")
"""Headers by which a run knows its requests."""


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
    named = {name.lower(): value for name, value in exchange.request_headers.items()}
    headers = {name: value for name, value in named.items() if name not in _WITHOUT}
    size = len(exchange.request_body)
    # As in the line of curl.
    content = shell.File(f"body-of-{size}-bytes") if size > LONGEST else exchange.request_body or None
    operation = document.operations.get(exchange.operation or "")
    parameters = {} if operation is None else document.parameters_of(operation, exchange.path)
    sent = python.Sent(exchange.method, exchange.target, headers, content)
    return python.line(operation, sent, parameters, named={name: f'os.environ["{name[1:]}"]' for name in NAMES})
