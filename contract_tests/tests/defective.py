"""A Chaser with one defect: a proxy in front of a good one, which says some answers wrongly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from chaser_contract.document import bundled
from chaser_contract.recording.proxy import proxy
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Wrong = Callable[[str, str, int, Any], tuple[int, Any]]
"""What comes of an answer: given method, path, status and JSON (None for no body), status and JSON again."""


@contextmanager
def defective(to: str, wrong: Wrong) -> Iterator[str]:
    """The URL of a Chaser that is the one at `to`, but for what `wrong` does to its answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = _Wrong(proxy(to, bundled(), lambda exchange, whole: None), wrong)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class _Wrong:
    def __init__(self, app: ASGIApp, wrong: Wrong) -> None:
        self._app = app
        self._wrong = wrong

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(("/v1", "/auth")):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def held(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            told = json.loads(body) if body[:1] in (b"{", b"[") else None
            status, says = self._wrong(scope["method"], scope["path"], start["status"], told)
            raw = body if told is None else json.dumps(says).encode()
            headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            length = [] if status == 204 else [(b"content-length", str(len(raw)).encode())]
            await send({**start, "status": status, "headers": headers + length})
            await send({"type": "http.response.body", "body": b"" if status == 204 else raw})

        await self._app(scope, receive, held)
