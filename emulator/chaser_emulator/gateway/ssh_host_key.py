"""The key by which clients of SSH know this emulator again: made at first need, kept with the data."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import asyncssh

from chaser_emulator.whereabouts import InUseError

NAME = "ssh_host_ed25519_key"


def host_key(folder: Path) -> asyncssh.SSHKey:
    """The key of a data directory, made when there is none yet. Raises InUseError."""
    path = folder / NAME
    try:
        if not path.exists():
            _write(path, asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        return asyncssh.import_private_key(path.read_bytes())
    except OSError as error:
        raise InUseError(f"the SSH host key {path} cannot be used: {error.strerror}") from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise InUseError(
            f"{path} holds no SSH host key that can be used ({error}); remove it, and a new one is made"
        ) from None


def fingerprint(folder: Path) -> str | None:
    """The fingerprint of the key that a data directory has, as clients show it; None before it is made."""
    return host_key(folder).get_fingerprint() if (folder / NAME).exists() else None


def _write(path: Path, content: bytes) -> None:
    """Write at once or not at all, for the owner's eyes."""
    half = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
