"""The registry of SSH keys: public keys of the caller, each bound to the active account."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from chaser_emulator.clock import new_id
from chaser_emulator.errors import ApiError, invalid_field, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import ssh_key_info
from chaser_emulator.store import keys

_RSA_BITS = 2048


@operation("list-ssh-keys")
async def list_ssh_keys(call: Call) -> dict[str, Any]:
    """The caller's own keys in this account."""
    rows = await keys.ssh_of_user(call.store, call.account.id, call.principal.id)
    return {"keys": [ssh_key_info(row) for row in rows]}


@operation("create-ssh-key")
async def create_ssh_key(call: Call) -> dict[str, Any]:
    """Register a key; its comment is its name unless one is given (A23)."""
    line = call.body["public_key"].strip()
    comment = " ".join(line.split()[2:])
    fingerprint = _fingerprint(line)
    key_id = new_id()
    async with call.store.transaction() as tx:
        try:
            await tx.insert(
                "ssh_keys",
                id=key_id,
                account_id=call.account.id,
                user_id=call.principal.id,
                name=call.body.get("name") or comment or None,
                public_key=line,
                fingerprint=fingerprint,
                created_at=call.clock.timestamp(),
            )
        except sqlite3.IntegrityError:
            raise ApiError("already_exists", f"the key {fingerprint} is registered in this account already") from None
        row = await tx.one("SELECT * FROM ssh_keys WHERE id = ?", key_id)
        assert row is not None  # noqa: S101 - inserted just above
        await call.audit(tx, key_id, f"registered the SSH key {fingerprint}", {"fingerprint": fingerprint})
    return {"key": ssh_key_info(row)}


@operation("delete-ssh-key")
async def delete_ssh_key(call: Call) -> None:
    """Forget a key."""
    async with call.store.transaction() as tx:
        if not await keys.delete_ssh(tx, call.account.id, call.principal.id, call.path["id"]):
            raise not_found("SSH key", call.path["id"])
        await call.audit(tx, call.path["id"].lower(), "removed an SSH key")


def _fingerprint(line: str) -> str:
    """The SHA-256 fingerprint as OpenSSH prints it (A21). Raises ApiError for what is no public key (A22)."""
    kind, _, rest = line.partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
        # The library knows no keys that live in hardware; the document's pattern holds those to their form.
        key = None if kind.startswith("sk-") else load_ssh_public_key(line.encode())
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise invalid_field("/public_key", f"must be a public key as OpenSSH writes it: {error}") from None
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        raise invalid_field("/public_key", f"must have at least {_RSA_BITS} bits; this RSA key has {key.key_size}")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
    return f"SHA256:{digest}"
