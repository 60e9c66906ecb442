"""Passwords: hashed slowly, in threads, a few at a time; one that cannot be right takes as long as a wrong one."""

from __future__ import annotations

import asyncio
import base64
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_MEMORY = 19_456
_TIME = 2
_LANES = 1
"""The least that OWASP's cheat sheet on storing passwords allows for argon2id: tests sign in often."""

_AT_ONCE = 2


class Passwords:
    """Hashes and compares the passwords of one world."""

    def __init__(self) -> None:
        # Each takes 19 MiB and a processor; a crowd that registers waits in line.
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password: str, hashed: str | None) -> bool:
        """Whether the password is the one that was hashed; with None, no, and not a moment sooner."""
        async with self._turn:
            return await asyncio.to_thread(self._compare, password, hashed or _UNKNOWN) and hashed is not None

    def _compare(self, password: str, hashed: str) -> bool:
        from argon2.exceptions import VerificationError

        try:
            return self._hasher.verify(hashed, password)
        except VerificationError:
            return False

    @functools.cached_property
    def _hasher(self) -> PasswordHasher:
        # Imported on use: most emulators see no password.
        from argon2 import PasswordHasher

        return PasswordHasher(time_cost=_TIME, memory_cost=_MEMORY, parallelism=_LANES)


def _part(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii").rstrip("=")


_UNKNOWN = f"$argon2id$v=19$m={_MEMORY},t={_TIME},p={_LANES}${_part(bytes(16))}${_part(bytes(32))}"
"""The hash of no known password, in the same form and with the same cost."""
