"""The journal of a world: its last exchanges, as they came and went, without what is secret in them."""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Receive, Scope, Send

from chaser_emulator import redaction
from chaser_emulator.redaction import Redaction

if TYPE_CHECKING:
    from chaser_emulator.clock import Clock
    from chaser_emulator.errors import ApiError
    from chaser_emulator.spec import Operation

KEPT = 1000
"""Exchanges that a world remembers."""

KEPT_BYTES = 16 * 2**20
"""Bytes of bodies that a world remembers, beyond which the oldest exchanges are forgotten."""

BODY_LIMIT = 64 * 2**10
"""Bytes of one body that are kept; of a longer one none is, as half of it could not be read."""

_ESCAPED = set('"\\/\n\t :,')
"""What JSON writes in several ways, or between its values."""

_JSON = "application/json"
_TEXTS = ("text/", "application/x-ndjson", "application/x-www-form-urlencoded")


@dataclass
class _Bytes:
    """A body as it passes: its size, and its bytes as long as there are few."""

    kind: str = ""
    size: int = 0
    chunks: list[bytes] = field(default_factory=list)

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size <= BODY_LIMIT:
            self.chunks.append(chunk)
        else:
            self.chunks.clear()

    @property
    def kept(self) -> int:
        return self.size if self.size <= BODY_LIMIT else 0

    def has(self, word: str) -> bool:
        """Whether a word of ASCII stands in it."""
        return word.encode() in b"".join(self.chunks)

    def may_say(self, text: str) -> bool:
        """Whether a text in small letters may stand in it, in whatever letters; what JSON may write in two ways may."""
        plain = text.isascii() and not set(text) & _ESCAPED
        return not plain or text.encode() in b"".join(self.chunks).lower()

    def read(self) -> Any:
        """A JSON value, a text, None for nothing, or a note in brackets of what is not shown."""
        if not self.size:
            return None
        kind = self.kind.partition(";")[0].strip().lower()
        if self.size > BODY_LIMIT or not (kind == _JSON or kind.startswith(_TEXTS)):
            return f"[{kind or 'bytes'}, {self.size} bytes]"
        raw = b"".join(self.chunks)
        if kind == _JSON:
            return json.loads(raw)
        return redaction.text(raw.decode("utf-8", "replace"))


