"""What a page writes to its console, and what it asks of the network, for as long as somebody drives it."""

from __future__ import annotations

import json
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.browsers.devtools import Json

KEPT = 1000
"""How many messages, and how many requests, of one page are remembered: the newest."""

_TEXT = 10_000
LONGEST_URL = 2_000
_DIRECTIVE = re.compile(r"%[sdifoOc%]")


def clip(text: str, length: int) -> str:
    """A text, or its beginning and how long it is."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


@dataclass
class Console:
    """The messages of a page, and its uncaught errors, across navigations."""

    messages: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT))
    _last: int = 0

    def hear(self, method: str, params: Json) -> None:
        match method:
            case "Runtime.consoleAPICalled":
                kind = str(params.get("type", "log"))
                where = (params.get("stackTrace") or {}).get("callFrames") or [{}]
                self._add("warn" if kind == "warning" else kind, _joined(params.get("args", [])), where[0])
            case "Runtime.exceptionThrown":
                details = params.get("exceptionDetails", {})
                self._add("error", told_exception(details), details)
            case "Log.entryAdded":
                entry = params.get("entry", {})
                level = str(entry.get("level", "info"))
                self._add("warn" if level == "warning" else level, str(entry.get("text", "")), entry)

    def _add(self, kind: str, text: str, where: Json) -> None:
        self._last += 1
        message: Json = {"id": self._last, "type": kind, "text": clip(text, _TEXT)}
        if where.get("url"):
            message["url"] = clip(str(where["url"]), LONGEST_URL)
            message["line"] = int(where.get("lineNumber", 0)) + 1
        self.messages.append(message)


@dataclass
class Network:
    """The requests of a page, redirects one by one, across navigations."""

    requests: OrderedDict[int, Json] = field(default_factory=OrderedDict)
    last: int = 0
    _open: dict[str, int] = field(default_factory=dict)

    def hear(self, method: str, params: Json) -> None:
        key = str(params.get("requestId", ""))
        match method:
            case "Network.requestWillBeSent":
                if "redirectResponse" in params:
                    self._answered(key, params["redirectResponse"])
                    self._end(key)
                request = params.get("request", {})
                kind = str(params.get("type", "Other")).lower()
                self._begin(key, str(request.get("method", "GET")), str(request.get("url", "")), kind)
            case "Network.webSocketCreated":
                self._begin(key, "GET", str(params.get("url", "")), "websocket")
            case "Network.responseReceived":
                self._answered(key, params.get("response", {}))
            case "Network.webSocketHandshakeResponseReceived":
                self._answered(key, params.get("response", {}))
            case "Network.loadingFinished" | "Network.webSocketClosed":
                self._end(key)
            case "Network.loadingFailed":
                self._end(key, str(params.get("blockedReason") or params.get("errorText") or "failed"))

    def pending_since(self, number: int, kinds: Sequence[str]) -> bool:
        """Whether a request of these kinds that began after this one is still under way."""
        numbers = [one for one in self._open.values() if one > number]
        return any(self.requests[one]["type"] in kinds for one in numbers if one in self.requests)

    def why_failed(self, url: str) -> str | None:
        """Why the newest request for a document at this address came to nothing."""
        for request in reversed(self.requests.values()):
            if request["type"] == "document" and request["url"] == clip(url, LONGEST_URL):
                return request.get("error")
        return None

    def status_of(self, url: str) -> int | None:
        """The HTTP status of the newest document from this address."""
        for request in reversed(self.requests.values()):
            if request["type"] == "document" and request["url"] == clip(url, LONGEST_URL):
                return request.get("status")
        return None

    def _begin(self, key: str, method: str, url: str, kind: str) -> None:
        self.last += 1
        self.requests[self.last] = {
            "id": self.last,
            "method": method,
            "url": clip(url.partition("#")[0], LONGEST_URL),
            "type": kind,
            "state": "pending",
        }
        self._open[key] = self.last
        if len(self.requests) > KEPT:
            gone, _ = self.requests.popitem(last=False)
            self._open = {one: number for one, number in self._open.items() if number != gone}

    def _answered(self, key: str, response: Json) -> None:
        if (request := self._of(key)) is not None and response.get("status"):
            request["status"] = int(response["status"])

    def _end(self, key: str, error: str | None = None) -> None:
        request = self._of(key)
        self._open.pop(key, None)
        if request is None:
            return
        request["state"] = "failed" if error is not None else "finished"
        if error is not None:
            request["error"] = error

    def _of(self, key: str) -> Json | None:
        return self.requests.get(self._open.get(key, 0))


def told_exception(details: Json) -> str:
    """What an uncaught error says, with where it was thrown."""
    thrown = details.get("exception", {})
    said = str(thrown.get("description") or (shown(thrown) if thrown else "") or details.get("text", "an error"))
    text = str(details.get("text", ""))
    return f"{text} {said}" if text.startswith("Uncaught") and not said.startswith("Uncaught") else said


def shown(remote: Json) -> str:
    """A value of the page as its console would show it."""
    if remote.get("type") == "string":
        return str(remote.get("value", ""))
    if remote.get("type") == "undefined":
        return "undefined"
    if "unserializableValue" in remote:
        return str(remote["unserializableValue"])
    if "value" in remote:
        return json.dumps(remote["value"], ensure_ascii=False)
    if remote.get("subtype") == "error" or "preview" not in remote:
        return str(remote.get("description", remote.get("type", "")))
    return _preview(remote["preview"])


def _preview(preview: Json) -> str:
    more = ["…"] if preview.get("overflow") else []
    parts = preview.get("properties", [])
    if preview.get("subtype") == "array":
        return f"[{', '.join([_property(one) for one in parts] + more)}]"
    name = str(preview.get("description", "Object"))
    inner = ", ".join([f"{one.get('name')}: {_property(one)}" for one in parts] + more)
    return f"{{{inner}}}" if name == "Object" else f"{name} {{{inner}}}"


def _property(one: Json) -> str:
    value = str(one.get("value", one.get("type", "")))
    return json.dumps(value, ensure_ascii=False) if one.get("type") == "string" else value


def _joined(args: Sequence[Json]) -> str:
    """The arguments of a call as one line, with the directives of its first put in place."""
    if not args or args[0].get("type") != "string":
        return " ".join(shown(one) for one in args)
    rest = deque(args[1:])

    def put(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if not rest:
            return found[0]
        value = rest.popleft()
        return "" if found[0] == "%c" else shown(value)

    replace: Callable[[re.Match[str]], str] = put
    text = _DIRECTIVE.sub(replace, str(args[0].get("value", "")))
    return " ".join([text, *(shown(one) for one in rest)])


def page_of(found: list[Any], size: int | None, index: int) -> list[Any]:
    """Part of a list: this many, after `index` times as many."""
    return found if size is None else found[index * size : (index + 1) * size]
