"""Who calls, for which account, with what right, how often: the steps 2 to 5 of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from chaser_emulator.clock import Clock, timestamp
from chaser_emulator.errors import ApiError
from chaser_emulator.spec import Operation
from chaser_emulator.store import Reader, Row, Store, identity, logins
from chaser_emulator.tokens import AccessToken, Tokens

_PERSONAL = "personal"
_TOUCH_EVERY = 1.0
_REMEMBERED = 10_000


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

    @classmethod
    def of_key(cls, key: Row) -> Principal:
        """The caller behind a valid API key."""
        scopes = json.loads(key["scopes"])
        return cls(
            kind="service_account" if key["service_account_id"] else "user",
            id=key["service_account_id"] or key["user_id"],
            key_id=key["id"],
            scopes=frozenset(scopes) if scopes else None,
            account_id=key["account_id"],
        )


@dataclass(frozen=True)
class Account:
    """The active account; `role` is the caller's own (None for a service account)."""

    id: str
    kind: str
    name: str
    plan: str
    role: str | None
    created_at: str

    @property
    def personal(self) -> bool:
        return self.kind == identity.PERSONAL


class Admission:
    """Who calls, and for which account: looked up once, and remembered until the store says that such things changed.

    Every request asks this, and the answer hardly ever changes; a trip to the database costs as much as all the rest.
    An access token is remembered with its end, which each request looks at.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._version = -1
        self._principals: dict[str, tuple[Principal, AccessToken | None]] = {}
        self._accounts: dict[tuple[Principal, str], Account] = {}
        self._touched: dict[str, float] = {}

    async def principal(self, store: Store, clock: Clock, authorization: str | None) -> Principal:
        """The caller behind a bearer token: an API key or an access token. Raises ApiError `unauthorized`."""
        version = self._current(store)
        header = authorization or ""
        known = self._principals.get(header)
        if known is None:
            known = await authenticate(store, self._tokens, header)
            if version == store.identity_version:
                self._principals[header] = known
        principal, token = known
        if token is not None and self._tokens.is_over(token):
            raise unauthorized()
        now = clock.now()
        if principal.key_id is not None and now.timestamp() - self._touched.get(principal.key_id, 0) > _TOUCH_EVERY:
            self._touched[principal.key_id] = now.timestamp()
            async with store.transaction() as tx:
                await identity.touch_key(tx, principal.key_id, timestamp(now))
        return principal

    async def account(self, store: Store, principal: Principal, selector: str | None) -> Account:
        """The active account. Raises ApiError `not_found` and `account_mismatch`."""
        version = self._current(store)
        known = self._accounts.get((principal, selector or ""))
        if known is None:
            known = await select_account(store, principal, selector)
            if version == store.identity_version:
                self._accounts[principal, selector or ""] = known
        return known

    def _current(self, store: Store) -> int:
        """The store's version, with everything forgotten that was remembered of another."""
        if self._version != store.identity_version or len(self._accounts) + len(self._principals) > _REMEMBERED:
            self._principals.clear()
            self._accounts.clear()
            self._version = store.identity_version
        return self._version


async def authenticate(store: Reader, tokens: Tokens, authorization: str) -> tuple[Principal, AccessToken | None]:
    """The caller behind a bearer token, and that token where it is a JWT, whose time may be over.

    Missing, malformed, unknown and revoked all look the same (G3).
    """
    scheme, _, text = authorization.partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        raise unauthorized()
    token = tokens.read(text)
    if token is not None:
        if await logins.user(store, token.user_id) is None:
            raise unauthorized()
        return Principal(kind="user", id=token.user_id, key_id=None, scopes=None, account_id=None), token
    key = await identity.credential(store, text)
    if key is None:
        raise unauthorized()
    return Principal.of_key(key), None


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
        raise ApiError(
            "not_found",
            f"X-Chaser-Account: there is no account {names[-1]!r} among yours",
            state={"accounts": [row["name"] for row in accounts]},
        )
    if principal.account_id is not None and found["id"] != principal.account_id:
        raise ApiError(
            "account_mismatch", "X-Chaser-Account: this key is bound to another account; make a key in the one you need"
        )
    return Account(
        id=found["id"],
        kind=found["kind"],
        name=found["name"],
        plan=found["plan"],
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