@dataclass(eq=False)
class Exchange:
    """One request to the API and what was answered.

    `at` is the world's time, `duration` real seconds. `status` is None while none was sent, and stays so where the
    answer was lost. `error` is the refusal, `fault` the id of the planned fault that had a hand in it, `ignored` what
    the request carried and nobody reads. Bodies are JSON values or texts; "[hidden]" stands for secrets.
    """

    number: int
    request_id: str
    at: str
    world: str
    method: str
    path: str
    query: str
    operation: str | None = None
    account_id: str | None = None
    principal_id: str | None = None
    key_id: str | None = None
    request_headers: dict[str, str] = field(default_factory=dict)
    path_parameters: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    duration: float = 0.0
    error: ApiError | None = None
    fault: str | None = None
    ignored: list[str] = field(default_factory=list)
    upgraded: bool = False
    done: bool = False
    _operation: Operation | None = None
    _redaction: Redaction | None = None
    _sent: _Bytes = field(default_factory=_Bytes)
    _answered: _Bytes = field(default_factory=_Bytes)

    @property
    def request_body(self) -> Any:
        if self._redaction is None or not self._sent.size:
            return None
        try:
            return self._redaction.request(self._operation, self._sent.read())
        except (ValueError, RecursionError):
            # It may hold a secret that cannot be told from the rest.
            return f"[no JSON, {self._sent.size} bytes]"

    @property
    def response_body(self) -> Any:
        if self._redaction is None or not self._answered.size:
            return None
        try:
            return self._redaction.answer(self._operation, self.status or 0, self._answered.read())
        except (ValueError, RecursionError):
            return f"[broken JSON, {self._answered.size} bytes]"

    @property
    def sent(self) -> bytes | None:
        """The body as it came, secrets and all, for who looks for a better one; None: it was too long to keep."""
        return b"".join(self._sent.chunks) if self._sent.size <= BODY_LIMIT else None

    @property
    def sent_bytes(self) -> int:
        """How long the body was, as far as it was read."""
        return self._sent.size

    def hidden(self, body: Any, operation: Operation | None = None) -> Any:
        """Another body for this operation, or for another one, without what is secret in it."""
        return body if self._redaction is None else self._redaction.request(operation or self._operation, body)

    @property
    def kept(self) -> int:
        return self._sent.kept + self._answered.kept

    @property
    def refused(self) -> bool:
        return self.error is not None or (self.status or 0) >= 400

    def mentions(self, resource_id: str) -> bool:
        """Whether it is about a resource: its path, query or body names it, or its answer is it."""
        if resource_id in self.path or resource_id in self.query:
            return True
        if not (self._sent.has(resource_id) or self._answered.has(resource_id)):
            # Which takes a thousandth of the time that reading a body does.
            return False
        bodies = (self.request_body, self.response_body)
        return any(isinstance(body, Mapping) and resource_id in map(str, body.values()) for body in bodies)

    def says(self, text: str) -> bool:
        """Whether a text stands in it, in whatever letters: its address, its names and ids, its bodies as shown."""
        wanted = text.casefold()
        ids = (self.request_id, self.operation, self.account_id, self.principal_id, self.key_id, self.fault)
        code = self.error.code if self.error is not None else ""
        words = (f"{self.method} {self.path}?{self.query}", code, *(one or "" for one in ids))
        if any(wanted in word.casefold() for word in words):
            return True
        return (self._sent.may_say(wanted) and wanted in _as_text(self.request_body)) or (
            self._answered.may_say(wanted) and wanted in _as_text(self.response_body)
        )

    @property
    def status_class(self) -> str:
        """`2xx` and so on; `none` where nothing was answered, and while nothing is."""
        return f"{self.status // 100}xx" if self.status is not None else "none"

    def brief(self) -> dict[str, Any]:
        """What it takes to recognize it."""
        shown = {
            "number": self.number,
            "request_id": self.request_id,
            "at": self.at,
            "method": self.method,
            "path": self.path + (f"?{self.query}" if self.query else ""),
            "operation": self.operation,
            "status": self.status,
            "code": self.error.code if self.error is not None else None,
            "fault": self.fault,
            "account_id": self.account_id,
            "duration_ms": round(self.duration * 1000, 3),
            "done": self.done,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def info(self) -> dict[str, Any]:
        """All of it, as JSON; fields that do not apply are absent."""
        shown = {
            **self.brief(),
            "path": self.path,
            "query": self.query or None,
            "principal_id": self.principal_id,
            "key_id": self.key_id,
            "request_headers": self.request_headers,
            "request_body": self.request_body,
            "response_headers": self.response_headers,
            "response_body": self.response_body,
            "ignored": self.ignored or None,
            "upgraded": self.upgraded or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


Listener = Callable[[Exchange], None]


class Journal:
    """The last exchanges of a world. `listen` tells of each once it is over."""

    def __init__(self, world: str, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._ring: deque[Exchange] = deque()
        self._bytes = 0
        self._numbers = itertools.count(1)
        self._listeners: list[Listener] = []

    def __len__(self) -> int:
        return len(self._ring)

    def begin(self, scope: Scope, operation: Operation | None, redaction_of: Redaction) -> Exchange:
        """Note a request that has come; `watch` sees to the rest."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        exchange = Exchange(
            number=next(self._numbers),
            request_id=scope["state"]["request_id"],
            at=self._clock.timestamp(),
            world=self._world,
            method=scope.get("method", "GET"),
            path=raw.decode("latin-1"),
            query=redaction.query(scope["query_string"].decode("latin-1")),
            operation=operation.id if operation is not None else None,
            path_parameters=dict(scope.get("path_params", {})),
            request_headers=redaction.headers(scope["headers"]),
        )
        exchange._operation = operation
        exchange._redaction = redaction_of
        exchange._sent.kind = exchange.request_headers.get("content-type", "")
        self._ring.append(exchange)
        while len(self._ring) > KEPT:
            self._forget_oldest()
        scope["state"]["exchange"] = exchange
        return exchange

    def watched(self, exchange: Exchange, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """The two ends of a connection, which note what passes."""

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request" and (chunk := message.get("body")):
                exchange._sent.add(chunk)
            return message

        async def sending(message: Message) -> None:
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                exchange.response_headers = redaction.headers(message["headers"])
                exchange._answered.kind = exchange.response_headers.get("content-type", "")
            elif kind in ("http.response.body", "websocket.http.response.body") and message.get("body"):
                exchange._answered.add(message["body"])
            elif kind == "websocket.accept":
                exchange.status, exchange.upgraded = 101, True
            await send(message)
            if kind in ("http.response.start", "websocket.http.response.start"):
                # Only now: what is planned to be lost on its way was never answered.
                exchange.status = message["status"]

        return receiving, sending

    def end(self, exchange: Exchange, began: float) -> None:
        """Note that it is over; `began` is the event loop's time of its beginning."""
        exchange.duration = asyncio.get_running_loop().time() - began
        exchange.done = True
        if (error := exchange.error) is not None:
            # Its frames have all that the request was about, whole bodies and files.
            error.__traceback__ = error.__context__ = error.__cause__ = None
        self._bytes += exchange.kept
        while self._bytes > KEPT_BYTES and len(self._ring) > 1:
            self._forget_oldest()
        for listener in list(self._listeners):
            listener(exchange)

    def _forget_oldest(self) -> None:
        oldest = self._ring.popleft()
        if oldest.done:
            self._bytes = max(0, self._bytes - oldest.kept)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of each exchange once it is over, until the answer is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def find(
        self,
        *,
        number: int | None = None,
        request_id: str | None = None,
        operation: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        status_class: str | None = None,
        code: str | None = None,
        fault: str | None = None,
        refused: bool | None = None,
        account_id: str | None = None,
        resource_id: str | None = None,
        search: str | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Exchange]:
        """Those that fit all that is given, oldest first; of more than `limit` the newest.

        `operation`, `path` and `fault` may have wildcards. `after` leaves out those up to a number; `resource_id` is
        that of a session or of anything else.
        """
        found = [
            exchange
            for exchange in self._ring
            if exchange.number > after
            and number in (None, exchange.number)
            and request_id in (None, exchange.request_id)
            and (operation is None or (exchange.operation and fnmatch.fnmatchcase(exchange.operation, operation)))
            and (method is None or exchange.method == method.upper())
            and (path is None or fnmatch.fnmatchcase(exchange.path, path))
            and status in (None, exchange.status)
            and status_class in (None, exchange.status_class)
            and (code is None or (exchange.error is not None and exchange.error.code == code))
            and (fault is None or (exchange.fault and fnmatch.fnmatchcase(exchange.fault, fault)))
            and refused in (None, exchange.refused)
            and account_id in (None, exchange.account_id)
            and (resource_id is None or exchange.mentions(resource_id))
            and (not search or exchange.says(search))
        ]
        return found if limit is None else found[-limit:] if limit else []

    def last(self, *, refused: bool | None = None) -> Exchange | None:
        """The newest exchange, or the newest that was refused."""
        return next((exchange for exchange in reversed(self._ring) if refused in (None, exchange.refused)), None)

    def clear(self) -> int:
        """Forget all exchanges; answers how many there were. Their numbers are not given again."""
        count = len(self._ring)
        self._ring.clear()
        self._bytes = 0
        return count


def _as_text(body: Any) -> str:
    return (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).casefold()


def exchange_of(scope: Scope) -> Exchange | None:
    """The exchange that a connection is, where it is one of the journal's."""
    found = scope.get("state", {}).get("exchange")
    return found if isinstance(found, Exchange) else None
