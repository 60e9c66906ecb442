"""Access tokens: JWTs that stand for a user for a day on the emulator's clock (T3)."""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaser_emulator.clock import Clock, new_id
from chaser_emulator.vault import Vault

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

LIFETIME = 24 * 3600
"""Seconds that a token is good for."""

_ALGORITHM = "HS256"
_ISSUER = "chaser-emulator"
_FORM = re.compile(r"[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+")


@dataclass(frozen=True)
class AccessToken:
    """What a token says: who, and up to which second since 1970."""

    user_id: str
    expires_at: int


class Tokens:
    """Makes and reads the tokens of one world. They outlive a restart where the vault's key does."""

    def __init__(self, vault: Vault, clock: Clock, world: str) -> None:
        self._vault = vault
        self._clock = clock
        self._world = world

    def issue(self, user_id: str, email: str) -> str:
        """A new token for a user."""
        from joserfc import jwt

        now = int(self._clock.now().timestamp())
        claims = {
            "sub": user_id,
            "email": email,
            "iat": now,
            "exp": now + LIFETIME,
            "iss": _ISSUER,
            "jti": new_id(),
        }
        return jwt.encode(
            {"alg": _ALGORITHM, "typ": "JWT", "kid": self._world}, claims, self._key, algorithms=[_ALGORITHM]
        )

    def read(self, token: str) -> AccessToken | None:
        """What a token of ours says; None for every other text. Whether its time is over is for `is_over` to say.

        Only HS256 is taken, whatever a token says of itself. A moment of issue that lies ahead is fine: the clock can
        be set back.
        """
        if _FORM.fullmatch(token) is None:
            return None
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            return None
        user_id, expires_at = claims.get("sub"), claims.get("exp")
        if claims.get("iss") != _ISSUER or not isinstance(user_id, str) or type(expires_at) is not int:
            return None
        return AccessToken(user_id, expires_at)

    def is_over(self, token: AccessToken) -> bool:
        """Whether its time has passed, on a clock that may have been moved since the last look."""
        return self._clock.now().timestamp() >= token.expires_at

    @functools.cached_property
    def _key(self) -> OctKey:
        # Imported on use: most emulators never see a token.
        from joserfc.jwk import OctKey

        return OctKey.import_key(self._vault.derived("access-token"))


def world_of(token: str) -> str | None:
    """Which world a token says that it is from; nothing is checked, and None is said of what is no token."""
    if _FORM.fullmatch(token) is None:
        return None
    head = token.partition(".")[0]
    try:
        told = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return None
    world = told.get("kid") if isinstance(told, dict) else None
    return world if isinstance(world, str) else None
