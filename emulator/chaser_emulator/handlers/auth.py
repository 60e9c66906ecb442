"""Signing in: by password, at a provider for whom a page of the emulator stands in, and the Codex login."""

from __future__ import annotations

from urllib.parse import urlencode

from chaser_emulator import callers, logins, redirects
from chaser_emulator.errors import ApiError
from chaser_emulator.logins import PATIENCE, signed_in
from chaser_emulator.operations import Call, Reply, operation
from chaser_emulator.plans import FREE
from chaser_emulator.resources import account_info, user_info
from chaser_emulator.shapes import CodexConnection, CodexLoginUrl, CurrentUser
from chaser_emulator.store import accounts, identity
from chaser_emulator.store import logins as rows

_UNKEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""What goes with tokens, states and codes, so that no cache and no other page gets them."""


@operation("register")
async def register(call: Call) -> Reply:
    """A new user on the free plan; or one whom an organization has added by address, and who now comes (A5).

    An address is taken once somebody has signed in with it or holds a key for it. That covers the emulator's first
    user: whoever could register their address would own everything, without a credential.
    """
    _require_near(call)
    email, name = call.body["email"], (call.body.get("name") or "").strip()
    hashed = await call.world.passwords.hash(call.body["password"])
    async with call.store.transaction() as tx:
        at = call.clock.timestamp()
        user = await accounts.user_by_email(tx, email)
        if user is None:
            user_id, _personal = await identity.add_user(tx, email, name, plan=FREE, at=at)
        else:
            user_id = user["id"]
            if await rows.is_taken(tx, user_id):
                raise ApiError("already_exists", f"{email} is registered already")
            await rows.set_name(tx, user_id, name)
        await rows.set_password(tx, user_id, hashed, at)
        user = await accounts.user_by_email(tx, email)
        assert user is not None  # noqa: S101 - made or found just above
    return Reply(signed_in(call, user), headers=_UNKEPT)


def _require_near(call: Call) -> None:
    """Raise ApiError `forbidden` for a stranger on another machine: whoever is registered can run commands here."""
    settings = call.world.settings
    if settings.open_registration or callers.is_this_machine(call.request):
        return
    if not callers.shows_key(call.request, settings.api_key):
        raise ApiError(
            "forbidden",
            "registering from another machine needs the emulator's own API key (Authorization: Bearer sk_…), "
            "unless it is started with --open-registration",
        )


@operation("login")
async def login(call: Call) -> Reply:
    """Sign in by password. An unknown address is told from a wrong password by neither words nor time (T2)."""
    user = await rows.user_with_password(call.store, call.body["email"])
    right = await call.world.passwords.is_right(call.body["password"], user["password_hash"] if user else None)
    if user is None or not right:
        raise ApiError(
            "invalid_credentials",
            "the address and the password do not belong to a user",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Reply(signed_in(call, user), headers=_UNKEPT)


@operation("start-google-login")
async def start_google_login(call: Call) -> Reply:
    """On to the page that stands in for Google."""
    return await _start(call, "google")


@operation("finish-google-login")
async def finish_google_login(call: Call) -> Reply:
    """Back from it."""
    return await _finish(call, "google")


@operation("start-github-login")
async def start_github_login(call: Call) -> Reply:
    """On to the page that stands in for GitHub."""
    return await _start(call, "github")


@operation("finish-github-login")
async def finish_github_login(call: Call) -> Reply:
    """Back from it."""
    return await _finish(call, "github")


async def _start(call: Call, provider: str) -> Reply:
    redirect_uri = call.query.get("redirect_uri")
    if redirect_uri is not None:
        redirects.require_allowed(call, redirect_uri)
    begun = await logins.begin(call, provider, redirect_uri=redirect_uri)
    return Reply(status=302, headers=_UNKEPT | {"Location": begun.address})


async def _finish(call: Call, provider: str) -> Reply:
    user, redirect_uri = await logins.finish_sign_in(call, provider)
    answer = signed_in(call, user)
    if redirect_uri is None:
        return Reply(answer, headers=_UNKEPT)
    # A fragment stays in the browser: neither the server there nor its log sees the token.
    fragment = urlencode({name: value for name, value in answer.items() if name != "user"})
    return Reply(status=302, headers=_UNKEPT | {"Location": f"{redirect_uri}#{fragment}"})


@operation("get-codex-login-url")
async def get_codex_login_url(call: Call) -> Reply:
    """Begin a Codex login for the caller in this account; its page leads to our own callback, or to a program's."""
    redirect_uri = call.query.get("redirect_uri")
    if redirect_uri is not None:
        redirects.require_allowed(call, redirect_uri)
    is_user = call.principal.kind == "user"
    owner = rows.Owner(call.account.id, call.principal.id if is_user else None, None if is_user else call.principal.id)
    begun = await logins.begin(call, "codex", callback=redirect_uri, owner=owner)
    answer: CodexLoginUrl = {
        "authorization_url": begun.address,
        "state": begun.state,
        "code_verifier": begun.verifier,
        "expires_in": int(PATIENCE.total_seconds()),
    }
    return Reply(answer, headers=_UNKEPT)


@operation("finish-codex-login")
async def finish_codex_login(call: Call) -> Reply:
    """Connected, by the browser that came back itself."""
    return await _connected(call, {name: str(value) for name, value in call.query.items()})


@operation("post-codex-callback")
async def post_codex_callback(call: Call) -> Reply:
    """Connected, by a program that caught the browser and has the verifier."""
    return await _connected(call, {name: call.body[name] for name in ("code", "state", "code_verifier")})


async def _connected(call: Call, returned: dict[str, str]) -> Reply:
    answer: CodexConnection = {
        "status": "connected",
        "provider": "codex",
        "expires_at": await logins.finish_codex(call, returned),
    }
    return Reply(answer, headers=_UNKEPT)


@operation("get-me")
async def get_me(call: Call) -> CurrentUser:
    """The user behind the credential, with their accounts, newest first."""
    user = await rows.user(call.store, call.principal.id)
    if user is None:
        raise ApiError("unauthorized", "the user behind this credential is gone")
    found = await identity.accounts_of(call.store, user["id"])
    return {"user": user_info(user), "accounts": [account_info(row) for row in found]}
