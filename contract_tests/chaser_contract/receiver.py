"""A receiver of webhooks on loopback: keeps what comes, answers as it is told, and knows how a signature is made."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from chaser_contract.broken import Broken, NotTried
from chaser_contract.subject import Subject
from chaser_contract.waiting import eventually

_SENDS = "create-webhook"


@dataclass(frozen=True)
class Came:
    """One request that came. `headers` by their names in lower case; `answered` is the status that it got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    answered: int

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.event["type"])


@dataclass
class Receiver:
    """What has come. `then` are the statuses of the next answers, `usual` that of those after them."""

    url: str
    came: list[Came] = field(default_factory=list)
    then: list[int] = field(default_factory=list)
    usual: int = 200

    def types(self) -> list[str]:
        return [one.type for one in self.came]

    def of(self, resource_id: str) -> list[Came]:
        """What came about one resource."""
        return [one for one in self.came if one.event["resource_id"] == resource_id]

    def wait(self, count: int) -> list[Came]:
        """All that came, once it is so much. Raises Broken."""
        promise = f"{_SENDS}: {count} events are delivered"
        return eventually(lambda: list(self.came), lambda came: len(came) >= count, promise)


@dataclass(frozen=True)
class Hook:
    """A webhook to a receiver."""

    chaser: Subject
    receiver: Receiver
    id: str
    secret: str = field(repr=False)

    def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        """Its deliveries, newest first."""
        asked = {"webhook_id": self.id, "limit": 200, **query}
        answer = self.chaser.ask("list-webhook-deliveries", query=asked, expect=200)
        found: list[dict[str, Any]] = answer.json["deliveries"]
        return found

    def settled(self, count: int) -> list[dict[str, Any]]:
        """Its deliveries, newest first, once there are so many and none is to be tried at once. Raises Broken."""

        def ready(found: list[dict[str, Any]]) -> bool:
            return len(found) >= count and all(one["attempts"] > 0 or one["status"] != "pending" for one in found)

        return eventually(self.deliveries, ready, f"list-webhook-deliveries: {count} deliveries are made and tried")

    def silent(self) -> None:
        """Let everything that has happened so far arrive: what happens now arrives after it."""
        made = self.chaser.ask(
            "create-workspace", json={"name": self.chaser.name("last"), "session_type": "sandbox"}, expect=200
        ).json["id"]
        self.chaser.ask("delete-workspace", ws=made, expect=204)
        eventually(
            lambda: [one.type for one in self.receiver.of(made)],
            lambda types: "workspace.deleted" in types,
            f"{_SENDS}: what happens to a workspace is delivered",
        )
        # What happened to something else before it is known by now, and may still be on its way.
        self.settled(0)


@contextmanager
def receiving(chaser: Subject) -> Iterator[Receiver]:
    """A receiver until the block ends. Raises NotTried where the target could not reach it."""
    host = urlsplit(chaser.url).hostname or ""
    if chaser.emulator is None and not _is_loopback(host):
        raise NotTried("it takes a target on this machine, which can reach a receiver on loopback")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._take()

        def do_GET(self) -> None:
            self._take()

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = receiver.then.pop(0) if receiver.then else receiver.usual
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.came.append(Came(self.command, self.path, headers, body, status))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def hooked(
    chaser: Subject, receiver: Receiver, *events: str, path: str = "/hook", caller: Any = None
) -> Iterator[Hook]:
    """A webhook to a receiver, deleted when the block ends."""
    asker = caller or chaser.client
    body = {"url": receiver.url + path, "events": list(events)}
    made = asker.ask("create-webhook", json=body, expect=200).json
    try:
        yield Hook(chaser, receiver, made["webhook"]["id"], made["signing_secret"])
    finally:
        if chaser.emulator is None:
            asker.ask("delete-webhook", id=made["webhook"]["id"])


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature that Standard Webhooks gives to exactly these bytes."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([message_id.encode(), timestamp.encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def require_signed(came: Came, secret: str) -> None:
    """Raise Broken unless a request is signed with a webhook's secret, over the very bytes that came."""
    headers = came.headers
    missing = [
        name
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "x-chaser-event", "x-chaser-delivery")
        if not headers.get(name)
    ]
    if missing:
        raise Broken(f"{_SENDS}: a delivery has its five headers", f"{missing} are missing of {dict(headers)}")
    due = signature(secret, headers["webhook-id"], headers["webhook-timestamp"], came.body)
    if headers["webhook-signature"] != due:
        raise Broken(
            f"{_SENDS}: a delivery is signed over id, timestamp and the bytes of its body with the webhook's secret",
            f"{headers['webhook-signature']} and not {due} of {came.body[:200]!r}",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
