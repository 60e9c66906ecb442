"""Service accounts of an organization, and the keys they hold."""

from __future__ import annotations

from chaser_emulator.clock import new_secret_key
from chaser_emulator.errors import ApiError, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import created_key, key_info, service_account_info
from chaser_emulator.shapes import (
    ApiKeyList,
    CreateServiceAccountKeyResponse,
    ServiceAccountEnvelope,
    ServiceAccountList,
)
from chaser_emulator.store import Reader, Row, accounts, identity, keys


@operation("list-current-service-accounts")
async def list_current_service_accounts(call: Call) -> ServiceAccountList:
    """Those of the active organization; a personal account has none."""
    _require_organization(call)
    rows = await accounts.service_accounts(call.store, call.account.id)
    return {"service_accounts": [service_account_info(row) for row in rows]}


@operation("create-current-service-account")
async def create_current_service_account(call: Call) -> ServiceAccountEnvelope:
    """A new identity without a key."""
    _require_organization(call)
    name = call.body["name"].strip()
    async with call.store.transaction() as tx:
        row = await accounts.add_service_account(tx, call.account.id, name, call.principal.id, call.clock.timestamp())
        await call.audit(tx, row["id"], f"created service account {name}", {"name": name})
    return {"service_account": service_account_info(row)}


@operation("delete-current-service-account")
async def delete_current_service_account(call: Call) -> None:
    """Its keys stop working at once (A12)."""
    _require_organization(call)
    async with call.store.transaction() as tx:
        row = await _found(call, tx)
        await accounts.delete_service_account(tx, row["id"])
        await call.audit(tx, row["id"], f"deleted service account {row['name']}", {"name": row["name"]})


@operation("list-current-service-account-keys")
async def list_current_service_account_keys(call: Call) -> ApiKeyList:
    """Its keys, revoked ones too, without secrets."""
    _require_organization(call)
    row = await _found(call, call.store)
    return {"keys": [key_info(key) for key in await keys.of_service_account(call.store, row["id"])]}


@operation("create-current-service-account-key")
async def create_current_service_account_key(call: Call) -> CreateServiceAccountKeyResponse:
    """A new key, bound to this organization; its secret is shown this once."""
    _require_organization(call)
    secret = new_secret_key()
    scopes = list(dict.fromkeys(call.body.get("scopes") or []))
    async with call.store.transaction() as tx:
        owner = await _found(call, tx)
        row = await identity.add_key(
            tx,
            secret,
            at=call.clock.timestamp(),
            account_id=call.account.id,
            service_account_id=owner["id"],
            name=call.body.get("name"),
            scopes=scopes,
        )
        named = {"service_account_id": owner["id"], "scopes": scopes, "name": row["name"]}
        await call.audit(tx, row["id"], f"created a key of service account {owner['name']}", named)
    return {"service_account": service_account_info(owner), **created_key(row, secret)}


@operation("revoke-current-service-account-key")
async def revoke_current_service_account_key(call: Call) -> None:
    """It stops working at once, and stays in the list (A16)."""
    _require_organization(call)
    async with call.store.transaction() as tx:
        owner = await _found(call, tx)
        wanted = call.path["kid"].lower()
        if wanted not in {row["id"] for row in await keys.of_service_account(tx, owner["id"])}:
            raise not_found("key", call.path["kid"])
        await keys.revoke(tx, wanted, call.clock.timestamp())
        await call.audit(tx, wanted, f"revoked a key of service account {owner['name']}")


async def _found(call: Call, reader: Reader) -> Row:
    row = await accounts.service_account(reader, call.account.id, call.path["said"])
    if row is None:
        raise not_found("service account", call.path["said"])
    return row


def _require_organization(call: Call) -> None:
    if call.account.personal:
        raise ApiError("forbidden", "a personal account has no service accounts; create an organization")
