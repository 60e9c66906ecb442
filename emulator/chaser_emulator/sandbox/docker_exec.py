"""A running `docker exec` as a duplex stream on the event loop, without a thread: HTTP, upgrade, framing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from . import SandboxGone, SandboxUnavailable

_CHUNK = 256 * 1024
_STDOUT = 1


class _Writer(Protocol):
    """What this module needs of a `StreamWriter`."""

    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    @property
    def transport(self) -> asyncio.WriteTransport: ...
    def can_write_eof(self) -> bool: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Endpoint:
    """Where the engine listens, in the words of `DOCKER_HOST`, and the version of the API spoken there."""

    url: str
    version: str
    tls: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, _Writer]:
        parts = urlsplit(self.url)
        try:
            if parts.scheme in ("unix", "http+unix"):
                return await asyncio.open_unix_connection(parts.path, limit=_CHUNK)
            if parts.scheme in ("tcp", "http", "https") and parts.hostname:
                port = parts.port or (2376 if self.tls else 2375)
                return await asyncio.open_connection(parts.hostname, port, ssl=self.tls, limit=_CHUNK)
        except OSError as error:
            raise SandboxUnavailable(f"The container engine does not answer: {error.strerror or error}.") from error
        raise SandboxUnavailable(f"Commands cannot be run over a container engine at {parts.scheme}://.")


class ExecError(Exception):
    """The engine did not start the command; the text is the engine's own."""


class ExecStream:
    """Standard input and output of one `docker exec -i`, as bytes. Standard error is kept in `complaint`, cut.

    With a terminal there is no standard error, and the bytes come as they are. `number` is the engine's name for it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: _Writer, number: str, *, tty: bool) -> None:
        self._reader = reader
        self._writer = writer
        self.number = number
        self._tty = tty
        self._frames = bytearray()
        self._left = 0
        self._kind = 0
        self.complaint = b""

    async def read(self) -> bytes:
        """Some standard output; empty at its end."""
        while (found := await self.read_some()) == b"":
            pass
        return found or b""

    async def read_some(self) -> bytes | None:
        """Some standard output, which is empty when standard error has come instead; None at the end."""
        try:
            data = await self._reader.read(_CHUNK)
        except OSError:
            return None
        return self._output(data) if data else None

    def _output(self, data: bytes) -> bytes:
        """Standard output out of framed bytes: a frame is its kind, three zeros, its length in 4 bytes, content."""
        if self._tty:
            return data
        if self._frames:
            self._frames += data
            data = bytes(self._frames)
            self._frames.clear()
        pieces: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if not self._left:
                if end - at < 8:
                    self._frames += data[at:]
                    break
                self._kind = data[at]
                self._left = int.from_bytes(data[at + 4 : at + 8], "big")
                at += 8
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            if self._kind == _STDOUT:
                pieces.append(piece)
            elif len(self.complaint) < 4096:
                self.complaint += piece
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Queue bytes for standard input; nothing when the other end has gone, as reading tells."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until there is room. OSError when the other end has gone."""
        await self._writer.drain()

    def write_eof(self) -> None:
        """End standard input, and go on reading."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            else:
                # TLS has no half-open connections in asyncio.
                self._writer.close()

    @property
    def ended(self) -> bool:
        """Whether the other end has gone, as far as is known without reading."""
        return self._reader.at_eof()

    def close(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            # What is still queued is of no use to anyone, and an engine that hangs would never take it.
            self._writer.transport.abort()


async def open_exec(
    endpoint: Endpoint,
    container: str,
    argv: Sequence[str],
    *,
    user: str | None = None,
    env: Sequence[str] = (),
    tty: bool = False,
) -> ExecStream:
    """Start `argv` in a container with its standard streams attached. SandboxGone when it is not running."""
    reader, writer = await endpoint.connect()
    try:
        created = await _request(
            reader,
            writer,
            "POST",
            f"/v{endpoint.version}/containers/{quote(container, safe='')}/exec",
            {
                "AttachStdin": True,
                "AttachStdout": True,
                "AttachStderr": True,
                "Tty": tty,
                **({"DetachKeys": _never_typed()} if tty else {}),
                "Cmd": list(argv),
                "Env": list(env),
                "User": user or "",
            },
        )
        number = str(created["Id"])
        await _request(
            reader,
            writer,
            "POST",
            f"/v{endpoint.version}/exec/{number}/start",
            {"Detach": False, "Tty": tty},
            upgrade=True,
        )
    except (OSError, EOFError, ValueError, LookupError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise SandboxUnavailable("The container engine broke off the connection.") from error
    except BaseException:
        writer.close()
        raise
    return ExecStream(reader, writer, number, tty=tty)


def _never_typed() -> str:
    """Keys by which the engine would cut a terminal off; there must be some, so random ones.

    A key that is the first of them is passed on with the next key only, so it is one that hardly anything uses.
    """
    return ",".join(["ctrl-^", *secrets.token_hex(12)])


async def resize_exec(endpoint: Endpoint, number: str, rows: int, cols: int) -> None:
    """Give the terminal of a `docker exec -t` another size. ExecError when it has ended."""
    await _ask(endpoint, "POST", f"/exec/{number}/resize?h={rows:d}&w={cols:d}")


async def exit_code(endpoint: Endpoint, number: str) -> int | None:
    """How what a `docker exec` started has ended; None while it runs. SandboxGone or ExecError with its container."""
    found = await _ask(endpoint, "GET", f"/exec/{number}/json")
    if found.get("Running"):
        return None
    code = found.get("ExitCode")
    return int(code) if isinstance(code, int) else None


async def _ask(endpoint: Endpoint, method: str, path: str) -> dict[str, Any]:
    """One request on a connection of its own."""
    reader, writer = await endpoint.connect()
    try:
        return await _request(reader, writer, method, f"/v{endpoint.version}{path}", None)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise SandboxUnavailable("The container engine broke off the connection.") from error
    finally:
        writer.close()


async def _request(
    reader: asyncio.StreamReader,
    writer: _Writer,
    method: str,
    path: str,
    body: Mapping[str, object] | None,
    *,
    upgrade: bool = False,
) -> dict[str, Any]:
    """One request. With `upgrade`, the connection is the command's own streams from then on."""
    content = json.dumps(body).encode() if body is not None else b""
    hop = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: docker\r\n{hop}"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    writer.write(head.encode() + content)
    await writer.drain()
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    if upgrade and status in (101, 200):
        return {}
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        answer = await _chunked(reader)
    else:
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
    if status < 300:
        found: dict[str, Any] = json.loads(answer) if answer.strip() else {}
        return found
    try:
        message = str(json.loads(answer)["message"])
    except (ValueError, LookupError, TypeError):
        message = answer.decode(errors="replace")
    # 409 is a container that is stopped or paused, 404 one that has been removed.
    if status in (404, 409) and ("container" in message.lower() or "not running" in message):
        raise SandboxGone("The sandbox has ended.")
    raise ExecError(message)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)
