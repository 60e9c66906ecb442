"""Temporary folders of ephemeral emulators: held while one runs, cleared away by the next one when it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaser_emulator import erase, locks, whereabouts
from chaser_emulator.sandbox import files

_log = logging.getLogger(__name__)

PREFIX = "chaser-emulator-"

NEW = 60.0
"""Seconds in which a folder may have been made and not yet held."""


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder for the data of an ephemeral emulator, removed at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with (folder / whereabouts.LOCK).open("w") as lock:
        locks.lock(lock.fileno())
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                files.remove_tree(folder)
    if os.name == "nt":
        # There no file goes that is still open.
        with contextlib.suppress(OSError):
            files.remove_tree(folder)


async def clear() -> None:
    """Remove what killed emulators have left: folders that nobody holds, with their containers and volumes."""
    for folder in await asyncio.to_thread(_old):
        try:
            with (folder / whereabouts.LOCK).open("r+") as lock:
                locks.lock(lock.fileno())
                removed = await erase.remove(folder, traces=True)
                await asyncio.to_thread(files.remove_tree, folder)
        except OSError:
            # It is held, or somebody else's, or another emulator is clearing it.
            continue
        _log.info("cleared %s, which a killed emulator had left: %s", folder, "; ".join([str(removed), *removed.kept]))


def folders(*, held: bool = False) -> list[Path]:
    """Those that nobody holds; with `held` those of emulators that run as well."""
    everywhere = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    return [one for one in everywhere if one.is_dir() and (held or not whereabouts.is_held(one))]


def _old() -> list[Path]:
    found = []
    for folder in folders():
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > NEW:
                found.append(folder)
    return found
