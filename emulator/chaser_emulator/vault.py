"""The vault: encrypts what has to be read again (signing secrets, credentials), with a key beside the database."""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chaser_emulator.clock import new_vault_key

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY = "vault.key"


class Vault:
    """The secrets of one world. Its key is made at first need, and is its owner's alone to read.

    Without a data directory it is in memory, as the database is whose secrets it seals.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self._path = None if data_dir is None else data_dir / KEY
        self._held: bytes | None = None

    def seal(self, secret: str) -> str:
        """What may lie in the database in place of a secret."""
        return self._fernet.encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The secret that was sealed. Raises VaultError when this vault did not seal it."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            where = f" in {self._path}" if self._path is not None else ""
            raise VaultError(f"a secret was sealed with another key than the one{where}") from None

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose, which tell nothing of the key or of another purpose's."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).digest()

    def exported(self) -> bytes | None:
        """The key itself, for a copy of all that it has sealed; None where it was never needed."""
        if self._path is None:
            return self._held
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, key: bytes | None) -> None:
        """Take another vault's key for its own, in place of whatever was there; None: a new one at first need."""
        if self._path is None:
            self._held = key
            return
        self._path.unlink(missing_ok=True)
        if key is not None:
            _put(self._path, key)

    @functools.cached_property
    def _fernet(self) -> Fernet:
        # Imported on use: most emulators never seal anything.
        from cryptography.fernet import Fernet

        return Fernet(self._key)

    @functools.cached_property
    def _key(self) -> bytes:
        if self._path is None:
            self._held = self._held or new_vault_key()
            return self._held
        if not self._path.exists():
            with suppress(FileExistsError):
                _put(self._path, new_vault_key())
        return self._path.read_bytes()


def _put(path: Path, key: bytes) -> None:
    """Write a key where there is none. Raises FileExistsError."""
    # Written beside and linked into place: a key that was cut short would be lost for good.
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    finally:
        fresh.unlink()


class VaultError(Exception):
    """A secret cannot be read: its key is another."""
