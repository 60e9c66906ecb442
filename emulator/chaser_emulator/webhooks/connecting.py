"""Where a webhook's URL leads: its addresses, each checked before a byte is sent, and a stream to one of them."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

_PATIENCE = 4.0
"""Seconds that one of several addresses may take before the next is tried."""

_FULL = 65_536
"""Bytes that wait to be read before no more are taken."""

Address = tuple[int, Any]
"""A family and what `connect` takes."""


class Unreachable(Exception):
    """There is no connection to be had; the text says why, in one sentence without secrets."""


@dataclass(frozen=True)
class Place:
    """A URL, taken apart. `authority` is what the Host header says, `target` what the request line does."""

    secure: bool
    host: str
    port: int
    authority: str
    target: str


def place_of(url: str) -> Place:
    """Take apart a URL that the document has accepted. A fragment is never sent."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(secure, parts.hostname or "", parts.port or (443 if secure else 80), parts.netloc, target)


class Stream(asyncio.Protocol):
    """Bytes to and from a receiver. Asyncio's own streams do not tell whether something has come unasked."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._come = bytearray()
        self._ended = False
        self._paused = False
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._come += data
        if len(self._come) > _FULL and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, _error: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._changed.set()

    @property
    def quiet(self) -> bool:
        """Whether the other side has neither hung up nor said anything that is not read yet."""
        return not self._ended and not self._come

    def write(self, data: bytes) -> None:
        """Send, without waiting for it."""
        if self._transport is not None:
            self._transport.write(data)

    async def read(self) -> bytes:
        """What has come; nothing at the end, however it came to that."""
        while self.quiet:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._come)
        self._come.clear()
        if self._paused and not self._ended and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def close(self) -> None:
        # Not in order: a receiver that reads nothing would keep it open.
        if self._transport is not None:
            self._transport.abort()


class Dialer:
    """Opens connections for webhooks.

    `localhost` takes the place of this machine's own names, where the emulator runs in a container and the receiver
    does not. `own_ports` are those at which the emulator itself answers: a webhook does not lead back to it.
    """

    def __init__(self, own_ports: Collection[int], localhost: str | None = None) -> None:
        self._own_ports = own_ports
        self._localhost = localhost
        self._lookups: dict[str, asyncio.Future[list[Address] | OSError]] = {}

    async def open(self, place: Place) -> Stream:
        """A stream to the place, encrypted where its URL says so. Raises Unreachable."""
        addresses = await self._addresses(place.host, place.port)
        # Before any of them is tried, and those that are tried are these: a name that is asked again may answer anew.
        if place.port in self._own_ports and any(_is_here(address) for address in addresses):
            raise Unreachable("the address is the emulator's own, which webhooks do not reach")
        # In a thread at first: it reads all authorities there are.
        tls = await asyncio.to_thread(_tls) if place.secure else None
        connection = await _connect(addresses)
        try:
            _, stream = await asyncio.get_running_loop().create_connection(
                Stream,
                sock=connection,
                ssl=tls,
                server_hostname=place.host if place.secure else None,
            )
        except OSError as error:
            raise Unreachable(_reason(error)) from None
        return stream

    async def _addresses(self, host: str, port: int) -> list[Address]:
        local = is_localhost(host)
        if local and self._localhost is not None:
            host, local = self._localhost, is_localhost(self._localhost)
        if local and _ip(host) is None:
            # Servers for development listen on either; and no resolver need know names such as app.localhost.
            return [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port, 0, 0))]
        if (ip := _ip(host)) is not None:
            if ip.version == 4:
                return [(socket.AF_INET, (host, port))]
            return [(socket.AF_INET6, (host, port, 0, 0))]
        found = await self._look_up(host)
        if isinstance(found, OSError):
            raise Unreachable(f"the name {host} cannot be resolved")
        return [(family, (address[0], port, *address[2:])) for family, address in found]

    async def _look_up(self, host: str) -> list[Address] | OSError:
        """Every address of a name. A thread for each name: one that nobody answers for holds up no other."""
        lookup = self._lookups.get(host)
        if lookup is None:
            loop = asyncio.get_running_loop()
            lookup = self._lookups[host] = loop.create_future()

            def found(answer: list[Address] | OSError) -> None:
                self._lookups.pop(host).set_result(answer)

            def work() -> None:
                answer = _resolve(host)
                with suppress(RuntimeError):  # the loop is gone by now
                    loop.call_soon_threadsafe(found, answer)

            # No pool: its threads would keep a process that ends waiting.
            threading.Thread(target=work, name=f"look up {host}", daemon=True).start()
        return await asyncio.shield(lookup)


def _resolve(host: str) -> list[Address] | OSError:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except UnicodeError as error:
        return OSError(str(error))
    return list(dict.fromkeys((family, address) for family, _kind, _protocol, _name, address in found))


async def _connect(addresses: list[Address]) -> socket.socket:
    """A connection to the first address that takes one. Raises Unreachable."""
    loop = asyncio.get_running_loop()
    reason = "the name has no address"
    for number, (family, address) in enumerate(addresses, start=1):
        try:
            connection = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except OSError as error:
            reason = _reason(error)
            continue
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_PATIENCE if number < len(addresses) else None):
                await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            reason = _reason(error)
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise Unreachable(reason)


def _reason(error: OSError) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"there is no TLS to be had: {error.reason or 'the connection was closed'}"
        case ConnectionRefusedError():
            return "the connection was refused"
        case TimeoutError():
            return "the connection took too long"
        case ConnectionError():
            return "the connection was closed before a request could be sent"
        case _:
            return f"there is no connection: {os.strerror(error.errno) if error.errno else type(error).__name__}"


def _is_here(address: Address) -> bool:
    """Whether an address is this machine's, by any of its names: what can be bound is."""
    family, (host, _port, *rest) = address
    with socket.socket(family, socket.SOCK_STREAM) as one:
        try:
            one.bind((host, 0, *rest))
        except OSError:
            return False
    return True


def is_localhost(host: str) -> bool:
    """Whether a host is one of the names and addresses under which a machine reaches itself."""
    ip = _ip(host)
    if ip is not None:
        return ip.is_loopback or ip.is_unspecified
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip


@functools.cache
def _tls() -> ssl.SSLContext:
    """Checks certificates against the machine's authorities, and Mozilla's where a machine has none of its own."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
