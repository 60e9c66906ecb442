"""Where a sign-in may lead in the end: this machine or what the settings allow, never the emulator itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from chaser_emulator.errors import ApiError, Problem, invalid
from chaser_emulator.operations import Call

_HERE = "localhost"
_PORTS = {"http": 80, "https": 443}
# Browsers and parsers differ over backslashes, white space and credentials: no address that has them is taken.
_PLAIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:[/?][!-\[\]-~]*)?")


@dataclass(frozen=True)
class Place:
    """An address taken apart. This machine has the same `host` in all spellings; `target` is the path and the query."""

    scheme: str
    host: str
    port: int
    target: str


def place_of(address: str) -> Place:
    """The place that an address names. Raises ValueError with a clause that says what is wrong with it."""
    if _PLAIN.fullmatch(address) is None or "#" in address:
        raise ValueError("must be an http or https URL without credentials and without a fragment")
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        host, port = "", None
    if not host or port == 0:
        raise ValueError("must name a host, and a port from 1 to 65535 if any")
    target = address[len(f"{parts.scheme}://{parts.netloc}") :]
    return Place(parts.scheme, _HERE if _is_here(host) else host, port or _PORTS[parts.scheme], target)


def require_allowed(call: Call, address: str) -> None:
    """Raise ApiError `invalid_request` for a `redirect_uri` that a sign-in may not lead to."""
    try:
        place = place_of(address)
    except ValueError as error:
        raise _refused(str(error)) from None
    if (place.host, place.port) in _own(call):
        raise _refused("must not lead to the emulator itself")
    if not _is_loopback(address) and not _is_listed(place, call.world.settings.allowed_redirects):
        raise _refused(
            "must lead to this machine: localhost, a name below it, 127.0.0.1 or [::1]; "
            "--allowed-redirect lets a sign-in lead elsewhere"
        )


def _refused(message: str) -> ApiError:
    return invalid([Problem("query", "redirect_uri", message)])


def _is_listed(place: Place, allowed: Iterable[str]) -> bool:
    """Whether the settings list this very address, or its origin."""
    for text in allowed:
        listed = place_of(text)
        if listed == place:
            return True
        same_origin = (listed.scheme, listed.host, listed.port) == (place.scheme, place.host, place.port)
        if same_origin and listed.target in ("", "/"):
            return True
    return False


def _own(call: Call) -> set[tuple[str, int]]:
    """The hosts and ports that lead back here: by the public address, by the Host of the request, by the socket."""
    settings = call.world.settings
    own = set()
    for address in filter(None, (call.base_url, settings.public_url, call.world.lifecycle.base_url)):
        try:
            place = place_of(address)
        except ValueError:
            continue
        own.add((place.host, place.port))
    server = call.http.scope.get("server") if call.http is not None else None
    if server is not None and server[1] is not None:
        names = (str(server[0]), *settings.allowed_hosts)
        own |= {(_HERE if _is_here(name.lower()) else name.lower(), server[1]) for name in (_HERE, *names)}
    return own


def _is_loopback(address: str) -> bool:
    return _is_name_of_loopback((urlsplit(address).hostname or "").removesuffix("."))


def _is_name_of_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_here(host: str) -> bool:
    """Whether a host is this machine. So is 0.0.0.0 to most systems, though no sign-in may lead there."""
    try:
        if ipaddress.ip_address(host).is_unspecified:
            return True
    except ValueError:
        pass
    return _is_name_of_loopback(host)
