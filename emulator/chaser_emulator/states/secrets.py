"""The secrets of a saved state: sealed in its database, and the key to them wrapped with the world's API key.

Nothing in a file can be read by who has the file alone. Who loads it with the API key of the world that was saved, as
a world has that was started with the same one, gets back what webhooks are signed with and what credentials say.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.clock import new_signing_secret, new_vault_key
from chaser_emulator.states.file import SealedError, StateError
from chaser_emulator.webhooks.signing import preview

_SHOWN = 5


@dataclass(frozen=True)
class Secrets:
    """What is secret of a world beyond its database: its vault's key, if it has one, and keys whose texts it knows.

    `keys` are (id, text) by name.
    """

    vault_key: bytes | None
    keys: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)


def wrap(secrets: Secrets, api_key: str) -> dict[str, str]:
    """Secrets as a file may hold them: to be read with the API key alone."""
    from cryptography.fernet import Fernet

    salt = os.urandom(16)
    key = None if secrets.vault_key is None else secrets.vault_key.decode("ascii")
    plain = json.dumps({"vault_key": key, "keys": {name: list(known) for name, known in secrets.keys.items()}})
    sealed = Fernet(_derived(api_key, salt)).encrypt(plain.encode())
    return {"salt": base64.b64encode(salt).decode("ascii"), "sealed": sealed.decode("ascii")}


def unwrap(wrapped: Mapping[str, Any] | None, api_key: str) -> Secrets | None:
    """The secrets of a file, None when this is not the API key that they were wrapped with. Raises StateError."""
    from cryptography.fernet import Fernet, InvalidToken

    if wrapped is None:
        return Secrets(None)
    try:
        salt, sealed = base64.b64decode(wrapped["salt"], validate=True), wrapped["sealed"].encode("ascii")
        said = json.loads(Fernet(_derived(api_key, salt)).decrypt(sealed))
        key = said["vault_key"]
        known = {name: (str(key_id), str(text)) for name, (key_id, text) in said["keys"].items()}
        return Secrets(None if key is None else key.encode("ascii"), known)
    except InvalidToken:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError("it is damaged: its secrets are no secrets") from error


def _derived(api_key: str, salt: bytes) -> bytes:
    """A key made of an API key, which people choose short; so it takes a while."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=2**14, r=8, p=1).derive(api_key.encode()))


def sealed_in(database: sqlite3.Connection) -> list[str]:
    """What in a database cannot be read without its vault's key, in words."""
    hooks = [
        f"the signing secret of {url}" for (url,) in database.execute("SELECT url FROM webhooks WHERE secret <> ''")
    ]
    credentials = [f"the credential {name}" for (name,) in database.execute("SELECT name FROM assistant_credentials")]
    codex = [f"the Codex login of {email}" for (email,) in database.execute("SELECT email FROM codex_connections")]
    return [*hooks, *credentials, *codex]


def refusal(found: list[str]) -> SealedError:
    """Why a state is not loaded whose secrets cannot be read."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return SealedError(
        "it was saved under another API key than the one given, without which nobody can read "
        f"{', '.join(found[:_SHOWN])}{more}; give that key, or load it without them"
    )


def replace(database: sqlite3.Connection) -> bytes:
    """Sign with new secrets where the old ones cannot be read, and forget all else; answers the key of a new vault."""
    from cryptography.fernet import Fernet

    key = new_vault_key()
    fernet = Fernet(key)
    for (webhook_id,) in database.execute("SELECT id FROM webhooks WHERE secret <> ''").fetchall():
        secret = new_signing_secret()
        database.execute(
            "UPDATE webhooks SET secret = ?, secret_preview = ? WHERE id = ?",
            (fernet.encrypt(secret.encode()).decode("ascii"), preview(secret), webhook_id),
        )
    for table in ("assistant_credentials", "codex_connections", "logins"):
        database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    return key
