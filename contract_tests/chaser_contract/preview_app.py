"""A server that runs inside a sandbox, of Python's standard library alone: tells what it was asked, or says it back.

Below `/back` the body of a request is the answer, of the status and the headers in its query; everywhere else the
answer describes the request. A WebSocket is told its request as well, and is closed with `CLOSE`. It is put into the
sandbox as a file and run as `python3 preview_app.py`; it says which port it has got.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

CLOSE = 4321, "enough"
"""The code and the reason with which a WebSocket is closed."""

_HANDSHAKE = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._talk({"path": path, "query": query})
            return
        if path.startswith("/back"):
            said = dict(parse_qsl(query, keep_blank_values=True))
            self.send_response(int(said.pop("status", "200")))
            for name, value in said.items():
                self.send_header(name, value)
        else:
            told = {
                "method": self.command,
                "path": path,
                "query": query,
                "headers": {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers},
                "body": body.decode("utf-8", "replace"),
            }
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _talk(self, told: dict[str, str]) -> None:
        """Shake hands, say something and close, as RFC 6455 has it; what the client says is let go."""
        key = self.headers["Sec-WebSocket-Key"] + _HANDSHAKE
        accepted = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        )
        code, reason = CLOSE
        frames = ((1, json.dumps(told).encode()), (8, struct.pack("!H", code) + reason.encode()))
        self.wfile.write(head + accepted + b"\r\n\r\n")
        for opcode, data in frames:
            self.wfile.write(bytes([0x80 | opcode, len(data)]) + data)
        self.wfile.flush()
        self.rfile.read(1)
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("0.0.0.0", 0), App)  # noqa: S104 - as the guide has it
    sys.stdout.write(f"listening {server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
