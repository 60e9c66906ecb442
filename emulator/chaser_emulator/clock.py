"""What time it is, and new ids: the only place where the emulator reads a clock or draws a random number."""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from datetime import UTC, datetime, timedelta

_BASE62 = string.digits + string.ascii_letters
_TICK = timedelta(microseconds=1)


class Clock:
    """The clock of one world. No two calls of `now` answer the same moment, so that rows keep their order."""

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The moment, in UTC; always later than the one before."""
        self._last = max(datetime.now(UTC), self._last + _TICK)
        return self._last

    def timestamp(self) -> str:
        """The moment as the API writes it."""
        return timestamp(self.now())


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z` (G16); texts of this form sort as the moments do."""
    # Not strftime, whose years before 1000 are shorter and would not sort.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The moment that an RFC 3339 text names; ValueError when it names none or has no offset."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("an offset such as Z is missing")
    return parsed.astimezone(UTC)


def new_id() -> str:
    """A random UUID (G17)."""
    return str(uuid.uuid4())


def new_request_id() -> str:
    """`req_` and 26 lower-case base32 characters (G13)."""
    return "req_" + base64.b32encode(secrets.token_bytes(17)).decode("ascii").lower()[:26]


def new_secret_key() -> str:
    """An API key: `sk_` and 40 base62 characters (A15)."""
    return "sk_" + "".join(secrets.choice(_BASE62) for _ in range(40))


def new_hex(digits: int) -> str:
    """So many random hex digits."""
    return secrets.token_hex((digits + 1) // 2)[:digits]


def new_name(adjectives: tuple[str, ...], nouns: tuple[str, ...]) -> str:
    """`adjective-noun-1234` (W3)."""
    return f"{secrets.choice(adjectives)}-{secrets.choice(nouns)}-{secrets.randbelow(10000):04d}"
