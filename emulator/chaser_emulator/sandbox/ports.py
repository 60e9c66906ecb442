"""The ports of a local sandbox: the network is the host's, and a port is its own if one of its processes listens."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from chaser_emulator.sandbox import PortClosed
from chaser_emulator.sandbox.files import in_thread
from chaser_emulator.sandbox.plain import marked

CONNECT_SECONDS = 5
KNOWN_SECONDS = 1
"""How long a listening socket is known to be a sandbox's, once it was found with one of its processes."""

_LISTENS = "0A"
_ANY = socket.inet_ntop(socket.AF_INET, bytes(4))
_CALLED = {_ANY: {"127.0.0.1"}, "::": {"127.0.0.1", "::1"}}
"""Where a listener for any address can be called; one for all of IPv6 may or may not answer to IPv4."""


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket of this machine. An address mapped from IPv4 is given as that."""

    address: str
    port: int
    inode: int


class Ports:
    """The ports of one sandbox, whose processes `members` answers.

    macOS does not tell who listens: there no port is listed, and `connect` takes whatever listens on the loopback.
    """

    def __init__(self, members: Callable[[], set[int]]) -> None:
        self._members = members
        self._known: dict[int, float] = {}
        self._looking = asyncio.Lock()

    async def all(self) -> list[int]:
        found = await in_thread(_listeners)
        ours = await self._ours(found)
        return sorted({one.port for one in found if one.inode in ours})

    async def connect(self, port: int) -> socket.socket:
        """A connection to this sandbox's listener on the port, and to nobody else's; PortClosed without one."""
        if sys.platform != "linux":
            return await _any(port)
        found = await in_thread(_listeners, port)
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
            if _reached(address, await in_thread(_listeners, port)) == meant:
                return stream
            stream.close()
        raise _closed(port)

    async def _ours(self, listeners: Iterable[Listener]) -> set[int]:
        """Which of these sockets are held by processes of the sandbox. A page's requests ask that all at once."""
        wanted = {one.inode for one in listeners}
        async with self._looking:
            now = time.monotonic()
            self._known = {inode: until for inode, until in self._known.items() if until > now}
            if unknown := wanted - self._known.keys():
                held = await in_thread(lambda: _held(self._members(), unknown))
                self._known |= dict.fromkeys(held, now + KNOWN_SECONDS)
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


def _addresses(listeners: Iterable[Listener]) -> list[str]:
    """Where listeners can be called, loopback first."""
    found: set[str] = set()
    for one in listeners:
        found |= _CALLED.get(one.address, {one.address})
    return sorted(found, key=lambda address: (address != "127.0.0.1", address != "::1", address))


def _reached(address: str, listeners: Iterable[Listener]) -> set[int]:
    """The sockets among which Linux chooses for a call to an address: the exact ones, else those for any address."""
    order = [address, "::"] if ":" in address else [address, _ANY, "::"]
    for bound in order:
        if found := {one.inode for one in listeners if one.address == bound}:
            return found
    return set()


def _listeners(port: int | None = None) -> list[Listener]:
    """The listening TCP sockets of this machine, those of one port if it is given."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    if fields[3] != _LISTENS:
                        break  # the listening ones come first, and the rest may be long
                    address, _, number = fields[1].partition(":")
                    if port in (None, int(number, 16)):
                        found.append(Listener(_address(address), int(number, 16), int(fields[9])))
        except (OSError, StopIteration):
            continue  # a kernel without IPv6
    return found


def _address(text: str) -> str:
    """An address of the kernel's tables: words of 32 bits, each in this machine's order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    if len(raw) == 16 and raw.startswith(b"\0" * 10 + b"\xff\xff"):
        raw = raw[12:]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _held(pids: Iterable[int], inodes: set[int]) -> set[int]:
    """Those of the sockets that one of the processes has open."""
    names = {f"socket:[{inode}]": inode for inode in inodes}
    found = set()
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    held = names.get(os.readlink(f"/proc/{pid}/fd/{fd}"))
                except OSError:
                    continue  # closed meanwhile
                if held is not None:
                    found.add(held)
        except OSError:
            continue  # it has just ended
        if len(found) == len(inodes):
            break
    return found


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
