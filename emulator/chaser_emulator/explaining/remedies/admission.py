"""401, 403 and 429: another credential, another account, somebody else, or later."""

from __future__ import annotations

from collections.abc import Iterable

from chaser_emulator.explaining.asking import KEY, OTHERS, SELECTOR, Ask
from chaser_emulator.explaining.remedies.case import Case, Remedy
from chaser_emulator.store import Row


async def unauthorized(case: Case) -> Remedy:
    """The same with the key of the world."""
    if case.operation is not None and not case.operation.secured:
        return Remedy(why_not=f"this sign-in has to be started again: {case.error.message}")
    case.state["credential"] = _kind_of(case)
    return Remedy(case.ask.as_key(), note="CHASER_API_KEY is the key of this world; chaser-emulator env prints it")


def _kind_of(case: Case) -> str:
    sent = case.exchange.request_headers.get("authorization")
    if sent is None:
        return "none was sent"
    if not sent.lower().startswith("bearer "):
        return f"the scheme is {sent.partition(' ')[0][:20]!r}, not Bearer"
    return "it is unknown, revoked or expired"


async def invalid_credentials(case: Case) -> Remedy:
    """Register whom nobody knows; whoever is known has to know their password."""
    body = case.body
    known = await case.one("SELECT id FROM users WHERE email = ?", str(body.get("email", "")))
    if known is None:
        fields = {"email": body.get("email"), "password": body.get("password")}
        operation = case.spec.operations["register"]
        register = case.menders.request(operation, Ask("POST", operation.path).with_body(fields), {})
        return Remedy(case.ask.with_body({**body, "password": register.body["password"]}), (register,))
    signed = await case.one("SELECT password_hash FROM sign_ins WHERE user_id = ?", known["id"])
    if signed is None or signed["password_hash"] is None:
        return Remedy(why_not="this user has no password: sign in with Google or GitHub, or use an API key")
    return Remedy(why_not="only the right password helps, and nobody can read it: it is kept as a hash")


async def account_mismatch(case: Case) -> Remedy:
    """The key's own account, which it acts in without being told."""
    row = await case.one(
        "SELECT accounts.name FROM keys JOIN accounts ON accounts.id = keys.account_id WHERE keys.id = ?",
        case.exchange.key_id or "",
    )
    if row is not None:
        case.state["account_of_key"] = row["name"]
    return Remedy(case.ask.with_header(SELECTOR, None))


async def insufficient_scope(case: Case) -> Remedy:
    """A key with the scope, made by somebody who may."""
    required = (case.error.details or {}).get("required", "full")
    held = await case.one("SELECT scopes, account_id FROM keys WHERE id = ?", case.exchange.key_id or "")
    case.note({"required": required, "scopes": held["scopes"] if held is not None else "[]"})
    maker = await _member(case, ("owner", "admin", "member"))
    if maker is None:
        return Remedy(why_not="no person belongs to the account who could make a wider key")
    key = KEY if maker["own"] else OTHERS
    scopes = [] if required == "full" or case.operation is None or case.operation.id == "create-key" else [required]
    made = case.beside("POST", "/v1/keys", {"scopes": scopes}, CHASER_KEY="/key").as_key(key)
    made = made.with_header(SELECTOR, _selector(case, own=bool(maker["own"])))
    acts_as = None if maker["own"] else {"email": str(maker["email"]), "role": str(maker["role"])}
    if case.operation is not None and not case.operation.service_accounts and acts_as is None:
        return Remedy(case.ask.as_key(key).with_header(SELECTOR, _selector(case, own=True)))
    return Remedy(case.ask.as_key("$CHASER_KEY").with_header(SELECTOR, None), (made,), acts_as=acts_as)


async def forbidden(case: Case) -> Remedy:
    """Somebody who may, another kind of account, or another place to come from."""
    operation, message = case.operation, case.error.message
    if "origin" in case.ask.headers and ("rigin" in message or "page" in message):
        return Remedy(case.ask.with_header("origin", None), note="scripts of other pages are not let in; programs are")
    if "personal account" in message:
        made = case.beside("POST", "/v1/accounts/organizations", {"name": "acme"}, CHASER_ACCOUNT_ID="/account/id")
        return Remedy(case.ask.with_header(SELECTOR, "$CHASER_ACCOUNT_ID"), (made.with_header(SELECTOR, None),))
    if operation is not None and operation.id == "register":
        return Remedy(case.ask.as_key(), note="or start the emulator with --open-registration")
    roles: tuple[str, ...] = ("owner",) if "only an owner" in message else ("owner", "admin")
    if "service account" in message:
        roles = ("owner", "admin", "member")
    member = await _member(case, roles)
    if member is None:
        return Remedy(why_not=f"nobody in the account is {' or '.join(roles)}")
    case.state["who_may"] = f"{member['email']}, {member['role']}"
    acts_as = {"email": str(member["email"]), "role": str(member["role"])}
    key = KEY if member["own"] else OTHERS
    ask = case.ask.as_key(key).with_header(SELECTOR, _selector(case, own=bool(member["own"])))
    return Remedy(ask, acts_as=acts_as, note=f"with a key of {member['email']}, who is {member['role']}")


def _selector(case: Case, *, own: bool) -> str | None:
    """What selects the account of the exchange for another key: nothing where that acts there anyway."""
    return None if own and case.account_id == case.world.account_id else case.account_id


async def _member(case: Case, roles: Iterable[str]) -> Row | None:
    """Somebody in the account with one of these roles, whoever holds the world's key first."""
    wanted = list(roles)
    marks = ", ".join("?" * len(wanted))
    return await case.one(
        f"""SELECT users.email, members.role, keys.id IS NOT NULL AS own FROM members
            JOIN users ON users.id = members.user_id
            LEFT JOIN keys ON keys.user_id = users.id AND keys.id = ? AND keys.account_id IS NULL
            WHERE members.account_id = ? AND members.role IN ({marks})
            ORDER BY own DESC, members.role = 'member', members.joined_at LIMIT 1""",  # noqa: S608 - marks alone
        case.own_key or "", case.account_id, *wanted,
    )  # fmt: skip


async def rate_limited(case: Case) -> Remedy:
    """The same, later: on a clock that stands still somebody has to move it."""
    wait = int(case.error.headers.get("Retry-After") or case.exchange.response_headers.get("retry-after") or 1)
    headers = case.exchange.response_headers
    case.note(
        {
            "surface": case.operation.rate if case.operation is not None else None,
            "limit": int(headers.get("x-ratelimit-limit", 0)) or None,
            "used_up_by": {"principal": "this caller alone", "account": "all callers of the account together"}.get(
                headers.get("x-ratelimit-scope", "")
            ),
        }
    )
    advance = f"chaser-emulator clock advance {wait}"
    if case.world.clock.mode == "frozen":
        moved = case.control("/clock/advance", {"seconds": wait})
        return Remedy(case.ask, (moved,), wait_seconds=wait, note=f"the clock stands still: {advance}")
    return Remedy(case.ask, wait_seconds=wait, note=f"after {wait} s, or: {advance}")
