"""A stand-in for a development server with hot reload, as careful and as sure of being at the root as Vite is.

It runs inside the sandbox beside `preview_app.py`: `python3 preview_dev_app.py PORT`. Paths of modules are absolute;
the socket is at the root, and opened only for the token of the page, a known Host and an Origin that matches it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import sys
from urllib.parse import parse_qsl

from preview_app import GUID, answer, body, frame, read_frame

PAGE = '<!doctype html><script type="module" src="/src/main.js"></script><h1 id="text">?</h1>'
MAIN = """
import { show } from "/src/show.js";
import { text } from "/src/text.js";
show(text);
window.loads = (window.loads || 0) + 1;
const url = new URL(import.meta.url);
const socket = new WebSocket(`ws://${url.host}/?token=secret`, "vite-hmr");
socket.onmessage = async (event) => show((await import(event.data)).text);
socket.onopen = () => { document.title = "connected"; };
"""
SHOW = 'export const show = (text) => { document.getElementById("text").textContent = text; };'
FILES = {"/": ("text/html", PAGE), "/src/main.js": ("text/javascript", MAIN), "/src/show.js": ("text/javascript", SHOW)}
SOCKETS: set[asyncio.StreamWriter] = set()
TEXT = "first"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global TEXT
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            path, _, query = target.partition("?")
            if headers.get("upgrade") == "websocket":
                await hot(reader, writer, headers, dict(parse_qsl(query)))
                break
            content = b"".join([piece async for piece in body(reader, headers)])
            if method == "POST" and path == "/change":
                TEXT = content.decode()
                for one in SOCKETS:
                    frame(one, 1, f"/src/text.js?t={TEXT}".encode())
                answer(writer, 200, b"changed")
            elif path == "/src/text.js":
                answer(writer, 200, f"export const text = {TEXT!r};".encode(), [("Content-Type", "text/javascript")])
            elif path in FILES:
                answer(writer, 200, FILES[path][1].encode(), [("Content-Type", FILES[path][0])])
            else:
                answer(writer, 404, b"no such file")
            await writer.drain()
    writer.close()


async def hot(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str], asked: dict[str, str]
) -> None:
    host = headers["host"].partition(":")[0]
    known = host == "localhost" or host.endswith(".localhost")
    same = headers.get("origin") == f"http://{headers['host']}"
    wanted = headers.get("sec-websocket-protocol") == "vite-hmr" and asked == {"token": "secret"}
    if not (known and same and wanted):
        answer(writer, 403, b"not from here", [("Connection", "close")])
        return
    key = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()).decode()  # noqa: S324
    lines = ["HTTP/1.1 101 Switching", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {key}"]
    writer.write("\r\n".join([*lines, "Sec-WebSocket-Protocol: vite-hmr", "", ""]).encode())
    SOCKETS.add(writer)
    try:
        while (await read_frame(reader))[0] != 8:
            pass
    finally:
        SOCKETS.discard(writer)


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
