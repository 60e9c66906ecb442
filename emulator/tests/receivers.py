"""Receivers of webhooks for tests: servers on loopback that behave, or do not, as they are told."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from people import ok
from standardwebhooks import Webhook
from test_exec import until

Behaviour = Callable[[socket.socket], None]
"""What is done with a connection once a request has come; it returns when the connection is to take another."""


@dataclass(frozen=True)
class Got:
    """A request that came, with its headers in small letters."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def type(self) -> str:
        return str(self.event["type"])


class Receiver:
    """What has come so far, and how the next requests are answered: by `then` in turn, and by `usual` after them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.got: list[Got] = []
        self.then: list[Behaviour] = []
        self.usual: Behaviour = answer(200)
        self.connections = 0

    def types(self) -> list[str]:
        return [one.type for one in self.got]

    def wait(self, count: int) -> list[Got]:
        """The first requests, once so many have come."""
        until(lambda: len(self.got) >= count, 30)
        return self.got[:count]


def answer(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    """A proper answer."""

    def behave(connection: socket.socket) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)

    return behave


def say(text: bytes) -> Behaviour:
    """Exactly these bytes, and an end."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.close()

    return behave


def reset(connection: socket.socket) -> None:
    """No answer, and a connection that breaks."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang(connection: socket.socket) -> None:
    """No answer, until the other side gives up."""
    with suppress(OSError):
        while connection.recv(65536):
            pass
    connection.close()


def endless(start: bytes, piece: bytes) -> Behaviour:
    """An answer that goes on until nobody takes it any more."""

    def behave(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(start)
            while True:
                connection.sendall(piece)
        connection.close()

    return behave


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def receiving(port: int = 0, *, threads: bool = True) -> Iterator[Receiver]:
    """A receiver until the block ends. `threads` False: it serves one connection after the other."""
    found: list[Receiver] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            receiver = found[0]
            receiver.connections += 1
            kept = bytearray()
            with suppress(OSError):
                while connection.fileno() >= 0 and (request := _read(connection, kept)) is not None:
                    behave = receiver.then.pop(0) if receiver.then else receiver.usual
                    receiver.got.append(request)
                    behave(connection)

    class Single(socketserver.TCPServer):
        request_queue_size = 128

    _Server.allow_reuse_address = Single.allow_reuse_address = True
    with (_Server if threads else Single)(("127.0.0.1", port), Handler) as server:
        found.append(Receiver(server.server_address[1]))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield found[0]
        finally:
            server.shutdown()
            thread.join()


def _read(connection: socket.socket, kept: bytearray) -> Got | None:
    while b"\r\n\r\n" not in kept:
        data = connection.recv(65536)
        if not data:
            return None
        kept += data
    head, _, rest = bytes(kept).partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    body = bytearray(rest)
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    kept[:] = b""
    return Got(line, headers, bytes(body))


@dataclass(frozen=True)
class Hook:
    """A webhook that was made for a test."""

    client: httpx.Client
    id: str
    secret: str

    def verified(self, got: Got) -> dict[str, Any]:
        """The event, once the library of Standard Webhooks has accepted its signature."""
        event: dict[str, Any] = Webhook(self.secret).verify(got.body, got.headers)
        return event

    def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        """Its deliveries, oldest first."""
        found = ok(self.client.get("/v1/webhooks/deliveries", params={"webhook_id": self.id, "limit": 200, **query}))
        return list(reversed(found["deliveries"]))

    def settled(self, count: int, status: str = "delivered") -> list[dict[str, Any]]:
        """Its deliveries, once so many have come to this state."""
        until(lambda: len(self.deliveries(status=status)) >= count, 30)
        return self.deliveries()


@contextmanager
def hooked(client: httpx.Client, url: str, *events: str) -> Iterator[Hook]:
    """A webhook until the block ends."""
    made = ok(client.post("/v1/webhooks", json={"url": url, "events": list(events)}))
    hook = Hook(client, made["webhook"]["id"], made["signing_secret"])
    yield hook
    client.delete(f"/v1/webhooks/{hook.id}")


def workspace(client: httpx.Client) -> str:
    """A new workspace, which is an event."""
    return str(ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))["id"])


def rename(client: httpx.Client, workspace_id: str, name: str) -> None:
    """One event more of the workspace."""
    ok(client.put(f"/v1/workspaces/{workspace_id}/name", json={"name": name}))
