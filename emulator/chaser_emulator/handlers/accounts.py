"""Accounts: those of the caller, new organizations, and who belongs to them."""

from __future__ import annotations

from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import account_info, member_info
from chaser_emulator.shapes import AccountEnvelope, AccountInfo, AccountList, AccountMemberEnvelope, AccountMemberList
from chaser_emulator.store import Row, Transaction, accounts, identity

_OWNER = "owner"
_MANAGERS = frozenset({"owner", "admin"})


@operation("list-accounts")
async def list_accounts(call: Call) -> AccountList:
    """The accounts that the caller belongs to; a service account sees its own."""
    if call.principal.kind == "service_account":
        row = await identity.account(call.store, call.account.id)
        rows = [] if row is None else [row]
    else:
        rows = await identity.accounts_of(call.store, call.principal.id)
    return {"accounts": [account_info(row) for row in rows]}


@operation("get-current-account")
async def get_current_account(call: Call) -> AccountEnvelope:
    """The active account."""
    return {"account": await _shown(call, call.account.id)}


async def _shown(call: Call, account_id: str) -> AccountInfo:
    if call.principal.kind == "service_account":
        row = await identity.account(call.store, account_id)
    else:
        row = await identity.account_of(call.store, call.principal.id, account_id)
    if row is None:
        raise not_found("account", account_id)
    return account_info(row)


@operation("create-organization")
async def create_organization(call: Call) -> AccountEnvelope:
    """A new organization, owned by its creator and on the plan of the account that was active (A3, A10)."""
    name = call.body["name"].strip()
    async with call.store.transaction() as tx:
        taken = {row["name"].casefold() for row in await identity.accounts_of(tx, call.principal.id)}
        if name.casefold() in taken:
            raise ApiError("name_taken", f"you have an account called {name!r} already")
        account_id = await accounts.add_organization(
            tx, name, call.principal.id, plan=call.account.plan, at=call.clock.timestamp()
        )
    return {"account": await _shown(call, account_id)}


@operation("list-current-members")
async def list_current_members(call: Call) -> AccountMemberList:
    """Everybody in the active account."""
    return {"members": [member_info(row) for row in await accounts.members(call.store, call.account.id)]}


@operation("add-current-member")
async def add_current_member(call: Call) -> AccountMemberEnvelope:
    """Add a member by address; an unknown address gets a user of its own (A5)."""
    _require_organization(call)
    email, role = call.body["email"].strip(), call.body.get("role") or "member"
    async with call.store.transaction() as tx:
        await _require_right(call, tx, role)
        at = call.clock.timestamp()
        user = await accounts.user_by_email(tx, email)
        if user is None:
            user_id, _personal = await identity.add_user(tx, email, email.partition("@")[0], plan="free", at=at)
        else:
            user_id = user["id"]
            if await accounts.member(tx, call.account.id, user_id) is not None:
                raise ApiError("already_exists", f"{email} is a member of this account already")
        await accounts.add_member(tx, call.account.id, user_id, role, at)
        row = await _member(call, tx, user_id)
        await call.audit(tx, user_id, f"added {email} as {role}", {"email": email, "role": role})
    return {"member": member_info(row)}


@operation("update-current-member")
async def update_current_member(call: Call) -> AccountMemberEnvelope:
    """Give a member another role (A6)."""
    _require_organization(call)
    role = call.body["role"]
    async with call.store.transaction() as tx:
        row = await _member(call, tx, call.path["uid"])
        await _require_right(call, tx, role, row["role"])
        if row["role"] == _OWNER and role != _OWNER:
            await _require_another_owner(call, tx)
        await accounts.set_role(tx, call.account.id, row["user_id"], role)
        after = await _member(call, tx, row["user_id"])
        await call.audit(tx, row["user_id"], f"made {row['email']} {role}", {"role": role, "before": row["role"]})
    return {"member": member_info(after)}


@operation("remove-current-member")
async def remove_current_member(call: Call) -> None:
    """Remove a member; everybody may leave by themselves, save the last owner (A8)."""
    _require_organization(call)
    async with call.store.transaction() as tx:
        own = call.path["uid"].lower() == call.principal.id
        if not own:
            # Those who may remove nobody must not learn who belongs, so this comes before the look.
            await _require_right(call, tx)
        row = await _member(call, tx, call.path["uid"])
        if not own:
            await _require_right(call, tx, row["role"])
        if row["role"] == _OWNER:
            await _require_another_owner(call, tx)
        await accounts.remove_member(tx, call.account.id, row["user_id"], call.clock.timestamp())
        await call.audit(tx, row["user_id"], f"removed {row['email']}", {"role": row["role"]})


async def _member(call: Call, tx: Transaction, user_id: str) -> Row:
    row = await accounts.member(tx, call.account.id, user_id)
    if row is None:
        raise not_found("member", user_id)
    return row


def _require_organization(call: Call) -> None:
    if call.account.personal:
        raise ApiError("forbidden", "a personal account has no other members; create an organization")


async def _require_right(call: Call, tx: Transaction, *touched: str) -> None:
    """Raise unless the caller may manage members, and may touch these roles.

    The caller's role is read again, since it may have been lost after the request was admitted.
    """
    row = await accounts.member(tx, call.account.id, call.principal.id)
    role = "none" if row is None else row["role"]
    if role not in _MANAGERS:
        raise ApiError("forbidden", f"managing members needs the role owner or admin; yours is {role}")
    if _OWNER in touched and role != _OWNER:
        raise ApiError("forbidden", f"only an owner may do this to an owner; your role is {role}")


async def _require_another_owner(call: Call, tx: Transaction) -> None:
    if await accounts.owners(tx, call.account.id) == 1:
        raise ApiError("last_owner", "an organization keeps at least one owner; make somebody else owner first")
