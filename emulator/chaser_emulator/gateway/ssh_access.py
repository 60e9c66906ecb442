"""Who may enter by SSH, and which workspace they mean: the user name of a connection, and the key that opened it."""

from __future__ import annotations

from dataclasses import dataclass

from chaser_emulator import admission
from chaser_emulator.acting import Acting
from chaser_emulator.admission import Account, Principal
from chaser_emulator.errors import ApiError
from chaser_emulator.lifecycle import START_PATIENCE
from chaser_emulator.sandbox import Engine
from chaser_emulator.store import Row, sessions, ssh_keys, workspaces
from chaser_emulator.targets import open_session
from chaser_emulator.world import World


@dataclass(frozen=True)
class Entrance:
    """A workspace that somebody may enter, and the registered key that lets them."""

    acting: Acting
    workspace: Row
    key_id: str


@dataclass(frozen=True)
class Sandbox:
    """The running sandbox of a session."""

    engine: Engine
    ref: str
    session: Row


async def known(world: World, fingerprint: str) -> bool:
    """Whether a key is registered by somebody who still belongs to the account."""
    return bool(await ssh_keys.that_open(world.store, fingerprint))


async def find(world: World, fingerprint: str, user_name: str) -> Entrance:
    """The workspace that `<workspace>` or `<account>/<workspace>` means in the accounts of a key.

    Chaser looks the name up inside the account of the key, and refuses one that is ambiguous. A key that is registered
    in several accounts makes a name ambiguous only where more than one of them has it; the account's name or id before
    it settles that. Raises ApiError.
    """
    of_account, _, selector = user_name.rpartition("/")
    account_selector = of_account if "/" in user_name else None
    entrances = []
    accounts = 0
    for key in await ssh_keys.that_open(world.store, fingerprint):
        principal = Principal("user", key["user_id"], None, None, key["account_id"])
        account = await admission.select_account(world.store, principal, None)
        if account_selector is not None and not _is_named(account, account_selector):
            continue
        accounts += 1
        workspace = await workspaces.find(world.store, account.id, selector)
        if workspace is not None:
            entrances.append(Entrance(Acting(world, principal, account), workspace, key["id"]))
    if not accounts:
        named = f" {account_selector!r}" if account_selector is not None else ""
        raise ApiError("not_found", f"this key opens no account{named}")
    sandboxes = [one for one in entrances if one.workspace["session_type"] == "sandbox"]
    match sandboxes, entrances:
        case [[one], _]:
            return one
        case [[], []]:
            raise ApiError("not_found", f"there is no workspace {selector!r} in the accounts that this key opens")
        case [[], _]:
            raise ApiError("not_a_sandbox", f"workspace {selector!r} is for browser sessions; SSH opens sandboxes only")
    names = " or ".join(sorted({f"{one.acting.account.name}/{selector}" for one in sandboxes}))
    if len({one.acting.account.name for one in sandboxes}) < len(sandboxes):
        names = " or ".join(sorted(f"{one.acting.account.id}/{selector}" for one in sandboxes))
    raise ApiError("invalid_request", f"workspace {selector!r} is ambiguous for this key; say {names}")


def _is_named(account: Account, selector: str) -> bool:
    wanted = selector.lower()
    return account.id == wanted or account.name.lower() == wanted or (account.personal and wanted == "personal")


async def enter(world: World, entrance: Entrance) -> Row:
    """The session of the workspace, started or found running, and the key noted as used. Raises ApiError."""
    acting = entrance.acting
    async with world.store.transaction() as tx:
        await ssh_keys.touch(tx, entrance.key_id, world.clock.timestamp())
    body = {"session_type": "sandbox", "workspace": entrance.workspace["name"] or entrance.workspace["id"]}
    target = await open_session(acting, body)
    row = await world.lifecycle.settled(target.session["id"], START_PATIENCE)
    if row is None or row["status"] != sessions.RUNNING:
        reason = (row["failure"] or f"it is {row['status']}") if row is not None else "it is gone"
        raise ApiError("sandbox_unavailable", f"the sandbox could not be started: {reason}")
    world.lifecycle.require_time(row)
    return row
