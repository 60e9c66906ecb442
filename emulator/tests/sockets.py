"""A client of terminals for tests: what is shown is kept, and waited for; what is refused is seen as an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from chaser_emulator.server import Running
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20
"""Seconds until a test takes what it waits for to be missing."""


def pty_url(emulator: Running, session: str, **query: str) -> str:
    return f"{emulator.url.replace('http', 'ws', 1)}/v1/sessions/{session}/pty?{urlencode(query)}"


@dataclass
class Tty:
    """An open terminal, and all that it has shown so far."""

    socket: ClientConnection
    shown: bytearray = field(default_factory=bytearray)
    frames: list[int] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    seen: int = 0

    def type(self, text: str) -> None:
        self.socket.send(text.encode())

    def tell(self, **message: Any) -> None:
        """Send a control message."""
        self.socket.send(json.dumps(message))

    def take(self, seconds: float = PATIENCE) -> None:
        """Take one frame."""
        frame = self.socket.recv(timeout=seconds)
        if isinstance(frame, bytes):
            self.shown += frame
            self.frames.append(len(frame))
        else:
            self.messages.append(json.loads(frame))

    def until(self, pattern: bytes) -> re.Match[bytes]:
        """Wait for something to be shown after all that was waited for before."""
        while (found := re.compile(pattern).search(self.shown, self.seen)) is None:
            try:
                self.take()
            except (TimeoutError, ConnectionClosed) as error:
                pytest.fail(f"{pattern!r} did not come: {bytes(self.shown[-2000:])!r}, {error}")
        self.seen = found.end()
        return found

    def command(self, text: str) -> None:
        """Type a line and wait for the end of what it shows."""
        self.type(f"{text}; echo en''ded\n")
        self.until(rb"ended\r?\n")

    def end(self, seconds: float = PATIENCE) -> tuple[int | None, int]:
        """(the exit code, if one was told; the code that the socket was closed with), after all output."""
        while True:
            try:
                self.take(seconds)
            except ConnectionClosed as closed:
                codes = [one["exit_code"] for one in self.messages if one["type"] == "exit"]
                assert len(codes) <= 1
                return (codes[0] if codes else None), closed.rcvd.code if closed.rcvd else 1006


@contextmanager
def tty(emulator: Running, session: str, *, key: str | None = None, **query: str) -> Iterator[Tty]:
    """A terminal with the emulator's key, or another; `query` is the mode and so on."""
    headers = {"Authorization": f"Bearer {key or emulator.api_key}"}
    with connect(pty_url(emulator, session, **query), additional_headers=headers, max_size=None) as socket:
        one = Tty(socket)
        one.take()
        assert one.messages == [{"type": "ready", "session_id": session, "mode": query.get("mode", "human")}]
        yield one


def refusal(url: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The plain answer to a WebSocket that is refused: status and body."""
    with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
        pass
    response = refused.value.response
    body: dict[str, Any] = json.loads(response.body)
    assert response.headers["X-Request-Id"] == body["request_id"]
    return response.status_code, body
