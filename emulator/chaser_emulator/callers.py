"""From where somebody asks: this machine, whose people may do anything, or another, which has to show the own key."""

from __future__ import annotations

import hmac
import ipaddress

from starlette.requests import HTTPConnection


def is_this_machine(connection: HTTPConnection) -> bool:
    """Whether it comes over loopback, where nobody but the machine's own people is."""
    try:
        return connection.client is None or ipaddress.ip_address(connection.client.host).is_loopback
    except ValueError:
        return False


def is_key(given: str, key: str) -> bool:
    """Whether a text is the emulator's key; how long the answer takes says nothing."""
    return hmac.compare_digest(given.encode(), key.encode())


def shows_key(connection: HTTPConnection, key: str) -> bool:
    """Whether a request carries the emulator's key as its bearer token."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and is_key(given.strip(), key)
