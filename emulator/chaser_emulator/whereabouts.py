"""What a running emulator leaves in its data directory: a lock against a second one, and a note of where it is."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaser_emulator.locks import lock as lock_file

NOTE = "emulator.json"
LOCK = "lock"

_PATIENCE = 0.3
"""Seconds to try for the lock: whoever only looks whether it is held holds it for a moment."""


class InUseError(Exception):
    """The data directory is another emulator's, or cannot be used at all."""


class NotRunningError(Exception):
    """No emulator runs on the data directory."""


def default_data_dir() -> Path:
    """Where data lives unless told otherwise: the platform's place for a user's data."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("chaser-emulator", appauthor=False))


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and keep a second emulator away from it. Raises InUseError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise InUseError(f"the data directory {folder} cannot be used: {error.strerror}") from None
    with lock:
        # One who cleans up removes the lock as well, and who waited for that has a lock that no other sees.
        if not _lock(lock.fileno(), _PATIENCE) or not _is_at(lock.fileno(), folder / LOCK):
            raise InUseError(f"another emulator uses {folder}; stop it, or choose another --data-dir") from None
        yield


def is_held(folder: Path) -> bool:
    """Whether an emulator runs on the folder. The kernel lets go of a lock with its process, however that ends."""
    try:
        lock = (folder / LOCK).open()
    except OSError:
        return False
    with lock:
        return not _lock(lock.fileno(), 0, shared=True)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _lock(file: int, patience: float, *, shared: bool = False) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            lock_file(file, shared=shared)
        except OSError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        else:
            return True


def write(path: Path, note: dict[str, Any]) -> None:
    """Write at once or not at all, for the owner's eyes: the note holds the key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w") as file:
        json.dump(note, file)
    Path(temporary).replace(path)


def find(folder: Path) -> dict[str, Any]:
    """The note of the emulator that runs on the folder. Raises NotRunningError, also while it still starts."""
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        note = {}
    # A note outlives a kill -9, and its process id is then free for anybody.
    if not note or not is_held(folder):
        raise NotRunningError(f"no emulator runs on {folder}; start one with: chaser-emulator")
    return note
