"""WebSockets to a Chaser: opened, or refused with an answer that is held against the document; and its terminals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from chaser_contract import conformance
from chaser_contract.broken import Broken
from chaser_contract.client import Answer
from chaser_contract.exchanges import Exchange
from chaser_contract.subject import Subject

PTY = "open-session-pty"

_PATIENCE = 20.0


class Refused(Exception):
    """An upgrade was answered with something else."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.said())
        self.exchange = exchange


@contextmanager
def opened(
    chaser: Subject,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    origin: str | None = None,
    subprotocols: tuple[str, ...] = (),
    operation: str | None = None,
) -> Iterator[ClientConnection]:
    """A WebSocket to a path and query. Raises Refused."""
    url = f"ws{chaser.url.removeprefix('http')}{target}"
    sent = dict(headers or {})
    try:
        connection = connect(
            url,
            additional_headers=sent,
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(one) for one in subprotocols] or None,
            max_size=None,
            open_timeout=_PATIENCE,
            proxy=None,
        )
    except InvalidStatus as refused:
        response = refused.response
        named = {name.lower(): value for name, value in response.headers.raw_items()}
        exchange = Exchange(
            operation, "GET", target, sent, b"", response.status_code, named, bytes(response.body or b"")
        )
        chaser.client.record(exchange)
        raise Refused(exchange) from None
    chaser.client.record(Exchange(operation, "GET", target, sent, b"", 101))
    with connection:
        yield connection


@dataclass
class Terminal:
    """An open terminal: what it has shown, and what it was told by the server in messages."""

    socket: ClientConnection
    shown: bytearray = field(default_factory=bytearray)
    messages: list[Any] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    seen: int = 0

    def type(self, data: bytes | str) -> None:
        """Send input: bytes as they are, text in a text frame."""
        self.socket.send(data)

    def tell(self, **message: Any) -> None:
        """Send a control message."""
        self.socket.send(json.dumps(message))

    def take(self) -> None:
        """Take one frame. Raises TimeoutError, and ConnectionClosed."""
        frame = self.socket.recv(timeout=_PATIENCE)
        if isinstance(frame, bytes):
            self.shown += frame
            self.order.append("bytes")
            return
        try:
            message = json.loads(frame)
        except ValueError:
            raise Broken(f"{PTY}: a text frame of the server is a JSON message", repr(frame[:200])) from None
        self.messages.append(message)
        self.order.append(str(message.get("type")))

    def until(self, text: bytes) -> None:
        """Wait for something to be shown after all that was waited for before. Raises Broken."""
        while (at := self.shown.find(text, self.seen)) < 0:
            try:
                self.take()
            except (TimeoutError, ConnectionClosed) as error:
                raise Broken(
                    f"{PTY}: what is written is shown: {text!r}", f"{bytes(self.shown[-300:])!r}, {error}"
                ) from None
        self.seen = at + len(text)

    def end(self) -> tuple[Any, int]:
        """The `exit` message, and the code that the socket was closed with, after all output. Raises Broken."""
        while True:
            try:
                self.take()
            except TimeoutError:
                raise Broken(f"{PTY}: a terminal whose program has ended is closed", f"{self.messages}") from None
            except ConnectionClosed as closed:
                last = self.messages[-1] if self.messages else None
                return last, closed.rcvd.code if closed.rcvd else 1006


@contextmanager
def terminal(chaser: Subject, session_id: str, **query: str) -> Iterator[Terminal]:
    """A terminal of a session, after its `ready` message. Raises Refused, and Broken for another first frame."""
    headers = {"Authorization": f"Bearer {chaser.api_key}"}
    with opened(chaser, pty(session_id, **query), headers=headers, operation=PTY) as socket:
        one = Terminal(socket)
        one.take()
        due = {"type": "ready", "session_id": session_id, "mode": query.get("mode", "human")}
        if one.order != ["ready"] or one.messages != [due]:
            raise Broken(f"{PTY}: the first frame is {due}", f"{one.messages} {bytes(one.shown)!r}")
        yield one


def pty(session_id: str, **query: str) -> str:
    """The address of a terminal."""
    return f"/v1/sessions/{quote(session_id, safe='')}/pty" + (f"?{urlencode(query)}" if query else "")


def refusal(chaser: Subject, target: str, **how: Any) -> Answer:
    """The answer to an upgrade that is to be refused, held against the document. Raises Broken if it is not."""
    operation = chaser.document.operation(PTY)
    try:
        with opened(chaser, target, operation=PTY, **how):
            pass
    except Refused as refused:
        conformance.check(chaser.document, operation, refused.exchange)
        return Answer(chaser.document, operation, refused.exchange)
    raise Broken(f"{PTY}: such an upgrade is refused before it is made", f"{urlsplit(target).path} was opened")
