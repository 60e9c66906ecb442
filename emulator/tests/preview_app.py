"""A server for sandboxes, of the standard library alone: each path does one thing that a gateway must not spoil.

It runs inside the sandbox: `python3 preview_app.py PORT`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import sys
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

Headers = list[tuple[str, str]]
LEFT: list[str] = []
"""What became of clients that went away before the end."""

CONNECTIONS = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global CONNECTIONS
    CONNECTIONS += 1
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while await exchange(reader, writer):
            await writer.drain()
    writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:-2])]
    found = dict(headers)
    path, _, query = target.partition("?")
    asked = dict(parse_qsl(query))
    if found.get("upgrade") == "websocket":
        await socket(reader, writer, found, asked)
        return False
    match path:
        case "/early":
            answer(writer, 413, b"too much", [("Connection", "close")])
            return False
        case "/stream":
            if found.get("expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            async for piece in body(reader, found):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            return True
        case "/sse":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
            await writer.drain()
            await reader.read(1)
            LEFT.append(query)
            return False
        case "/half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789")
            return False
        case "/half-chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n")
            return False
        case "/two-lengths":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(b"5\r\nwhole\r\n0\r\n\r\n")
            return True
        case "/hang-up":
            return False
        case "/nonsense":
            writer.write(b"220 smtp.example.com ESMTP\r\n")
            return False
        case "/never":
            while await reader.read(65_536):
                pass
            return False
        case "/hints":
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
            answer(writer, 200, b"hinted")
            return True
        case "/nothing":
            writer.write(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: x\r\n\r\n")
            return True
        case "/old":
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nto the end")
            return False
        case "/big":
            await big(writer, int(asked["bytes"]))
            return True
        case "/once":
            answer(writer, 200, b"bye")
            await writer.drain()
            return False
        case "/headers":
            answer(writer, int(asked.pop("status", "200")), b"", list(parse_qsl(query)))
            return True
    received = b"".join([piece async for piece in body(reader, found)])
    told = {
        "method": method, "target": target, "headers": headers, "body": received.decode("latin-1"),
        "left": LEFT, "connections": CONNECTIONS,
    }  # fmt: skip
    answer(writer, 200, json.dumps(told).encode(), [("Content-Type", "application/json")], method == "HEAD")
    return True


def answer(
    writer: asyncio.StreamWriter, status: int, content: bytes, headers: Headers | None = None, head: bool = False
) -> None:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers or []]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head else content))


async def big(writer: asyncio.StreamWriter, size: int) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    piece = bytes(262_144)
    while size:
        part = piece[: min(size, len(piece))]
        writer.write(part)
        size -= len(part)
        await writer.drain()


async def body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """The pieces of a request's body as they come."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            yield await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return
    left = int(headers.get("content-length", "0"))
    while left and (piece := await reader.read(min(left, 65_536))):
        left -= len(piece)
        yield piece


# WebSockets, as of RFC 6455


async def socket(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str], asked: dict[str, str]
) -> None:
    if "deny" in asked:
        answer(writer, int(asked["deny"]), b"not you", [("X-Reason", "because"), ("Connection", "close")])
        return
    key = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()).decode()  # noqa: S324
    lines = ["HTTP/1.1 101 Switching", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {key}"]
    offered = [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",")]
    if "two" in offered:
        lines.append("Sec-WebSocket-Protocol: two")
    lines.append("Set-Cookie: seen=1; Path=/")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    if "say" in asked:
        frame(writer, 1, json.dumps(headers).encode())
    if "fragments" in asked:
        frame(writer, 1, b"one ", fin=False)
        frame(writer, 9, b"ping")
        frame(writer, 0, b"two", fin=True)
    if "drop" in asked:
        return
    if "close" in asked:
        frame(writer, 8, struct.pack("!H", int(asked["close"])) + asked.get("reason", "").encode())
    while True:
        try:
            opcode, fin, data = await read_frame(reader)
        except asyncio.IncompleteReadError:
            LEFT.append("dropped")
            return
        if opcode == 8:
            LEFT.append(f"closed {struct.unpack('!H', data[:2])[0] if data else 1005} {data[2:].decode()}")
            if "close" not in asked:
                frame(writer, 8, data)
            return
        if opcode in (0, 1, 2):
            frame(writer, opcode, data, fin)
            await writer.drain()
        elif opcode == 10:
            LEFT.append("pong " + data.decode())


GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(writer: asyncio.StreamWriter, opcode: int, data: bytes, fin: bool = True) -> None:
    first = opcode | (0x80 if fin else 0)
    if len(data) < 126:
        head = struct.pack("!BB", first, len(data))
    elif len(data) < 65_536:
        head = struct.pack("!BBH", first, 126, len(data))
    else:
        head = struct.pack("!BBQ", first, 127, len(data))
    writer.write(head + data)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        [size] = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        [size] = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    data = await reader.readexactly(size)
    whole = int.from_bytes(data, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return first & 0x0F, bool(first & 0x80), whole.to_bytes(size, "big")


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=2**20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
