"""The ports of a local sandbox: the network is the host's, and a port is its own if one of its processes listens."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from chaser_emulator.sandbox import PortClosed
from chaser_emulator.sandbox.files import in_thread
from chaser_emulator.sandbox.listeners import Listener, held, listeners
from chaser_emulator.sandbox.plain import marked

CONNECT_SECONDS = 5
KNOWN_SECONDS = 1
"""How long a listening socket is known to be a sandbox's, once it was found with one of its processes."""

_ANY = socket.inet_ntop(socket.AF_INET, bytes(4))
_CALLED = {_ANY: {"127.0.0.1"}, "::": {"127.0.0.1", "::1"}}
"""Where a listener for any address can be called; one for all of IPv6 may or may not answer to IPv4."""


class Ports:
    """The ports of one sandbox, whose processes `members` answers.

    macOS does not tell who listens: there no port is listed, and `connect` takes whatever listens on the loopback.
    """

    def __init__(self, members: Callable[[], set[int]]) -> None:
        self._members = members
        self._known: dict[int, float] = {}
        self._looking = asyncio.Lock()

    async def all(self) -> list[int]:
        if sys.platform != "linux":
            return []
        found = await listeners()
        ours = await self._ours(found)
        return sorted({one.port for one in found if one.inode in ours})

    async def connect(self, port: int) -> socket.socket:
        """A connection to this sandbox's listener on the port, and to nobody else's; PortClosed without one."""
        if not 0 < port < 65_536:
            raise _closed(port)
        if sys.platform != "linux":
            return await _any(port)
        found = await listeners(port)
        ours = await self._ours(found)
        for address in _addresses([one for one in found if one.inode in ours]):
            meant = _reached(address, found)
            if not meant <= ours:
                continue
            try:
                stream = await _connect(address, port)
            except OSError:
                continue
            # While the same sockets listen before and after, nobody else can have taken the call in between.
            if _reached(address, await listeners(port)) == meant:
                return stream
            stream.close()
        raise _closed(port)

    async def _ours(self, found: Iterable[Listener]) -> set[int]:
        """Which of these sockets are held by processes of the sandbox. A page's requests ask that all at once."""
        wanted = {one.inode for one in found}
        async with self._looking:
            now = time.monotonic()
            self._known = {inode: until for inode, until in self._known.items() if until > now}
            if unknown := wanted - self._known.keys():
                ours = await in_thread(lambda: held(self._members(), unknown))
                self._known |= dict.fromkeys(ours, now + KNOWN_SECONDS)
            return wanted & self._known.keys()


def _closed(port: int) -> PortClosed:
    return PortClosed(f"Nothing in the sandbox listens on port {port}.")


async def _any(port: int) -> socket.socket:
    for address in ("127.0.0.1", "::1"):
        try:
            return await _connect(address, port)
        except OSError:
            continue
    raise _closed(port)


async def _connect(address: str, port: int) -> socket.socket:
    stream = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(stream, (address, port))
    except BaseException:
        stream.close()
        raise
    return stream


def _addresses(found: Iterable[Listener]) -> list[str]:
    """Where listeners can be called, loopback first."""
    addresses: set[str] = set()
    for one in found:
        addresses |= _CALLED.get(one.address, {one.address})
    return sorted(addresses, key=lambda address: (address != "127.0.0.1", address != "::1", address))


def _reached(address: str, found: Iterable[Listener]) -> set[int]:
    """The sockets among which Linux chooses for a call to an address: the exact ones, else those for any address."""
    order = [address, "::"] if ":" in address else [address, _ANY, "::"]
    for bound in order:
        if inodes := {one.inode for one in found if one.address == bound}:
            return inodes
    return set()


def of_namespace(inside: int) -> set[int]:
    """The processes of an isolated sandbox: those of its pid namespace, and all that descend from them."""
    try:
        space = os.stat(f"/proc/{inside}/ns/pid").st_ino
    except OSError:
        return set()
    first = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}/ns/pid").st_ino == space:
                    first.add(int(name))
            except OSError:
                continue  # it has just ended, or is another user's
    return _with_children(first)


def of_folder(folder: Path) -> set[int]:
    """The processes of a sandbox without isolation: those that name its folder, and all that descend from them."""
    return _with_children(set(marked(folder))) if sys.platform == "linux" else set()


def _with_children(pids: set[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
            except OSError:
                continue
    found, more = set(pids), list(pids)
    while more:
        born = [child for child in children.get(more.pop(), ()) if child not in found]
        found.update(born)
        more += born
    return found
