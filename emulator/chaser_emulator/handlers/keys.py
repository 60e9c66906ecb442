"""API keys: made for the caller in the active account, listed without secrets, revoked for good."""

from __future__ import annotations

from chaser_emulator.clock import new_secret_key
from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import created_key, key_info
from chaser_emulator.shapes import ApiKeyList, CreateApiKeyResponse, RevokedApiKey
from chaser_emulator.store import identity, keys


@operation("list-keys")
async def list_keys(call: Call) -> ApiKeyList:
    """The caller's own keys in this account, revoked ones too (A16, A20)."""
    if call.principal.kind == "service_account":
        rows = await keys.of_service_account(call.store, call.principal.id)
    else:
        rows = await keys.of_user(call.store, call.account.id, call.principal.id)
    return {"keys": [key_info(row) for row in rows]}


@operation("create-key")
async def create_key(call: Call) -> CreateApiKeyResponse:
    """A new key, bound to this account; its secret is shown this once."""
    scopes = list(dict.fromkeys(call.body.get("scopes") or []))
    own = call.principal.scopes
    if own is not None and (not scopes or not own.issuperset(scopes)):
        wider = sorted(set(scopes) - own)
        # A19: the way out of a scoped key would be a wider one that it makes for itself.
        raise ApiError(
            "insufficient_scope",
            f"a scoped key makes no wider one: {', '.join(wider) or 'full access'} is beyond its own scopes",
            details={"required": wider[0] if wider else "full"},
        )
    secret = new_secret_key()
    async with call.store.transaction() as tx:
        row = await identity.add_key(
            tx,
            secret,
            at=call.clock.timestamp(),
            account_id=call.account.id,
            user_id=call.principal.id,
            name=call.body.get("name"),
            scopes=scopes,
        )
        await call.audit(tx, row["id"], "created an API key", {"name": row["name"], "scopes": scopes})
    return created_key(row, secret)


@operation("revoke-key")
async def revoke_key(call: Call) -> RevokedApiKey:
    """Revoke a key, the one in use included; again answers with the first time (A17, A18)."""
    wanted = call.path["id"].lower()
    async with call.store.transaction() as tx:
        if wanted not in {row["id"] for row in await keys.of_user(tx, call.account.id, call.principal.id)}:
            raise not_found("API key", call.path["id"])
        revoked = await keys.revoke(tx, wanted, call.clock.timestamp())
        await call.audit(tx, wanted, "revoked an API key")
    return {"id": wanted, "revoked": revoked}
