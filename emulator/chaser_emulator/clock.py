"""What time it is, and new ids: the only place where the emulator reads a clock or draws a random number."""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

_BASE62 = string.digits + string.ascii_letters
_TICK = timedelta(microseconds=1)


Mode = Literal["real", "frozen"]


class Clock:
    """The clock of one world, which goes with the machine's or stands still, and can be moved.

    No two calls of `now` answer the same moment, so that rows keep their order: a frozen clock goes on by a microsecond
    with each look.
    """

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=UTC)
        self._offset = timedelta()
        self._frozen = False

    @property
    def mode(self) -> Mode:
        return "frozen" if self._frozen else "real"

    def now(self) -> datetime:
        """The moment, in UTC; always later than the one before, unless the clock was set back."""
        if self._frozen:
            self._last += _TICK
        else:
            self._last = max(datetime.now(UTC) + self._offset, self._last + _TICK)
        return self._last

    def set(self, mode: Mode, at: datetime | None = None) -> None:
        """Let it stand still, at this moment or where it is; or go, from this moment or from the machine's own."""
        if mode == "real":
            self._offset = timedelta() if at is None else at - datetime.now(UTC)
            # The machine's own time may be earlier than what it showed until now.
            self._last = datetime.now(UTC) + self._offset
        else:
            self._last = self.now() if at is None else at
        self._frozen = mode == "frozen"

    def move(self, to: datetime) -> None:
        """Go on to a later moment at once, in the mode it is in; nothing happens where that has passed."""
        ahead = to - self.now()
        if ahead > timedelta():
            self._offset += ahead
            self._last = to

    def real_seconds(self, until: datetime) -> float | None:
        """How many seconds of the machine's it takes to get there; None: it never does by itself."""
        return None if self._frozen else max(0.0, (until - self.now()).total_seconds())

    def state(self, at: datetime | None = None) -> dict[str, Any]:
        """What `restore` brings back after a restart: where it stands, or how far it is from the machine's time.

        With `at` as if it had moved on to there.
        """
        ahead = timedelta() if at is None else at - self.now()
        frozen = timestamp(self._last + ahead) if self._frozen else None
        return {"frozen": frozen, "offset": (self._offset + ahead).total_seconds()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where a clock of an earlier process was."""
        self._offset = timedelta(seconds=state["offset"])
        if state["frozen"] is not None:
            self.set("frozen", moment(state["frozen"]))

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


def new_vault_key() -> bytes:
    """32 random bytes in URL-safe base64, the form that Fernet takes a key in."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32))


def new_signing_secret() -> str:
    """`whsec_` and 32 random bytes in base64 (H4)."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def new_token(size: int = 32) -> str:
    """So many random bytes in URL-safe base64 without padding: a state, a code, a PKCE verifier."""
    return secrets.token_urlsafe(size)
