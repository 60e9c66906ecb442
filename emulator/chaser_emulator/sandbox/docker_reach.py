"""Which ports of a container are listened on, at which addresses, and the direct way to them where there is one."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from . import PortClosed

_DIRECT_PATIENCE: Final = 1.0
_RESOLVER: Final = ipaddress.ip_address("127.0.0.11")
"""Where the engine itself answers names in a container of a network that has one."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Listener:
    """A port that is listened on, at one address."""

    address: Address
    port: int


def listeners(words: Sequence[str]) -> list[Listener]:
    """Out of the kernel's own words, such as 0100007F:1F90: the address in words of the machine's order."""
    found = []
    for word in words:
        text, _, port = word.partition(":")
        packed = bytes.fromhex(text)
        order = b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
        one = Listener(_plain(ipaddress.ip_address(order)), int(port, 16))
        if one.address != _RESOLVER:
            found.append(one)
    return found


def _plain(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def places(found: Sequence[Listener], port: int) -> list[str]:
    """The addresses, as seen from inside, at which to try a port, best first. PortClosed when it is not listened on."""
    addresses = {one.address for one in found if one.port == port}
    if not addresses:
        raise PortClosed(f"Nothing in the sandbox listens on port {port}.")
    wanted: list[str] = []
    for address in sorted(addresses, key=lambda one: (one.version, not one.is_loopback)):
        if not address.is_unspecified:
            wanted.append(str(address))
        elif address.version == 4:
            wanted.append("127.0.0.1")
        else:
            # A socket on :: takes both as a rule.
            wanted += ["127.0.0.1", "::1"]
    return list(dict.fromkeys(wanted))


def reachable(told: Mapping[str, Any], url: str) -> bool:
    """Whether containers of an engine that tells this of itself may be reached by their addresses from here.

    The same address elsewhere may be anybody's; so the engine must be this machine's own, and not in a virtual machine.
    """
    return (
        sys.platform == "linux"
        and url.startswith(("unix:", "http+unix:"))
        and told.get("Name") == os.uname().nodename
        and "Desktop" not in str(told.get("OperatingSystem"))
        and not any("rootless" in str(one) for one in told.get("SecurityOptions") or ())
    )


def own_address(found: Mapping[str, Any]) -> str | None:
    """A container's address, if this machine is the gateway of its network."""
    for network in found["NetworkSettings"]["Networks"].values():
        if (address := network.get("IPAddress")) and (gateway := network.get("Gateway")):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((gateway, 0))
                except OSError:
                    continue
            return str(address)
    return None


async def direct(address: str, port: int) -> tuple[socket.socket | None, bool]:
    """A connection to an address of a container, if it can be had, and whether such addresses are worth a try."""
    stream = socket.socket()
    stream.setblocking(False)
    try:
        async with asyncio.timeout(_DIRECT_PATIENCE):
            await asyncio.get_running_loop().sock_connect(stream, (address, port))
    except TimeoutError:
        stream.close()
        return None, False
    except OSError as error:
        stream.close()
        return None, error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM)
    except BaseException:
        stream.close()
        raise
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream, True
