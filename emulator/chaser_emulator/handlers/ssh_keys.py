"""SSH keys: public keys in OpenSSH's form, bound to a user and the account whose workspaces they open."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from chaser_emulator.errors import ApiError, invalid_field, not_found
from chaser_emulator.operations import Call, operation
from chaser_emulator.resources import ssh_key_info
from chaser_emulator.shapes import SshKeyEnvelope, SshKeyList
from chaser_emulator.store import ssh_keys

_RSA_BITS = 2048
"""OpenSSH itself takes no smaller ones (A22)."""


@dataclass(frozen=True)
class PublicKey:
    """One line of a `.pub` file: its canonical text, its fingerprint as `ssh-keygen -l` prints it, its comment."""

    line: str
    fingerprint: str
    comment: str | None


@operation("list-ssh-keys")
async def list_ssh_keys(call: Call) -> SshKeyList:
    """The caller's keys in the active account."""
    rows = await ssh_keys.of_user(call.store, call.account.id, call.principal.id)
    return {"keys": [ssh_key_info(row) for row in rows]}


@operation("create-ssh-key")
async def create_ssh_key(call: Call) -> SshKeyEnvelope:
    """Register a public key, once in an account (A22); its comment is its name where none is given (A23)."""
    key = read(call.body["public_key"])
    async with call.store.transaction() as tx:
        known = await ssh_keys.with_fingerprint(tx, call.account.id, key.fingerprint)
        if known is not None:
            raise ApiError("already_exists", f"{key.fingerprint} is registered in this account already")
        key_id = await ssh_keys.add(
            tx,
            call.account.id,
            call.principal.id,
            name=call.body.get("name") or key.comment,
            public_key=key.line,
            fingerprint=key.fingerprint,
            at=call.clock.timestamp(),
        )
        row = await ssh_keys.one_of_user(tx, call.account.id, call.principal.id, key_id)
        assert row is not None  # noqa: S101 - inserted just above
        await call.audit(
            tx, key_id, f"registered SSH key {key.fingerprint}", {"name": row["name"], "fingerprint": key.fingerprint}
        )
    return {"key": ssh_key_info(row)}


@operation("delete-ssh-key")
async def delete_ssh_key(call: Call) -> None:
    """Forget one of the caller's keys."""
    async with call.store.transaction() as tx:
        row = await ssh_keys.one_of_user(tx, call.account.id, call.principal.id, call.path["id"])
        if row is None:
            raise not_found("SSH key", call.path["id"])
        await ssh_keys.delete(tx, row["id"])
        await call.audit(
            tx, row["id"], f"forgot SSH key {row['fingerprint']}",
            {"name": row["name"], "fingerprint": row["fingerprint"]},
        )  # fmt: skip


def read(text: str) -> PublicKey:
    """Read one line of type, data and comment. Raises ApiError `invalid_request`, naming the field of the body."""
    # Imported on use: a start need not wait for it.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    kind, _, rest = text.strip().partition(" ")
    data, _, comment = rest.partition(" ")
    comment = comment.strip()
    try:
        blob = base64.b64decode(data, validate=True)
        # The same bytes have several texts in base64; one of them is kept.
        data = base64.b64encode(blob).decode("ascii")
        key = load_ssh_public_key(f"{kind} {data}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise invalid_field("/public_key", f"is no OpenSSH public key of the type {kind}: {error}") from None
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        raise invalid_field("/public_key", f"has {key.key_size} bits; an RSA key needs at least {_RSA_BITS}")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
    line = f"{kind} {data} {comment}" if comment else f"{kind} {data}"
    return PublicKey(line, f"SHA256:{digest}", comment or None)
