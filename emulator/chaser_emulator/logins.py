"""Signing in at a provider: begun with a state and a PKCE verifier, finished once, by the code that belongs to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from chaser_emulator.clock import new_token, timestamp
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.plans import FREE
from chaser_emulator.resources import present, user_info
from chaser_emulator.shapes import AccessTokenResponse
from chaser_emulator.store import Row, Transaction, accounts, identity
from chaser_emulator.store import logins as rows
from chaser_emulator.store.identity import hash_of
from chaser_emulator.tokens import LIFETIME
from chaser_emulator.vault import Vault, VaultError

PROVIDERS: Mapping[str, str] = {"google": "Google", "github": "GitHub", "codex": "OpenAI Codex"}
"""Those that pages of the emulator stand in for, with their names."""

CLIENT = "chaser"
"""What the emulator calls itself to a provider."""

PATIENCE = timedelta(minutes=10)
"""How long a state is good for (T5)."""

CODEX_LIFETIME = timedelta(days=1)


@dataclass(frozen=True)
class Begun:
    """A sign-in that waits for somebody to choose who they are, at `address`."""

    address: str
    state: str
    verifier: str


async def begin(
    call: Call,
    provider: str,
    *,
    callback: str | None = None,
    redirect_uri: str | None = None,
    owner: rows.Owner | None = None,
) -> Begun:
    """Begin a sign-in. The provider's page leads to `callback`, by default our own, and that to `redirect_uri`."""
    state, verifier = new_token(), new_token()
    selector = call.world.selector
    if callback is None:
        callback = f"{call.base_url}/auth/{provider}/callback" + (f"?{urlencode(selector)}" if selector else "")
    now = call.clock.now()
    async with call.store.transaction() as tx:
        await rows.start(
            tx,
            state,
            provider=provider,
            verifier=call.world.vault.seal(verifier),
            callback=callback,
            redirect_uri=redirect_uri,
            owner=owner,
            at=timestamp(now),
            expires_at=timestamp(now + PATIENCE),
        )
    query = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": callback,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **selector,
    }
    return Begun(f"{call.base_url}/_emulator/sign-in/{provider}?{urlencode(query)}", state, verifier)


def challenge_of(verifier: str) -> str:
    """The PKCE challenge of a verifier, by S256 (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode("ascii").rstrip("=")


async def finish_sign_in(call: Call, provider: str) -> tuple[Row, str | None]:
    """The user who has signed in, found or made by the address, and the `redirect_uri` of the start.

    Raises ApiError `unauthorized`. The state is used up in any case.
    """
    at = call.clock.timestamp()
    async with call.store.transaction() as tx:
        login = await rows.take(tx, provider, call.query["state"], at)
        wrong = _wrong(call, login, call.query)
        user = None if wrong or login is None else await _found_or_made(tx, login["email"], at)
    # Not within: the state of a sign-in that is refused must stay used.
    if user is None or login is None:
        raise _refused(wrong or _OVER)
    return user, login["redirect_uri"]


async def finish_codex(call: Call, returned: Mapping[str, str]) -> str:
    """Keep the Codex login for whoever began it; answers until when it is good.

    `returned` has `state`, and `code` or `error`, and from a program `code_verifier`. Raises ApiError `unauthorized`.
    """
    now = call.clock.now()
    at, expires_at = timestamp(now), timestamp(now + CODEX_LIFETIME)
    async with call.store.transaction() as tx:
        login = await rows.take(tx, "codex", returned["state"], at)
        wrong = _wrong(call, login, returned)
        if login is not None and not wrong:
            # Whoever has left the account meanwhile has taken the sign-in along.
            owner = rows.Owner(login["account_id"], login["user_id"], login["service_account_id"])
            sealed = call.world.vault.seal(new_token())
            await rows.connect_codex(tx, owner, email=login["email"], token=sealed, at=at, expires_at=expires_at)
    if wrong:
        raise _refused(wrong)
    return expires_at


_OVER = "state: this sign-in is unknown, over, or older than 10 minutes; start it again"


def _wrong(call: Call, login: Row | None, returned: Mapping[str, str]) -> str:
    """What is wrong with what a browser or a program brought back; empty when all belongs together."""
    if login is None:
        return _OVER
    if "error" in returned:
        return "the sign-in was turned down; start it again"
    if not login["code_hash"] or not hmac.compare_digest(hash_of(returned.get("code", "")), login["code_hash"]):
        return "code: it does not belong to this state; start the sign-in again"
    verifier = _opened(call.world.vault, login["verifier"])
    given = returned.get("code_verifier", verifier)
    if verifier is None or given is None or not hmac.compare_digest(given, verifier):
        return "code_verifier: it does not belong to this state; start the sign-in again"
    if not hmac.compare_digest(challenge_of(verifier), login["code_challenge"]):
        return "code: it was given for another code_challenge; start the sign-in again"
    return ""


def _opened(vault: Vault, sealed: str) -> str | None:
    try:
        return vault.open(sealed)
    except VaultError:
        # Begun before the vault's key was lost.
        return None


def _refused(reason: str) -> ApiError:
    return ApiError("unauthorized", reason, headers={"WWW-Authenticate": "Bearer"})


async def _found_or_made(tx: Transaction, email: str, at: str) -> Row | None:
    user = await accounts.user_by_email(tx, email)
    if user is None:
        await identity.add_user(tx, email, email.partition("@")[0], plan=FREE, at=at)
        user = await accounts.user_by_email(tx, email)
    if user is not None:
        await rows.note_sign_in(tx, user["id"], at)
    return user


def signed_in(call: Call, user: Row) -> AccessTokenResponse:
    """What a user gets who has signed in, however they did (T1)."""
    return present(
        AccessTokenResponse,
        access_token=call.world.tokens.issue(user["id"], user["email"]),
        token_type="Bearer",  # noqa: S106 - the kind, not a secret
        expires_in=LIFETIME,
        user=user_info(user),
    )
