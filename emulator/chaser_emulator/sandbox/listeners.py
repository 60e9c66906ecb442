"""The listening TCP sockets of this machine, asked of a Linux kernel."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from chaser_emulator.sandbox.files import in_thread

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_DUMP = 0x301
_ERROR, _DONE = 2, 3
_LISTENS = 10


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket. An address mapped from IPv4 is given as that."""

    address: str
    port: int
    inode: int


async def listeners(port: int | None = None) -> list[Listener]:
    """All that listen, or those on one port.

    The kernel's socket diagnostics answer in a twentieth of a millisecond. Some kernels are built without; their
    tables in /proc take as long as there are connections on the machine.
    """
    try:
        return [*_asked(socket.AF_INET, port), *_asked(socket.AF_INET6, port)]
    except OSError:
        return await in_thread(listed, port)


def _asked(family: int, port: int | None) -> Iterator[Listener]:
    # struct inet_diag_req_v2 of <linux/inet_diag.h>: which sockets; none but their port is looked at.
    which = struct.pack("!HH32x", port or 0, 0) + struct.pack("=I8s", 0, b"\xff" * 8)
    request = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, 1 << _LISTENS) + which
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.send(struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            answer = kernel.recv(65_536)
            while len(answer) >= 16:
                size, kind = struct.unpack_from("=IH", answer)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(errno.EOPNOTSUPP, "no socket diagnostics")
                number, address, inode = struct.unpack_from("!4xH2x16s", answer, 16) + struct.unpack_from(
                    "=I", answer, 16 + 68
                )
                yield Listener(_address(address[:4] if answer[16] == socket.AF_INET else address), number, inode)
                answer = answer[(size + 3) & ~3 :]


def listed(port: int | None) -> list[Listener]:
    """The same from the tables in /proc; blocking."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        # A kernel without IPv6 has no table of it.
        with contextlib.suppress(OSError), open(table, encoding="ascii") as lines:
            for line in lines.readlines()[1:]:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if int(fields[3], 16) == _LISTENS and port in (None, int(number, 16)):
                    # Words of 32 bits, each in this machine's order.
                    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
                    raw = struct.pack(f"={len(words)}I", *words)
                    found.append(Listener(_address(raw), int(number, 16), int(fields[9])))
    return found


def _address(raw: bytes) -> str:
    if len(raw) == 16 and raw.startswith(b"\0" * 10 + b"\xff\xff"):
        raw = raw[12:]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def held(pids: set[int], inodes: set[int]) -> set[int]:
    """Those of the sockets that one of the processes has open."""
    names = {f"socket:[{inode}]": inode for inode in inodes}
    found = set()
    for pid in pids:
        # It may have ended by now, and its descriptors come and go.
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if inode := names.get(os.readlink(f"/proc/{pid}/fd/{fd}")):
                        found.add(inode)
        if len(found) == len(inodes):
            break
    return found
