"""A second emulator that plays the real service: behind a door at which there is no control plane."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from chaser_emulator.server import running
from chaser_emulator.settings import Settings

CONTROL = b"/_emulator"
_REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class RealService:
    """`url` is what a run is given; `behind` steers and asks what the run does not see."""

    url: str
    key: str
    behind: httpx.Client

    def ask(self, method: str, path: str, **said: Any) -> Any:
        """The JSON of a success."""
        answer = self.behind.request(method, path, **said)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def asked(self) -> list[dict[str, Any]]:
        """Every request that has come, the last one first."""
        found: list[dict[str, Any]] = self.ask("GET", "/_emulator/requests", params={"limit": 1000})["requests"]
        return found

    def there(self) -> dict[str, list[str]]:
        """The ids of all that is in the account, and would cost or be in the way."""
        jobs = self.ask("GET", "/v1/jobs", params={"limit": 200})["jobs"]
        return {
            "sessions": _ids(self.ask("GET", "/v1/sessions", params={"limit": 200})["sessions"]),
            "workspaces": _ids(self.ask("GET", "/v1/workspaces")),
            "webhooks": _ids(self.ask("GET", "/v1/webhooks")["webhooks"]),
            "ssh_keys": _ids(self.ask("GET", "/v1/ssh-keys")["keys"]),
            "keys": _ids(one for one in self.ask("GET", "/v1/keys")["keys"] if not one.get("revoked")),
            "jobs": _ids(one for one in jobs if one["status"] in ("queued", "running")),
        }

    def goes_wrong(self, *operations: str, **rule: Any) -> None:
        """Plan a fault."""
        self.ask("POST", "/_emulator/faults", json={"operations": list(operations) or ["*"], **rule})

    def mend(self) -> None:
        self.ask("DELETE", "/_emulator/faults")

    def begin(self) -> None:
        """An account in which somebody else's work is, and a journal with nothing in it."""
        self.ask("POST", "/_emulator/reset")
        self.ask("POST", "/v1/workspaces", json={"name": "somebodys", "session_type": "sandbox"})
        self.ask("POST", "/v1/sessions", json={"workspace": "somebodys"})
        self.ask("POST", "/v1/sessions", json={"ephemeral": True})
        self.ask("POST", "/v1/keys", json={"name": "somebodys"})
        self.ask("DELETE", "/_emulator/requests")


@contextmanager
def real_service() -> Iterator[RealService]:
    """One with an account of its own, until the block ends."""
    with (
        running(Settings(port=0, sandbox="scripted")) as emulator,
        _door(urlsplit(emulator.url).port or 0) as port,
        httpx.Client(
            base_url=emulator.url, headers={"Authorization": f"Bearer {emulator.api_key}"}, timeout=30
        ) as behind,
    ):
        yield RealService(f"http://127.0.0.1:{port}", emulator.api_key, behind)


def _ids(things: Any) -> list[str]:
    return sorted(one["id"] for one in things)


@contextmanager
def _door(port: int) -> Iterator[int]:
    """A port that leads to another one, byte by byte, but for requests of the control plane."""

    class Door(socketserver.BaseRequestHandler):
        request: socket.socket

        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as inside:
                back = threading.Thread(target=_copy, args=(inside, self.request), daemon=True)
                back.start()
                with suppress(OSError):
                    while data := self.request.recv(65536):
                        if data.partition(b"\r\n")[0].partition(b" ")[2].startswith(CONTROL):
                            self.request.sendall(_REFUSAL)
                            break
                        inside.sendall(data)
                with suppress(OSError):
                    inside.shutdown(socket.SHUT_WR)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who is killed hangs up."""

    with Server(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes; a connection that is cut is cut on the other side as well."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
