"""What the journal hides: fields that the document marks `x-secret`, credentials in headers, queries and addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote_plus

from chaser_emulator.assembly import resolve
from chaser_emulator.spec import Operation, Spec

HIDDEN = "[hidden]"

HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "webhook-signature"})
"""Headers whose values are secret."""

QUERY = frozenset({"access_token", "code", "code_verifier", "state", "token", "api_key"})
"""Parameters whose values are secret."""

_IN_ADDRESS = re.compile(r"(?<=://)[^/\s\"'@]*:[^/\s\"'@]*(?=@)")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\n]*:[^/\n]*@", re.IGNORECASE)
_IN_QUERY = re.compile(r"(?<=[?&])(access_token|code|code_verifier|state|token|api_key)=[^&#\s\"']+")
_BEARER = re.compile(r"\bsk_[A-Za-z0-9_]{16,}|\beyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+")
_DEEPEST = 64


class Redaction:
    """Hides what is secret in the exchanges of one document's operations; each is looked at once."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._always = frozenset(marked(spec, [spec.document["components"]["schemas"]], only="always"))
        self._names: dict[tuple[str, bool], frozenset[str]] = {}

    def request(self, operation: Operation | None, body: Any) -> Any:
        """A JSON body that was sent."""
        return _hidden(body, self._of(operation, answer=False))

    def answer(self, operation: Operation | None, status: int, body: Any) -> Any:
        """A JSON body that was answered. Refusals hold no secrets; their `code` is none."""
        return _hidden(body, self._always if status >= 400 else self._of(operation, answer=True))

    def _of(self, operation: Operation | None, *, answer: bool) -> frozenset[str]:
        if operation is None:
            # Nobody can tell what it was meant for, so whatever is a secret anywhere is one.
            return frozenset().union(*(self._of(one, answer=False) for one in self._spec.operations.values()))
        known = self._names.get((operation.id, answer))
        if known is None:
            schemas: list[Any] = []
            if answer:
                schemas = [r.content.get("application/json") for s, r in operation.responses.items() if s < 400]
            elif operation.body is not None:
                schemas = list(operation.body.content.values())
            found = frozenset(marked(self._spec, schemas))
            known = self._names[operation.id, answer] = found | self._always
        return known


def headers(given: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case, without credentials; of several with one name all, as one text."""
    shown: dict[str, str] = {}
    for raw_name, raw in given:
        name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
        if name in HEADERS:
            scheme = value.partition(" ")[0] if name == "authorization" and " " in value else ""
            value = f"{scheme} {HIDDEN}".strip()
        elif name in ("location", "referer"):
            address, mark, rest = value.partition("?")
            value = address + mark + query(rest)
        shown[name] = f"{shown[name]}, {text(value)}" if name in shown else text(value)
    return shown


def query(given: str) -> str:
    """A query without what stands for somebody."""
    if not given:
        return ""
    parts = []
    for part in given.split("&"):
        name, equals, value = part.partition("=")
        said = unquote_plus(value)
        # A key may stand where nobody looks for one.
        secret = equals and (unquote_plus(name) in QUERY or text(said) != said)
        parts.append(f"{name}={quote(HIDDEN, safe='[]')}" if secret else part)
    return "&".join(parts)


def text(given: str) -> str:
    """A text without passwords in addresses, keys and tokens."""
    if "://" in given:
        if match := _ADDRESS.match(given):
            # It is an address as a whole, and its password may hold what would else end it.
            given = match[1] + HIDDEN + given[match.end() - 1 :]
        given = _IN_QUERY.sub(rf"\1={HIDDEN}", _IN_ADDRESS.sub(HIDDEN, given))
    return _BEARER.sub(HIDDEN, given) if "sk_" in given or "eyJ" in given else given


def _hidden(value: Any, names: frozenset[str], depth: int = 0) -> Any:
    if isinstance(value, str):
        # Tools answer JSON as a text.
        if depth and value[:1] in ("{", "[") and any(f'"{name}"' in value for name in names):
            try:
                return json.dumps(_hidden(json.loads(value), names, depth + 1))
            except (ValueError, RecursionError):
                return HIDDEN
        return text(value)
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: _cover(part) if key in names else _hidden(part, names, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_hidden(part, names, depth + 1) for part in value]
    return value


def _cover(value: Any) -> Any:
    """Nothing of a secret but its shape: names of variables are none, and that there is none is none."""
    if value is None or value == "":
        return value
    return dict.fromkeys(value, HIDDEN) if isinstance(value, Mapping) else HIDDEN


def marked(spec: Spec, schemas: Iterable[Any], only: str | None = None) -> set[str]:
    """The names of all properties of these schemas that are marked, at any depth."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = list(schemas)
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict) and id(node) not in seen:
            seen.add(id(node))
            if isinstance(node.get("$ref"), str):
                waiting.append(resolve(spec.document, node))
            properties = node.get("properties")
            for name, part in properties.items() if isinstance(properties, dict) else ():
                mark = part.get("x-secret") if isinstance(part, dict) else None
                if mark is not None and only in (None, mark):
                    found.add(name)
            waiting += node.values()
    return found
