"""Proxies that want a user and a password: Chromium is told of a relay of ours without one, which adds them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from chaser_emulator.sandbox import SandboxUnavailable

_PORTS = {"http": 80, "https": 443, "socks5": 1080}
_HEAD_LIMIT = 2**18
_CHUNK = 2**16
_PATIENCE = 30.0


@dataclass(frozen=True)
class _Proxy:
    scheme: str
    host: str
    port: int
    user: str
    password: str


@dataclass
class Relay:
    """A listener on this machine's loopback address; every connection to it goes on to the proxy."""

    _proxy: _Proxy
    _server: asyncio.Server | None = None
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> int:
        """Listen, and answer the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                proxy = self._proxy
                secure = ssl.create_default_context() if proxy.scheme == "https" else None
                there, far = await asyncio.open_connection(proxy.host, proxy.port, ssl=secure, limit=_HEAD_LIMIT)
                if proxy.scheme == "socks5":
                    allowed = None
                    await _meet_socks(reader, writer, there, far, proxy)
                else:
                    allowed = await _meet_http(reader, far, proxy)
            await _both_ways(reader, writer, there, far, allowed)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            # Closing is all that can be said to a browser that has not said what it wants; it reports a failed proxy.
            pass
        finally:
            for one in (writer, far):
                if one is not None:
                    one.close()


async def way_through(url: str, *, local: bool) -> tuple[str, Relay | None]:
    """What Chromium is told of a proxy, and the relay to keep open for it, if it needs one.

    `local` is whether the browser shares this machine's loopback address. Raises SandboxUnavailable where a relay
    or the proxy could not be reached.
    """
    parts = urlsplit(url)
    scheme = {"socks5h": "socks5"}.get(parts.scheme.lower(), parts.scheme.lower())
    port = parts.port or _PORTS[scheme]
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if not local and _is_loopback(host):
        raise SandboxUnavailable(
            f"A container does not reach the proxy {shown}:{port}, which is an address of its own there; "
            "name one that containers reach, such as this machine's on their network."
        )
    if parts.username is None:
        # Chromium lets a SOCKS proxy look names up, whatever the h says.
        return f"{scheme}://{shown}:{port}", None
    if not local:
        raise SandboxUnavailable(
            "A proxy with a user and a password works for browsers on this machine only, not for one in a container."
        )
    relay = Relay(_Proxy(scheme, host, port, unquote(parts.username), unquote(parts.password or "")))
    kind = "socks5" if scheme == "socks5" else "http"
    return f"{kind}://127.0.0.1:{await relay.open()}", relay


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return name == "localhost" or name.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


async def _meet_socks(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: asyncio.StreamReader,
    far: asyncio.StreamWriter,
    proxy: _Proxy,
) -> None:
    """Greet both ends (RFC 1928), and log in at the far one (RFC 1929); what the browser then asks goes on as it is."""
    _, count = await reader.readexactly(2)
    await reader.readexactly(count)
    user, password = proxy.user.encode()[:255], proxy.password.encode()[:255]
    far.write(b"\x05\x01\x02")
    if await there.readexactly(2) != b"\x05\x02":
        raise ValueError("the proxy wants no password, or another kind of one")
    far.write(bytes((1, len(user))) + user + bytes((len(password),)) + password)
    if (await there.readexactly(2))[1] != 0:
        raise ValueError("the proxy refused the user")
    writer.write(b"\x05\x00")


async def _meet_http(reader: asyncio.StreamReader, far: asyncio.StreamWriter, proxy: _Proxy) -> int | None:
    """Pass on the head of one request with the credentials; answers how many bytes may follow it (None: any)."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    tunnel = first.upper().startswith(b"CONNECT ")
    dropped = rb"(?i)(proxy-authorization|proxy-connection|connection):"
    kept = [line for line in lines if not re.match(dropped, line)]
    token = base64.b64encode(f"{proxy.user}:{proxy.password}".encode())
    kept.append(b"Proxy-Authorization: Basic " + token)
    length: int | None = None
    if not tunnel:
        # One request a connection: the next one would need the credentials too.
        upgrade = next((line for line in kept if line.lower().startswith(b"upgrade:")), None)
        kept.append(b"Connection: close" if upgrade is None else b"Connection: Upgrade")
        sizes = [line.partition(b":")[2].strip() for line in kept if line.lower().startswith(b"content-length:")]
        chunked = any(line.lower().startswith(b"transfer-encoding:") for line in kept)
        length = None if chunked or upgrade is not None else int(sizes[0]) if sizes else 0
    far.write(b"\r\n".join([first, *kept]) + b"\r\n\r\n")
    await far.drain()
    return length


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: asyncio.StreamReader,
    far: asyncio.StreamWriter,
    allowed: int | None,
) -> None:
    out = asyncio.create_task(_copy(reader, far, allowed))
    back = asyncio.create_task(_copy(there, writer, None))
    try:
        # What comes back ends the talk; a browser that has said all may still be waiting for it.
        await back
    finally:
        for task in (out, back):
            task.cancel()
        await asyncio.gather(out, back, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, allowed: int | None) -> None:
    left = allowed
    while left is None or left > 0:
        chunk = await source.read(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            break
        target.write(chunk)
        await target.drain()
        left = None if left is None else left - len(chunk)
    if left is None:
        with contextlib.suppress(OSError, RuntimeError):
            if target.can_write_eof():
                target.write_eof()
