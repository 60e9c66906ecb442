"""Answers without what differs between any two Chasers: ids, times, secrets and addresses become placeholders.

References are kept: one id is one placeholder everywhere, so that two Chasers are alike only where they say the same of
the same things. Equal times are one placeholder too, and each answer says in which order its times are.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from chaser_contract.exchanges import Exchange
from chaser_contract.hiding import shown_of
from chaser_contract.parity.steps import Step

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
_SHORTEST_ID = 6
"""Characters from which on a text can be an id that nothing else is."""

_FOUND = re.compile(
    rf"(?P<time>{_TIME})"
    r"|(?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9A-F]{32}\b)"
    r"|(?P<request>\breq_[a-z2-7]{26}\b)"
    r"|(?P<secret>\bsk_[A-Za-z0-9_]{16,}|\bwhsec_[A-Za-z0-9+/=]{16,}"
    r"|\beyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+)"
    r"|(?P<snapshot>\bsnap-\d{8}T\d{6}Z-[0-9a-f]{4}\b)"
    r"|(?P<name>\b[a-z]+-[a-z]+-\d{4}\b)"
    r"|(?P<address>(?:\bhttps?://|\bwss?://)?(?:\blocalhost|\b127\.0\.0\.1|\[::1\]):\d+"
    r"|\bhttps?%3A%2F%2F(?:localhost|127\.0\.0\.1)%3A\d+)"
    r"|(?<=[?&])(?P<token>(?:state|code|code_challenge|nonce)=[^&#\s\"]+)",
)


class Names:
    """The placeholders of one Chaser, given in the order in which things appear.

    `addresses` are its own, `known` secrets that it was given, by the names that stand for them.
    """

    def __init__(self, addresses: Collection[str] = (), known: Mapping[str, str] | None = None) -> None:
        self._addresses = sorted(addresses, key=len, reverse=True)
        self._given: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._secrets: dict[str, str] = {}
        for secret, name in (known or {}).items():
            self._secrets[secret] = f"<{name}>"
            self._given["secret", secret] = f"<{name}>"
        self._times: dict[str, datetime] = {}
        self._sent: set[str] = set()
        self._own_ids: set[str] = set()

    def sent(self, step: Step) -> None:
        """Note what a step sends: where it comes back, it is no id that the Chaser has given."""
        self._sent |= {str(value) for part in (step.path, step.query, step.json) for _, value in places(part)}

    def copy(self) -> Names:
        """The same, to go on apart."""
        found = Names(self._addresses)
        found._given, found._counts, found._secrets = dict(self._given), dict(self._counts), dict(self._secrets)
        found._sent, found._own_ids = set(self._sent), set(self._own_ids)
        return found

    def answer(self, body: Any, secrets: Collection[str] = ()) -> tuple[Any, list[str]]:
        """A body as it is compared; `secrets` are the names of fields whose values are secret.

        With it stand the times that it holds, from the earliest to the latest.
        """
        self._times = {}
        normal = self.value(body, secrets)
        return normal, [name for name, _ in sorted(self._times.items(), key=lambda item: item[1])]

    def value(self, value: Any, secrets: Collection[str] = ()) -> Any:
        """JSON with placeholders. Names of fields are taken in their order, so that two Chasers count alike."""
        if isinstance(value, Mapping):
            return {
                name: self._secret(part)
                if name in secrets and isinstance(part, str)
                else self._field(name, part, secrets)
                for name, part in sorted(value.items())
            }
        if isinstance(value, list):
            return [self.value(part, secrets) for part in value]
        return self.text(value) if isinstance(value, str) else value

    def _field(self, name: str, value: Any, secrets: Collection[str]) -> Any:
        if name == "pid" and isinstance(value, int):
            return self._placeholder("process", str(value))
        if isinstance(value, str) and (name == "id" or name.endswith("_id")) and self._is_own_id(value):
            # It stands in addresses and texts as well.
            self._own_ids.add(value)
        return self.value(value, secrets)

    def _is_own_id(self, value: str) -> bool:
        """Whether it is an id of a form of its own, and the Chaser has given it."""
        return len(value) >= _SHORTEST_ID and value not in self._sent and not _FOUND.search(value)

    def text(self, text: str) -> str:
        """A text with placeholders."""
        if (part := self._of_secret(text)) is not None:
            return part
        for address in self._addresses:
            text = text.replace(address, "<url>").replace(quote(address, safe=""), "<url>")
        for own in sorted(self._own_ids, key=len, reverse=True):
            if own in text:
                text = text.replace(own, self._placeholder("id", own))
        return _FOUND.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        kind, raw = str(match.lastgroup), match[0]
        if kind == "token":
            name, _, value = raw.partition("=")
            return f"{name}={self._placeholder('token', value)}"
        if kind == "address":
            # What is not of this machine, or was said by the caller, is meant as it is; the rest is its own address.
            return raw if any(raw in said for said in self._sent) else "<url>"
        if kind == "request":
            return "<request>"
        if kind == "secret":
            return self._secret(raw)
        name = self._placeholder(kind, raw)
        if kind == "time":
            self._times[name] = datetime.fromisoformat(raw)
        return name

    def _secret(self, raw: str) -> str:
        name = self._placeholder("secret", raw)
        self._secrets[raw] = name
        return name

    def _of_secret(self, text: str) -> str | None:
        """What a text shows of a secret, where it is its beginning, or its beginning and end."""
        return shown_of(text, self._secrets)

    def _placeholder(self, kind: str, raw: str) -> str:
        key = kind, raw
        if key not in self._given:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._given[key] = f"<{kind} {self._counts[kind]}>"
        return self._given[key]


def raws(text: str) -> list[tuple[str, str]]:
    """The ids, times and so on in a text, each with its kind."""
    return [(str(match.lastgroup), match[0]) for match in _FOUND.finditer(text)]


def body_of(exchange: Exchange) -> Any:
    """What the body of an answer says: JSON, events, a text, or how many bytes which begin how."""
    raw = exchange.body
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(raw)
        except ValueError:
            pass
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {"bytes": len(raw), "hex": raw[:256].hex()}
    return events_of(text) if kind == "text/event-stream" else text


def events_of(text: str) -> list[Any]:
    """The events of a stream, with their JSON read; comments keep a connection alive and say nothing.

    Chunks of one text that follow each other are one: where output is cut is nobody's promise.
    """
    found: list[dict[str, Any]] = []
    for block in re.split(r"\r?\n\r?\n", text):
        fields: dict[str, Any] = {}
        for line in block.splitlines():
            name, _, value = line.partition(":")
            if name:
                fields[name] = f"{fields[name]}\n{value.lstrip()}" if name in fields else value.lstrip()
        if "data" in fields:
            with contextlib.suppress(ValueError):
                fields["data"] = json.loads(fields["data"])
            _join(found, fields)
    return found


def _join(found: list[dict[str, Any]], event: dict[str, Any]) -> None:
    data, last = event["data"], found[-1] if found else None
    if (
        last is not None
        and isinstance(data, dict)
        and isinstance(last["data"], dict)
        and {"encoding", "data"} <= set(data)
        and data["encoding"] == last["data"].get("encoding") == "utf-8"
    ):
        last["data"]["data"] += data["data"]
        last["id"] = event.get("id")
    else:
        found.append(event)


def places(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a value that holds nothing else, with its JSON pointer."""
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from places(part, f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list) and value:
        for place, part in enumerate(value):
            yield from places(part, f"{pointer}/{place}")
    else:
        yield pointer, value
