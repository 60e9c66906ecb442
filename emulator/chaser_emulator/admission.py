"""Who calls, for which account, with what right, how often: the steps 2 to 5 of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from chaser_emulator.clock import Clock, moment
from chaser_emulator.errors import ApiError
from chaser_emulator.spec import Operation
from chaser_emulator.store import Reader, Store, identity

_PERSONAL = "personal"
_TOUCH_EVERY = 1.0


@dataclass(frozen=True)
class Principal:
    """A known caller. `id` is a user's or a service account's; `scopes` None means full access; `account_id` None
    means that the credential is bound to no account."""

    kind: Literal["user", "service_account"]
    id: str
    key_id: str | None
    scopes: frozenset[str] | None
    account_id: str | None

    def may(self, scope: str) -> bool:
        """Whether the credential carries this scope; `full` needs one without scopes."""
        return self.scopes is None or scope in self.scopes


@dataclass(frozen=True)
class Account:
    """The active account; `role` is the caller's own (None for a service account)."""

    id: str
    kind: str
    name: str
    plan: str
    wallet_micros_usd: int
    role: str | None
    created_at: str

    @property
    def personal(self) -> bool:
        return self.kind == identity.PERSONAL


async def authenticate(store: Store, clock: Clock, authorization: str | None) -> Principal:
    """The caller behind a bearer token. Missing, malformed, unknown and revoked all look the same (G3)."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise unauthorized()
    key = await identity.credential(store, token)
    if key is None:
        raise unauthorized()
    now = clock.now()
    if key["last_used_at"] is None or (now - moment(key["last_used_at"])).total_seconds() > _TOUCH_EVERY:
        async with store.transaction() as tx:
            await identity.touch_key(tx, key["id"], clock.timestamp())
    scopes = json.loads(key["scopes"])
    return Principal(
        kind="service_account" if key["service_account_id"] else "user",
        id=key["service_account_id"] or key["user_id"],
        key_id=key["id"],
        scopes=frozenset(scopes) if scopes else None,
        account_id=key["account_id"],
    )


def unauthorized() -> ApiError:
    """The one answer to every credential that is not good."""
    return ApiError(
        "unauthorized",
        "a valid API key or access token is needed: Authorization: Bearer sk_…",
        headers={"WWW-Authenticate": "Bearer"},
    )


async def select_account(store: Reader, principal: Principal, selector: str | None) -> Account:
    """The account that X-Chaser-Account names, else the credential's own, else the personal one (G7)."""
    # Not every kind of white space: a name in UTF-8 may end in a byte that Latin-1 takes for one.
    selector = (selector or "").strip(" \t")
    names = _readings(selector)
    if principal.kind == "service_account":
        row = await identity.account(store, str(principal.account_id))
        accounts = [row] if row is not None else []
    elif not selector and principal.account_id is not None:
        row = await identity.account_of(store, principal.id, principal.account_id)
        accounts = [row] if row is not None else []
    else:
        accounts = await identity.accounts_of(store, principal.id)
    found = None
    for row in accounts:
        if not selector:
            wanted = row["id"] == principal.account_id if principal.account_id else row["kind"] == identity.PERSONAL
        elif selector.lower() == _PERSONAL:
            wanted = row["kind"] == identity.PERSONAL
        else:
            # An id cannot be a name of another account: names in the form of a UUID would be ambiguous, ids win.
            wanted = row["id"] == selector.lower() or (found is None and row["name"] in names)
        if wanted:
            found = row
            if row["id"] == selector.lower():
                break
    if found is None:
        raise ApiError("not_found", f"X-Chaser-Account: there is no account {names[-1]!r} among yours")
    if principal.account_id is not None and found["id"] != principal.account_id:
        raise ApiError(
            "account_mismatch", "X-Chaser-Account: this key is bound to another account; make a key in the one you need"
        )
    return Account(
        id=found["id"],
        kind=found["kind"],
        name=found["name"],
        plan=found["plan"],
        wallet_micros_usd=found["wallet_micros_usd"],
        role=found["role"],
        created_at=found["created_at"],
    )


def _readings(header: str) -> list[str]:
    """What a header's text may stand for: Python's clients send names in Latin-1, curl and others in UTF-8."""
    try:
        utf8 = header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return [header]
    return [header, utf8]


def authorise(operation: Operation, principal: Principal, account: Account | None) -> None:
    """Raise unless the credential and the caller's role allow the operation."""
    if not operation.service_accounts and principal.kind == "service_account":
        raise ApiError("forbidden", f"{operation.id} is not open to service accounts; use the key of a person")
    if operation.scope not in (None, "dynamic"):
        require_scope(principal, str(operation.scope))
    if (
        operation.roles is not None
        and account is not None
        and not account.personal
        and account.role not in operation.roles
    ):
        allowed = " or ".join(sorted(operation.roles))
        raise ApiError(
            "forbidden", f"{operation.id} needs the role {allowed} in this organization; yours is {account.role}"
        )


def require_scope(principal: Principal, scope: str) -> None:
    """Raise `insufficient_scope` unless the credential carries the scope (G4)."""
    if not principal.may(scope):
        needed = "a key without scopes" if scope == "full" else f"the scope {scope}"
        raise ApiError("insufficient_scope", f"this needs {needed}", details={"required": scope})
